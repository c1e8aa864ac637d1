"""DDL of the tables, per engine: exactly iTop's on MariaDB and MySQL, the nearest equivalent on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from itopd.attributes import TEXT_KINDS, Column, ColumnKind
from itopd.database.tables import INDEXED_PREFIX, Index, IndexKind, TableDefinition

_TABLE_OPTIONS: Final = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci"

_MYSQL_TYPES: Final = {
    ColumnKind.INT: "int(11)",
    ColumnKind.UNSIGNED: "int(11) unsigned",
    ColumnKind.TINYINT: "tinyint(1)",
    ColumnKind.TINYINT_UNSIGNED: "tinyint(1) unsigned",
}

_SQLITE_TYPES: Final = {
    ColumnKind.INT: "INTEGER",
    ColumnKind.UNSIGNED: "INTEGER",
    ColumnKind.TINYINT: "INTEGER",
    ColumnKind.TINYINT_UNSIGNED: "INTEGER",
    ColumnKind.DECIMAL: "NUMERIC",
    ColumnKind.TINYBLOB: "BLOB",
    ColumnKind.BLOB: "BLOB",
    ColumnKind.LONGBLOB: "BLOB",
}


def create_statements(dialect: str, definition: TableDefinition, prefix: str) -> Iterator[str]:
    """Yield the statements that create a table with its indexes; ``dialect`` is ``sqlite`` or ``mysql``."""
    if dialect == "mysql":
        yield _mysql_table(definition, prefix)
    else:
        yield from _sqlite_table(definition, prefix)


def mysql_column_type(column: Column) -> str:
    """Return the type of a column as ``SHOW CREATE TABLE`` writes it."""
    match column.kind:
        case ColumnKind.VARCHAR:
            return f"varchar({column.length})"
        case ColumnKind.ENUM:
            return f"enum({','.join(map(_literal, column.values))})"
        case ColumnKind.DECIMAL:
            return f"decimal({column.length},{column.scale})"
        case kind:
            return _MYSQL_TYPES.get(kind, kind.value.lower())


def _mysql_table(definition: TableDefinition, prefix: str) -> str:
    key = definition.key_column
    lines = [f"`{key}` int(11) NOT NULL" + (" AUTO_INCREMENT" if definition.autoincrement else "")]
    lines += [f"`{c.name}` {mysql_column_type(c)} DEFAULT {_literal(c.default)}" for c in definition.columns]
    lines.append(f"PRIMARY KEY (`{key}`)")
    for index in definition.indexes:
        if index.kind is IndexKind.LOOK_UP:
            continue
        parts = ", ".join(_mysql_part(definition.column(name), index) for name in index.columns)
        lines.append(f"{'FULLTEXT ' if index.kind is IndexKind.FULL_TEXT else ''}KEY `{index.name}` ({parts})")
    return f"CREATE TABLE `{prefix}{definition.name}` (\n  " + ",\n  ".join(lines) + f"\n) {_TABLE_OPTIONS}"


def _mysql_part(column: Column, index: Index) -> str:
    long = column.kind is ColumnKind.VARCHAR and column.length > INDEXED_PREFIX and index.kind is IndexKind.PLAIN
    return f"`{column.name}`" + (f"({INDEXED_PREFIX})" if long else "")


def _sqlite_table(definition: TableDefinition, prefix: str) -> Iterator[str]:
    table = prefix + definition.name
    numbered = " AUTOINCREMENT" if definition.is_root and definition.autoincrement else ""
    lines = [f'"{definition.key_column}" INTEGER PRIMARY KEY{numbered}']
    lines += [_sqlite_column(column) for column in definition.columns]
    yield f'CREATE TABLE "{table}" (\n  ' + ",\n  ".join(lines) + "\n)"
    for index in definition.indexes:
        if index.kind is IndexKind.FULL_TEXT:
            continue
        parts = ", ".join(_sqlite_part(definition.column(name)) for name in index.columns)
        yield f'CREATE INDEX "{table}__{index.name}" ON "{table}" ({parts})'


def _sqlite_column(column: Column) -> str:
    quoted = f'"{column.name}"'
    text = f"{quoted} {_SQLITE_TYPES.get(column.kind, 'TEXT')}"
    if column.default is not None:
        text += f" DEFAULT {_literal(column.default)}"
    if column.kind is ColumnKind.ENUM:
        text += f" CHECK ({quoted} IN ({', '.join(map(_literal, column.values))}))"
    elif column.kind in {ColumnKind.UNSIGNED, ColumnKind.TINYINT_UNSIGNED}:
        text += f" CHECK ({quoted} >= 0)"
    return text


def _sqlite_part(column: Column) -> str:
    """Return what to index: enums are compared by code, other texts by their collation key."""
    if column.kind in TEXT_KINDS and column.kind is not ColumnKind.ENUM:
        return f'itop_key("{column.name}")'
    return f'"{column.name}"'


def _literal(value: str | int | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
