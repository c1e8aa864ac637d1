"""The daemon's loops: each has a name, one that ends takes the daemon with it, one that hangs stops the watchdog.

A loop says at every turn by when it will be back. The watchdog of the service manager is fed only while every loop
keeps its word, so a daemon that is up but does nothing is started anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from itopd.heartbeat.daemon.notify import ServiceManager

_GRACE: Final = 30.0
"""Seconds that a turn may take beyond what was said: a round of statements on a slow server."""
_SHARE: Final = 0.5
"""Part of the grace that is used up by looking only now and then."""


class Loops:
    """The loops of one daemon."""

    def __init__(self, log: FilteringBoundLogger, manager: ServiceManager) -> None:
        self._log = log
        self._manager = manager
        self._tasks: set[asyncio.Task[None]] = set()
        self._back_by: dict[str, float] = {}
        self._late: set[str] = set()
        watchdog = manager.watchdog_seconds
        # The watchdog must not fire for a loop that is merely slow, and must for one that hangs.
        self._grace = _GRACE if watchdog is None else min(_GRACE, watchdog * _SHARE)
        self.died = False
        """Whether one has ended before it was told to."""

    @property
    def all(self) -> set[asyncio.Task[None]]:
        """Return the loops as tasks."""
        return self._tasks

    def start(self, name: str, work: Coroutine[Any, Any, None], seconds: float) -> asyncio.Task[None]:
        """Start a loop whose first turn takes no longer than ``seconds``."""
        self.back_in(name, seconds)
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        return task

    def back_in(self, name: str, seconds: float) -> None:
        """Note that a loop has made its turn and will make the next within ``seconds``."""
        self._back_by[name] = time.monotonic() + seconds

    def hanging(self) -> tuple[str, ...]:
        """Return the loops that have not kept their word."""
        now = time.monotonic()
        return tuple(name for name, back_by in self._back_by.items() if now > back_by + self._grace)

    def over(self, name: str) -> None:
        """Expect nothing more of a loop that has done its work."""
        self._back_by.pop(name, None)

    async def watch(self) -> None:
        """Feed the watchdog while no loop hangs, and say so when one does; until cancelled."""
        watchdog = self._manager.watchdog_seconds
        interval = _GRACE / 2 if watchdog is None else watchdog / 4
        while True:
            hanging = self.hanging()
            if not hanging:
                self._manager.alive()
            for name in set(hanging) - self._late:
                self._log.error("loop_hangs", loop=name)
            for name in self._late - set(hanging):
                self._log.info("loop_goes_on", loop=name)
            self._late = set(hanging)
            await asyncio.sleep(interval)

    def report_dead(self, *, stopping: bool) -> None:
        """Log the loops that ended with an error, or ended at all while nobody is ``stopping``."""
        for task in self._tasks:
            if not task.done() or task.cancelled():
                continue
            if task.exception() is not None or not stopping:
                self._log.error("loop_died", loop=task.get_name(), exc_info=task.exception())
                self.died = True

    async def end(self) -> None:
        """Cancel what still runs and wait for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
