"""Replays accounts and passwords as far as no HTTP is needed: who is who, and with which password.

The recorded calls are REST calls; here their account is authenticated and their question asked of ``itopd.access``.
What REST makes of the answer is replayed with REST.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from itopd.access import account_of, authenticate, require_more_than_portal
from itopd.access.rights import REST_SERVICES_USER
from itopd.database import Database
from itopd.errors import AccessDenied
from tests.golden.accounts import give_users
from tests.golden.harness import Difference, Vector, check_equal, replays
from tests.golden.replay_oql import sample

Json = dict[str, Any]


@replays("rest", lambda vector: vector.name.startswith("password-"))
def replay(vector: Vector) -> None:
    """Compare whether each password is the one of its account."""
    database = sample()
    steps = list(zip(vector.data["run"]["steps"], vector.data["expect"]["steps"], strict=True))
    with database.write() as connection:
        give_users(database, connection, vector.data["given"].get("users", ()))
        try:
            for number, (step, expected) in enumerate(steps):
                call_by_rest_user(database, connection, step["form"])
                asked = step["form"]["json_data"]
                check_equal("operation", asked["operation"], "core/check_credentials")
                known = is_authorized(database, connection, asked["user"], asked["password"])
                check_equal(f"step {number}: {asked['user']} authorized", known, expected["json"]["authorized"])
        finally:
            connection.rollback()


def call_by_rest_user(database: Database, connection: sa.Connection, form: Json) -> None:
    """Raise :class:`Difference` unless the caller of a step may call REST at all."""
    try:
        account = authenticate(database, connection, form["auth_user"], form["auth_pwd"])
        require_more_than_portal(account)
    except AccessDenied as refused:
        raise Difference(f"the caller is refused: {refused.message}") from refused
    if REST_SERVICES_USER not in account.profiles:
        raise Difference(f"the caller {account.login} has no right to call REST")
    check_equal("account found again", account_of(database, connection, form["auth_user"]), account)


def is_authorized(database: Database, connection: sa.Connection, login: str, password: str) -> bool:
    """Return whether an account has this password and may log in."""
    try:
        authenticate(database, connection, login, password)
    except AccessDenied:
        return False
    return True
