"""How deep the queues are: what the heartbeat shows of them."""

from __future__ import annotations

from itopd.clock import Clock, from_itop, to_itop
from itopd.database import Database
from itopd.heartbeat import QueueSeen
from itopd.mail import depth
from itopd.wiring import needs


def queues_of(database: Database, clock: Clock) -> tuple[QueueSeen, ...]:
    """Return the queue of mails as it is now; none where the database has none."""
    if needs.lacking(database.model, "mails"):
        return ()
    zone = database.timezone
    with database.read() as connection:
        found = depth(connection, database, to_itop(clock.now(), zone))
    oldest = from_itop(found.oldest_ready, zone) if found.oldest_ready else None
    return (QueueSeen("mails", found.waiting, found.ready, found.in_hand, found.failed, oldest),)
