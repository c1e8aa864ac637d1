"""One iTop database: its engine, its model's tables, its transactions, its ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from itopd.attributes import TEXT_KINDS
from itopd.database import ids, locks, schema
from itopd.database.collation import collation_key
from itopd.database.engines import PURPOSE, Purpose, open_engine, reason, where
from itopd.database.repeating import Repeats, TransactionUndone, was_undone
from itopd.database.tables import TableDefinition, build_table, define_table
from itopd.datamodel import Lacks, Model
from itopd.errors import DatabaseError, ModelError, RefusedError

SqlFunction = Callable[..., Any]
"""A deterministic function that SQLite calls."""

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Database:
    """A database with iTop's layout. Made by :func:`open_database`."""

    def __init__(
        self,
        engine: Engine,
        model: Model,
        timezone: ZoneInfo,
        prefix: str = "",
        *,
        read_only: bool = False,
        repeats: Repeats = Repeats(),  # noqa: B008 - it never changes
    ) -> None:
        self.engine: Final = engine
        self.model: Final = model
        self.timezone: Final = timezone
        """iTop's timezone, in whose local time its columns are."""
        self.prefix: Final = prefix
        """What the names of all tables start with (``db_subname``)."""
        self.read_only: Final = read_only
        """Whether :meth:`write` refuses, whatever the server would allow."""
        self.repeats: Final = repeats
        """How often :meth:`transact` does an undone transaction again."""
        self.metadata: Final = sa.MetaData()
        self._definitions: dict[str, TableDefinition] = {}
        self._tables: dict[str, sa.Table] = {}

    @property
    def dialect(self) -> str:
        """Return ``sqlite``, ``mysql`` (MariaDB too) or ``postgresql``."""
        return self.engine.dialect.name

    @property
    def name(self) -> str:
        """Return the name of the database on its server, or the path of its file."""
        return self.engine.url.database or ""

    @property
    def identity(self) -> str:
        """Return what tells this database from the others on its server or in its folder, as its mutexes do."""
        return (Path(self.name).name if self.dialect == "sqlite" else self.name) + self.prefix

    @property
    def where(self) -> str:
        """Return which database this is, in words and without its password."""
        return where(self.engine.url)

    def definition(self, class_name: str) -> TableDefinition:
        """Return columns and indexes of a class's own table; :class:`ModelError` when it has none."""
        definition = self._definitions.get(class_name)
        if definition is None:
            cls = self.model.get_class(class_name)
            if cls.table is None:
                raise ModelError(f"class {class_name} has no table of its own")
            definition = self._definitions[class_name] = define_table(cls)
        return definition

    def definitions(self) -> Iterator[TableDefinition]:
        """Yield the tables of all classes."""
        for cls in self.model.values():
            if cls.table:
                yield self.definition(cls.name)

    def table(self, class_name: str) -> sa.Table:
        """Return a class's own table; :class:`ModelError` when it has none."""
        table = self._tables.get(class_name)
        if table is None:
            table = self._tables[class_name] = build_table(self.definition(class_name), self.metadata, self.prefix)
        return table

    def read(self) -> AbstractContextManager[Connection]:
        """Return a transaction for reading that sees one snapshot of the data. It is rolled back at the end."""
        return self._transaction("read")

    def look(self) -> AbstractContextManager[Connection]:
        """Return a connection for one quick query: nothing is sent before it, and a second one may see newer data."""
        return self._transaction("look")

    def write(self) -> AbstractContextManager[Connection]:
        """Return a transaction for writing: committed at the end, rolled back when an exception leaves it.

        On SQLite it holds the write lock from the start, so what it reads stays true. Raises :class:`RefusedError` on
        a database that was opened for reading only.
        """
        if self.read_only:
            raise RefusedError(f"{self.where} is opened for reading only: nothing is written there")
        return self._transaction("write")

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Return what ``work`` returns, done in a transaction of :meth:`write`.

        A transaction that the server undoes for the sake of others (a dead lock, a lock that others keep) is done again
        as a whole, so ``work`` must begin anew each time: what it noted in memory was never written. Raises what
        :meth:`write` raises; :class:`TransactionUndone` when the last attempt was undone too.
        """
        attempt = 1
        while True:
            try:
                with self.write() as connection:
                    return work(connection)
            except TransactionUndone as error:
                if attempt > self.repeats.count:
                    raise
                pause = self.repeats.pause(attempt)
                _log.warning("transaction_undone", reason=error.message, attempt=attempt, again_in_seconds=pause)
            time.sleep(pause)
            attempt += 1

    @contextmanager
    def _transaction(self, purpose: Purpose) -> Iterator[Connection]:
        connection = self.connect()
        try:
            connection.execution_options(**{PURPOSE: purpose})
            connection.begin()
            yield connection
            if purpose == "write" and connection.in_transaction():
                _commit(connection)
        except DBAPIError as error:
            kind = TransactionUndone if was_undone(error) else DatabaseError
            raise kind(f"{self.where} refused: {reason(error)}") from error
        finally:
            locks.release_held(connection)
            _give_back(connection)

    def connect(self) -> Connection:
        """Return a connection outside any transaction; the caller closes it."""
        try:
            return self.engine.connect()
        except DBAPIError as error:
            raise DatabaseError(
                f"cannot open {self.where}: {reason(error)}. Check that the server runs and that database_url is right"
            ) from error

    def key(self, expression: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the SQL expression whose equality and order are iTop's, for a text column or expression."""
        return expression if self.dialect == "mysql" else sa.func.itop_key(expression, type_=sa.LargeBinary)

    def key_value(self, text: str) -> str | bytes:
        """Return what a bound text must be to be compared with :meth:`key`."""
        return text if self.dialect == "mysql" else collation_key(text)

    def order(self, expression: sa.ColumnElement[Any], *, ascending: bool = True) -> sa.ColumnElement[Any]:
        """Return what to order by: NULL comes first, and last where the order descends, as in MariaDB and SQLite."""
        if self.dialect != "postgresql":
            return expression.asc() if ascending else expression.desc()
        return expression.asc().nulls_first() if ascending else expression.desc().nulls_last()

    def is_text(self, class_name: str, column: str) -> bool:
        """Return whether a column compares as text, so that comparisons go through :meth:`key`."""
        definition = self.definition(class_name)
        return column != definition.key_column and definition.column(column).kind in TEXT_KINDS

    def register_function(self, name: str, arguments: int, function: SqlFunction) -> None:
        """Give SQLite a deterministic function under ``name`` (-1 arguments: any number); elsewhere nothing happens."""
        if self.dialect != "sqlite":
            return

        @sa.event.listens_for(self.engine, "connect")
        def register(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection
            connection.create_function(name, arguments, function, deterministic=True)

        self.engine.dispose()

    def allocate_ids(self, connection: Connection, root_class: str, count: int) -> Sequence[int]:
        """Return ``count`` new ids of a hierarchy, ascending, for rows that this transaction inserts."""
        return ids.allocate(connection, self.table(root_class), count)

    def lock_rows_to_come(self, connection: Connection, class_name: str) -> None:
        """Keep others who ask for the same from adding rows to a class's table until the transaction ends.

        What is read after that is complete. MariaDB's ``FOR UPDATE`` on a whole table locks the gaps as well, and a
        writer on SQLite is alone: there nothing is left to do.
        """
        if self.dialect == "postgresql":
            locks.hold_in_transaction(connection, locks.mutex_name("rows", self.table(class_name).name))

    def wait_for_turn(self, connection: Connection, class_name: str) -> None:
        """Keep others who ask for the same from going on until the transaction ends.

        For what may be there once only: who has the turn may look for it and add it. A writer on SQLite is alone.
        Raises :class:`TransactionUndone` when another one keeps its turn for too long.
        """
        if self.dialect == "postgresql":
            locks.hold_in_transaction(connection, locks.mutex_name("turn", self.table(class_name).name))
        elif self.dialect == "mysql":
            name = locks.mutex_name("turn", self.identity + self.table(class_name).name)
            if not locks.hold_until_released(connection, name):
                raise TransactionUndone(f"another writer of {class_name} took too long in {self.where}")

    def create_schema(self) -> None:
        """Create all tables of the model in an empty database."""
        schema.create(self)

    def drop_schema(self) -> None:
        """Drop the tables of the model that are there, with all that they hold."""
        schema.drop(self)

    def update_functions(self) -> None:
        """Make the functions of a PostgreSQL database those of this release; elsewhere there are none."""
        schema.update_functions(self)

    def is_empty(self) -> bool:
        """Return whether the database holds none of the model's tables."""
        return schema.is_empty(self)

    def missing(self) -> list[str]:
        """Return where the database differs from the model, one sentence each; empty when all is well."""
        return schema.differences(self)

    def named_lock(self, base: str, wait: float = 0) -> AbstractContextManager[locks.HeldLock]:
        """Return iTop's mutex ``base``, held within the context.

        Entering raises :class:`ConflictError` when somebody else holds it after ``wait`` seconds.
        """
        if self.dialect == "sqlite":
            path = Path(self.name).absolute()
            name = locks.mutex_name(base, path.name, self.prefix)
            return locks.hold_in_folder(path.with_name(path.name + ".locks"), base, name, wait)
        name = locks.mutex_name(base, self.name, self.prefix)
        hold = locks.hold_on_postgresql if self.dialect == "postgresql" else locks.hold_on_mariadb
        return hold(self.engine, base, name, wait)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _commit(connection: Connection) -> None:
    """Commit; a connection that refuses is closed, since SQLAlchemy would give it to others with what is open on it."""
    try:
        connection.commit()
    except BaseException:
        connection.invalidate()
        raise


def _give_back(connection: Connection) -> None:
    """Close a connection, which rolls back what is open; the server itself did so if the connection is broken."""
    try:
        connection.close()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        connection.close()


def open_database(
    url: str,
    model: Model,
    timezone: ZoneInfo,
    prefix: str = "",
    *,
    read_only: bool = False,
    repeats: Repeats = Repeats(),  # noqa: B008 - it never changes
) -> Database:
    """Return the database at a URL; the first connection is made when it is first needed.

    ``sqlite:///path``, ``postgresql://user:password@host:5432/database`` or ``mysql://...`` (``mariadb://`` is the
    same). ``read_only``: a file must be there already and is never written to; on every engine
    :meth:`Database.write` refuses. Raises :class:`SettingsError` or :class:`DatabaseError` when the URL cannot be used.
    """
    engine = open_engine(url, read_only=read_only)
    return Database(engine, model, timezone, prefix, read_only=read_only, repeats=repeats)


def open_fitted_database(
    url: str,
    load: Callable[[Lacks], Model],
    timezone: ZoneInfo,
    prefix: str = "",
    *,
    repeats: Repeats = Repeats(),  # noqa: B008 - it never changes
) -> Database:
    """Return the database at a URL with the model that ``load`` makes of what the database lacks of core classes.

    Connects at once; raises as :func:`open_database`, and :class:`DatabaseError` when the database is away.
    """
    engine = open_engine(url)
    try:
        return Database(engine, load(schema.lacks_of(engine, prefix)), timezone, prefix, repeats=repeats)
    except BaseException:
        engine.dispose()
        raise
