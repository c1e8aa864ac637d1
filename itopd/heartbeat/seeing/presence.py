"""A process that carries out runs gives a sign of life in the state store, with what it says is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from itopd import __version__
from itopd.heartbeat.world import AWAY, Heartbeat, reason_of
from itopd.state import instances
from itopd.state.instances import Kind, Work

SIGN_SECONDS: Final = 10.0
"""Between two signs of life; :data:`itopd.heartbeat.seeing.health.SILENT_SECONDS` is several of them."""

Word = Callable[[], tuple[Work, Sequence[str]]]
"""Asked at each sign: what the process does, and what is wrong with it."""


async def keep_presence(
    heartbeat: Heartbeat, kind: Kind, word: Word, back_in: Callable[[float], None] = lambda _seconds: None
) -> None:
    """List this process and give a sign of life every few seconds until cancelled; then :func:`leave`.

    ``back_in`` is told at every turn by when the next one begins. A database that is away is tried again.
    """
    while True:
        back_in(SIGN_SECONDS)
        try:
            await asyncio.to_thread(_sign, heartbeat, kind, word())
        except AWAY as error:
            heartbeat.log.warning("database_away", error=reason_of(error), retry_in=SIGN_SECONDS)
        await asyncio.sleep(SIGN_SECONDS)


async def leave(heartbeat: Heartbeat) -> None:
    """Take this process off the list at its end; what a database that is away keeps of it ends by its silence."""
    try:
        await asyncio.to_thread(instances.leave, heartbeat.state, heartbeat.owner)
    except AWAY as error:
        heartbeat.log.warning("database_away", error=reason_of(error), retry_in=None)


def _sign(heartbeat: Heartbeat, kind: Kind, word: tuple[Work, Sequence[str]]) -> None:
    state, problems = word
    if not instances.beat(heartbeat.state, heartbeat.owner, state=state, problems=problems):
        instances.enter(heartbeat.state, heartbeat.owner, kind, __version__)
        instances.beat(heartbeat.state, heartbeat.owner, state=state, problems=problems)
