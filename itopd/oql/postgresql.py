"""OQL on PostgreSQL: MySQL's meaning made explicit, with typed expressions and functions of the database.

What an index can answer stays plain SQL: ids, keys of texts (:meth:`Database.key`), codes of enums and dates against
literals. The rest calls the functions of ``database/functions.sql``. Conditions are of SQL's type Boolean, which is no
number: :func:`_number` makes 1 or 0 of them where one is needed. A text compared with a number follows §7.4: a number
that the text begins with where the text is a literal or the number a column; where a text column meets a literal
number, as numbers only when the whole text is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from itopd.database import Database
from itopd.errors import OqlError
from itopd.oql import mysql_dates
from itopd.oql.coercions import code_like, equality_of_codes, leading_number, text_beside_number
from itopd.oql.patterns import LONGEST_LIKE, UnsupportedError, like_expression, search_expression
from itopd.oql.values import Kind, Sql, Statement, Value, any_of, balanced, infix, text

_BITS = frozenset({"&", "|", "^", "<<", ">>"})
_MOST_PARAMETERS = 65_535
"""Of one statement; the protocol counts them in 16 bits."""


class PostgreSql:
    """Comparisons, coercions and functions spelled out, each side cast to what it is compared as."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check_size(self, statement: Statement) -> None:
        """Count the parameters; the server nests as deeply as the language does."""
        compiled = statement.compile(self._database.engine, compile_kwargs={"render_postcompile": True})
        if len(compiled.params) > _MOST_PARAMETERS:
            raise OqlError(
                "too_complex",
                f"the query has {len(compiled.params)} values, more than the {_MOST_PARAMETERS} that PostgreSQL takes "
                "outside of lists of literals; give fewer",
            )

    def compare(self, operator: str, left: Value, right: Value) -> Sql:
        """Compare by the kinds of both sides."""
        kinds = {left.kind, right.kind}
        if Kind.NULL in kinds:
            return _unknown()
        if kinds == {Kind.NUMBER}:
            return infix(_number(left), operator, _number(right))
        if left.kind.is_text and right.kind.is_text:
            codes = equality_of_codes(operator, left, right)
            return infix(self._key(left), operator, self._key(right)) if codes is None else codes
        if Kind.NUMBER in kinds:
            special = text_beside_number(operator, left, right, self.compare)
            return infix(_number(left), operator, _number(right)) if special is None else special
        return infix(_moment(left), operator, _moment(right))

    def is_in(self, operand: Value, items: Sequence[Value]) -> Sql:
        """Use one array for all literals of one kind, else one comparison for each item."""
        if operand.kind is Kind.NULL:
            return _unknown()
        known = [] if operand.literal is not None else [item for item in items if item.literal is not None]
        texts = [str(item.literal) for item in known if isinstance(item.literal, str)]
        numbers = [item.literal for item in known if isinstance(item.literal, int)]
        found = []
        if operand.kind is Kind.NUMBER and known:
            found.append(_any_of_numbers(_number(operand), [*numbers, *map(leading_number, texts)]))
        else:
            if texts:
                found.append(self._is_one_of_texts(operand, texts))
            if numbers:
                found.append(self._is_one_of_numbers(operand, numbers))
        found.extend(self.compare("=", operand, item) for item in items if item.literal is None or not known)
        return any_of(found)

    def _is_one_of_texts(self, operand: Value, texts: Sequence[str]) -> Sql:
        if operand.kind.is_temporal:
            moments = [_moment_of_text(each) for each in texts]
            return _any_of(operand.sql, sa.cast(_array(moments, sa.Text()), sa.ARRAY(sa.DateTime())))
        if operand.codes:
            return _any_of(operand.sql, _array([code_like(operand, each) for each in texts], sa.Text()))
        keys = [self._database.key_value(each) for each in texts]
        return _any_of(self._key(operand), _array(keys, sa.LargeBinary()))

    def _is_one_of_numbers(self, operand: Value, numbers: Sequence[int]) -> Sql:
        if operand.kind is not Kind.TEXT:
            return _any_of_numbers(_number(operand), numbers)
        whole = sa.func.itop_numeric(operand.sql)
        as_text = self._is_one_of_texts(operand, [str(each) for each in numbers])
        return sa.case((whole.is_(None), as_text), else_=_any_of_numbers(whole, numbers))

    def as_id(self, value: Value) -> Sql:
        """Return the number."""
        return _number(value)

    def like(self, text: Value, pattern: Value) -> Sql:
        """Search for a regular expression in which each character is the set of those equal to it."""
        if Kind.NULL in {text.kind, pattern.kind}:
            return _unknown()
        if pattern.literal is None or len(str(pattern.literal)) > LONGEST_LIKE:
            return sa.func.itop_like(_text(text), _text(pattern), type_=sa.Boolean)
        return infix(_text(text), "~", _bound(like_expression(str(pattern.literal)), sa.Text()))

    def regexp(self, text: Value, pattern: Value) -> Sql:
        """Search for a regular expression in which each letter is the set of its cases."""
        if Kind.NULL in {text.kind, pattern.kind}:
            return _unknown()
        if pattern.literal is None:
            return sa.func.itop_regexp(_text(text), _text(pattern), type_=sa.Boolean)
        try:
            expression = search_expression(str(pattern.literal))
        except UnsupportedError as error:
            raise OqlError(
                "bad_regexp", f"REGEXP cannot search for {pattern.literal!r} here: {error}", word=str(pattern.literal)
            ) from None
        return infix(_text(text), "~", _bound(expression, sa.Text()))

    def arithmetic(self, operator: str, left: Value, right: Value) -> Value:
        """Calculate with numbers of any size, so that nothing overflows; a quotient by 0 is null."""
        if Kind.NULL in {left.kind, right.kind}:
            return Value(sa.cast(sa.null(), sa.Numeric), Kind.NUMBER)
        a, b = _numeric(left), _numeric(right)
        if operator in _BITS:
            return Value(sa.func.itop_bits(sa.literal_column(f"'{operator}'"), a, b), Kind.NUMBER)
        if operator == "/":
            quotient = infix(a, operator, sa.func.nullif(b, _ZERO))
            return Value(sa.func.round(quotient, sa.literal_column("20")), Kind.NUMBER)  # see itop_text_of_number
        return Value(infix(a, operator, b), Kind.NUMBER)

    def as_truth(self, value: Value) -> Sql:
        """Any number but 0 is true."""
        if value.kind is Kind.NULL:
            return _unknown()
        return value.sql if _is_condition(value) else infix(_number(value), "!=", _ZERO)

    def order_key(self, value: Value) -> Sql:
        """Sort texts by their keys, enums by their positions as MariaDB does."""
        if value.kind is Kind.TEXT:
            return self._database.key(value.sql)
        return _number(value) if value.kind is Kind.ENUM else value.sql

    def address_key(self, value: Value) -> Sql:
        """Call the function that SQL lacks."""
        return sa.func.itop_inet_aton(value.sql)

    def in_order(self, key: Sql, *, ascending: bool) -> Sql:
        """Say that null is lowest: PostgreSQL has it highest."""
        return key.asc().nulls_first() if ascending else key.desc().nulls_last()

    def concatenate(self, parts: Sequence[Sql]) -> Sql:
        """Use ``||``."""
        return balanced("||", parts) if parts else _bound("", sa.Text())

    def text_or_empty(self, value: Value) -> Sql:
        """Make a text of it first."""
        return sa.func.coalesce(_text(value), sa.literal_column("''"))

    def now(self, now: str) -> Value:
        """Return a typed instant."""
        return Value(sa.cast(_bound(now, sa.String()), sa.DateTime), Kind.DATETIME)

    def today(self, now: str) -> Value:
        """Return a typed date."""
        return Value(sa.cast(_bound(now[:10], sa.String()), sa.Date), Kind.DATE)

    def add_interval(self, date: Value, amount: Value, unit: str, kind: Kind) -> Sql:
        """Call a function, which gives null instead of a date that cannot be."""
        by: tuple[Sql, Sql] = (_numeric(amount), sa.literal_column(f"'{unit}'"))
        if not date.kind.is_temporal:
            return _function("add_to_text")(_text(date), *by)  # type: ignore[no-any-return]
        moved: Sql = _function("add")(_instant(date), *by)
        return sa.cast(moved, sa.Date) if kind is Kind.DATE else moved

    def call(self, name: str, arguments: Sequence[Value], kind: Kind) -> Sql:  # noqa: PLR0911 - one per function
        """Spell out what SQL has, call functions for the rest."""
        match name:
            case "IF":
                condition, then, otherwise = arguments
                return sa.case((self.as_truth(condition), _as(kind, then)), else_=_as(kind, otherwise))
            case "ELT":
                place = sa.func.round(_numeric(arguments[0]))
                values = [_as(kind, value) for value in arguments[1:]]
                return sa.case(*((place == sa.literal_column(str(i)), value) for i, value in enumerate(values, 1)))
            case "COALESCE":
                return sa.func.coalesce(*(_as(kind, value) for value in arguments))
            case "ISNULL":
                operand = arguments[0]
                return infix(_text(operand) if operand.kind is Kind.TEXT else operand.sql, "IS", sa.null())
            case "CONCAT":
                return self.concatenate([_text(value) for value in arguments])
            case "SUBSTR":
                return sa.func.itop_substr(_text(arguments[0]), *map(_numeric, arguments[1:]))
            case "TRIM":
                return sa.func.btrim(_text(arguments[0]), sa.literal_column("' '"))
            case "DATE":
                return sa.cast(_instant(arguments[0]), sa.Date)
            case "DATE_FORMAT":
                return sa.func.itop_date_format(_instant(arguments[0]), _text(arguments[1]))
            case "FROM_DAYS" | "INET_NTOA":
                return _function(name)(_numeric(arguments[0]))  # type: ignore[no-any-return]
            case "ROUND":
                numbers = list(map(_numeric, arguments))
                return sa.func.itop_round(*numbers) if len(numbers) > 1 else sa.func.round(*numbers)
            case "FLOOR":
                return sa.func.floor(_numeric(arguments[0]))
            case "INET_ATON":
                return sa.func.itop_inet_aton(_text(arguments[0]))
            case _:  # TIME, YEAR, MONTH, DAY and TO_DAYS
                return _function(name)(_instant(arguments[0]))  # type: ignore[no-any-return]

    def _key(self, value: Value) -> Sql:
        if isinstance(value.literal, str):
            return _bound(self._database.key_value(value.literal), sa.LargeBinary())
        return self._database.key(value.sql)


_ZERO: Sql = sa.literal_column("0")


def _unknown() -> Sql:
    return sa.cast(sa.null(), sa.Boolean)


def _bound(value: object, kind: Any) -> Sql:  # noqa: ANN401 - any of SQLAlchemy's types
    return sa.bindparam(None, value, kind, unique=True)


def _array(values: Sequence[object], kind: Any) -> Sql:  # noqa: ANN401 - any of SQLAlchemy's types
    return _bound(list(values), sa.ARRAY(kind))


def _any_of(operand: Sql, array: Sql) -> Sql:
    return infix(operand, "=", sa.func.any(array))


def _any_of_numbers(operand: Sql, numbers: Sequence[int | float]) -> Sql:
    fit = all(isinstance(number, int) and -(2**63) <= number < 2**63 for number in numbers)
    values = numbers if fit else [Decimal(repr(number)) for number in numbers]
    return _any_of(operand, _array(values, sa.BigInteger() if fit else sa.Numeric()))


def _function(name: str) -> Any:  # noqa: ANN401 - SQLAlchemy's makers of functions
    return getattr(sa.func, f"itop_{name.lower()}")


def _is_condition(value: Value) -> bool:
    return isinstance(value.sql.type, sa.Boolean)


def _as(kind: Kind, value: Value) -> Sql:
    """Return a value as one of the kind that a function gives."""
    if value.kind is Kind.NULL:
        return value.sql
    if kind is Kind.NUMBER:
        return _number(value)
    if kind.is_temporal:
        return value.sql if value.kind is kind else _instant(value)
    return _text(value)


def _text(value: Value) -> Sql:
    """Return a value as text. Texts of PostgreSQL hold no NUL, which iTop's collation ignores."""
    if value.kind is Kind.NULL:
        return sa.cast(value.sql, sa.Text)
    if value.literal is not None:
        shown = str(value.literal)
        return value.sql if value.kind is Kind.TEXT and "\0" not in shown else text(shown.replace("\0", "")).sql
    match value.kind:
        case Kind.NUMBER:
            return sa.func.itop_text_of_number(_number(value))
        case Kind.DATE:
            return sa.func.itop_text_of_date(value.sql)
        case Kind.DATETIME:
            return sa.func.itop_text_of_instant(value.sql)
        case _:
            return value.sql


def _number(value: Value) -> Sql:
    """Return a value as a number: 1 or 0, position of an enum, leading number of a text, digits of a date."""
    if isinstance(value.literal, str):
        number = leading_number(value.literal)
        return (
            _bound(number, sa.BigInteger()) if isinstance(number, int) else _bound(Decimal(repr(number)), sa.Numeric())
        )
    if value.codes:
        return sa.case({code: place for place, code in enumerate(value.codes, 1)}, value=value.sql)
    match value.kind:
        case Kind.NUMBER:
            return sa.cast(value.sql, sa.Integer) if _is_condition(value) else value.sql
        case Kind.NULL:
            return sa.cast(value.sql, sa.Numeric)
        case Kind.DATE:
            return sa.func.itop_number_of_date(value.sql)
        case Kind.DATETIME:
            return sa.func.itop_number_of_instant(value.sql)
        case _:
            return sa.func.itop_number(value.sql)


def _numeric(value: Value) -> Sql:
    return sa.cast(_number(value), sa.Numeric)


def _instant(value: Value) -> Sql:
    """Return the instant that a value means; null when it means none."""
    if value.kind is Kind.DATETIME:
        return value.sql
    return sa.cast(value.sql, sa.DateTime) if value.kind is Kind.DATE else sa.func.itop_instant(_text(value))


def _moment(value: Value) -> Sql:
    """Return what a date or a text is worth beside a date: a text that is none is below all."""
    if value.kind.is_temporal:
        return value.sql
    if isinstance(value.literal, str):
        return sa.cast(_bound(_moment_of_text(value.literal), sa.String()), sa.DateTime)
    return sa.case((value.sql.is_not(None), sa.func.coalesce(_instant(value), sa.literal_column("'-infinity'"))))


def _moment_of_text(literal: str) -> str:
    read = mysql_dates.read_date(literal)
    return "-infinity" if read is None else mysql_dates.shown(read[0])
