"""The functions of the language: how many arguments each takes, and where an interval stands (``spec/oql.md`` §7.5)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signature:
    """How many arguments a function takes; ``most`` is ``None`` when there is no limit."""

    least: int
    most: int | None
    interval: bool = False
    """The second argument is an interval (else no argument may be one)."""


FUNCTIONS = {
    "IF": Signature(3, 3),
    "ELT": Signature(2, None),
    "COALESCE": Signature(1, None),
    "ISNULL": Signature(1, 1),
    "CONCAT": Signature(1, None),
    "SUBSTR": Signature(2, 3),
    "TRIM": Signature(1, 1),
    "DATE": Signature(1, 1),
    "TIME": Signature(1, 1),
    "DATE_FORMAT": Signature(2, 2),
    "CURRENT_DATE": Signature(0, 0),
    "NOW": Signature(0, 0),
    "YEAR": Signature(1, 1),
    "MONTH": Signature(1, 1),
    "DAY": Signature(1, 1),
    "TO_DAYS": Signature(1, 1),
    "FROM_DAYS": Signature(1, 1),
    "DATE_ADD": Signature(2, 2, interval=True),
    "DATE_SUB": Signature(2, 2, interval=True),
    "ROUND": Signature(1, 2),
    "FLOOR": Signature(1, 1),
    "INET_ATON": Signature(1, 1),
    "INET_NTOA": Signature(1, 1),
}
