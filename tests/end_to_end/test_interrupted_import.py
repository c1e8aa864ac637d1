"""An import that is interrupted or killed: whole chunks stay, the one in work is undone, and the next call goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.calls import PATIENCE, Answer, Place, place
from tests.support.engines import EACH_ENGINE, empty_url

CHUNK = 1000
ROWS = 1500
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=EACH_ENGINE)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a place with an installed database, on every engine."""
    made = place(tmp_path_factory.mktemp("interrupted"))
    with empty_url(request.param, made.folder) as url:
        made.configure(database_url=url, state_url=f"sqlite:///{made.folder}/itopd-state.db")
        assert made.call("init").code == 0
        yield made


def _words(made: Place, tag: str) -> list[str]:
    lines = [f"Last {row},First,My Company/Department,{tag}{row}@x.example" for row in range(ROWS)]
    file = made.write(f"{tag}.csv", "\n".join(["name,first_name,org_id->name,email", *lines, ""]))
    return [
        "import", "--class=Person", f"--csvfile={file}", "--no_localize=1", "--reconciliationkeys=email",
        f"--comment={tag}", f"--error_file={made.folder}/errors.csv",
    ]  # fmt: skip


def _hit(made: Place, number: signal.Signals, words: list[str]) -> Answer:
    done = subprocess.run(
        [sys.executable, "-m", "tests.end_to_end.import_child", number.name, "--config", str(made.config), *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def _count(made: Place, query: str) -> int:
    return len(made.query(query, "id"))


@pytest.mark.crash
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_whole_chunks_stay_and_the_same_call_does_the_rest(site: Place, number: signal.Signals) -> None:
    tag = number.name.lower()
    words = _words(site, tag)
    hit = _hit(site, number, words)
    if number is signal.SIGINT:
        assert (hit.code, hit.out) == (130, "")
        assert hit.err == "itopd: interrupted: what was being written is undone, what was done before stays\n"
        assert [path.name for path in site.folder.glob(".errors*")] == []
    else:
        assert (hit.code, hit.out) == (-signal.SIGKILL, "")
    assert _count(site, f"SELECT Person WHERE email LIKE '{tag}%'") == CHUNK
    created = f"SELECT CMDBChangeOpCreate AS o JOIN CMDBChange AS c ON o.change = c.id WHERE c.userinfo LIKE '%- {tag}'"
    assert _count(site, created) == CHUNK

    again = site.call(*words)
    assert again.code == 0, again
    assert (again.counter("Unchanged"), again.counter("Created")) == (CHUNK, ROWS - CHUNK)
    assert _count(site, f"SELECT Person WHERE email LIKE '{tag}%'") == ROWS
    assert _count(site, created) == ROWS
    assert site.call(*words).counter("Unchanged") == ROWS
