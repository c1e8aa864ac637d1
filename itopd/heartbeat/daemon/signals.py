"""What people and the service manager ask of a running daemon, by signals."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from types import TracebackType
from typing import Self


class Signals:
    """Inside its ``with`` block SIGTERM and SIGINT ask to stop, a second one to hurry, SIGHUP to reload.

    Made and used in a running loop of the main thread.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        """Asked twice to stop."""
        self.poked = asyncio.Event()
        """There is something to look at."""
        self.reload = False
        self._handlers = {
            signal.SIGTERM: self.ask_to_stop_or_hurry,
            signal.SIGINT: self.ask_to_stop_or_hurry,
            signal.SIGHUP: self.ask_to_reload,
        }

    def __enter__(self) -> Self:
        for number, handler in self._handlers.items():
            asyncio.get_running_loop().add_signal_handler(number, handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._handlers:
            asyncio.get_running_loop().remove_signal_handler(number)

    def poke(self) -> None:
        """Have dispatch look at once."""
        self.poked.set()

    def ask_to_stop(self) -> None:
        """Have the daemon stop."""
        self.stop.set()
        self.poked.set()

    def ask_to_stop_or_hurry(self) -> None:
        """Have the daemon stop, or stop at once what it waits for while stopping."""
        if self.stop.is_set():
            self.hurry.set()
        self.ask_to_stop()

    def ask_to_reload(self) -> None:
        """Have the daemon read its files anew."""
        self.reload = True
        self.poked.set()

    async def sleep(self, seconds: float) -> None:
        """Wait, but not longer than until the daemon is to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)
