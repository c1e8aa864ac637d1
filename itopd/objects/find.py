"""Objects by the values of some attributes, many rows at once, with iTop's equality (``spec/import.md`` §5.3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from itopd.attributes import TEXT_KINDS, bind
from itopd.database import Database, collation_key
from itopd.datamodel.model import Class
from itopd.errors import ModelError
from itopd.objects.fetch import CHUNK, friendly_names
from itopd.objects.rows import FINAL_CLASS, ID, chunks, is_stored, reading

Key = Callable[[Any], Hashable]


def find(
    database: Database, connection: sa.Connection, cls: str, codes: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[tuple[int, ...]]:
    """Return for each row the ids, ascending, of the objects whose attributes ``codes`` equal its values.

    ``codes`` may be stored attributes of the class, ``id``, ``finalclass``, ``friendlyname``. Subclasses are searched
    too. Texts are equal when they differ in case, accents or trailing blanks only. ``None`` equals nothing, as NULL
    in SQL. One statement per 1,000 rows; ``friendlyname`` costs the names of the whole class unless another code
    narrows the search.
    """
    if not codes:
        raise ModelError(f"no attribute to find objects of class {cls} by")
    search = _Search(database, cls, tuple(codes))
    answers: list[tuple[int, ...]] = []
    for chunk in chunks(rows, CHUNK):
        answers += search.run(connection, chunk)
    return answers


def equality(cls: Class, code: str) -> Key:
    """Return the function that maps values of an attribute to keys, equal where iTop finds the values equal."""
    if code == ID:
        return lambda value: value
    if code in {FINAL_CLASS, "friendlyname"}:
        return collation_key
    kind = bind(cls.attribute(code))
    column, encode = kind.columns[0], kind.encode
    if column.kind in TEXT_KINDS:
        return lambda value: None if value is None else _text_key(encode(value)[0])
    return lambda value: None if value is None else encode(value)[0]


def _text_key(stored: object) -> bytes | None:
    return None if stored is None else collation_key(str(stored))


@dataclass(frozen=True, slots=True)
class _Part:
    """One attribute searched by: how to narrow the select, and where its value lies in a selected row."""

    code: str
    key: Key
    column: sa.ColumnElement[Any] | None
    """What to compare in SQL; ``None`` when only Python can."""
    text: bool


class _Search:
    """A search by fixed attributes of a class."""

    def __init__(self, database: Database, cls: str, codes: tuple[str, ...]) -> None:
        self._database = database
        self._cls = database.model.get_class(cls)
        self._codes = codes
        for code in codes:
            if code not in {ID, "friendlyname"} and not (code == FINAL_CLASS or is_stored(self._cls, code)):
                raise ModelError(f"objects of class {cls} cannot be found by {code}: it is not stored with them")
        stored = [code for code in codes if code in self._cls.attributes and is_stored(self._cls, code)]
        self._reading = reading(database, self._cls, stored)
        selected = self._reading.select.selected_columns.values()
        starts = {part.code: part.start for part in self._reading.slices}
        self._parts: list[_Part] = []
        for code in codes:
            column: sa.ColumnElement[Any] | None = None
            text = True
            if code in starts:
                column = selected[starts[code]]
                text = bind(self._cls.attributes[code]).columns[0].kind in TEXT_KINDS
            elif code == ID:
                column, text = self._reading.key, False
            elif code == FINAL_CLASS and self._reading.final_class:
                column = selected[1]
            self._parts.append(_Part(code, equality(self._cls, code), column, text))

    def run(self, connection: sa.Connection, rows: Sequence[Sequence[Any]]) -> list[tuple[int, ...]]:
        """Return the matches of at most one chunk of rows."""
        keys = [tuple(part.key(value) for part, value in zip(self._parts, row, strict=True)) for row in rows]
        asked = [row for row, key in zip(rows, keys, strict=True) if None not in key]
        if not asked:
            return [()] * len(rows)
        select = self._reading.select
        for position, part in enumerate(self._parts):
            if part.column is not None:
                select = select.where(self._among(part, {row[position] for row in asked}))
        matches: dict[tuple[Hashable, ...], list[int]] = defaultdict(list)
        found = connection.execute(select).all()
        names = self._names(connection, [row[0] for row in found])
        for row in found:
            values = self._reading.decode(row)
            values[ID] = row[0]
            values[FINAL_CLASS] = row[1] if self._reading.final_class else self._cls.name
            values["friendlyname"] = names.get(row[0])
            matches[tuple(part.key(values[part.code]) for part in self._parts)].append(row[0])
        return [tuple(sorted(matches.get(key, ()))) if None not in key else () for key in keys]

    def _among(self, part: _Part, values: set[Any]) -> sa.ColumnElement[bool]:
        assert part.column is not None  # noqa: S101 - for the type checker; asked only of such parts
        if not part.text:
            return part.column.in_(sorted(part.key(value) for value in values))
        texts = values
        if part.code in self._cls.attributes and part.code != FINAL_CLASS:
            encode = bind(self._cls.attributes[part.code]).encode
            texts = {encode(value)[0] for value in values}
        database = self._database
        return database.key(part.column).in_(sorted({database.key_value(text) for text in texts}))

    def _names(self, connection: sa.Connection, ids: list[int]) -> dict[int, str]:
        if "friendlyname" not in self._codes:
            return {}
        return friendly_names(self._database, connection, self._cls.name, ids)
