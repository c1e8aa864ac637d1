"""Cells to values (``spec/import.md`` §6.1, §6.4), and values to the cells of the report (§9.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from itopd.attributes import AttributeType, Refused, RefusedKind, bind
from itopd.datamodel import Attribute, Class
from itopd.dictionary import Dictionary
from itopd.errors import SettingsError
from itopd.imports.problems import CELL_NULL, CellIssue, expected_format_sentence
from itopd.rules import Rules
from itopd.tabular import DateFormat, date_part, read_format, stored_writer

DATES: Final = frozenset({"AttributeDate"})
DATE_TIMES: Final = frozenset({"AttributeDateTime", "AttributeDeadline"})
COMPUTED: Final = frozenset(
    {
        "AttributeMetaEnum",
        "AttributeFriendlyName",
        "AttributeObsolescenceFlag",
        "AttributeSubItem",
        "AttributeDashboard",
        "AttributeArchiveFlag",
        "AttributeExternalField",
    }
)
_ENUMS: Final = frozenset({"AttributeEnum"})
_NUMBERS: Final = frozenset(
    {"AttributeInteger", "AttributePercentage", "AttributeDuration", "AttributeDecimal", "AttributeBoolean"}
)
_REFUSED_WHEN_EMPTY: Final = frozenset(
    {
        "AttributeString",
        "AttributeEmailAddress",
        "AttributePhoneNumber",
        "AttributeIPAddress",
        "AttributeURL",
        "AttributeText",
        "AttributeLongText",
        "AttributeTemplateString",
        "AttributeTemplateText",
        "AttributeOQL",
        "AttributePassword",
        "AttributeRedundancySettings",
    }
)
"""Mandatory attributes of these types refuse an empty cell at once; others are left to the write."""
_SET_SEPARATORS: Final = re.compile("[|,]")
_EXAMPLE: Final = datetime.fromisoformat("2022-10-23 16:25:33")

Convert = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """How the cells of one attribute are read and shown."""

    attribute: Attribute
    kind: AttributeType
    convert: Convert
    """Text that is not empty -> value; raises :class:`Refused`."""
    quoted: bool
    """Whether the report shows values in quotes."""
    show: Convert
    """A stored text as the report shows it: dates follow ``date_format``."""
    computed: bool
    range_at_write: bool = False
    """Whether a number that its column cannot hold is left to the write to refuse, as in iTop."""
    read_date: Callable[[str], str | None] | None = None
    """With ``date_format``: the stored form of a date cell, ``None`` when it does not follow the format."""
    date_example: str = ""

    def value(self, text: str | None) -> Any:  # noqa: ANN401 - of the attribute's type
        """Return the value of a cell; raise :class:`Refused`."""
        if self.computed:
            raise Refused(RefusedKind.READ_ONLY, f"attribute '{self.attribute.code}' is computed and cannot be given")
        if not text:
            value = self.kind.null
            if not self.attribute.nullable and self.attribute.type in _REFUSED_WHEN_EMPTY:
                raise Refused(RefusedKind.WRONG_FORMAT, CELL_NULL)
            return value
        value = self.convert(text)
        refused = self.kind.check(value)
        if refused is not None and not (self.range_at_write and refused.kind is RefusedKind.OUT_OF_RANGE):
            raise refused
        return value

    def written(self, value: Any, given: str) -> str:  # noqa: ANN401
        """Return a value as the report shows what is written; ``given`` is the text of its cell."""
        if not self.quoted:
            return str(self.kind.to_text(value))
        if value is None and self.attribute.type not in _ENUMS:
            return ""
        dashed = self.read_date is None and self.attribute.type in DATES | DATE_TIMES and "-" in given
        text = given if dashed else str(self.show(self.kind.to_text(value)))  # iTop shows 2024-2-9 as it is given
        return '"' + text.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class DateRules:
    """How dates are written in the file."""

    format: DateFormat
    """Of date-times."""
    date_format: DateFormat | None
    """Its date part, of dates; ``None`` when it has none."""
    zone: ZoneInfo
    now: datetime | None
    """Local time that fills what the format does not hold; ``None``: reading is strict."""


def date_rules(text: str, rules: Rules, zone: ZoneInfo, now: datetime) -> DateRules | None:
    """Return how dates follow the parameter ``date_format``, ``None`` when it is empty.

    Unless the rules are lenient, a format that lacks the day, month or year raises :class:`SettingsError`.
    """
    if not text:
        return None
    whole = read_format(text)
    part = date_part(whole.modern)
    lenient = rules.bad_date == "lenient"
    missing = whole.missing_date_parts()
    if missing and not lenient:
        raise SettingsError(f"date_format '{text}' has no {' and no '.join(missing)}: write for instance d/m/Y H:i:s")
    return DateRules(whole, read_format(part) if part else None, zone, now if lenient else None)


def cell_of(
    cls: Class,
    attribute: Attribute,
    rules: Rules,
    dates: DateRules | None,
    zone: ZoneInfo,
    dictionary: Dictionary | None,
) -> Cell:
    """Return how the cells of ``attribute`` are read: as codes, or as labels when a ``dictionary`` is given."""
    kind = bind(attribute)
    convert: Convert = lambda text: kind.parse(text, rules, zone)  # noqa: E731
    if dictionary is not None and attribute.type in _ENUMS:
        convert = _enum_by_label(cls, attribute, dictionary)
    elif dictionary is not None and attribute.type == "AttributeEnumSet":
        convert = _set_by_labels(cls, attribute, dictionary)
    elif dictionary is not None and attribute.type == "AttributeBoolean":
        convert = _boolean_by_label(dictionary, rules)
    show: Convert = lambda text: text  # noqa: E731
    read_date: Callable[[str], str | None] | None = None
    example = ""
    if dates is not None and attribute.type in DATES | DATE_TIMES:
        timed = attribute.type in DATE_TIMES
        form = dates.format if timed else dates.date_format
        if form is None:
            read_date = lambda text: None  # noqa: E731, ARG005
        else:
            now = dates.now
            read_date = (
                (lambda text: form.read_datetime(text, now=now))
                if timed
                else (lambda text: form.read_date(text, now=now))
            )
            write = stored_writer(form.modern, dates.zone)
            show = lambda text: write(text) if text else ""  # noqa: E731
            example = write(_EXAMPLE.isoformat(" ") if timed else _EXAMPLE.date().isoformat())
        convert = lambda text: text  # noqa: E731 - read at the date step, before anything else
    return Cell(
        attribute,
        kind,
        convert,
        attribute.type not in _NUMBERS and not attribute.is_external_key,
        show,
        attribute.type in COMPUTED,
        rules.bad_number == "lenient",
        read_date,
        example,
    )


def wrong_date(cell: Cell) -> str:
    """Return the reason why a date cell does not follow ``date_format``."""
    return expected_format_sentence(cell.date_example) if cell.date_example else "date_format holds no date"


def problem_kind(refused: Refused) -> str:
    """Return the kind of a refused cell."""
    if refused.text == CELL_NULL:
        return CellIssue.NULL
    return CellIssue.READ_ONLY if refused.kind is RefusedKind.READ_ONLY else f"{CellIssue.VALUE}.{refused.kind}"


def is_impossible(cell: Cell, refused: Refused) -> bool:
    """Return whether iTop finds setting the value impossible, instead of merely refusing it (§6.4)."""
    return refused.kind in {RefusedKind.READ_ONLY, RefusedKind.WRONG_DATE} or (
        cell.attribute.type in DATES | DATE_TIMES and refused.text != CELL_NULL
    )


def _codes_by_label(cls: Class, attribute: Attribute, dictionary: Dictionary) -> dict[str, str]:
    """Return the codes of an enum or set by their labels; the first code of a label that several have."""
    by_label: dict[str, str] = {}
    for code in attribute.values:
        by_label.setdefault(dictionary.value_label(cls.name, attribute.code, code), code)
    return by_label


def _set_by_labels(cls: Class, attribute: Attribute, dictionary: Dictionary) -> Convert:
    by_label = _codes_by_label(cls, attribute, dictionary)

    def convert(text: str) -> tuple[str, ...]:
        labels = [label for item in _SET_SEPARATORS.split(text) if (label := item.strip())]
        unknown = [label for label in labels if label not in by_label]
        if unknown:
            raise Refused(
                RefusedKind.NO_MATCH, f"no match for [{', '.join(unknown)}], use the labels {', '.join(by_label)}"
            )
        return tuple(sorted({by_label[label] for label in labels}))

    return convert


def _enum_by_label(cls: Class, attribute: Attribute, dictionary: Dictionary) -> Convert:
    by_label = _codes_by_label(cls, attribute, dictionary)

    def convert(text: str) -> str:
        code = by_label.get(text)
        if code is None:
            raise Refused(
                RefusedKind.VALUE_NOT_ALLOWED, f"'{attribute.code}' is one of the labels {', '.join(by_label)}"
            )
        return code

    return convert


def _boolean_by_label(dictionary: Dictionary, rules: Rules) -> Convert:
    words = {"1": True, "0": False, "no": False}
    exact = rules.yes_refused
    for key, value in (("boolean/yes", True), ("boolean/no", False)):
        label = dictionary.word(key)
        if not exact or label == label.lower():
            words[label.lower()] = value

    def convert(text: str) -> bool:
        word = text.strip().lower()
        if word not in words:
            raise Refused(RefusedKind.NO_MATCH, f"no match for [{text}], use {', '.join(words)}")
        return words[word]

    return convert
