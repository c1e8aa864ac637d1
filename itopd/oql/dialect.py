"""What differs between SQL engines (``spec/oql.md`` §7.6): one class for each fulfils :class:`Dialect`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from itopd.oql.values import Kind, Sql, Statement, Value


class Dialect(Protocol):
    """Makes SQL that means on one engine what OQL means."""

    def check_size(self, statement: Statement) -> None:
        """Raise ``too_complex`` when the engine would not take a statement of this depth or size."""
        ...

    def compare(self, operator: str, left: Value, right: Value) -> Sql:
        """``=``, ``!=``, ``<``, ``>``, ``<=`` or ``>=``, by the kinds of both sides."""
        ...

    def is_in(self, operand: Value, items: Sequence[Value]) -> Sql:
        """Equality with one of several values, of which there is at least one."""
        ...

    def as_id(self, value: Value) -> Sql:
        """Return a value to be compared with ids."""
        ...

    def like(self, text: Value, pattern: Value) -> Sql:
        """``LIKE`` with the escape character ``\\``."""
        ...

    def regexp(self, text: Value, pattern: Value) -> Sql:
        """``REGEXP``: search, ignoring case but not accents."""
        ...

    def arithmetic(self, operator: str, left: Value, right: Value) -> Value:
        """``+ - * /`` and the bit operations ``& | ^ << >>``."""
        ...

    def as_truth(self, value: Value) -> Sql:
        """Return a value as a condition: any number but 0 is true; a text is worth its leading number."""
        ...

    def order_key(self, value: Value) -> Sql:
        """Return what sorts as iTop sorts the value."""
        ...

    def address_key(self, value: Value) -> Sql:
        """Return what sorts IPv4 addresses by number."""
        ...

    def in_order(self, key: Sql, *, ascending: bool) -> Sql:
        """Return a key of ``ORDER BY``; null is lower than everything else."""
        ...

    def concatenate(self, parts: Sequence[Sql]) -> Sql:
        """Return texts one after the other; of no parts, the empty text."""
        ...

    def text_or_empty(self, value: Value) -> Sql:
        """Return a value as text, '' when it is null."""
        ...

    def now(self, now: str) -> Value:
        """Return the instant ``now`` (``Y-m-d H:i:s``)."""
        ...

    def today(self, now: str) -> Value:
        """Return the day of the instant ``now``."""
        ...

    def add_interval(self, date: Value, amount: Value, unit: str, kind: Kind) -> Sql:
        """Return a date moved by an amount of units; ``kind`` is that of the result."""
        ...

    def call(self, name: str, arguments: Sequence[Value], kind: Kind) -> Sql:
        """Call one of the other functions of the language; ``kind`` is that of the result."""
        ...
