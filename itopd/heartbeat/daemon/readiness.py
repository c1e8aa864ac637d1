"""Executors that are ready for the data model in force: a new one is loaded before the next run, not by it."""

from __future__ import annotations

import asyncio

from itopd.heartbeat.world import Heartbeat


class Readiness:
    """Follows the data model; runs under way keep theirs."""

    def __init__(self) -> None:
        self._generation: str | None = None
        """What the executors are ready for."""
        self._outdated = False
        """Whether they have to get ready anew, when no run is under way."""

    async def begin(self, heartbeat: Heartbeat) -> None:
        """Warm the executors up."""
        for executor in {lane.executor for lane in heartbeat.lanes.values()}:
            await executor.warm_up()

    async def follow(self, heartbeat: Heartbeat, *, idle: bool) -> bool:
        """Notice a new data model, and have it ready if no run is under way; return whether there is one.

        Until then a run loads the model itself: slower, never wrong.
        """
        generation = await asyncio.to_thread(heartbeat.generation)
        changed = self._generation not in (None, generation)
        if changed:
            heartbeat.log.info("model_changed", model=generation)
            self._outdated = True
        self._generation = generation
        if self._outdated and idle:
            await self._renew(heartbeat)
        return changed

    async def _renew(self, heartbeat: Heartbeat) -> None:
        try:
            for executor in {lane.executor for lane in heartbeat.lanes.values()}:
                await executor.renew()
        except OSError as error:  # no process could be made: the next round tries again
            heartbeat.log.warning("model_not_ready", reason=str(error))
            return
        self._outdated = False
        heartbeat.log.info("model_ready", model=self._generation)
