"""Accounts of a vector's set-up.

The vectors of ``csv`` give them as a CSV file with passwords and link sets, those of ``rest`` as plain data. The first
are made by the writer, not by the import: what is replayed are the calls of these accounts, and the import of
passwords and link sets is judged by vectors of its own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from itopd.access import hash_password
from itopd.attributes import PasswordHash
from itopd.database import Database
from itopd.writing import Change, Create, Intent, Pending, Writer
from tests.support.accounts import add_user

_LINKS = {"profile_list": ("URP_UserProfile", "profileid"), "allowed_org_list": ("URP_UserOrg", "allowed_org_id")}
_TARGETS = {"contactid": "Person", "profileid": "URP_Profiles", "allowed_org_id": "Organization"}


def give_accounts(database: Database, writer: Writer, text: str) -> None:
    """Make the accounts of a CSV file; its columns are scalars, ``contactid->email`` and two link sets."""
    with database.write() as connection:
        for number, row in enumerate(csv.DictReader(io.StringIO(text))):
            intents = list(_account(database, connection, f"user {number}", row))
            for outcome in writer.write(connection, intents, Change("set-up")):
                assert outcome.status == "created", outcome


def _account(database: Database, connection: sa.Connection, tag: str, row: dict[str, str]) -> Iterator[Intent]:
    yield Create(
        "UserLocal",
        {
            "login": row["login"],
            "language": row["language"],
            "password": PasswordHash(hash_password(row["password"]).encode()),
            "contactid": _target(database, connection, "contactid", "email", row.get("contactid->email", "")),
        },
        tag=tag,
    )
    for column, (link, key) in _LINKS.items():
        for item in filter(None, row.get(column, "").split("|")):
            remote, _, value = item.partition(":")
            assert remote == f"{key}->name", f"{item} is more than accounts need"
            target = _target(database, connection, key, "name", value)
            yield Create(link, {"userid": Pending(tag), key: target})


def _target(database: Database, connection: sa.Connection, key: str, code: str, value: str) -> int:
    """Return the id of the object that a key names, 0 for nothing."""
    if not value:
        return 0
    origin = database.model[_TARGETS[key]].attribute(code).origin
    table = database.table(origin)
    return int(connection.execute(sa.select(table.c.id).where(table.c[code] == value)).scalar_one())


def give_users(database: Database, connection: sa.Connection, users: Iterable[Mapping[str, Any]]) -> None:
    """Insert the accounts that a vector of ``rest`` starts with, whatever policy or rules would say of them."""
    for user in users:
        local = user.get("class", "UserLocal") == "UserLocal"
        stored = user.get("password_hash") if local else None
        if local and stored is None:
            stored = hash_password(user.get("password", "secret"))
        add_user(
            database,
            connection,
            user["login"],
            cls=user.get("class", "UserLocal"),
            status=user.get("status", "enabled"),
            language=user.get("language", "EN US"),
            stored=stored or "",
            salt=user.get("password_salt", ""),
            profiles=[_target(database, connection, "profileid", "name", name) for name in user.get("profiles", ())],
            orgs=[
                _target(database, connection, "allowed_org_id", "name", name) for name in user.get("allowed_orgs", ())
            ],
        )
