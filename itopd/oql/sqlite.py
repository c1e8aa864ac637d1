"""OQL on SQLite: MySQL's meaning made explicit, with functions from the host (:mod:`.mysql_functions`).

Text compares through :meth:`Database.key`. A text compared with a number follows §7.4: a number that the text begins
with where the text is a literal or the number a column; where a text column meets a literal number, as numbers only
when the whole text is one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

import sqlalchemy as sa

from itopd.database import Database
from itopd.errors import OqlError
from itopd.oql import mysql_dates
from itopd.oql.coercions import code_like, equality_of_codes, leading_number, text_beside_number
from itopd.oql.shapes import check_shape
from itopd.oql.values import Kind, Sql, Statement, Value, any_of, balanced, infix, text

_MANY, _MOST = 10_000, 100_000
"""Items of a list: numbers are sent as one parameter above the first; SQLite takes 250,000 parameters in all."""
_LIMITS = ("parser stack overflow", "too large", "too many")
"""What SQLite says of a statement that is beyond its limits."""
_BITS = frozenset({"&", "|", "^", "<<", ">>"})


class Sqlite:
    """Comparisons, coercions and functions spelled out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check_size(self, statement: Statement) -> None:
        """Let SQLite parse the statement: the stack of its parser holds 100 entries before version 3.46, values count.

        An empty database does, where what is parsed still fails for want of tables; these are counted.
        """
        check_shape(statement, most_tables=64, most_levels=None, engine="SQLite")
        sql = str(statement.compile(self._database.engine, compile_kwargs={"render_postcompile": True}))
        with closing(sqlite3.connect(":memory:")) as empty:
            try:
                empty.execute(f"EXPLAIN {sql}")  # only parsed, and made by SQLAlchemy
            except sqlite3.Error as error:
                if any(limit in str(error) for limit in _LIMITS):
                    raise OqlError(
                        "too_complex",
                        f"the query is nested too deeply or too long for SQLite {sqlite3.sqlite_version} ({error}); "
                        "make it smaller, or use PostgreSQL or MariaDB",
                    ) from None

    def compare(self, operator: str, left: Value, right: Value) -> Sql:
        """Compare by the kinds of both sides."""
        kinds = {left.kind, right.kind}
        if Kind.NULL in kinds or kinds == {Kind.NUMBER}:
            return infix(left.sql, operator, right.sql)
        if left.kind.is_text and right.kind.is_text:
            codes = equality_of_codes(operator, left, right)
            return infix(self._key(left), operator, self._key(right)) if codes is None else codes
        if Kind.NUMBER in kinds:
            special = text_beside_number(operator, left, right, self.compare)
            return infix(_as_number(left), operator, _as_number(right)) if special is None else special
        return _compare_dates(operator, left, right)

    def is_in(self, operand: Value, items: Sequence[Value]) -> Sql:
        """Use one list parameter for literals of the operand's kind, else one comparison for each item."""
        if operand.kind.is_text and all(isinstance(item.literal, str) for item in items):
            _check_length(items)
            if operand.codes:
                codes = [code_like(operand, str(item.literal)) for item in items]
                return infix(operand.sql, "IN", sa.bindparam(None, codes, expanding=True, unique=True))
            keys = [self._database.key_value(str(item.literal)) for item in items]
            return infix(self._key(operand), "IN", sa.bindparam(None, keys, expanding=True, unique=True))
        if operand.kind is Kind.NUMBER and all(item.literal is not None for item in items):
            numbers = [n if isinstance(n, int) else leading_number(str(n)) for n in (item.literal for item in items)]
            if len(numbers) > _MANY and all(isinstance(n, int) for n in numbers):
                # The number of parameters of a statement is limited; this is one, whatever the length.
                many = sa.func.json_each(text(json.dumps(numbers)).sql).table_valued("value")
                return infix(operand.sql, "IN", sa.select(many.c.value).scalar_subquery())
            return infix(operand.sql, "IN", sa.bindparam(None, numbers, expanding=True, unique=True))
        _check_length(items)
        return any_of([self.compare("=", operand, item) for item in items])

    def as_id(self, value: Value) -> Sql:
        """Return the number."""
        return _as_number(value)

    def like(self, text: Value, pattern: Value) -> Sql:
        """Ask the host: SQLite's own ignores the case of ASCII only and has no escape."""
        return sa.func.itop_like(pattern.sql, text.sql)

    def regexp(self, text: Value, pattern: Value) -> Sql:
        """Ask the host."""
        return sa.func.itop_regexp(pattern.sql, text.sql)

    def arithmetic(self, operator: str, left: Value, right: Value) -> Value:
        """Divide as decimals, never as integers; bit operations are the host's."""
        if operator in _BITS:
            operands = (_as_number(left), _as_number(right))
            return Value(sa.func.itop_bits(sa.literal_column(f"'{operator}'"), *operands), Kind.NUMBER)
        dividend = _as_number(left)
        if operator == "/":
            dividend = infix(dividend, "*", sa.literal_column("1.0"))
        return Value(infix(dividend, operator, _as_number(right)), Kind.NUMBER)

    def as_truth(self, value: Value) -> Sql:
        """Enums count by position; other texts by their leading number, as SQLite has it."""
        return _as_number(value) if value.kind is Kind.ENUM else value.sql

    def order_key(self, value: Value) -> Sql:
        """Sort texts by their keys."""
        return self._database.key(value.sql) if value.kind is Kind.TEXT else value.sql

    def address_key(self, value: Value) -> Sql:
        """Ask the host."""
        return sa.func.itop_inet_aton(value.sql)

    def in_order(self, key: Sql, *, ascending: bool) -> Sql:
        """Native."""
        return key.asc() if ascending else key.desc()

    def concatenate(self, parts: Sequence[Sql]) -> Sql:
        """Use ``||``."""
        return balanced("||", parts) if parts else sa.literal_column("''")

    def text_or_empty(self, value: Value) -> Sql:
        """Cast numbers, which would stay numbers."""
        shown = sa.cast(value.sql, sa.String) if value.kind is Kind.NUMBER else value.sql
        return sa.func.coalesce(shown, sa.literal_column("''"))

    def now(self, now: str) -> Value:
        """Return a text in stored form."""
        return Value(text(now).sql, Kind.DATETIME)

    def today(self, now: str) -> Value:
        """Return a text in stored form."""
        return Value(text(now[:10]).sql, Kind.DATE)

    def add_interval(self, date: Value, amount: Value, unit: str, kind: Kind) -> Sql:  # noqa: ARG002 - the text's shape tells
        """Ask the host: SQLite lets months overflow into the next."""
        return sa.func.itop_add_interval(date.sql, amount.sql, sa.literal_column(f"'{unit}'"))

    def call(self, name: str, arguments: Sequence[Value], kind: Kind) -> Sql:  # noqa: ARG002 - values have their own
        """Spell out what SQLite has, ask the host for the rest."""
        if name in {"IF", "ELT", "COALESCE"} and {a.kind for a in arguments} >= {Kind.DATE, Kind.DATETIME}:
            arguments = [Value(_date_time(a, None), Kind.DATETIME) if a.kind is Kind.DATE else a for a in arguments]
        values = [argument.sql for argument in arguments]
        match name:
            case "ROUND" | "FLOOR":
                return getattr(sa.func, f"itop_{name.lower()}")(*map(_as_number, arguments))  # type: ignore[no-any-return]
            case "IF":
                return sa.case((self.as_truth(arguments[0]), values[1]), else_=values[2])
            case "ELT":
                place = sa.func.itop_round(_as_number(arguments[0]))
                return sa.case(
                    *((place == sa.literal_column(str(index)), value) for index, value in enumerate(values[1:], 1))
                )
            case "ISNULL":
                return infix(values[0], "IS", sa.literal_column("NULL"))
            case "COALESCE":
                return sa.func.coalesce(*values) if len(values) > 1 else values[0]
            case "CONCAT":
                return self.concatenate([_shown(argument) for argument in arguments])
            case "TRIM":
                return sa.func.trim(_shown(arguments[0]), sa.literal_column("' '"))
            case _:
                return getattr(sa.func, f"itop_{name.lower()}")(*values)  # type: ignore[no-any-return]

    def _key(self, value: Value) -> Sql:
        if isinstance(value.literal, str):
            return sa.bindparam(None, self._database.key_value(value.literal), sa.LargeBinary(), unique=True)
        return self._database.key(value.sql)


def _check_length(items: Sequence[Value]) -> None:
    if len(items) > _MOST:
        raise OqlError(
            "too_complex", f"a list of {len(items)} texts is too long for SQLite, which takes {_MOST}: give fewer"
        )


def _shown(value: Value) -> Sql:
    if value.kind is not Kind.NUMBER:
        return value.sql
    return sa.func.itop_text(value.sql) if value.literal is None else text(str(value.literal)).sql


def _as_number(value: Value) -> Sql:
    """Return a value as a number: position of an enum, leading number of a text, digits of a date."""
    if value.kind in {Kind.NUMBER, Kind.NULL}:
        return value.sql
    if value.kind.is_temporal:
        digits = value.sql
        for separator in ("'-'", "':'", "' '"):
            digits = sa.func.replace(digits, sa.literal_column(separator), sa.literal_column("''"))
        return sa.cast(digits, sa.Integer)
    if value.codes:
        return sa.case({code: place for place, code in enumerate(value.codes, 1)}, value=value.sql)
    if isinstance(value.literal, str):
        return sa.bindparam(None, leading_number(value.literal), unique=True)
    return sa.cast(value.sql, sa.Numeric(asdecimal=False))


def _compare_dates(operator: str, left: Value, right: Value) -> Sql:
    """Compare dates, date-times and texts that mean one; a date is the midnight of its day."""
    read = [mysql_dates.read_date(v.literal) if isinstance(v.literal, str) else None for v in (left, right)]
    is_day = [v.kind is Kind.DATE or (r is not None and not r[1]) for v, r in zip((left, right), read, strict=True)]
    if all(is_day):
        sides = [
            v.sql if r is None else text(r[0].date().isoformat()).sql for v, r in zip((left, right), read, strict=True)
        ]
    else:
        sides = [_date_time(value, known) for value, known in zip((left, right), read, strict=True)]
    return infix(sides[0], operator, sides[1])


def _date_time(value: Value, known: tuple[datetime, bool] | None) -> Sql:
    if known is not None:
        return text(mysql_dates.shown(known[0])).sql
    if isinstance(value.literal, str):
        return text(mysql_dates.ZERO).sql
    if value.kind is Kind.DATETIME:
        return value.sql
    if value.kind is Kind.DATE:
        return infix(value.sql, "||", sa.literal_column("' 00:00:00'"))
    return sa.func.itop_comparable(value.sql)
