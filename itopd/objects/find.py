"""Objects by the values of some attributes, many rows at once, with iTop's equality (``spec/import.md`` §5.3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from itopd.attributes import TEXT_KINDS, TypeOf, bind
from itopd.database import Database, IndexKind, collation_key
from itopd.datamodel import Class
from itopd.errors import ModelError
from itopd.objects.fetch import CHUNK, friendly_names
from itopd.objects.rows import FINAL_CLASS, ID, chunks, is_stored, reading

Key = Callable[[Any], Hashable]

_SHORT = 20
"""Values of an attribute that are always worth sending along."""

_AS_IT_IS = sa.types.NullType()
"""Values are bound in stored form, so nothing is converted."""

_FRIENDLY_NAME = "friendlyname"
_TEXTS = frozenset({FINAL_CLASS, _FRIENDLY_NAME})
"""Attributes that no column of their own holds."""


def find(
    database: Database,
    connection: sa.Connection,
    cls: str,
    codes: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    current: bool = False,
) -> list[tuple[int, ...]]:
    """Return for each row the ids, ascending, of the objects whose attributes ``codes`` equal its values.

    ``codes`` may be stored attributes of the class, ``id``, ``finalclass``, ``friendlyname``. Subclasses are searched
    too. Texts are equal when they differ in case, accents or trailing blanks only. ``None`` equals nothing, as NULL
    in SQL. One statement per 1,000 rows; ``friendlyname`` costs the names of the whole class unless another code
    narrows the search.

    ``current``: what others have committed since the transaction began counts, too (on MariaDB, whose transactions see
    the data of their beginning otherwise, the objects are locked for that).
    """
    if not codes:
        raise ModelError(f"no attribute to find objects of class {cls} by")
    search = _Search(database, cls, tuple(codes))
    answers: list[tuple[int, ...]] = []
    for chunk in chunks(rows, CHUNK):
        answers += search.run(connection, chunk, current=current)
    return answers


@lru_cache(maxsize=1 << 16)
def _text_key(stored: object) -> bytes | None:
    """Return the key of a stored text; look-ups, checks and indexes ask for the same ones over and over."""
    return None if stored is None else collation_key(str(stored))


def equality(cls: Class, code: str) -> Key:
    """Return the function that maps values of an attribute to keys, equal where iTop finds the values equal."""
    if code == ID:
        return _itself
    if code in _TEXTS:
        return _text_key
    kind = bind(cls.attribute(code))
    encode = kind.encode
    plain = type(kind).encode is TypeOf.encode
    if kind.columns[0].kind in TEXT_KINDS:
        return _text_key if plain else lambda value: None if value is None else _text_key(encode(value)[0])
    return _itself if plain else lambda value: None if value is None else encode(value)[0]


def _itself(value: Any) -> Hashable:  # noqa: ANN401 - values of any type
    return value  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class _Part:
    """One attribute searched by."""

    code: str
    key: Key
    stored: Callable[[Any], Any]
    """What is stored for a value."""
    column: sa.ColumnElement[Any] | None
    """What to compare in SQL; ``None`` when only Python can."""
    position: int
    """Index of the stored value in a selected row; -1 when it is not there."""
    text: bool
    indexed: bool


class _Search:
    """A search by fixed attributes of a class."""

    def __init__(self, database: Database, cls: str, codes: tuple[str, ...]) -> None:
        self._database = database
        self._cls = database.model.get_class(cls)
        self._codes = codes
        for code in codes:
            if code not in {ID, *_TEXTS} and not is_stored(self._cls, code):
                raise ModelError(f"objects of class {cls} cannot be found by {code}: it is not stored with them")
        stored = [code for code in codes if code not in {ID, *_TEXTS}]
        self._reading = reading(database, self._cls, stored)
        self._parts = [self._part(code) for code in codes]

    def _part(self, code: str) -> _Part:
        key = equality(self._cls, code)
        if code == ID:
            return _Part(code, key, _itself, self._reading.key, 0, text=False, indexed=True)
        if code in _TEXTS:
            known = code == FINAL_CLASS and self._reading.final_class
            column = self._reading.select.selected_columns.values()[1] if known else None
            return _Part(code, key, _itself, column, 1 if known else -1, text=True, indexed=known)
        kind = bind(self._cls.attributes[code])
        position = next(part.start for part in self._reading.slices if part.code == code)
        column = self._reading.select.selected_columns.values()[position]
        indexes = self._database.definition(kind.attribute.origin).indexes
        real = {IndexKind.PLAIN, IndexKind.LOOK_UP} if self._database.dialect != "mysql" else {IndexKind.PLAIN}
        return _Part(
            code,
            key,
            lambda value: kind.encode(value)[0],
            column,
            position,
            text=kind.columns[0].kind in TEXT_KINDS,
            indexed=any(index.columns == (kind.columns[0].name,) and index.kind in real for index in indexes),
        )

    def run(
        self, connection: sa.Connection, rows: Sequence[Sequence[Any]], *, current: bool = False
    ) -> list[tuple[int, ...]]:
        """Return the matches of at most one chunk of rows."""
        columns = [
            list(map(part.key, values)) for part, values in zip(self._parts, zip(*rows, strict=True), strict=True)
        ]
        keys = list(zip(*columns, strict=True))
        asked = [(row, key) for row, key in zip(rows, keys, strict=True) if None not in key]
        if not asked:
            return [()] * len(rows)
        select = self._reading.select
        for condition in self._conditions(asked):
            select = select.where(condition)
        if current and self._database.dialect == "mysql":
            select = select.with_for_update(read=True)
        wanted = set(keys)
        matches: dict[Hashable, list[int]] = defaultdict(list)
        for found in connection.execute(select).partitions(CHUNK):
            for row, key in zip(found, self._found_keys(connection, found), strict=True):
                if key in wanted:
                    matches[key].append(row[0])
        return [tuple(sorted(matches[key])) if key in matches else () for key in keys]

    def _conditions(
        self, asked: Sequence[tuple[Sequence[Any], tuple[Hashable, ...]]]
    ) -> Iterator[sa.ColumnElement[bool]]:
        """Yield what narrows the select; what it lets through in vain is sorted out by key.

        Which index serves best is known here, not to SQLite without statistics: the one on the attribute with the
        most different values. A unary plus keeps SQLite off the others. Further long lists only pay when the best
        attribute has few values; but the longest one does where no index is on it, as names may be frequent in the
        table that are rare among what is asked for.
        """
        distinct = [{key[at]: row[at] for row, key in asked} for at in range(len(self._parts))]
        compared = [at for at, part in enumerate(self._parts) if part.column is not None]
        usable = [at for at in compared if self._parts[at].indexed]
        best = max(usable, key=lambda at: len(distinct[at]), default=None)
        longest = max(compared, key=lambda at: len(distinct[at]), default=None)
        selective = best is not None and 2 * len(distinct[best]) > len(asked)
        own_keys = self._database.dialect != "mysql"
        no_statistics = self._database.dialect == "sqlite"
        for at, (part, values) in enumerate(zip(self._parts, distinct, strict=True)):
            if part.column is None or (selective and at not in {best, longest} and len(values) > _SHORT):
                continue
            column = self._database.key(part.column) if part.text else part.column
            among: list[Any] = list(values) if own_keys or not part.text else list(map(part.stored, values.values()))
            if no_statistics and best is not None and at != best:
                column = UnaryExpression(column, operator=custom_op("+"), type_=column.type)
            yield column.in_(sa.bindparam(part.code, among, expanding=True, unique=True, type_=_AS_IT_IS))

    def _found_keys(self, connection: sa.Connection, found: Sequence[sa.Row[Any]]) -> Iterator[tuple[Hashable, ...]]:
        """Yield the keys of the selected rows."""
        columns: list[Iterable[Hashable]] = []
        for part in self._parts:
            if part.position >= 0:
                values = [row[part.position] for row in found]
                columns.append(map(_text_key, values) if part.text else values)
            elif part.code == FINAL_CLASS:
                columns.append([_text_key(self._cls.name)] * len(found))
            else:
                names = friendly_names(self._database, connection, self._cls.name, [row[0] for row in found])
                columns.append([_text_key(names.get(row[0])) for row in found])
        yield from zip(*columns, strict=True)
