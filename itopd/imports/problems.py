"""What can be wrong with a row or a cell: kinds, and the sentences people read.

The kinds are those of ``spec/import.md`` §7; the JSON report and the error file name them. Marks that programs look
for (``created``, ``updated N cols``, ``unchanged``, ``Issue: ``, ``n/a``) are iTop's and stand, in the language of the
account, in the dictionary as ``Word:row/...``; sentences are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RowIssue(StrEnum):
    """Why a row was not written."""

    CELLS = "attribute"
    """One or more cells cannot be taken."""
    DATE_FORMAT = "date_format"
    RECONCILIATION = "reconciliation"
    AMBIGUOUS = "ambiguous"
    MISSING_KEY = "missing_ext_key"
    WRONG_NUMBER = "wrong_number_of_cells"
    ABSTRACT = "abstract_class"
    NOT_SETTABLE = "internal"
    """A value that iTop finds impossible while setting it: a computed attribute, a text that is no date."""
    NOT_VISIBLE = "not_visible"
    """The object exists, and the account does not see it."""
    REFUSED = "refused"
    """The write checks say no."""


class CellIssue(StrEnum):
    """What is wrong with a cell."""

    NULL = "null"
    MISSING = "missing"
    AMBIGUOUS = "ambiguous"
    NO_MATCH = "no_match"
    NO_OBJECT = "no_object"
    NOT_VISIBLE = "not_visible"
    DATE_FORMAT = "expected_date_format"
    READ_ONLY = "read_only"
    VALUE = "value"
    """The attribute's own rules refuse the value."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a row."""

    kind: str
    """A :class:`CellIssue`, a :class:`RowIssue`, or the kind of a refusal of the attribute or of the write."""
    text: str
    column: str | None = None
    """Name of the column in the header, as the file writes it."""
    code: str | None = None
    """The attribute."""


CELL_NULL = "it must not be empty"
CELL_MISSING = "a key to look the object up by must not be empty"


def cell_sentence(raw: str, reason: str) -> str:
    """Return what the report shows in place of a value that cannot be taken."""
    return f"'{raw}' cannot be taken: {unseparated(reason)}"


def key_sentence(reason: str) -> str:
    """Return what the report shows in place of a key that cannot be set."""
    return f"no key: {reason}"


def unseparated(sentence: str) -> str:
    """Return a sentence without the separator of the report's table, which knows no quoting, nor line ends."""
    return " ".join(sentence.replace(";", ",").split())


def ambiguous_sentence(count: int) -> str:
    """Return the reason when a key's columns match several objects."""
    return f"ambiguous, found {count} objects"


def expected_format_sentence(example: str) -> str:
    """Return the reason when a date does not follow ``date_format``; ``example`` is a date that does."""
    return f"write it like {example}"


def read_only_sentence(code: str, current: str, proposed: str) -> str:
    """Return the reason when a read-only attribute would change."""
    return f"attribute '{code}' is read-only here and stays as it is (current value: {current}, given: {proposed})"


def hidden_sentence(values: str, target: str, some: str) -> str:
    """Return what the report shows when only objects that the account does not see match."""
    among = f", some of '{target}' that it sees: {some}" if some else ""
    return f"'{values}' exists but is not visible to this account{among}"


def unseen_sentence(values: str, target: str, some: str) -> str:
    """Return the same without telling whether the values exist: only that not all objects are visible."""
    among = f", some that it sees: {some}" if some else ""
    return f"nothing that this account sees matches '{values}', it does not see all of '{target}'{among}"


def search_sentence(values: str, target: str, some: str) -> str:
    """Return what the report shows when no object matches; ``some`` lists a few that exist."""
    if not some:
        return f"nothing matches '{values}': there are no objects of '{target}'"
    return f"nothing matches '{values}', some of '{target}' there are: {some}"
