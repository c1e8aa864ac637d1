"""The stage: shows a command, runs it, shows what it printed, and says what to notice."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from itopd.errors import ItopdError

PATIENCE = 20.0
"""Seconds after which something that should have happened counts as broken."""


class DemoFailed(ItopdError):
    """The demonstration did not show what it promises."""


@dataclass
class Stage:
    """One folder with its settings, and the commands run on it."""

    folder: Path
    config: Path
    command: click.Command
    """The command line itself: commands run in this process, so that fourteen of them do not start Python each time."""
    acts: int = 0
    started: float = field(default_factory=time.monotonic)

    def act(self, title: str) -> None:
        """Begin the next act."""
        self.acts += 1
        click.secho(f"\n{self.acts}. {title}", bold=True)

    def notice(self, text: str) -> None:
        """Say what to look at."""
        click.secho(f"   → {text}", fg="green")

    def run(self, *words: str, expect: int = 0, show: Callable[[str], str] = str) -> str:
        """Run one itopd command, show it and its output, and return the output.

        Raises :class:`DemoFailed` when it ends with another exit code than expected.
        """
        click.secho(f"   $ itopd {_shown(words)}", fg="cyan")
        code, text = self._call(words)
        for line in show(text).rstrip().splitlines():
            click.echo(f"   {line}")
        if code != expect:
            raise DemoFailed(f"itopd {_shown(words)} ended with {code} instead of {expect}:\n{text}")
        return text

    def quietly(self, *words: str) -> None:
        """Run one command whose output is of no interest."""
        code, text = self._call(words)
        if code:
            raise DemoFailed(f"itopd {_shown(words)} ended with {code}:\n{text}")

    def _call(self, words: Sequence[str]) -> tuple[int, str]:
        output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                code = self.command.main(
                    args=["--config", str(self.config), *words], prog_name="itopd", standalone_mode=False
                )
            except ItopdError as error:
                click.echo(f"itopd: {error.message}")
                code = error.exit_code
        output.seek(0)
        return (code if isinstance(code, int) else 0), output.read()

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start one command as a process of its own, the leader of its group."""
        click.secho(f"   $ itopd {_shown(words)} &", fg="cyan")
        return subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "itopd", "--config", str(self.config), *words],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait_for(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; raise :class:`DemoFailed` when it does not in time."""
        until = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > until:
                raise DemoFailed(f"{what} did not happen within {PATIENCE:.0f} seconds")
            time.sleep(0.005)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all it started, without warning."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def mail_sink(folder: Path) -> Iterator[Path]:
    """Run the local SMTP server; yield the folder where it keeps what it received."""
    with subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "itopd.cli.demo.sink", str(folder)], stdin=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            yield folder
        finally:
            kill_group(process)


def _shown(words: Sequence[str]) -> str:
    return " ".join(f"'{word}'" if " " in word else word for word in words)
