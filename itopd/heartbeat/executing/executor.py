"""What every executor can do, and every run under way."""

from __future__ import annotations

from typing import Protocol

from itopd.heartbeat.executing.runs import RunOutcome, RunSpec


class Execution(Protocol):
    """One run under way."""

    @property
    def pid(self) -> int:
        """Return the number of the process that works."""
        ...

    @property
    def progress(self) -> str:
        """Return the newest progress, for people."""
        ...

    async def outcome(self) -> RunOutcome:
        """Wait for the end; a process that died without a word is a failed outcome that says how it died."""
        ...

    def stop(self) -> None:
        """Ask to stop at the next chance."""
        ...

    def kill(self) -> None:
        """End it at once, where that is possible."""
        ...

    def hold_until(self, deadline: float) -> None:
        """Tell that the lease is proven until ``deadline`` (``time.monotonic``)."""
        ...

    async def stack(self) -> str:
        """Return what each of its threads does now, for the log; empty when that cannot be told."""
        ...


class Executor(Protocol):
    """What starts runs."""

    async def warm_up(self) -> None:
        """Get ready, so that the first run starts as fast as the others."""
        ...

    async def renew(self) -> None:
        """Get ready anew, since what runs need has changed; only while no run is under way."""
        ...

    def start(self, spec: RunSpec) -> Execution:
        """Start a run; call it from the loop's thread."""
        ...
