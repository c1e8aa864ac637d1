"""Choices: enums, classes, states, languages, and sets of codes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any, ClassVar

from itopd.attributes.base import HistoryKind, TypeOf
from itopd.attributes.columns import Column, ColumnKind, Stored
from itopd.attributes.refusals import Refused, RefusedKind, not_allowed, unfit
from itopd.attributes.texts import String
from itopd.datamodel import Attribute, Model
from itopd.rules import Rules


class Enum(TypeOf[str | None]):
    """One of the codes that the model lists."""

    null = None

    def _columns(self) -> tuple[Column, ...]:
        a = self.attribute
        return (Column(a.sql, ColumnKind.ENUM, values=a.values, default=self.default("")),)

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> str | None:
        """Return the code, which is case-sensitive."""
        if not text:
            return None
        if text not in self.attribute.values:
            raise not_allowed(text, self.attribute.values)
        return text

    def check(self, value: str | None) -> Refused | None:
        """Refuse a code that is not in the list."""
        if value is None or value in self.attribute.values:
            return None
        return not_allowed(value, self.attribute.values)

    def default(self, now: str) -> str | None:
        """Return the model's default."""
        default = self.attribute.default
        return None if default is None or default == "" else str(default)


class MetaEnum(Enum):
    """An enum recomputed from another attribute whenever that one is set; nobody else sets it."""

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> str | None:
        """Refuse: it is computed."""
        raise Refused(
            RefusedKind.READ_ONLY, f"attribute {self.attribute.code} is computed from {self.attribute.mapped_attribute}"
        )


class ListedString(String):
    """A string out of a list: a class, a state of a class, a language. Without a list everything is allowed.

    The states of a class and the codes of its attributes depend on the object: see :func:`codes_of_class`.
    """

    def check(self, value: str) -> Refused | None:
        """Refuse a value that is not in the list."""
        if value and self.attribute.values and value not in self.attribute.values:
            return not_allowed(value, self.attribute.values)
        return super().check(value)


def codes_of_class(attribute: Attribute, name: str, model: Model) -> tuple[str, ...]:
    """Return what an attribute about class ``name`` may hold: states of it and its subclasses, or attribute codes."""
    if attribute.type == "AttributeClassState":
        return tuple(dict.fromkeys(state for cls in model[name].subclasses for state in model[cls].states))
    only, excluded = attribute.types_only, attribute.types_excluded
    return tuple(
        code
        for code, other in model[name].attributes.items()
        if (not only or other.type in only) and other.type not in excluded
    )


class EnumSet(TypeOf[tuple[str, ...]]):
    """Several codes, stored as ``|a|b|`` in order of code."""

    null = ()
    history: ClassVar[HistoryKind] = HistoryKind.TAG_SET
    separators: ClassVar[re.Pattern[str]] = re.compile("[|,]")
    unknown: ClassVar[RefusedKind] = RefusedKind.UNKNOWN_SET_VALUE
    shortest: ClassVar[int] = 3
    """Shorter items of a cell are ignored (observed)."""

    def _columns(self) -> tuple[Column, ...]:
        length = self.attribute.max_size or 255
        return (Column(self.attribute.sql, ColumnKind.VARCHAR, length, default=""),)

    def decode(self, stored: Sequence[Any]) -> tuple[str, ...]:
        """Return the codes, sorted; iTop also reads sets that were stored with commas (observed)."""
        value: str | None = stored[0]
        return tuple(sorted({code for code in self.separators.split(value) if code})) if value else ()

    def encode(self, value: tuple[str, ...]) -> tuple[Stored, ...]:
        """Return the codes between separators."""
        return (f"|{'|'.join(sorted(value))}|" if value else "",)

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> tuple[str, ...]:
        """Return the codes of a cell; unknown codes and very short ones are dropped (observed)."""
        del rules, zone
        known = set(self.attribute.values)
        items = {item.strip() for item in self.separators.split(text)}
        codes = {code for code in items if len(code) >= self.shortest and (not known or code in known)}
        return self._checked(tuple(sorted(codes)))

    def check(self, value: tuple[str, ...]) -> Refused | None:
        """Refuse unknown codes and too many of them."""
        a = self.attribute
        for code in value:
            if a.values and code not in a.values:
                return Refused(self.unknown, f"value '{code}' is not in the list of {a.code}: {', '.join(a.values)}")
        if a.max_items and len(value) > a.max_items:
            return Refused(RefusedKind.TOO_MANY, f"too many values (found {len(value)}, limited to {a.max_items})")
        return unfit(self.columns, self.encode(value))

    def equal(self, left: tuple[str, ...], right: tuple[str, ...]) -> bool:
        """Return whether they hold the same codes, in any order."""
        return left == right or set(left) == set(right)

    def to_text(self, value: tuple[str, ...]) -> str:
        """Return the codes separated by ``|``."""
        return "|".join(value)

    def history_text(self, value: tuple[str, ...]) -> str:
        """Return the codes separated by blanks."""
        return " ".join(value)

    def _checked(self, value: tuple[str, ...]) -> tuple[str, ...]:
        refused = self.check(value)
        if refused:
            raise refused
        return value


class TagSet(EnumSet):
    """Codes of tags, stored separated by one blank. The tags are objects: whoever reads them knows the codes."""

    separators = re.compile("[| ]")
    unknown = RefusedKind.UNKNOWN_TAG

    def decode(self, stored: Sequence[Any]) -> tuple[str, ...]:
        """Return the codes, sorted."""
        value: str | None = stored[0]
        return tuple(sorted({code for code in value.split(" ") if code})) if value else ()

    def encode(self, value: tuple[str, ...]) -> tuple[Stored, ...]:
        """Return the codes separated by one blank."""
        return (" ".join(sorted(value)),)

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> tuple[str, ...]:
        """Return the codes of a cell."""
        del rules, zone
        return self._checked(tuple(sorted({code for code in self.separators.split(text) if code})))
