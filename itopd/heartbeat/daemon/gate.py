"""Whether anything may begin now: iTop's maintenance, the clone guard, a data model in the middle of a change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from itopd.heartbeat.entries import Entry
from itopd.heartbeat.looking import Due
from itopd.heartbeat.world import Heartbeat

_LOOK_SECONDS = 60.0
"""How often to look whether anything that writes may begin, beside just before it does."""


class Gate:
    """Asked before anything begins; says in the log when its answer changes."""

    def __init__(self) -> None:
        self.closed = ""
        """Why nothing begins at the moment; empty: it may."""
        self.refused = ""
        """Why nothing that writes begins at the moment."""
        self._looked_at = -_LOOK_SECONDS
        """When that was last looked at, ``time.monotonic``."""

    async def is_closed(self, heartbeat: Heartbeat) -> bool:
        """Look whether nothing at all may begin."""
        reason = await asyncio.to_thread(heartbeat.closed)
        if reason and not self.closed:
            heartbeat.log.warning("heartbeat_closed", reason=reason)
        elif self.closed and not reason:
            heartbeat.log.info("heartbeat_open")
        self.closed = reason
        return bool(reason)

    def doubt(self) -> None:
        """Have the next round look whether anything that writes may begin."""
        self._looked_at = -_LOOK_SECONDS

    @property
    def in_doubt(self) -> bool:
        """Whether that has to be looked at, also when nothing that writes is due."""
        return bool(self.refused) or time.monotonic() - self._looked_at >= _LOOK_SECONDS

    async def opens(self, heartbeat: Heartbeat) -> bool:
        """Look whether anything that writes may begin; return whether it may since just now."""
        reason = await asyncio.to_thread(heartbeat.writes_refused)
        self._looked_at = time.monotonic()
        if reason and reason != self.refused:
            heartbeat.log.error("writes_refused", reason=reason)
        opened = bool(self.refused) and not reason
        if opened:
            heartbeat.log.info("writes_allowed")
        self.refused = reason
        return opened

    def allowed(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return what may begin."""
        return [entry for entry in entries if not (self.refused and entry.writes)]

    def admitted(self, due: Iterable[Due]) -> list[Due]:
        """Return what may begin of what is due."""
        return [item for item in due if not (self.refused and item.entry.writes)]
