"""The least that a database account must be allowed for itopd to do all its work beside an iTop.

itopd changes rows of iTop's tables and nothing else there; its own database is its to shape. Nothing global is needed:
locks, snapshots and the look at table definitions take no privilege of their own.
"""

from __future__ import annotations

import re
from typing import Final

import sqlalchemy as sa

from itopd.database import Database

_READ_ONLY: Final = frozenset({"DBProperty", "ModuleInstallation", "ExtensionInstallation"})
"""Classes whose rows iTop's set-up alone writes."""
_STATE: Final = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX"


def current_account(database: Database) -> str:
    """Return the account that the connection acts as, ``'user'@'host'``; empty where there are no grants to give."""
    if database.dialect != "mysql":
        return ""
    with database.read() as connection:
        user, _, host = str(connection.exec_driver_sql("SELECT CURRENT_USER()").scalar()).rpartition("@")
    return account_of(user, host)


def account_of(user: str, host: str = "%") -> str:
    """Return an account as statements name it."""
    return f"{_text(user)}@{_text(host)}"


def grants(database: Database, state_url: str, account: str, *, per_table: bool) -> list[str]:
    """Return the statements that an administrator of the server runs once.

    With ``per_table`` each of iTop's tables has its own, as is right where several iTops share one database: after
    iTop's set-up has made new tables they must be given again.
    """
    state = sa.make_url(state_url)
    statements = []
    if state.get_backend_name() == "mysql" and state.database:
        statements += [
            f"CREATE DATABASE IF NOT EXISTS {_name(state.database)} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;",
            f"GRANT {_STATE} ON {_pattern(state.database)}.* TO {account};",
        ]
    if not per_table:
        return [f"GRANT SELECT, INSERT, UPDATE, DELETE ON {_pattern(database.name)}.* TO {account};", *statements]
    tables = {
        database.prefix + cls.table: "SELECT" if cls.name in _READ_ONLY else "SELECT, INSERT, UPDATE, DELETE"
        for cls in database.model.values()
        if cls.table
    }
    of_tables = [
        f"GRANT {rights} ON {_name(database.name)}.{_name(table)} TO {account};"
        for table, rights in sorted(tables.items())
    ]
    return [*of_tables, *statements]


def _pattern(database: str) -> str:
    """Return the name of a database where GRANT takes a pattern: ``_`` and ``%`` stand for themselves only escaped."""
    return _name(re.sub(r"([_%\\])", r"\\\1", database))


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
