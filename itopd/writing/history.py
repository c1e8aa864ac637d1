"""The change history: one change per unit of work, one operation per thing that changed (``spec/objects.md`` §8)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from itopd.attributes import AttributeType, HistoryKind, StopWatchState, Stored, StoredCaseLog
from itopd.database import Database, insert_rows
from itopd.datamodel import Class
from itopd.objects import chunks
from itopd.writing.intents import Change
from itopd.writing.layout import Layout
from itopd.writing.links import LinkOperation

_SET: Final = "CMDBChangeOpSetAttribute"
_CREATE: Final = "CMDBChangeOpCreate"
_DELETE: Final = "CMDBChangeOpDelete"
_ADD_REMOVE: Final = "CMDBChangeOpSetAttributeLinksAddRemove"
_TUNE: Final = "CMDBChangeOpSetAttributeLinksTune"

_SCALAR_SIZE: Final = 255
_URL_SIZE: Final = 2048
_TEXT_BYTES: Final = 65535
_AT_ONCE: Final = 1000

_VALUES: Final[Mapping[HistoryKind, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    HistoryKind.SCALAR: ((f"{_SET}Scalar", ("oldvalue", "newvalue")),),
    HistoryKind.URL: ((f"{_SET}URL", ("oldvalue", "newvalue")),),
    HistoryKind.TAG_SET: ((f"{_SET}TagSet", ("oldvalue", "newvalue")),),
    HistoryKind.TEXT: ((f"{_SET}Text", ("prevdata",)),),
    HistoryKind.LONG_TEXT: ((f"{_SET}LongText", ("prevdata", "optype")),),
    HistoryKind.HTML: ((f"{_SET}LongText", ("prevdata", "optype")), (f"{_SET}HTML", ())),
    HistoryKind.CASE_LOG: ((f"{_SET}CaseLog", ("lastentry",)),),
    HistoryKind.BLOB: (
        (
            f"{_SET}Blob",
            ("prevdata_data", "prevdata_mimetype", "prevdata_filename", "prevdata_downloads_count"),
        ),
    ),
    HistoryKind.ONE_WAY_PASSWORD: ((f"{_SET}OneWayPassword", ("prev_pwd_hash", "prev_pwd_salt")),),
    HistoryKind.ENCRYPTED: ((f"{_SET}Encrypted", ("data",)),),
}
"""Tables of an operation below ``CMDBChangeOpSetAttribute``, by class, with their columns but the id."""

_TABLES: Final[Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    _CREATE: ((_CREATE, ()),),
    _DELETE: ((_DELETE, ("fclass", "fname")),),
    _ADD_REMOVE: (
        (_SET, ("attcode", "optype")),
        (f"{_SET}Links", ("item_class", "item_id", "optype")),
        (_ADD_REMOVE, ("type",)),
    ),
    _TUNE: (
        (_SET, ("attcode", "optype")),
        (f"{_SET}Links", ("item_class", "item_id", "optype")),
        (_TUNE, ("link_id",)),
    ),
    **{_SET + kind.value: ((_SET, ("attcode", "optype")), *tables) for kind, tables in _VALUES.items()},
}
"""Tables of an operation below ``CMDBChangeOp``, by its class."""

_LOG_COUNT = re.compile(rb"a:([0-9]+):")


_Operation = tuple[str, str, int, tuple[tuple[Stored, ...], ...]]
"""Its class, class and id of its object, and what its tables below the first hold but the id."""


class History:
    """The operations of one chunk, in order."""

    def __init__(self, database: Database, change: Change, now: str) -> None:
        self._database = database
        self.change = change
        self._now = now
        self._operations: list[_Operation] = []
        self._subjects: set[tuple[str, int]] = set()
        """Class and id of the objects that the operations of this chunk are about."""
        self._purged: dict[tuple[str, str], list[int]] = defaultdict(list)
        """Ids by root and final class whose older operations go."""

    def created(self, layout: Layout, id_: int) -> None:
        """Record a creation; older operations under the same id will be purged (§8.4)."""
        cls = layout.cls
        self._purge_of(cls, id_)
        self._add((_CREATE, cls.name, id_, ((),)))

    def deleted(self, cls: Class, id_: int, name: str) -> None:
        """Record that an object is gone, under its root class; older operations under its id will be purged (§8.4)."""
        self._purge_of(cls, id_)
        self._add((_DELETE, cls.root, id_, ((cls.name, name[:_SCALAR_SIZE]),)))

    def _purge_of(self, cls: Class, id_: int) -> None:
        """Forget what was recorded on an object, in this chunk and before."""
        self._purged[cls.root, cls.name].append(id_)
        if (cls.name, id_) in self._subjects:
            self._operations = [one for one in self._operations if one[1:3] != (cls.name, id_)]

    def changed(self, layout: Layout, id_: int, code: str, old: object, new: object) -> None:
        """Record the change of one attribute, where the model tracks it."""
        kind = layout.types[code]
        if isinstance(old, StopWatchState) and isinstance(new, StopWatchState):
            self._watched(layout, id_, code, old, new)
            return
        if not kind.attribute.tracked or kind.history is HistoryKind.NONE:
            return
        operation = _SET + kind.history.value
        parts = _RECORD[kind.history](kind, operation, old, new)
        self._add((operation, layout.cls.name, id_, ((code, operation), *parts)))

    def _watched(self, layout: Layout, id_: int, code: str, old: StopWatchState, new: StopWatchState) -> None:
        """Record the changed sub-items of a stop watch, which has no operation of its own."""
        operation = f"{_SET}Scalar"
        for item in layout.cls.attributes.values():
            if item.stop_watch != code or not item.tracked or item.item is None:
                continue
            before, after = old.item(item.item), new.item(item.item)
            if before != after:
                texts = tuple("" if value is None else str(value) for value in (before, after))
                self._add((operation, layout.cls.name, id_, ((item.code, operation), texts)))

    def linked(self, operation: LinkOperation, host_class: str, item: tuple[str, int], link_id: int) -> None:
        """Record on a host that a link was added, removed or changed."""
        host = operation.host
        kind = _TUNE if operation.event == "tune" else _ADD_REMOVE
        last: Stored = link_id if operation.event == "tune" else operation.event
        parts: tuple[tuple[Stored, ...], ...] = ((host.link_set, kind), (*item, kind), (last,))
        self._add((kind, host_class, operation.host_id, parts))

    def _add(self, operation: _Operation) -> None:
        self._operations.append(operation)
        self._subjects.add(operation[1:3])

    def flush(self, connection: sa.Connection) -> None:
        """Write the change, when this is its first operation, and all operations; purge older ones."""
        if not self._operations:
            return
        for (root, cls), ids in self._purged.items():
            self._purge(connection, root, cls, ids)
        change_id = self._change_id(connection)
        own_ids = self._database.allocate_ids(connection, "CMDBChangeOp", len(self._operations))
        heads: list[tuple[Stored, ...]] = []
        rows: dict[tuple[str, tuple[str, ...]], list[tuple[Stored, ...]]] = defaultdict(list)
        for id_, (kind, cls, objkey, parts) in zip(own_ids, self._operations, strict=True):
            heads.append((id_, change_id, cls, objkey, kind))
            for table, part in zip(_TABLES[kind], parts, strict=True):
                rows[table].append((id_, *part))
        columns = ("id", "changeid", "objclass", "objkey", "optype")
        insert_rows(connection, self._database.table("CMDBChangeOp"), columns, heads)
        for (part_class, of_table), part_rows in rows.items():
            insert_rows(connection, self._database.table(part_class), ("id", *of_table), part_rows)

    def _change_id(self, connection: sa.Connection) -> int:
        change = self.change
        if change.id is None:
            (change.id,) = self._database.allocate_ids(connection, "CMDBChange", 1)
            columns = ("id", "date", "userinfo", "user_id", "origin")
            row = (change.id, self._now, change.userinfo[:_SCALAR_SIZE], change.user_id, change.origin)
            insert_rows(connection, self._database.table("CMDBChange"), columns, [row])
        return change.id

    def _purge(self, connection: sa.Connection, root: str, cls: str, ids: list[int]) -> None:
        """Remove what the history says of ids that are taken again or given up, deletion records included."""
        head = self._database.table("CMDBChangeOp")
        for chunk in chunks(sorted(ids), _AT_ONCE):
            own = sa.and_(head.c.objclass == cls, head.c.objkey.between(chunk[0], chunk[-1]))
            deletion = sa.and_(
                head.c.objclass == root, head.c.objkey.between(chunk[0], chunk[-1]), head.c.optype == _DELETE
            )
            found: dict[str, list[int]] = defaultdict(list)
            taken = set(chunk)
            for select in [own] if root == cls else [own, deletion]:
                for id_, objkey, kind in connection.execute(
                    sa.select(head.c.id, head.c.objkey, head.c.optype).where(select)
                ):
                    if objkey in taken:
                        found[kind].append(id_)
            for kind, stale in found.items():
                for part in self._database.model.table_classes(kind):
                    table = self._database.table(part.name)
                    connection.execute(table.delete().where(table.c[part.key_column].in_(stale)))


def _texts(size: int) -> Callable[[AttributeType, str, Any, Any], tuple[tuple[Stored, ...], ...]]:
    def record(kind: AttributeType, _operation: str, old: object, new: object) -> tuple[tuple[Stored, ...], ...]:
        return ((kind.history_text(old)[:size], kind.history_text(new)[:size]),)

    return record


def _before_text(kind: AttributeType, _operation: str, old: object, _new: object) -> tuple[tuple[Stored, ...], ...]:
    return ((kind.history_text(old),),)


def _before_long(kind: AttributeType, operation: str, old: object, _new: object) -> tuple[tuple[Stored, ...], ...]:
    return ((kind.history_text(old), operation),)


def _before_html(kind: AttributeType, operation: str, old: object, _new: object) -> tuple[tuple[Stored, ...], ...]:
    return ((kind.history_text(old), operation), ())


def _newest_entry(
    _kind: AttributeType, _operation: str, _old: object, new: StoredCaseLog
) -> tuple[tuple[Stored, ...], ...]:
    count = _LOG_COUNT.match(new.index)
    return ((max(int(count.group(1)) - 1, 0) if count else 0,),)


def _before_columns(kind: AttributeType, _operation: str, old: object, _new: object) -> tuple[tuple[Stored, ...], ...]:
    return (kind.encode(old),)


_RECORD: Final[Mapping[HistoryKind, Callable[[AttributeType, str, Any, Any], tuple[tuple[Stored, ...], ...]]]] = {
    HistoryKind.SCALAR: _texts(_SCALAR_SIZE),
    HistoryKind.URL: _texts(_URL_SIZE),
    HistoryKind.TAG_SET: _texts(_TEXT_BYTES // 4),
    HistoryKind.TEXT: _before_text,
    HistoryKind.LONG_TEXT: _before_long,
    HistoryKind.HTML: _before_html,
    HistoryKind.CASE_LOG: _newest_entry,
    HistoryKind.BLOB: _before_columns,
    HistoryKind.ONE_WAY_PASSWORD: _before_columns,
    HistoryKind.ENCRYPTED: _before_columns,
}
