"""How long the ledger remembers, and forgetting what is older."""

from __future__ import annotations

from datetime import timedelta

from itopd.heartbeat.world import Heartbeat
from itopd.state import RunState, ledger

KEPT = {RunState.DONE: timedelta(days=2), RunState.FAILED: timedelta(days=30)}
"""Age at which a run is forgotten: a task that runs every two seconds makes 43,200 of them a day."""
_BATCH = 1000
"""Runs that one transaction forgets: small, so that claims never wait for it."""
_BATCHES = 50
"""Of each state in one go: more than all lanes together can make in an hour."""


def forget_old_runs(heartbeat: Heartbeat, *, batches: int = _BATCHES) -> int:
    """Forget runs that are older than :data:`KEPT`, oldest first; return how many.

    At most ``batches`` of 1,000 of each state go: whoever has more to forget goes on the next time. Raises what the
    state store raises while it is away.
    """
    forgotten = 0
    for state, age in KEPT.items():
        before = heartbeat.clock.now() - age
        for _ in range(batches):
            gone = ledger.prune(heartbeat.state, before=before, states=[state], limit=_BATCH)
            forgotten += gone
            if gone < _BATCH:
                break
    if forgotten:
        heartbeat.log.info("ledger_pruned", runs=forgotten)
    return forgotten
