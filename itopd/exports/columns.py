"""The ``fields`` of an export, and what a format needs to know of each column (``spec/export.md`` §2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from itopd.datamodel import Attribute, Model
from itopd.dictionary import Dictionary
from itopd.errors import ModelError
from itopd.exports.errors import BadField
from itopd.exports.kinds import Kind, kind_of

Row: TypeAlias = Sequence[Any]
"""One row of the database's answer."""


@dataclass(frozen=True, slots=True)
class Field:
    """One item of ``fields``, resolved against the classes that the query selects."""

    item: str
    """As written, without blanks around it."""
    alias: str
    path: tuple[str, ...]
    """Attribute codes: external keys, then the attribute shown; ``("id",)`` for the key of the object."""
    cls: str
    """The class whose attribute is shown."""
    attribute: Attribute | None
    """What is shown; ``None`` for ``id``."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field as the formats see it."""

    field: Field
    header: str
    kind: Kind
    attribute: Attribute | None
    """Whose values stand in the column: an external field's target; ``None`` for ``id``."""
    cls: str
    read: Callable[[Row], Any]
    """The value in a row, as ``itopd.attributes`` decodes it."""
    owner: Callable[[Row], int | None]
    """Id of the object that holds the attribute."""
    absent: Callable[[Row], bool] | None
    """Whether the alias's object is missing in a row (an outer-joined alias); ``None`` where it never is."""
    labels: Mapping[str, str]
    """Code -> text to show, for values of a fixed set; empty where codes are shown."""


def parse_fields(text: str, selected: Mapping[str, str], model: Model) -> tuple[Field, ...]:
    """Return the fields that ``text`` names; ``selected`` maps the query's aliases to their classes, in order.

    Raises :class:`BadField` naming the item and what is wrong with it.
    """
    return tuple(_parse_item(item.strip(), selected, model) for item in text.split(","))


def alias_of(item: str, selected: Mapping[str, str]) -> str:
    """Return the alias that an item of ``fields`` is about: the one before its dot, else the query's first."""
    alias, dot, _ = item.strip().partition(".")
    return alias if dot else next(iter(selected))


def _parse_item(item: str, selected: Mapping[str, str], model: Model) -> Field:
    alias, rest = alias_of(item, selected), item.partition(".")[2] if "." in item else item
    if alias not in selected:
        known = ", ".join(selected)
        raise BadField(f"field '{item}': the query selects no alias '{alias}'; it selects: {known}")
    cls = selected[alias]
    if rest == "id":
        return Field(item, alias, ("id",), cls, None)
    *keys, code = path = tuple(rest.split("->"))
    for key in keys:
        attribute = _attribute(item, cls, key, model)
        if not attribute.is_external_key or attribute.target is None:
            raise BadField(f"field '{item}': {key} of class {cls} is no external key, '->' cannot follow it")
        cls = attribute.target
    return Field(item, alias, path, cls, _attribute(item, cls, code, model))


def _attribute(item: str, cls: str, code: str, model: Model) -> Attribute:
    try:
        return model[cls].attribute(code)
    except ModelError as error:
        raise BadField(f"field '{item}': {error.message}") from None


def header_of(field: Field, *, model: Model, dictionary: Dictionary, root: str, localize: bool, qualified: bool) -> str:
    """Return the header of a column: labels along the path, or codes; ``root`` is the class of the alias."""
    prefix = f"{field.alias}." if qualified else ""
    if not localize:
        return prefix + "->".join(field.path)
    if field.path == ("id",):
        return prefix + dictionary.word("id")
    labels, cls = [], root
    for code in field.path:
        labels.append(dictionary.attribute_label(cls, code))
        cls = model[cls].attributes[code].target or cls
    return prefix + "->".join(labels)


def shown_attribute(field: Field, model: Model) -> tuple[str, Attribute | None]:
    """Return class and attribute whose values the column holds: an external field's are its target's."""
    cls, attribute = field.cls, field.attribute
    while attribute is not None and attribute.is_external_field:
        key = model[cls].attribute(attribute.key or "")
        cls = key.target or cls
        attribute = model[cls].attribute(attribute.target_attcode or "")
    return cls, attribute


def kind_of_field(attribute: Attribute | None) -> Kind:
    """Return the kind of a column's values; the key of the object is a number."""
    return Kind.NUMBER if attribute is None else kind_of(attribute)


def labels_of(
    cls: str, attribute: Attribute | None, kind: Kind, *, model: Model, dictionary: Dictionary
) -> dict[str, str]:
    """Return the texts shown for the codes of enums and classes."""
    if kind in {Kind.ENUM, Kind.SET} and attribute is not None:
        return {code: dictionary.value_label(cls, attribute.code, code) for code in attribute.values}
    if kind is Kind.CLASS:
        return {name: dictionary.class_label(name) for name in model[model[cls].root].subclasses}
    return {}
