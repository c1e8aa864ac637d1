"""iTop's mutexes between processes: one at a time, given back by death, waited for as long as asked."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from itopd.database import Database
from itopd.errors import ConflictError

ROOT = Path(__file__).resolve().parents[2]

HOLD = """
import sys
from itopd.datamodel import Model
from tests.support.servers import opened
with opened(sys.argv[1], Model({})) as database, database.named_lock(sys.argv[2], wait=float(sys.argv[3])) as lock:
    lock.check()
    print("held", flush=True)
    sys.stdin.readline()
"""

COUNT = """
import sys
from pathlib import Path
from itopd.datamodel import Model
from tests.support.servers import opened
path = Path(sys.argv[2])
with opened(sys.argv[1], Model({})) as database:
    for _ in range(int(sys.argv[3])):
        with database.named_lock("count", wait=60):
            path.write_text(str(int(path.read_text()) + 1))
"""


def url(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


@contextmanager
def other_process(database: Database, base: str, wait: float = 0) -> Iterator[subprocess.Popen[str]]:
    """Start a process that takes a lock and holds it until it is told a line, or dies."""
    words = [sys.executable, "-c", HOLD, url(database), base, str(wait)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        try:
            yield child
        finally:
            child.kill()


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


def test_a_lock_of_another_process_is_respected_and_freed_by_its_death(engine: Database) -> None:
    with other_process(engine, "cron") as child:
        assert line(child) == "held\n"
        with pytest.raises(ConflictError, match=r"'cron' is already running: its lock .* is held by"):
            engine.named_lock("cron").__enter__()
        with engine.named_lock("other"):
            pass
        child.kill()
        child.wait()
        with engine.named_lock("cron", wait=30):  # a server needs a moment to see that its client is gone
            pass


def test_who_waits_gets_the_lock_when_it_is_given_back(engine: Database) -> None:
    with ExitStack() as held:
        held.enter_context(engine.named_lock("waited"))
        with other_process(engine, "waited", wait=60) as child:
            held.close()
            assert line(child) == "held\n"
            with pytest.raises(ConflictError), engine.named_lock("waited"):
                pass


def test_waiting_in_vain_ends_when_asked(engine: Database) -> None:
    with other_process(engine, "long") as child:
        assert line(child) == "held\n"
        started = time.monotonic()
        with pytest.raises(ConflictError), engine.named_lock("long", wait=0.5):
            pass
        assert time.monotonic() - started > 0.4


def test_only_one_process_at_a_time_does_what_a_lock_guards(engine: Database, tmp_path: Path) -> None:
    path, processes, times = tmp_path / "count", 3, 15
    path.write_text("0")
    words = [sys.executable, "-c", COUNT, url(engine), str(path), str(times)]
    children = [subprocess.Popen(words, cwd=ROOT) for _ in range(processes)]
    assert [child.wait() for child in children] == [0] * processes
    assert int(path.read_text()) == processes * times
