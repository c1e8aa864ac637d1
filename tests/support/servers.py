"""The database servers tests run against, and databases of their own on them."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from zoneinfo import ZoneInfo

import pymysql
import pytest

from itopd.database import Database, open_database
from itopd.datamodel import Model, bundled_model

HOST = "127.0.0.1"
MARIADB_PORT = 3306
PARIS = ZoneInfo("Europe/Paris")


def require(available: bool, what: str) -> None:
    """Skip the test, clearly, when something it needs is missing; with ``CI=true`` that is a failure."""
    if available:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {what}, which must be there when CI=true")
    pytest.skip(f"needs {what}")


@cache
def mariadb_is_up() -> bool:
    """Return whether something listens where MariaDB should."""
    try:
        socket.create_connection((HOST, MARIADB_PORT), timeout=2).close()
    except OSError:
        return False
    return True


def admin_connection() -> pymysql.Connection[pymysql.cursors.Cursor]:
    """Return a connection of the server's root to no database; the caller closes it."""
    require(mariadb_is_up(), f"MariaDB on {HOST}:{MARIADB_PORT} (root, no password)")
    return pymysql.connect(host=HOST, port=MARIADB_PORT, user="root", charset="utf8mb4", autocommit=True)


def mariadb_url(name: str) -> str:
    """Return the URL of a database of the test server."""
    return f"mysql://root@{HOST}:{MARIADB_PORT}/{name}"


@contextmanager
def empty_mariadb() -> Iterator[str]:
    """Give the name of a fresh, empty database, dropped at the end."""
    name = f"itopd_test_{secrets.token_hex(6)}"
    with admin_connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        try:
            yield name
        finally:
            cursor.execute(f"DROP DATABASE {name}")


@contextmanager
def opened(url: str, model: Model | None = None) -> Iterator[Database]:
    """Open a database in iTop's default timezone, with the bundled model; closed at the end."""
    database = open_database(url, model or bundled_model(), PARIS)
    try:
        yield database
    finally:
        database.close()
