"""Deletes objects that nothing depends on (``spec/objects.md`` §7): what needs a deletion plan is refused.

Where another object points to one of them, or its deletion would change what others hold (a tree, the history of the
ends of a link, attachments), it stays, with the reason: nothing is ever left pointing nowhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from itopd.clock import Clock, to_itop
from itopd.database import Database
from itopd.datamodel import Attribute, Class, OnTargetDelete
from itopd.objects import chunks, final_classes, friendly_names
from itopd.writing.history import History
from itopd.writing.intents import Change
from itopd.writing.links import hosts_of

_AT_ONCE = 1000


def remove(
    database: Database, clock: Clock, connection: sa.Connection, cls: str, ids: Iterable[int], change: Change
) -> Mapping[int, str]:
    """Delete the objects of a class that have these ids; return those that stay, with the reason.

    An id without object counts as deleted. The deletion is recorded under ``change``. A number of statements that
    depends on the model, per 1,000 ids of a final class.
    """
    staying: dict[int, str] = {}
    history = History(database, change, to_itop(clock.now(), database.timezone))
    for name, of_class in _by_final_class(database, connection, cls, ids).items():
        final = database.model[name]
        if reason := _needs_a_plan(database, final):
            staying |= dict.fromkeys(of_class, reason)
            continue
        for chunk in chunks(sorted(of_class), _AT_ONCE):
            blocked = _pointed_at(database, connection, final, chunk)
            staying |= blocked
            _delete(database, connection, final, [id_ for id_ in chunk if id_ not in blocked], history)
    history.flush(connection)
    return staying


def _by_final_class(
    database: Database, connection: sa.Connection, cls: str, ids: Iterable[int]
) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for id_, name in final_classes(database, connection, cls, ids).items():
        found[name].append(id_)
    return found


def _needs_a_plan(database: Database, cls: Class) -> str:
    """Return why no object of a class can be deleted here; empty: they can."""
    if any(attribute.type == "AttributeHierarchicalKey" for attribute in cls.attributes.values()):
        return f"objects of class {cls.name} are nodes of a tree, which itopd does not delete yet"
    if hosts_of(database.model, cls):
        return f"objects of class {cls.name} are links with a history, which itopd does not delete yet"
    return ""


def _pointed_at(database: Database, connection: sa.Connection, cls: Class, ids: Sequence[int]) -> dict[int, str]:
    """Return which of the ids other objects point to, and one attribute that does."""
    found: dict[int, str] = {}
    for key in _keys_to(database, cls):
        column = database.table(key.origin).c[key.sql]
        for id_ in connection.execute(sa.select(column).where(column.in_(ids)).distinct()).scalars():
            found.setdefault(id_, f"objects of class {key.origin} point to it with {key.code}")
    if "Attachment" in database.model:
        table = database.table("Attachment")
        own = sa.select(table.c.item_id).where(table.c.item_class == cls.name, table.c.item_id.in_(ids)).distinct()
        for id_ in connection.execute(own).scalars():
            found.setdefault(id_, "it has attachments")
    return found


def _keys_to(database: Database, cls: Class) -> Iterator[Attribute]:
    """Yield the external keys that may point to an object of a class, each where it is declared."""
    for other in database.model.values():
        for key in other.attributes.values():
            if (
                key.is_external_key
                and key.is_stored
                and key.origin == other.name
                and key.target in cls.lineage
                and key.on_target_delete is not OnTargetDelete.NONE
            ):
                yield key


def _delete(database: Database, connection: sa.Connection, cls: Class, ids: Sequence[int], history: History) -> None:
    if not ids:
        return
    names = friendly_names(database, connection, cls.name, ids)
    for id_ in ids:
        history.deleted(cls, id_, names[id_])
    for part in reversed(database.model.table_classes(cls.name)):
        table = database.table(part.name)
        connection.execute(table.delete().where(table.c[part.key_column].in_(ids)))
