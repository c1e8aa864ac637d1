"""Calling the command line as a user does: in this process where a process is not the point, else as a real one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from itopd.cli import main

PATIENCE = 90.0
"""Seconds after which something that should have happened counts as broken, however busy the machine is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.out}\n{self.err}"

    def counter(self, name: str) -> int:
        """Return one of the numbers that an import reports."""
        return next(int(line.split(": ")[1]) for line in self.out.splitlines() if line.startswith(f"#{name}:"))


def call(*words: str | Path) -> Answer:
    """Run one command in this process."""
    out, err = _stream(), _stream()
    code: object = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        finally:
            structlog.reset_defaults()  # the log went to a stream that ends here
    assert isinstance(code, int)
    return Answer(code, _text(out), _text(err))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True, newline="")


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def command(*words: str | Path) -> list[str]:
    """Return the command line of a process of its own."""
    return [sys.executable, "-m", "itopd", *map(str, words)]


def process(*words: str | Path, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> Answer:
    """Run one command as a process of its own."""
    done = subprocess.run(
        command(*words),
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds; fail, saying what, when it does not in time."""
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"{what} did not happen within {PATIENCE:.0f} seconds")
        time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with settings, and mostly with an installed database."""

    folder: Path

    @property
    def config(self) -> Path:
        """Return the settings file."""
        return self.folder / "itopd.params"

    @property
    def jobs(self) -> Path:
        """Return the folder of jobs."""
        return self.folder / "jobs"

    def configure(self, **settings: object) -> None:
        """Write settings of this place, over those written before; ``__`` in a name stands for a dot."""
        given = {name.replace("__", "."): value for name, value in settings.items()}
        before = self.config.read_text(encoding="utf-8").splitlines() if self.config.exists() else []
        kept = [line for line in before if line.partition("=")[0].strip() not in given]
        lines = [*kept, *(f"{name} = {value}" for name, value in given.items())]
        self.config.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def call(self, *words: str | Path) -> Answer:
        """Run one command with these settings in this process."""
        return call("--config", self.config, *words)

    def process(self, *words: str | Path) -> Answer:
        """Run one command with these settings as a process of its own."""
        return process("--config", self.config, *words, cwd=self.folder)

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start one command with these settings; its output goes to ``started.out`` and ``started.err``."""
        with (self.folder / "started.out").open("wb") as out, (self.folder / "started.err").open("wb") as err:
            return subprocess.Popen(command("--config", self.config, *words), cwd=self.folder, stdout=out, stderr=err)

    def read(self, name: str) -> str:
        """Return a file's text, nothing when it is not there."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file and return its path."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def query(self, text: str, fields: str) -> list[tuple[Any, ...]]:
        """Return the rows that a query selects, with the values of the fields."""
        answer = self.call("query", text, f"--fields={fields}", "--format=json")
        assert answer.code == 0, answer
        return [tuple(row.values()) for row in json.loads(answer.out)]


def place(folder: Path, **settings: object) -> Place:
    """Make a place whose data are in a folder, with the given settings."""
    made = Place(folder)
    made.jobs.mkdir()
    made.configure(data_folder=folder, jobs_folder=made.jobs, email_transport="null", **settings)
    return made


def copy_of(installed: Place, folder: Path) -> Place:
    """Make a place with a copy of the database of another one."""
    made = place(folder)
    for name in ("itopd.db", "itopd-state.db"):
        shutil.copyfile(installed.folder / name, folder / name)
    return made
