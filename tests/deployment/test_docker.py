"""The image and the compose file, as far as they can be judged without Docker (``make docker_check`` runs it)."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from itopd.cli import COMMANDS
from itopd.settings import Settings, setting_names

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docker"


def _instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(name, " ".join(rest.split())) for name, _, rest in (line.partition(" ") for line in text.split("\n"))]


def _of(name: str) -> list[str]:
    return [rest for found, rest in _instructions() if found == name]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = set((ROOT / ".dockerignore").read_text().split())
    for words in (shlex.split(rest) for rest in _of("COPY") if not rest.startswith("--from")):
        for source in words[:-1]:
            assert (ROOT / source).exists(), source
            assert source not in ignored


def test_it_runs_as_an_account_of_its_own_and_tells_its_health() -> None:
    names = [name for name, _ in _instructions()]
    assert _of("USER") == ["itopd"]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert json.loads(_of("ENTRYPOINT")[0]) == ["itopd"]
    assert json.loads(_of("CMD")[0])[0] in COMMANDS
    (health,) = _of("HEALTHCHECK")
    assert health.endswith("CMD itopd health || exit 1")
    assert "health" in COMMANDS


def test_the_build_leaves_its_tools_behind() -> None:
    stages = _of("FROM")
    assert len(stages) == 2
    assert len({stage.split()[0] for stage in stages}) == 1
    assert any(rest.startswith("--from=build ") for rest in _of("COPY"))


def test_the_environment_holds_settings_that_exist() -> None:
    text = (FOLDER / "Dockerfile").read_text() + (FOLDER / "compose.yaml").read_text()
    variables = set(re.findall(r"\bITOPD_[A-Z_]+", text))
    assert len(variables) > 8
    assert {name.removeprefix("ITOPD_").lower() for name in variables} <= setting_names()


def test_the_sidecar_has_time_to_stop() -> None:
    (grace,) = re.findall(r"stop_grace_period: (\d+)s", (FOLDER / "compose.yaml").read_text())
    assert int(grace) > Settings().stop_timeout


def test_the_compose_file_holds_no_password() -> None:
    for line in (FOLDER / "compose.yaml").read_text().splitlines():
        if re.search(r"password|pwd", line, re.IGNORECASE):
            assert re.search(r"/run/secrets/|_password\b|RANDOM|printf|the password", line), line
