"""Creating the tables of a model, and telling where a database differs from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from itopd.attributes import ColumnKind, bind
from itopd.database.collation_sql import KEY_FUNCTION, KEY_FUNCTIONS, key_body, key_functions
from itopd.database.ddl import create_statements, mysql_column_type, postgresql_column_type, sqlite_column_type
from itopd.database.engines import reason, where
from itopd.database.enum_lists import Lists, checked_lists
from itopd.database.functions import oql_functions
from itopd.database.tables import TableDefinition
from itopd.datamodel import Attribute, Declaration, Lacks
from itopd.errors import DatabaseError, RefusedError

if TYPE_CHECKING:
    from itopd.database.database import Database

_COLUMN_TYPES: Final = {
    "mysql": mysql_column_type,
    "postgresql": postgresql_column_type,
    "sqlite": sqlite_column_type,
}


def create(database: Database) -> None:
    """Create all tables; :class:`RefusedError` when one of them is there already."""
    if not is_empty(database):
        raise RefusedError(f"{database.where} already holds tables of iTop; give an empty database")
    with database.write() as connection:
        if database.dialect == "postgresql":
            create_functions(connection)
        for definition in database.definitions():
            for statement in create_statements(database.dialect, definition, database.prefix):
                connection.exec_driver_sql(statement)


def drop(database: Database) -> None:
    """Drop all tables that are there, and what was made with them."""
    with database.write() as connection:
        for definition in database.definitions():
            table = connection.dialect.identifier_preparer.quote(database.prefix + definition.name)
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
        if database.dialect == "postgresql":
            names = ", ".join((*KEY_FUNCTIONS, *oql_functions()))
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {names}")


def create_functions(connection: Connection) -> None:
    """Make PostgreSQL's ``itop_key``, and the functions of OQL that use it, in the schema that tables are made in."""
    schema = _current_schema(connection)
    for statement in (*key_functions(schema), *(function.statement for function in oql_functions().values())):
        connection.execution_options(no_parameters=True).exec_driver_sql(statement)


def update_functions(database: Database) -> None:
    """Make PostgreSQL's functions those of this release, and the indexes anew when their keys change."""
    if database.dialect != "postgresql":
        return
    with database.write() as connection:
        outdated = any(KEY_FUNCTION in difference for difference in _differing_functions(connection))
        create_functions(connection)
        for definition in database.definitions() if outdated else ():
            table = connection.dialect.identifier_preparer.quote(database.prefix + definition.name)
            connection.exec_driver_sql(f"REINDEX TABLE {table}")


def _current_schema(connection: Connection) -> str:
    schema = connection.exec_driver_sql("SELECT current_schema()").scalar()
    if schema is None:
        raise DatabaseError("no schema of the search_path exists; create one, or give the account another search_path")
    return connection.dialect.identifier_preparer.quote(str(schema))


def lacks_of(engine: Engine, prefix: str) -> Lacks:
    """Return what tells which tables and columns of a declared class a database lacks; :class:`DatabaseError`.

    An empty database lacks nothing: that it is empty is said elsewhere.
    """
    try:
        with engine.connect() as connection:
            existing = existing_columns(connection)
    except DBAPIError as error:
        raise DatabaseError(
            f"cannot open {where(engine.url)}: {reason(error)}. Check that the server runs and that database_url (or "
            "db_host, db_user, db_pwd, db_name) is right"
        ) from error

    def lacks(declared: Declaration, attribute: Attribute | None) -> str:
        table = prefix + declared.table
        columns = existing.get(_folded(table))
        if not existing or (columns is None and attribute is not None):
            return ""
        if columns is None:
            return f"table {table} is missing"
        bound = bind(attribute) if attribute is not None else None
        wanted = (*bound.columns, *bound.kept_columns) if bound is not None else ()
        missing = [column.name for column in wanted if _folded(column.name) not in columns]
        return f"table {table} has no column {', '.join(missing)}" if missing else ""

    return lacks


def is_empty(database: Database) -> bool:
    """Return whether none of the model's tables exists."""
    with database.read() as connection:
        existing = {_folded(name) for name in sa.inspect(connection).get_table_names()}
    return not any(_folded(database.prefix + definition.name) in existing for definition in database.definitions())


def differences(database: Database) -> list[str]:
    """Return one sentence per missing table or column, per column of another type or list, and per odd column.

    Columns of core classes beside an iTop's own XML may be of another type: an older iTop's are.
    """
    with database.read() as connection:
        existing = existing_columns(connection)
        lists = None if database.dialect == "mysql" else checked_lists(connection)
        found = _differing_functions(connection) if database.dialect == "postgresql" else []
    core = {database.model[name].table for name in database.model.core}
    for definition in database.definitions():
        name = database.prefix + definition.name
        columns = existing.get(_folded(name))
        if columns is None:
            found.append(f"table {name} is missing")
        else:
            found += _differing_columns(definition, name, columns)
            if definition.name not in core:
                found += _differing_types(database.dialect, definition, name, columns)
                found += _differing_lists(definition, name, columns, lists) if lists is not None else []
    return sorted(found)


def _differing_functions(connection: Connection) -> list[str]:
    expected = {KEY_FUNCTION: key_body(_current_schema(connection))}
    expected |= {name: function.body for name, function in oql_functions().items()}
    rows = connection.exec_driver_sql(
        "SELECT proname, prosrc FROM pg_proc WHERE proname = ANY(%s) AND pronamespace = current_schema()::regnamespace",
        (list(expected),),
    )
    sources = {str(name): str(source) for name, source in rows}
    missing = [name for name in expected if name not in sources]
    others = [name for name, source in sources.items() if source != expected[name]]
    return [
        *(f"function {name} is missing; 'itopd db functions' makes it" for name in missing),
        *(
            f"function {name} is not this release's: queries would answer differently; 'itopd db functions' replaces it"
            for name in others
        ),
    ]


def _differing_types(
    dialect: str, definition: TableDefinition, name: str, columns: dict[str, tuple[str, bool]]
) -> list[str]:
    expected_type = _COLUMN_TYPES[dialect]
    kinds = ((column, columns.get(_folded(column.name)), expected_type(column)) for column in definition.columns)
    return [
        f"column {name}.{column.name} is {actual[0]}, expected {expected}"
        for column, actual, expected in kinds
        if actual is not None and not _same_type(actual[0], expected)
    ]


def _differing_lists(
    definition: TableDefinition, name: str, columns: dict[str, tuple[str, bool]], lists: Lists
) -> list[str]:
    """Name the enums whose list is not the model's; on MariaDB their type tells."""
    found: list[str] = []
    for column in definition.columns:
        if column.kind is not ColumnKind.ENUM or _folded(column.name) not in columns:
            continue
        codes, expected = lists.get((_folded(name), _folded(column.name))), frozenset(column.values)
        if codes is None:
            found.append(f"column {name}.{column.name} takes any text, expected a check for {_listed(expected)}")
        elif codes != expected:
            found.append(f"column {name}.{column.name} takes {_listed(codes)}, expected {_listed(expected)}")
    return found


def _listed(codes: frozenset[str]) -> str:
    return ", ".join(f"'{code}'" for code in sorted(codes))


def _differing_columns(definition: TableDefinition, name: str, columns: dict[str, tuple[str, bool]]) -> list[str]:
    found: list[str] = []
    known = {_folded(definition.key_column)}
    if _folded(definition.key_column) not in columns:
        found.append(f"table {name} has no key column {definition.key_column}")
    for column in definition.columns:
        known.add(_folded(column.name))
        if _folded(column.name) not in columns:
            found.append(f"table {name} has no column {column.name}")
    found += [
        f"column {name}.{column} is unknown to the model and refuses rows that do not give it a value"
        for column, (_, required) in columns.items()
        if required and column not in known
    ]
    return found


def _same_type(actual: str, expected: str) -> bool:
    """Return whether two types are the same; MySQL 8 no longer shows the display width of integers."""
    return actual == expected or actual == expected.replace("int(11)", "int")


def existing_columns(connection: Connection) -> dict[str, dict[str, tuple[str, bool]]]:
    """Return table -> column -> (type, whether a row must give it a value); names in lower case."""
    if connection.dialect.name == "sqlite":
        query = (
            "SELECT m.name, c.name, c.type, c.[notnull] AND c.dflt_value IS NULL AND NOT c.pk "
            "FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
        )
    elif connection.dialect.name == "postgresql":
        query = (
            "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), "
            "a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND NOT EXISTS ("
            "SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)) "
            "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
            "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
        )
    else:
        query = (
            "SELECT table_name, column_name, column_type, "
            "is_nullable = 'NO' AND column_default IS NULL AND extra NOT LIKE '%auto_increment%' "
            "FROM information_schema.columns WHERE table_schema = DATABASE()"
        )
    tables: dict[str, dict[str, tuple[str, bool]]] = {}
    for table, column, kind, required in connection.execute(sa.text(query)):
        tables.setdefault(_folded(table), {})[_folded(column)] = (str(kind), bool(required))
    return tables


def _folded(name: str) -> str:
    return name.lower()
