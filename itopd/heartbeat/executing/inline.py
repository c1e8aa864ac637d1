"""Runs inside this process, in a thread."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import tempfile
from collections.abc import Callable
from functools import partial

from itopd.heartbeat.executing import child
from itopd.heartbeat.executing.runs import RunOutcome, RunSpec


class InlineExecutor:
    """Runs inside this process, in a thread: for tests and tiny tasks. It can be asked to stop, not killed."""

    def __init__(self, entry: str) -> None:
        self._entry = entry

    async def warm_up(self) -> None:
        """Nothing to warm."""

    async def renew(self) -> None:
        """Nothing was warmed."""

    def start(self, spec: RunSpec) -> InlineRun:
        """Start the run in a thread."""
        return InlineRun(partial(child.outcome_of, self._entry, spec))


class InlineRun:
    """One run inside this process."""

    def __init__(self, work: Callable[[child.FlagControl], RunOutcome]) -> None:
        self._control = child.FlagControl()
        self._future = asyncio.get_running_loop().run_in_executor(None, work, self._control)
        self.pid = os.getpid()

    @property
    def progress(self) -> str:
        """Return the newest progress."""
        return self._control.latest

    async def outcome(self) -> RunOutcome:
        """Wait for the end."""
        return await self._future

    def stop(self) -> None:
        """Ask the run to stop."""
        self._control.stop()

    def kill(self) -> None:
        """Ask again: a thread cannot be killed."""
        self._control.stop()

    def hold_until(self, deadline: float) -> None:
        """Let the run stop by itself when the lease is no longer proven."""
        self._control.lease_until = deadline

    async def stack(self) -> str:
        """Return the stacks of all threads of this process."""
        with tempfile.TemporaryFile("w+") as file:
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            return file.read()
