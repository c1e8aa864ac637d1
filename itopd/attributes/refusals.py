"""Why a value is refused: a kind that callers act upon, and a sentence for people."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from itopd.attributes.columns import MOST_BYTES, Column, ColumnKind, Stored


class RefusedKind(StrEnum):
    """Kinds of refusals (``spec/objects.md`` §5.2, ``spec/import.md`` §6.4)."""

    WRONG_FORMAT = "wrong_format"
    VALUE_NOT_ALLOWED = "value_not_allowed"
    TOO_LONG = "too_long"
    NO_MATCH = "no_match"
    UNKNOWN_TAG = "unknown_tag"
    UNKNOWN_SET_VALUE = "unknown_set_value"
    TOO_MANY = "too_many"
    WRONG_DATE = "wrong_date"
    OUT_OF_RANGE = "out_of_range"
    READ_ONLY = "read_only"
    NOT_FROM_TEXT = "not_from_text"


class Refused(Exception):
    """A value that its attribute does not take. Raised when parsing, returned when checking."""

    def __init__(self, kind: RefusedKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Refused):
            return NotImplemented
        return (self.kind, self.text) == (other.kind, other.text)

    def __hash__(self) -> int:
        return hash((self.kind, self.text))


def wrong_format(text: str, expected: str) -> Refused:
    """Return the refusal of a text of the wrong form; ``expected`` says the right one in words."""
    return Refused(RefusedKind.WRONG_FORMAT, f"wrong format [{text}], expected {expected}")


def not_allowed(text: str, allowed: tuple[str, ...]) -> Refused:
    """Return the refusal of a value that is not in its list."""
    some = ", ".join(allowed[:20]) + (", ..." if len(allowed) > 20 else "")
    return Refused(
        RefusedKind.VALUE_NOT_ALLOWED, f"value not allowed [{text}]" + (f", allowed: {some}" if some else "")
    )


def unfit(columns: Sequence[Column], stored: Sequence[Stored]) -> Refused | None:
    """Return the refusal of a value one of whose columns is too short on MariaDB, which the others then mirror.

    SQLite would keep what is too long, and PostgreSQL knows no short column of bytes.
    """
    for column, part in zip(columns, stored, strict=True):
        if isinstance(part, bytes) or (isinstance(part, str) and column.kind in MOST_BYTES):
            found = len(part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass"))
            most, unit = MOST_BYTES.get(column.kind), "bytes"
        elif isinstance(part, str) and column.kind is ColumnKind.VARCHAR:
            found, most, unit = len(part), column.length, "characters"
        else:
            continue
        if most is not None and found > most:
            return Refused(
                RefusedKind.TOO_LONG, f"too long for column {column.name} (found {found} {unit}, limited to {most})"
            )
    return None
