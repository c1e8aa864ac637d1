"""Accounts: reading them, and checking who somebody is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog

from itopd.access.passwords import password_matches, scheme_of, waste_time
from itopd.database import Database
from itopd.errors import AccessDenied

ADMINISTRATOR = "Administrator"
"""The profile that is never checked any further (``http.md`` §3.1)."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """Who acts."""

    login: str
    """As it is stored, not as it was typed."""
    user_id: int
    contact_id: int
    """The person behind it; 0 = none."""
    friendly_name: str
    """Name of that person, else the login: what the change history shows."""
    language: str
    """Like ``EN US``; empty = the setting ``default_language``."""
    is_administrator: bool
    profiles: frozenset[str]
    allowed_orgs: frozenset[int] | None
    """Ids of the organizations it may see, descendants included; ``None`` = all."""


def authenticate(database: Database, connection: sa.Connection, login: str, password: str) -> Account:
    """Return the enabled local account that ``login`` and ``password`` name.

    Only ``UserLocal`` accounts have a password here: those of a directory or of the web server are refused, whatever
    the password. All refusals read the same and take the same time. Raises :class:`AccessDenied`.
    """
    row = _find(database, connection, login)
    if row is None or row.finalclass != "UserLocal":
        waste_time(password)
        raise _wrong_credentials(login)
    stored, salt = _bytes(row.password_hash), _bytes(row.password_salt)
    matches = password_matches(password, stored, salt)
    if scheme_of(stored, salt) == "argon2":
        _log.warning("password_hash_unsupported", login=row.login, algorithm="argon2", remedy="renew it as bcrypt")
    if not matches or row.status != "enabled":
        raise _wrong_credentials(login)
    return _account(database, connection, row)


def account_of(database: Database, connection: sa.Connection, login: str) -> Account:
    """Return the enabled account ``login`` of any class, for itopd's own doing (``run_as``); no password is asked.

    Raises :class:`AccessDenied` when there is none.
    """
    row = _find(database, connection, login)
    if row is None:
        raise AccessDenied(f"there is no account '{login}': name an existing one in the setting run_as")
    if row.status != "enabled":
        raise AccessDenied(f"account '{row.login}' is {row.status}: enable it, or name another one in run_as")
    return _account(database, connection, row)


def require_administrator(account: Account, what: str) -> None:
    """Raise :class:`AccessDenied` unless ``account`` is an administrator; ``what`` says what it wanted."""
    if not account.is_administrator:
        profiles = ", ".join(sorted(account.profiles)) or "none"
        raise AccessDenied(
            f"{what} is open to administrators only, and '{account.login}' is none (profiles: {profiles}): "
            f"use another auth_user, or give it the profile {ADMINISTRATOR}"
        )


def _find(database: Database, connection: sa.Connection, login: str) -> sa.Row[*tuple[Any, ...]] | None:
    """Read the account, its hash and its person's name at once. Logins are equal as the database compares texts."""
    user, local = database.table("User"), database.table("UserLocal")
    contact, person = database.table("Contact"), database.table("Person")
    statement = (
        sa.select(
            user.c.id,
            user.c.login,
            user.c.contactid,
            user.c.language,
            user.c.status,
            user.c.finalclass,
            local.c.password_hash,
            local.c.password_salt,
            contact.c.name.label("last_name"),
            person.c.first_name,
        )
        .select_from(user)
        .outerjoin(local, local.c.id == user.c.id)
        .outerjoin(contact, contact.c.id == user.c.contactid)
        .outerjoin(person, person.c.id == user.c.contactid)
        .where(database.key(user.c.login) == database.key_value(login))
        .order_by(user.c.id)
        .limit(1)
    )
    return connection.execute(statement).first()


def _account(database: Database, connection: sa.Connection, row: sa.Row[*tuple[Any, ...]]) -> Account:
    profiles = _profiles(database, connection, row.id)
    is_administrator = ADMINISTRATOR in profiles
    name = " ".join(part for part in (row.first_name, row.last_name) if part)
    return Account(
        login=row.login,
        user_id=row.id,
        contact_id=row.contactid or 0,
        friendly_name=name or row.login,
        language=row.language or "",
        is_administrator=is_administrator,
        profiles=profiles,
        allowed_orgs=None if is_administrator else _allowed_orgs(database, connection, row.id),
    )


def _profiles(database: Database, connection: sa.Connection, user_id: int) -> frozenset[str]:
    link, profile = database.table("URP_UserProfile"), database.table("URP_Profiles")
    statement = sa.select(profile.c.name).join(link, link.c.profileid == profile.c.id).where(link.c.userid == user_id)
    return frozenset(connection.execute(statement).scalars())


def _allowed_orgs(database: Database, connection: sa.Connection, user_id: int) -> frozenset[int] | None:
    """Return the organizations given to the account with all below them; ``None`` when none was ever given.

    An account whose organizations are all gone sees nothing, not everything.
    """
    link = database.table("URP_UserOrg")
    top, below = database.table("Organization").alias("top"), database.table("Organization").alias("below")
    inside = sa.and_(below.c.parent_id_left >= top.c.parent_id_left, below.c.parent_id_right <= top.c.parent_id_right)
    statement = (
        sa.select(below.c.id)
        .select_from(link)
        .outerjoin(top, top.c.id == link.c.allowed_org_id)
        .outerjoin(below, inside)
        .where(link.c.userid == user_id)
    )
    found = list(connection.execute(statement).scalars())
    return frozenset(org_id for org_id in found if org_id is not None) if found else None


def _wrong_credentials(login: str) -> AccessDenied:
    return AccessDenied(
        f"wrong login or password for '{login}', or the account is disabled: check auth_user and auth_pwd"
    )


def _bytes(value: bytes | str | None) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else bytes(value or b"")
