"""TemporaryObjectGC: removes what forms created and nobody saved (``spec/heartbeat.md`` §8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
import structlog

from itopd.behaviours import BEHAVIOURS, DELETIONS
from itopd.clock import ITOP_DATETIME
from itopd.errors import SettingsError
from itopd.rules import ITOPD
from itopd.tasks.work import BATCH, Work
from itopd.writing import Change, Delete, Writer

CLASS = "TemporaryObjectDescriptor"
_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=1)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Descriptor:
    id: int
    cls: str
    item: int
    operation: str
    created: datetime | None
    """On the wall clock of iTop."""


def temporary_object_gc(work: Work) -> str:
    """Delete expired temporary objects and their descriptors, the newest first; return iTop's message, which is empty.

    What cannot be deleted keeps its descriptor, whose expiration is put off: by as long as it has existed, a day at
    most (§12). Raises :class:`SettingsError` naming those that have resisted for more than a day.
    """
    stubborn: list[str] = []
    above: int | None = None
    while not work.is_over():
        batch = _expired(work, above)
        if not batch:
            break
        above = batch[-1].id
        stubborn += _clean(work, batch)
    if stubborn:
        raise SettingsError(
            f"temporary objects that cannot be deleted for more than a day: {'; '.join(stubborn)}: delete in iTop what "
            f"keeps them, or their rows in {work.database.table(CLASS).name}"
        )
    return ""


def temporary_objects_wait(work: Work) -> bool:
    """Return whether a temporary object has expired."""
    table = work.database.table(CLASS)
    query = sa.select(sa.literal(1)).select_from(table).where(table.c.expiration_date < work.now).limit(1)
    with work.database.look() as connection:
        return connection.execute(query).first() is not None


def _expired(work: Work, above: int | None) -> list[_Descriptor]:
    """Return the expired descriptors of highest id, below the one that was looked at last."""
    table = work.database.table(CLASS)
    columns = (table.c.id, table.c.item_class, table.c.item_id, table.c.operation, table.c.creation_date)
    query = sa.select(*columns).where(table.c.expiration_date < work.now).order_by(table.c.id.desc()).limit(BATCH)
    if above is not None:
        query = query.where(table.c.id < above)
    with work.database.read() as connection:
        rows = connection.execute(query).all()
    return [
        _Descriptor(id_, cls or "", item or 0, operation or "", datetime.fromisoformat(created) if created else None)
        for id_, cls, item, operation, created in rows
    ]


def _clean(work: Work, batch: Sequence[_Descriptor]) -> list[str]:
    """Delete a batch; return what has resisted for more than a day."""
    table, change = work.database.table(CLASS), work.change()
    by_class: dict[str, list[_Descriptor]] = defaultdict(list)
    done = [one.id for one in batch if one.operation == "delete"]
    for one in batch:
        if one.operation == "create":
            by_class[one.cls].append(one)
    kept: dict[_Descriptor, str] = {}
    with work.database.write() as connection:
        for cls, of_class in by_class.items():
            staying = _delete(work, connection, cls, [one.item for one in of_class], change)
            kept |= {one: staying[one.item] for one in of_class if one.item in staying}
            done += [one.id for one in of_class if one.item not in staying]
        connection.execute(table.delete().where(table.c.id.in_(done)))
        later: dict[str, list[int]] = defaultdict(list)
        for one in kept:
            later[_next_try(work, one)].append(one.id)
        for expiration, ids in later.items():
            connection.execute(table.update().where(table.c.id.in_(ids)).values(expiration_date=expiration))
    stubborn = []
    for one, reason in kept.items():
        _log.error("temporary_object_kept", object=f"{one.cls}::{one.item}", reason=reason, next=_next_try(work, one))
        if _age(work, one) > _LONGEST:
            stubborn.append(f"{one.cls}::{one.item}, {reason}")
    return stubborn


def _delete(work: Work, connection: sa.Connection, cls: str, ids: Sequence[int], change: Change) -> dict[int, str]:
    if cls not in work.database.model:
        return dict.fromkeys(ids, f"there is no class {cls}")
    writer = Writer(work.database, work.clock, ITOPD, behaviours=BEHAVIOURS, deletions=DELETIONS)
    outcomes = writer.write(connection, [Delete(cls, id_) for id_ in ids], change)
    return {
        outcome.id: "; ".join(issue.text for issue in outcome.issues)
        for outcome in outcomes
        if any(issue.kind != "not_found" for issue in outcome.issues)
    }


def _age(work: Work, one: _Descriptor) -> timedelta:
    return _LONGEST if one.created is None else work.wall - one.created


def _next_try(work: Work, one: _Descriptor) -> str:
    pause = min(max(_age(work, one), _SHORTEST), _LONGEST)
    return (work.wall + pause).strftime(ITOP_DATETIME)
