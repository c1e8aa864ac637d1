"""One import, understood: what its columns, keys and cells mean. Made once the request is found good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from itopd.attributes import Refused
from itopd.database import Database
from itopd.datamodel import Attribute, Class, Flag
from itopd.dictionary import Dictionary
from itopd.imports.cells import Cell, DateRules, cell_of
from itopd.imports.header import ID, Column, Header, KeyColumns, ReconciliationKey
from itopd.imports.match import REMEMBERED, Lookup
from itopd.objects import is_stored
from itopd.oql import Reader
from itopd.rules import Rules


@dataclass(frozen=True, slots=True)
class Criterion:
    """One column that helps to find the target of a key."""

    column: Column
    cell: Cell | None
    """How its text is read; ``None`` for an id, a friendly name or a final class."""

    def value(self, text: str | None) -> Any:  # noqa: ANN401 - of the remote attribute's type
        """Return what to look up; ``None``, which nothing equals, when the text means no value."""
        if self.column.remote == ID:
            return id_of(text)
        if self.cell is None:
            return text or ""
        try:
            return self.cell.convert(text) if text else self.cell.kind.null
        except Refused:
            return None


def id_of(text: str | None) -> int | None:
    """Return the id that a cell gives, ``None`` when it is none."""
    if text and text.isascii() and text.isdigit() and len(text) <= 10 and int(text):
        return int(text)
    return None


@dataclass(frozen=True, slots=True)
class KeyDefinition:
    """An external key that columns give."""

    columns: KeyColumns
    criteria: tuple[Criterion, ...]
    lookup: Lookup
    reconciling: bool
    """Whether objects are looked up by it."""
    read: dict[tuple[str | None, ...], tuple[Any, ...] | None] = field(default_factory=dict)
    """Texts of cells -> what they mean, of late."""

    @property
    def code(self) -> str:
        """Return the key's code."""
        return self.columns.attribute.code

    def values(self, cells: Sequence[str | None]) -> tuple[Any, ...] | None:
        """Return what the target is looked up by in a row; ``None`` when all its cells are empty."""
        texts = tuple([cells[criterion.column.position] for criterion in self.criteria])
        if texts in self.read:
            return self.read[texts]
        if len(self.read) > REMEMBERED:
            self.read.clear()
        values = tuple([c.value(text) for c, text in zip(self.criteria, texts, strict=True)]) if any(texts) else None
        self.read[texts] = values
        return values


@dataclass(frozen=True, slots=True)
class ValueDefinition:
    """A plain attribute that a column gives."""

    column: Column
    cell: Cell
    reconciling: bool
    written: bool
    """Whether its cells set the attribute; ``finalclass`` and the friendly name only help to find objects."""


@dataclass(frozen=True, slots=True)
class SearchPart:
    """One of the attributes by which the object of a row is found."""

    key: ReconciliationKey
    position: int | None
    """Of its column; ``None`` for an external key."""
    cell: Cell | None
    """How its text is read; ``None`` for an id, a friendly name or a final class."""


@dataclass(frozen=True, slots=True)
class Definition:
    """All that does not change from row to row."""

    header: Header
    cls: Class
    rules: Rules
    keys: tuple[KeyDefinition, ...]
    values: tuple[ValueDefinition, ...]
    """Without external keys given by id: those are keys."""
    search: tuple[SearchPart, ...]
    lookup: Lookup
    """Finds the object of a row."""
    missing_keys: tuple[Attribute, ...]
    """Mandatory external keys that no column gives: nothing can be created without them."""
    read_only: dict[str, frozenset[str]]
    """State -> attributes of the columns that are read-only in it."""
    current_codes: tuple[str, ...]
    """What must be known of an existing object before its row is judged."""
    default_codes: tuple[str, ...]
    """What must be known of a new object: attributes that later rows may look it up by, or that may be read-only."""

    missing_key_labels: tuple[str, ...]
    related_lookups: tuple[Lookup, ...]
    """Look-ups whose answers the rows of the file may change."""
    reader: Reader
    """What the account sees."""

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """Return all look-ups."""
        return (self.lookup, *(key.lookup for key in self.keys))


def define(
    database: Database,
    header: Header,
    reconciliation: tuple[ReconciliationKey, ...],
    rules: Rules,
    dates: DateRules | None,
    dictionary: Dictionary,
    reader: Reader,
    *,
    localized: bool,
    details: bool,
) -> Definition:
    """Return the definition of an import by an account that sees what ``reader`` does.

    ``localized``: cells hold labels, not codes. ``details``: what the table of the report shows is read, too.
    """
    model, cls = database.model, header.cls
    zone = database.timezone

    def cell(owner: Class, attribute: Attribute) -> Cell:
        return cell_of(owner, attribute, rules, dates, zone, dictionary if localized else None)

    reconciling = {key.code for key in reconciliation}
    keys = []
    for columns in header.keys:
        target = model[columns.target]
        criteria = tuple(
            Criterion(c, None if c.remote in _NOT_CONVERTED else cell(target, target.attributes[c.remote or ""]))
            for c in columns.criteria
        )
        lookup = Lookup(database, target, columns.codes, imported=cls, reader=reader)
        keys.append(KeyDefinition(columns, criteria, lookup, columns.attribute.code in reconciling))
    values = tuple(
        ValueDefinition(
            column, cell(cls, column.attribute), column.code in reconciling, column.code not in _NOT_CONVERTED
        )
        for column in header.values
        if column.attribute is not None and column.key is None
    )
    lookup = Lookup(database, cls, [key.code for key in reconciliation], imported=cls, reader=reader)
    given = [key.code for key in keys] + [value.column.code for value in values if value.written]
    read_only = _read_only(cls, given)
    sensitive = set().union(*(one.sensitive for one in (lookup, *(key.lookup for key in keys))))
    current = set(given) if details else set[str]()
    if not sensitive.isdisjoint(given):
        current |= sensitive - set(given)
    if read_only and cls.state_attribute:
        current |= {cls.state_attribute, *set().union(*read_only.values())}
    stored = [code for code in cls.attributes if is_stored(cls, code)]
    missing = [
        a
        for a in cls.attributes.values()
        if a.is_external_key and not a.nullable and header.key_columns(a.code) is None
    ]
    return Definition(
        header=header,
        cls=cls,
        rules=rules,
        keys=tuple(keys),
        values=values,
        search=tuple(
            SearchPart(
                key,
                None if key.column is None else key.column.position,
                next((value.cell for value in values if value.column.code == key.code and value.written), None),
            )
            for key in reconciliation
        ),
        lookup=lookup,
        missing_keys=tuple(missing),
        read_only=read_only,
        current_codes=tuple(code for code in stored if code in current),
        default_codes=tuple(code for code in stored if code in sensitive or code in given),
        missing_key_labels=tuple(dictionary.attribute_label(cls.name, a.code) for a in missing),
        related_lookups=tuple(one for one in (lookup, *(key.lookup for key in keys)) if one.related),
        reader=reader,
    )


def _read_only(cls: Class, given: list[str]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for name, state in cls.states.items():
        codes = frozenset(code for code in given if state.flags.get(code, Flag(0)) & Flag.READONLY)
        if codes:
            found[name] = codes
    return found


_NOT_CONVERTED = frozenset({ID, "friendlyname", "finalclass"})
