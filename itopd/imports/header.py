"""The header of the file: which column gives what (``spec/import.md`` §4), and what objects are looked up by (§5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from itopd.datamodel import Attribute, Class, Model
from itopd.dictionary import Dictionary
from itopd.errors import InputError, SettingsError
from itopd.rules import Rules

ID: Final = "id"
ARROW: Final = "->"
ERROR_COLUMNS: Final = ("#line", "#column", "#code", "#reason")
"""What an error file adds to the rows it holds: passed over, so that a repaired error file is a file to import."""

NOT_YET: Final = {
    "AttributeLinkedSet": "link sets",
    "AttributeLinkedSetIndirect": "link sets",
    "AttributeCaseLog": "case logs",
    "AttributeOneWayPassword": "passwords",
    "AttributeEncryptedString": "encrypted texts",
    "AttributeBlob": "files",
    "AttributeImage": "images",
    "AttributeTagSet": "tag sets",
    "AttributeTable": "tables",
    "AttributePropertySet": "property sets",
}
NEVER: Final = {"AttributeStopWatch": "stop watch"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file."""

    position: int
    written: str
    """Its name as the file writes it."""
    code: str
    """What it stands for: ``name``, ``org_id->name``, ``org_name``, ``id``."""
    attribute: Attribute | None
    """The attribute of the class that it gives the value of; ``None`` for criteria, ``id`` and what is ignored."""
    key: str | None = None
    """The external key it helps to find the target of."""
    remote: str | None = None
    """The attribute of the target it is compared with."""


@dataclass(frozen=True, slots=True)
class KeyColumns:
    """The columns that together find the target of one external key."""

    attribute: Attribute
    target: str
    criteria: tuple[Column, ...]
    """One per remote attribute, in the order of their first columns."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Return the remote attributes looked up by."""
        return tuple(column.remote or ID for column in self.criteria)


@dataclass(frozen=True, slots=True)
class ReconciliationKey:
    """One attribute by which the object of a row is found."""

    code: str
    detail: str | None = None
    """For an external key: how the parameter named it (``id``, the remote attribute, the external field)."""
    column: Column | None = None
    """Its column; an external key has its :class:`KeyColumns` instead."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the columns of a file mean."""

    cls: Class
    width: int
    columns: tuple[Column, ...]
    """All columns but those of an error file, in the order of the file."""
    keys: tuple[KeyColumns, ...]
    """The external keys used, in the order of their first columns."""
    values: tuple[Column, ...]
    """Plain attributes and external keys given by id: each has a cell of its own in the report."""
    id_column: Column | None
    warnings: tuple[str, ...]

    def key_columns(self, code: str) -> KeyColumns | None:
        """Return the columns of an external key."""
        return next((key for key in self.keys if key.attribute.code == code), None)


@dataclass(frozen=True, slots=True)
class Names:
    """All names that a column may have, in lower case of ASCII letters, in the order of the model."""

    codes: Mapping[str, str]
    """Name -> what it stands for."""
    ambiguous: Mapping[str, tuple[str, ...]]
    """Names shared by several attributes, all of them."""


def ascii_lower(text: str) -> str:
    """Return ``text`` with its ASCII letters in lower case: the only ones that are compared without case."""
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def known_names(model: Model, cls: Class, dictionary: Dictionary | None, *, ids: bool) -> Names:
    """Return the names of columns for a class: codes, or labels when a ``dictionary`` is given.

    An external field never takes a name from another attribute, ``key->x`` from nobody. ``ids`` adds ``id`` and
    ``key->id``.
    """
    codes: dict[str, str] = {ID: ID} if ids else {}
    ambiguous: dict[str, list[str]] = {}
    for attribute in cls.attributes.values():
        name = ascii_lower(_name(cls, attribute, dictionary))
        known = codes.get(name)
        if known is None or (not attribute.is_external_field and _yields(cls, known)):
            codes[name] = attribute.code
        elif not attribute.is_external_field:
            ambiguous.setdefault(name, [known]).append(attribute.code)
        if attribute.is_external_key and attribute.target is not None:
            for remote, remote_name in _remotes(model[attribute.target], dictionary, ids=ids):
                codes.setdefault(
                    ascii_lower(f"{_name(cls, attribute, dictionary)}{ARROW}{remote_name}"),
                    remote_code(attribute.code, remote),
                )
    return Names(codes, {name: tuple(found) for name, found in ambiguous.items()})


def remote_code(key: str, remote: str) -> str:
    """Return ``key->remote``."""
    return f"{key}{ARROW}{remote}"


def _yields(cls: Class, code: str) -> bool:
    """Return whether a name given to ``code`` goes to another attribute that wants it."""
    return ARROW in code or (code in cls.attributes and cls.attributes[code].is_external_field)


def _name(cls: Class, attribute: Attribute, dictionary: Dictionary | None) -> str:
    return attribute.code if dictionary is None else dictionary.attribute_label(cls.name, attribute.code)


def _remotes(target: Class, dictionary: Dictionary | None, *, ids: bool) -> Iterator[tuple[str, str]]:
    if ids:
        yield ID, ID
    for attribute in target.attributes.values():
        yield attribute.code, _name(target, attribute, dictionary)


def read_header(model: Model, cls: Class, cells: Sequence[str | None], names: Names, rules: Rules) -> Header:
    """Return what the columns of a header row mean.

    Raises :class:`InputError` for an unknown column, a column of a type that cannot be imported and, unless the rules
    let the last one win, a column given twice.
    """
    columns: dict[str, Column] = {}
    every: list[Column] = []
    warnings: list[str] = []
    for position, cell in enumerate(cells):
        written = (cell or "").strip(" \t\n\r\0\x0b")
        if written in ERROR_COLUMNS:
            continue
        name = _plain_name(written)
        code = names.codes.get(name)
        if code is None:
            raise unknown_column(written, names)
        if name in names.ambiguous:
            warnings.append(ambiguity("Input column", written, names.ambiguous[name]))
        column = _column(cls, position, written, code)
        every.append(column)
        if code in columns and rules.duplicate_column == "refuse":
            raise InputError(
                f"columns {columns[code].position + 1} and {position + 1} both give '{code}': keep one of them",
                line=1,
                column=written,
            )
        columns[code] = column
    used = list(columns.values())
    for column in used:
        _check_type(model, cls, column)
    return Header(
        cls=cls,
        width=len(cells),
        columns=tuple(every),
        keys=_keys(cls, used),
        values=tuple(column for column in used if column.attribute is not None),
        id_column=columns.get(ID),
        warnings=tuple(warnings),
    )


def _plain_name(written: str) -> str:
    name = written.removesuffix("*").strip()
    key, arrow, remote = name.partition(ARROW)
    return ascii_lower(f"{key.removesuffix('*').strip()}{arrow}{remote.strip()}" if arrow else name)


def unknown_column(written: str, names: Names) -> InputError:
    """Return the refusal of a column that nobody knows, with the nearest known name."""
    shown = "".join(char for char in written if char not in '"<>' and char.isprintable())
    name = _plain_name(written)
    near = get_close_matches(name, names.codes, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    if name in names.codes.values():
        hint = " (it is a code, and labels are expected: give no_localize=1)"
    elif written.startswith(("\u00ef\u00bb\u00bf", "\ufeff")):
        hint = " (the file begins with the byte order mark of UTF-8: give charset=UTF-8)"
    possible = ", ".join(name for name in names.codes if ARROW not in name)
    return InputError(
        f"Unknown column: '{shown}'{hint}. Possible columns: {possible}, and key{ARROW}attribute for each key",
        line=1,
        column=written,
    )


def ambiguity(what: str, written: str, codes: Sequence[str]) -> str:
    """Return the warning about a name that several attributes share."""
    return f"{what} '{written}' is ambiguous: it could mean {' or '.join(codes)}; {codes[0]} is used"


def _column(cls: Class, position: int, written: str, code: str) -> Column:
    if code == ID:
        return Column(position, written, code, None)
    key, arrow, remote = code.partition(ARROW)
    if arrow:
        return Column(position, written, code, None, key, remote)
    attribute = cls.attributes[code]
    if attribute.is_external_field and attribute.key and attribute.target_attcode:
        return Column(position, written, code, None, attribute.key, attribute.target_attcode)
    if attribute.is_external_key:
        return Column(position, written, code, attribute, code, ID)
    return Column(position, written, code, attribute)


def _check_type(model: Model, cls: Class, column: Column) -> None:
    """Refuse a column before any row is read when cells of its type cannot be taken."""
    attribute = column.attribute
    if attribute is not None:
        word = NEVER.get(attribute.type)
        if word is None and attribute.type in NOT_YET:
            word = f"values of this type ({NOT_YET[attribute.type]}) come later"
        if word is not None:
            raise InputError(f"Column '{column.written}' cannot be imported: {word}", line=1, column=column.written)
        return
    if column.key is None or column.remote in {None, ID, "friendlyname", "finalclass"}:
        return
    target = model[cls.attributes[column.key].target or ""]
    remote = target.attributes[column.remote or ""]
    if not remote.is_stored or remote.type in NOT_YET or remote.type in NEVER:
        like = target.name_attributes[0] if target.name_attributes else ID
        raise InputError(
            f"Column '{column.written}' cannot be imported: objects of {target.name} are not found by {remote.code}; "
            f"use one of its stored attributes, like {column.key}{ARROW}{like}",
            line=1,
            column=column.written,
        )


def _keys(cls: Class, columns: Sequence[Column]) -> tuple[KeyColumns, ...]:
    by_key: dict[str, dict[str, Column]] = {}
    for column in columns:
        if column.key is not None and column.remote is not None:
            by_key.setdefault(column.key, {})[column.remote] = column
    return tuple(
        KeyColumns(cls.attributes[code], cls.attributes[code].target or "", tuple(criteria.values()))
        for code, criteria in by_key.items()
    )


def default_reconciliation(header: Header, *, strict: bool) -> tuple[ReconciliationKey, ...]:
    """Return the declared keys of the class that are columns, literally (§5.1).

    ``strict`` takes the external keys, too, that ``key->x`` columns give. Raises :class:`SettingsError` when none is
    left.
    """
    cls = header.cls
    columns = {column.code: column for column in header.columns}
    keys: dict[str, ReconciliationKey] = {}
    if header.id_column is not None:
        keys[ID] = ReconciliationKey(ID, column=header.id_column)
    for code in cls.reconciliation if ID not in keys else ():
        column = columns.get(code)
        if column is not None:
            key = _reconciliation_key(column)
            keys.setdefault(key.code, key)
        elif strict and header.key_columns(code) is not None:
            keys.setdefault(code, ReconciliationKey(code, ID))
    if not keys:
        raise SettingsError(
            "No reconciliation scheme could be defined: add a column of one of the keys that class "
            f"'{cls.name}' declares ({','.join(cls.reconciliation) or 'none'}), or name columns in reconciliationkeys"
        )
    return tuple(keys.values())


def ignored_keys(header: Header, keys: Sequence[ReconciliationKey]) -> tuple[str, ...]:
    """Return the declared external keys that columns give but the default scheme does not look up by."""
    used = {key.code for key in keys}
    return tuple(
        code for code in header.cls.reconciliation if code not in used and header.key_columns(code) is not None
    )


def explicit_reconciliation(
    header: Header, text: str, names: Names
) -> tuple[tuple[ReconciliationKey, ...], tuple[str, ...]]:
    """Return the keys that the parameter ``reconciliationkeys`` names (§5.2), and warnings.

    Raises :class:`SettingsError` for an unknown key, or one that no column gives.
    """
    columns = {column.code: column for column in header.columns}
    keys: dict[str, ReconciliationKey] = {}
    warnings: list[str] = []
    for item in text.split(","):
        written = item.strip()
        if not written:
            continue
        name = _plain_name(written)
        code = names.codes.get(name)
        if code is None:
            near = get_close_matches(name, names.codes, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise SettingsError(f"Unknown reconciliation key: '{written}'{hint}")
        if name in names.ambiguous:
            warnings.append(ambiguity("Reconciliation key", written, names.ambiguous[name]))
        column = columns.get(code)
        if column is not None:
            key = _reconciliation_key(column)
        elif header.key_columns(code) is not None:
            key = ReconciliationKey(code, ID)
        else:
            raise SettingsError(
                f"Reconciliation key not found in the input columns: '{written}'; the file has: "
                f"{', '.join(c.code for c in header.columns)}"
            )
        keys.setdefault(key.code, key)
    if not keys:
        raise SettingsError("reconciliationkeys names no column: leave it out, or name at least one")
    return tuple(keys.values()), tuple(warnings)


def _reconciliation_key(column: Column) -> ReconciliationKey:
    if column.key is None:
        return ReconciliationKey(column.code, column=column)
    if column.attribute is not None:
        return ReconciliationKey(column.key, ID)
    if ARROW in column.code:
        return ReconciliationKey(column.key, column.remote)
    return ReconciliationKey(column.key, f"{column.key} ({column.code})")
