"""The straight scripts: the same jobs with the raw driver, as a good administrator would write them for speed.

They know the tables of Person by heart, check nothing, serve nobody else, and leave the same rows, history included.
"""

from __future__ import annotations

import csv
import smtplib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from email.message import EmailMessage
from email.utils import localtime
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import sqlalchemy as sa

from benchmarks.databases import MARIADB, POSTGRESQL, SQLITE, Place
from benchmarks.measure import Stopwatch
from itopd.database import collation_key
from itopd.php import unserialize

CHUNK = 1000
NOW = "2026-01-01 00:00:00"
CONTACT = ("id", "name", "status", "org_id", "email", "phone", "notify", "function", "finalclass")
PERSON = ("id", "picture_data", "picture_mimetype", "picture_filename", "picture_downloads_count", "first_name",
          "employee_number", "mobile_phone", "location_id", "manager_id")  # fmt: skip
EXPORTED = ("id", "name", "first_name", "email", "phone", "status", "org_id", "org_name")


def import_csv(watch: Stopwatch, place: Place, path: Path) -> int:
    """Insert each person whose address is unknown, with its history; the others must be as the file says.

    Like itopd it looks up a chunk at a time, so that a file and a table of any size fit into its memory.
    """
    with closing(_connect(place)) as connection, path.open(newline="", encoding="utf-8") as file, watch:
        cursor = connection.cursor()
        cursor.execute("SELECT name, id FROM organization")
        organizations = dict(cursor.fetchall())
        reader = csv.reader(file)
        next(reader)
        rows = ((*row[:6], organizations[row[6]]) for row in reader)
        change, done = None, 0
        while chunk := list(islice(rows, CHUNK)):
            known = _known_persons(cursor, place, [row[2] for row in chunk])
            new = [row for row in chunk if row[2] not in known]
            if not all(known.get(row[2], row) == row for row in chunk):
                raise ValueError(f"a person of rows {done} to {done + len(chunk)} has changed")
            if new:
                change = change or _insert_change(cursor, place)
                _insert_persons(cursor, place, new, change)
            connection.commit()
            done += len(chunk)
    return done


def create_persons(watch: Stopwatch, place: Place, path: Path) -> int:
    """Insert a namesake without number of each person of a file, with its history."""
    with closing(_connect(place)) as connection, path.open(newline="", encoding="utf-8") as file:
        cursor = connection.cursor()
        cursor.execute("SELECT name, id FROM organization")
        organizations = dict(cursor.fetchall())
        reader = csv.reader(file)
        next(reader)
        with watch:
            rows = ((f"{row[0]} II", *row[1:4], "", row[5], organizations[row[6]]) for row in reader)
            change, done = _insert_change(cursor, place), 0
            while chunk := list(islice(rows, CHUNK)):
                _insert_persons(cursor, place, chunk, change)
                connection.commit()
                done += len(chunk)
    return done


def update_persons(watch: Stopwatch, place: Place) -> int:
    """Give every person without a number another phone and function, with its history."""
    with closing(_connect(place)) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT p.id FROM person p JOIN contact c ON c.id = p.id "
            "WHERE p.employee_number = '' AND c.email <> '' ORDER BY p.id"
        )
        ids = [row[0] for row in cursor.fetchall()]
        with watch:
            change = _insert_change(cursor, place)
            for start in range(0, len(ids), CHUNK):
                _update_contacts(cursor, place, ids[start : start + CHUNK], change)
                connection.commit()
    return len(ids)


def _update_contacts(cursor: Any, place: Place, ids: list[int], change: int) -> None:
    cursor.execute(f"SELECT id, function, phone FROM contact WHERE id IN {_among(place, ids)} ORDER BY id", ids)
    changes = [
        (id_, code, old, new)
        for id_, function, phone in cursor.fetchall()
        for code, old, new in (("phone", phone, f"+1 {id_}"), ("function", function, f"desk {id_}"))
    ]
    rows = [(f"+1 {id_}", f"desk {id_}", id_) for id_ in ids]
    if place.engine == SQLITE:
        cursor.executemany("UPDATE contact SET phone = ?, function = ? WHERE id = ?", rows)
    elif place.engine == POSTGRESQL:
        values = ", ".join(["(%s, %s, %s::integer)"] * len(rows))
        cursor.execute(
            "UPDATE contact SET phone = v.phone, function = v.function "
            f"FROM (VALUES {values}) AS v (phone, function, id) WHERE contact.id = v.id",
            [value for row in rows for value in row],
        )
    else:
        cursor.executemany(
            "INSERT INTO contact (phone, function, id) VALUES (%s, %s, %s) "
            "ON DUPLICATE KEY UPDATE phone = VALUES(phone), function = VALUES(function)",
            rows,
        )
    first = _next_id(cursor, "priv_changeop")
    kind = "CMDBChangeOpSetAttributeScalar"
    _insert_rows(cursor, place, "priv_changeop", ("id", "changeid", "objclass", "objkey", "optype"), [
        (first + n, change, "Person", id_, kind) for n, (id_, *_) in enumerate(changes)
    ])  # fmt: skip
    _insert_rows(cursor, place, "priv_changeop_setatt", ("id", "attcode", "optype"), [
        (first + n, code, kind) for n, (_id, code, *_) in enumerate(changes)
    ])  # fmt: skip
    _insert_rows(cursor, place, "priv_changeop_setatt_scalar", ("id", "oldvalue", "newvalue"), [
        (first + n, old, new) for n, (*_, old, new) in enumerate(changes)
    ])  # fmt: skip


def delete_persons(watch: Stopwatch, place: Place) -> int:
    """Delete every person without a number and what the history says of it, but for who deleted it."""
    with closing(_connect(place)) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT p.id, p.first_name, c.name FROM person p JOIN contact c ON c.id = p.id "
            "WHERE p.employee_number = '' AND c.email <> '' ORDER BY p.id"
        )
        people = cursor.fetchall()
        with watch:
            change = _insert_change(cursor, place)
            for start in range(0, len(people), CHUNK):
                _delete_chunk(cursor, place, people[start : start + CHUNK], change)
                connection.commit()
    return len(people)


def _delete_chunk(cursor: Any, place: Place, people: list[tuple[int, str, str]], change: int) -> None:
    ids = [id_ for id_, *_ in people]
    cursor.execute(f"SELECT id FROM priv_changeop WHERE objclass = 'Person' AND objkey IN {_among(place, ids)}", ids)
    stale = [row[0] for row in cursor.fetchall()]
    history = ("priv_changeop", "priv_changeop_create", "priv_changeop_setatt", "priv_changeop_setatt_scalar")
    for table, gone in [("person", ids), ("contact", ids), *((table, stale) for table in history)]:
        if gone:
            cursor.execute(f"DELETE FROM {table} WHERE id IN {_among(place, gone)}", gone)
    first = _next_id(cursor, "priv_changeop")
    _insert_rows(cursor, place, "priv_changeop", ("id", "changeid", "objclass", "objkey", "optype"), [
        (first + n, change, "Contact", id_, "CMDBChangeOpDelete") for n, id_ in enumerate(ids)
    ])  # fmt: skip
    _insert_rows(cursor, place, "priv_changeop_delete", ("id", "fclass", "fname"), [
        (first + n, "Person", f"{first_name} {name}") for n, (_id, first_name, name) in enumerate(people)
    ])  # fmt: skip


def _among(place: Place, ids: list[int]) -> str:
    return f"({', '.join([_mark(place)] * len(ids))})"


def _known_persons(cursor: Any, place: Place, addresses: list[str]) -> dict[str, tuple[Any, ...]]:
    """Return the persons with these addresses, by address, through the index that itopd's tables have."""
    among = f"({', '.join([_mark(place)] * len(addresses))})"
    by_key = place.engine in {SQLITE, POSTGRESQL}
    cursor.execute(
        "SELECT c.name, p.first_name, c.email, c.phone, p.employee_number, c.function, c.org_id "
        "FROM contact c JOIN person p ON p.id = c.id "
        f"WHERE {'itop_key(c.email)' if by_key else 'c.email'} IN {among}",
        list(map(collation_key, addresses)) if by_key else addresses,
    )
    return {row[2]: row for row in cursor.fetchall()}


def _insert_change(cursor: Any, place: Place) -> int:
    row = (NOW, "a script", 1, "csv-import.php")
    insert = _insert(place, "priv_change", ("date", "userinfo", "user_id", "origin"))
    if place.engine == POSTGRESQL:
        cursor.execute(f"{insert} RETURNING id", row)
        return int(cursor.fetchone()[0])
    cursor.execute(insert, row)
    return int(cursor.lastrowid)


def _insert_persons(cursor: Any, place: Place, rows: list[tuple[Any, ...]], change: int) -> None:
    first = _next_id(cursor, "contact")
    _insert_rows(cursor, place, "contact", CONTACT, [
        (first + n, name, "active", org, email, phone, "yes", function, "Person")
        for n, (name, _first, email, phone, _number, function, org) in enumerate(rows)
    ])  # fmt: skip
    _insert_rows(cursor, place, "person", PERSON, [
        (first + n, b"", "", "", 0, first_name, number, "", 0, 0)
        for n, (_name, first_name, _email, _phone, number, _function, _org) in enumerate(rows)
    ])  # fmt: skip
    operation = _next_id(cursor, "priv_changeop")
    _insert_rows(cursor, place, "priv_changeop", ("id", "changeid", "objclass", "objkey", "optype"), [
        (operation + n, change, "Person", first + n, "CMDBChangeOpCreate") for n in range(len(rows))
    ])  # fmt: skip
    _insert_rows(cursor, place, "priv_changeop_create", ("id",), [(operation + n,) for n in range(len(rows))])


def _insert_rows(cursor: Any, place: Place, table: str, columns: Iterable[str], rows: list[tuple[Any, ...]]) -> None:
    """Insert rows in the quickest way of each engine."""
    if place.engine == POSTGRESQL:
        names = ", ".join(f'"{name}"' for name in columns)
        with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    cursor.executemany(_insert(place, table, columns), rows)


def _next_id(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table}")
    return int(cursor.fetchone()[0]) + 1


def export_csv(watch: Stopwatch, place: Place, path: Path) -> int:
    """Write eight columns of every person as CSV, in the order of their names."""
    name = "CONCAT(COALESCE(p.first_name, ''), ' ', COALESCE(c.name, ''))"
    if place.engine in {SQLITE, POSTGRESQL}:
        name = "itop_key(COALESCE(p.first_name, '') || ' ' || COALESCE(c.name, ''))"
    query = (
        "SELECT p.id, c.name, p.first_name, c.email, c.phone, c.status, c.org_id, o.name "
        "FROM person p JOIN contact c ON c.id = p.id LEFT JOIN organization o ON o.id = c.org_id "
        f"WHERE c.status = 'active' ORDER BY {name}, p.id"
    )
    with closing(_connect(place)) as connection, path.open("w", newline="", encoding="utf-8") as file, watch:
        cursor = connection.cursor(*_STREAMING[place.engine])
        cursor.execute(query)
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(EXPORTED)
        done = 0
        for rows in _fetched(cursor):
            writer.writerows(rows)
            done += len(rows)
        file.flush()
    return done


_STREAMING: dict[str, list[Any]] = {SQLITE: [], POSTGRESQL: ["exported"], MARIADB: [pymysql.cursors.SSCursor]}
"""What makes a cursor of each driver leave the rows at the server until they are fetched."""


def _fetched(cursor: Any) -> Iterator[list[tuple[Any, ...]]]:
    while rows := cursor.fetchmany(CHUNK):
        yield rows


def deliver_mail(watch: Stopwatch, place: Place, port: int) -> int:
    """Send every planned mail over one connection and delete its rows, one commit per mail."""
    mark = _mark(place)
    with closing(_connect(place)) as connection, watch:
        cursor = connection.cursor()
        cursor.execute("SELECT t.id, e.message FROM priv_async_task t JOIN priv_async_send_email e ON e.id = t.id "
                       "WHERE t.status = 'planned' ORDER BY t.created, t.id")  # fmt: skip
        rows = cursor.fetchall()
        with smtplib.SMTP("127.0.0.1", port) as server:
            for row_id, message in rows:
                server.send_message(_mail(message))
                cursor.execute(f"DELETE FROM priv_async_task WHERE id = {mark}", (row_id,))
                cursor.execute(f"DELETE FROM priv_async_send_email WHERE id = {mark}", (row_id,))
                connection.commit()
    return len(rows)


def _mail(payload: str) -> EmailMessage:
    """Return the mail of a row, HTML as it is."""
    values: Any = unserialize(payload.encode())
    mail = EmailMessage()
    mail["From"] = values["from"]["address"]
    mail["To"] = values["to"]
    mail["Subject"] = values["subject"]
    mail["Message-ID"] = f"<{values['message_id']}>"
    mail["Date"] = localtime()
    mail.set_content(values["body"]["body"], subtype="html")
    return mail


def _connect(place: Place) -> Any:
    url = sa.make_url(place.url)
    if place.engine == SQLITE:
        connection = sqlite3.connect(url.database or "")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # indexes of the tables are on this function, so nobody can write without it
        connection.create_function("itop_key", 1, collation_key, deterministic=True)
        return connection
    if place.engine == POSTGRESQL:
        return psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database)
    return pymysql.connect(
        host=url.host or "", port=url.port or 0, user=url.username, database=url.database, charset="utf8mb4"
    )


def _mark(place: Place) -> str:
    return "?" if place.engine == SQLITE else "%s"


def _insert(place: Place, table: str, columns: Iterable[str]) -> str:
    names = [f"`{name}`" if place.engine == MARIADB else f'"{name}"' for name in columns]
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join([_mark(place)] * len(names))})"
