"""Column types of the state store: instants in UTC by the database's own clock, and exact seconds.

Leases compare with the clock of the database, so hosts whose clocks differ agree on who holds what (``design.md``,
Time). An instant is stored without offset, in UTC, with microseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Return the column type that keeps microseconds."""
        return dialect.type_descriptor(DATETIME(fsp=6) if dialect.name == "mysql" else sa.DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive instants; drop the offset of UTC."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant of the state store needs an offset")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that what is stored is UTC."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


class Seconds(TypeDecorator[Decimal]):
    """A duration with three decimals; SQLite, which has no decimals, keeps its text."""

    impl = sa.Numeric(8, 3)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Return a decimal column, or text on SQLite."""
        return dialect.type_descriptor(sa.String(9) if dialect.name == "sqlite" else sa.Numeric(8, 3))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:  # noqa: ANN401 - per engine
        """Give SQLite the text of the number."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:  # noqa: ANN401
        """Return the number exactly as it was stored."""
        del dialect
        return None if value is None else Decimal(value)


class database_now(sa.sql.expression.FunctionElement[datetime]):  # noqa: N801 - reads as a function in statements
    """The database's clock, moved on by a whole number of seconds (``database_now(60)``)."""

    type = Instant()
    inherit_cache = True

    def __init__(self, seconds: int = 0) -> None:
        super().__init__(sa.bindparam(None, int(seconds), type_=sa.Integer, unique=True))


@compiles(database_now, "mysql")
def _mysql(element: database_now, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"(UTC_TIMESTAMP(6) + INTERVAL {compiler.process(element.clauses, **options)} SECOND)"


@compiles(database_now, "postgresql")
def _postgresql(element: database_now, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    seconds = compiler.process(element.clauses, **options)
    return f"timezone('UTC', clock_timestamp()) + make_interval(secs => {seconds})"


@compiles(database_now, "sqlite")
def _sqlite(element: database_now, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    # The text that SQLAlchemy writes for a DateTime has six digits after the point; SQLite's %f has three.
    return (
        "strftime('%Y-%m-%d %H:%M:%f', 'now', "
        f"printf('%+d seconds', {compiler.process(element.clauses, **options)})) || '000'"
    )
