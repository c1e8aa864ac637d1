"""The straight scripts: the same jobs with the raw drivers, as an administrator would write them for speed.

They know the tables of Person by heart, check nothing, and leave the same rows, history included.
"""

from __future__ import annotations

import csv
import smtplib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

from benchmarks.measure import timed

CHUNK = 1000
NOW = "2026-01-01 00:00:00"
CONTACT = ("id", "name", "status", "org_id", "email", "phone", "notify", "function", "finalclass", "obsolescence_date")
PERSON = ("id", "picture_data", "picture_mimetype", "picture_filename", "picture_downloads_count",
          "first_name", "employee_number", "mobile_phone", "location_id", "manager_id")  # fmt: skip


@contextmanager
def connect(url: str) -> Iterator[tuple[Any, str]]:
    """Open a raw connection to a SQLAlchemy-style URL; also yield the driver's parameter mark."""
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        connection: Any = sqlite3.connect(
            parts.path.removeprefix("/") if not parts.path.startswith("//") else parts.path[1:]
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.create_function("itop_key", 1, _sqlite_key, deterministic=True)
        mark = "?"
    else:
        connection = pymysql.connect(
            host=parts.hostname or "127.0.0.1", port=parts.port or 3306, user=parts.username or "root",
            password=unquote(parts.password or ""), database=parts.path.lstrip("/"), charset="utf8mb4",
        )  # fmt: skip
        mark = "%s"
    try:
        yield connection, mark
    finally:
        connection.close()


def _sqlite_key(text: str | None) -> bytes | None:
    from itopd.database import collation_key  # noqa: PLC0415 - the tables' own indexes call it

    return None if text is None else collation_key(text)


def import_create(url: str, path: Path) -> int:
    """Insert every row of the CSV file as a person, with its history."""
    with connect(url) as (connection, mark), path.open(newline="", encoding="utf-8") as file, timed():
        cursor = connection.cursor()
        organizations = _organizations(cursor)
        cursor.execute(_insert("priv_change", ("date", "userinfo", "user_id", "origin"), mark),
                       (NOW, "raw", 1, "csv-import.php"))  # fmt: skip
        change = cursor.lastrowid
        rows = csv.reader(file)
        next(rows)
        done = 0
        for chunk in _chunks(rows):
            _insert_persons(cursor, chunk, organizations, change, mark)
            connection.commit()
            done += len(chunk)
    return done


def _insert_persons(cursor: Any, chunk: list[list[str]], organizations: dict[str, int], change: int, mark: str) -> None:
    cursor.execute("SELECT COALESCE(MAX(id), 0) FROM contact")
    first = cursor.fetchone()[0] + 1
    cursor.executemany(_insert("contact", CONTACT, mark), [
        (first + n, name, "active", organizations[org], email, phone, "yes", function, "Person", None)
        for n, (name, _first, email, phone, _number, function, org) in enumerate(chunk)
    ])  # fmt: skip
    cursor.executemany(_insert("person", PERSON, mark), [
        (first + n, b"", "", "", 0, first_name, number, "", 0, 0)
        for n, (_name, first_name, _email, _phone, number, _function, _org) in enumerate(chunk)
    ])  # fmt: skip
    cursor.execute("SELECT COALESCE(MAX(id), 0) FROM priv_changeop")
    operation = cursor.fetchone()[0] + 1
    cursor.executemany(_insert("priv_changeop", ("id", "changeid", "objclass", "objkey", "optype"), mark), [
        (operation + n, change, "Person", first + n, "CMDBChangeOpCreate") for n in range(len(chunk))
    ])  # fmt: skip
    cursor.executemany(_insert("priv_changeop_create", ("id",), mark), [(operation + n,) for n in range(len(chunk))])


def import_unchanged(url: str, path: Path) -> int:
    """Look every row of the CSV file up by its address and compare it; nothing has changed."""
    with connect(url) as (connection, mark), path.open(newline="", encoding="utf-8") as file, timed():
        cursor = connection.cursor()
        organizations = _organizations(cursor)
        rows = csv.reader(file)
        next(rows)
        done = 0
        for chunk in _chunks(rows):
            marks = ",".join([mark] * len(chunk))
            cursor.execute(
                "SELECT c.name, p.first_name, c.email, c.phone, p.employee_number, c.function, c.org_id "  # noqa: S608
                f"FROM contact c JOIN person p ON p.id = c.id WHERE c.email IN ({marks})",
                [row[2] for row in chunk],
            )
            found = {row[2]: row for row in cursor.fetchall()}
            for row in chunk:
                expected = (*row[:6], organizations[row[6]])
                if found.get(row[2]) != expected:
                    raise ValueError(f"{row[2]} differs")
            done += len(chunk)
    return done


def export_csv(url: str, path: Path) -> int:
    """Write eight columns of every person as CSV."""
    query = (
        "SELECT p.id, c.name, p.first_name, c.email, c.phone, c.status, c.org_id, COALESCE(o.name, '') "
        "FROM person p JOIN contact c ON c.id = p.id LEFT JOIN organization o ON o.id = c.org_id "
        "WHERE c.status = 'active' "
    )
    with connect(url) as (connection, _mark), path.open("w", newline="", encoding="utf-8") as file, timed():
        cursor = (
            connection.cursor(pymysql.cursors.SSCursor)
            if not isinstance(connection, sqlite3.Connection)
            else connection.cursor()
        )
        order = "CONCAT(COALESCE(p.first_name, ''), ' ', COALESCE(c.name, ''))"
        if isinstance(connection, sqlite3.Connection):
            order = "itop_key(COALESCE(p.first_name, '') || ' ' || COALESCE(c.name, ''))"
        cursor.execute(f"{query} ORDER BY {order}, p.id")
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(["id", "name", "first_name", "email", "phone", "status", "org_id", "org_name"])
        done = 0
        while rows := cursor.fetchmany(CHUNK):
            writer.writerows(rows)
            done += len(rows)
        cursor.close()
    return done


def deliver(url: str, host: str, port: int) -> int:
    """Send every planned mail of the queue over one SMTP connection and delete its rows, one commit per mail."""
    from itopd.php import unserialize  # noqa: PLC0415 - the payload is PHP's, a script would need a decoder too

    with connect(url) as (connection, mark), timed():
        cursor = connection.cursor()
        cursor.execute("SELECT t.id, e.message FROM priv_async_task t JOIN priv_async_send_email e ON e.id = t.id "
                       "WHERE t.status = 'planned' ORDER BY t.created, t.id")  # fmt: skip
        rows = cursor.fetchall()
        with smtplib.SMTP(host, port) as server:
            for row_id, message in rows:
                payload: Any = unserialize(message.encode())
                text = f"Subject: {payload['subject']}\r\nTo: {payload['to']}\r\n\r\n{payload['body']['body']}"
                server.sendmail(payload["from"]["address"], payload["to"].split(","), text.encode())
                cursor.execute(f"DELETE FROM priv_async_send_email WHERE id = {mark}", (row_id,))  # noqa: S608
                cursor.execute(f"DELETE FROM priv_async_task WHERE id = {mark}", (row_id,))  # noqa: S608
                connection.commit()
    return len(rows)


def _organizations(cursor: Any) -> dict[str, int]:
    cursor.execute("SELECT name, id FROM organization")
    return dict(cursor.fetchall())


def _insert(table: str, columns: Iterable[str], mark: str) -> str:
    names = list(columns)
    quote = "`" if mark == "%s" else '"'
    quoted = ", ".join(f"{quote}{name}{quote}" for name in names)
    return f"INSERT INTO {table} ({quoted}) VALUES ({', '.join([mark] * len(names))})"  # noqa: S608


def _chunks(rows: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    chunk: list[list[str]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
