"""Places with an installed database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.calls import Place, copy_of, place

PASSWORD = "Tests-of-itopd-1"


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Give a place that ``itopd init`` made; tests leave it as it is."""
    made = place(tmp_path_factory.mktemp("prepared"))
    made.write("password", f"{PASSWORD}\n")
    answer = made.call("init", f"--admin_password_file={made.folder / 'password'}")
    assert answer.code == 0, answer
    with closing(sqlite3.connect(made.folder / "itopd-state.db")) as state, state:
        # Copies are meant to work: forget on which file and machine it was made.
        state.execute('UPDATE itopd_fingerprint SET server = \'{"engine": "sqlite"}\'')
    return made


@pytest.fixture
def installed(prepared: Place, tmp_path: Path) -> Place:
    """Give a place of the test's own with tables, an administrator ``admin`` and their organization."""
    return copy_of(prepared, tmp_path)
