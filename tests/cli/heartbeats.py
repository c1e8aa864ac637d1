"""Heartbeats that tests of the command line start, and the jobs they give them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cli.calls import Place, wait_until

EXPORT = "service = export\nschedule = {schedule}\nexpression = SELECT Person\nfields = name\noutput_file = {file}\n"


def export_job(made: Place, name: str, schedule: str = "every 1h") -> None:
    """Write a job that exports the persons to the folder ``out``."""
    text = EXPORT.format(schedule=schedule, file=made.folder / "out" / "{name}-{date}.csv")
    made.write(f"jobs/{name}.params", text)


@contextmanager
def daemon(made: Place) -> Iterator[subprocess.Popen[bytes]]:
    """Give a daemon that has started; it is killed at the end if it still runs."""
    running = made.start("run")
    try:
        wait_until(
            lambda: "daemon_started" in made.read("started.err") or running.poll() is not None,
            "the start of the daemon",
        )
        assert running.poll() is None, made.read("started.err")
        yield running
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()
