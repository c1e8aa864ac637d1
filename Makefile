# Every target sets itself up: .venv is made from pyproject.toml, with the exact versions of constraints.txt.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test golden lint format bench docker_check lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z_]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "itopd needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,postgresql,celery]'
	@touch $(READY)

demo: $(READY) ## the main job on an embedded database: import, mail through a crash, export, history
	@$(BIN)/itopd demo --folder=demo

test: $(READY) ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist=worksteal

golden: $(READY) ## replay recorded facts [DIR=folder] [STRICT=1] [ENGINE=postgresql or mariadb]
	@STRICT=$(STRICT) GOLDEN_ENGINE=$(or $(ENGINE),$(GOLDEN_ENGINE)) $(BIN)/python -m tests.golden $(DIR)

lint: $(READY) ## style, types and the layers of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## bring the sources into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## speed and memory, each beside a straight raw-driver script [ROWS=10000]
	$(BIN)/python -m benchmarks $(if $(ROWS),--rows=$(ROWS))
	$(BIN)/python -m benchmarks.copies $(if $(ROWS),--rows=$(ROWS))
	-$(BIN)/python -m benchmarks.heartbeat

docker_check: $(READY) ## execute the steps of docker/Dockerfile in debootstrap trees (root; not part of CI)
	$(BIN)/python -m tests.deployment.image_steps $(or $(FOLDER),/var/tmp/itopd-image)

lock: $(READY) ## write constraints.txt from what is installed
	$(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools > constraints.txt

clean: ## remove .venv, caches and the demo's folder
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
