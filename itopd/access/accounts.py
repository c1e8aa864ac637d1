"""Accounts: reading them, and checking who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog

from itopd.access.passwords import excess_of, password_matches, waste_time
from itopd.access.rights import ADMINISTRATOR, PORTAL_USER
from itopd.database import Database
from itopd.errors import AccessDenied

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
    profiles: Mapping[int, str]
    """Its profiles: ids, by which rights go, and names."""
    assigned_orgs: frozenset[int] | None = None
    """Ids of the organizations it was given; ``None`` = none was, or it is an administrator: it may see all."""
    allowed_orgs: frozenset[int] | None = None
    """These and all below them, as far as they exist."""

    @property
    def is_administrator(self) -> bool:
        """Whether it may do everything (``http.md`` §3.1)."""
        return ADMINISTRATOR in self.profiles

    @property
    def is_portal_only(self) -> bool:
        """Whether it may use nothing but the portal (``http.md`` §3), even though it has other profiles."""
        return PORTAL_USER in self.profiles


def authenticate(database: Database, connection: sa.Connection, login: str, password: str) -> Account:
    """Return the enabled local account that ``login`` and ``password`` name.

    Only ``UserLocal`` accounts have a password here: those of a directory or of the web server are refused, whatever
    the password. All refusals read the same; they take the time of one check of a hash as iTop makes them, or of the
    account's own hash where that is another. Portal accounts are authenticated like any other:
    whoever opens more than the portal asks :func:`require_more_than_portal`. Raises :class:`AccessDenied`.
    """
    row = _find(database, connection, login)
    if row is None or not _is_local(database, row.finalclass):
        waste_time(password)
        raise _wrong_credentials(login)
    stored, salt = _bytes(row.password_hash), _bytes(row.password_salt)
    if excess := excess_of(stored, salt):
        _log.warning("password_hash_too_costly", login=row.login, asked=excess, remedy="set the password anew")
    matches = password_matches(password, stored, salt)
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
        raise AccessDenied(
            f"{what} is open to administrators only, and '{account.login}' is none ({named_profiles(account)}): "
            "use another auth_user, or give it the profile Administrator"
        )


def named_profiles(account: Account) -> str:
    """Return the profiles of an account as messages name them."""
    return f"profiles: {', '.join(sorted(account.profiles.values())) or 'none'}"


def require_more_than_portal(account: Account) -> None:
    """Raise :class:`AccessDenied` for an account that is for the portal only."""
    if account.is_portal_only:
        raise AccessDenied(
            f"Portal user is not allowed: '{account.login}' has the profile 'Portal user', which is for the portal "
            "only whatever other profiles it has; use another auth_user, or take that profile from it"
        )


def _find(database: Database, connection: sa.Connection, login: str) -> sa.Row[*tuple[Any, ...]] | None:
    """Read the account, its hash and its person's name at once. Logins are equal as the database compares texts."""
    if not _is_text(login):
        return None
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
    assigned, allowed = (None, None) if ADMINISTRATOR in profiles else _organizations(database, connection, row.id)
    name = " ".join(part for part in (row.first_name, row.last_name) if part)
    return Account(
        login=row.login,
        user_id=row.id,
        contact_id=row.contactid or 0,
        friendly_name=name or row.login,
        language=row.language or "",
        profiles=profiles,
        assigned_orgs=assigned,
        allowed_orgs=allowed,
    )


def _profiles(database: Database, connection: sa.Connection, user_id: int) -> dict[int, str]:
    link, profile = database.table("URP_UserProfile"), database.table("URP_Profiles")
    statement = sa.select(profile.c.id, profile.c.name).join(link, link.c.profileid == profile.c.id)
    return {row.id: row.name for row in connection.execute(statement.where(link.c.userid == user_id))}


def _organizations(
    database: Database, connection: sa.Connection, user_id: int
) -> tuple[frozenset[int], frozenset[int]] | tuple[None, None]:
    """Return the organizations given to the account, and these with all below them; ``None`` when none was ever given.

    An account whose organizations are all gone sees nothing, not everything.
    """
    link = database.table("URP_UserOrg")
    top, below = database.table("Organization").alias("top"), database.table("Organization").alias("below")
    inside = sa.and_(below.c.parent_id_left >= top.c.parent_id_left, below.c.parent_id_right <= top.c.parent_id_right)
    statement = (
        sa.select(link.c.allowed_org_id, below.c.id)
        .select_from(link)
        .outerjoin(top, top.c.id == link.c.allowed_org_id)
        .outerjoin(below, inside)
        .where(link.c.userid == user_id)
    )
    rows = connection.execute(statement).all()
    if not rows:
        return None, None
    return frozenset(row.allowed_org_id for row in rows), frozenset(row.id for row in rows if row.id is not None)


def _is_local(database: Database, cls: str) -> bool:
    """Return whether accounts of a class, an extension's perhaps, have their password in the database."""
    return cls in database.model and database.model.is_a(cls, "UserLocal")


def _is_text(login: str) -> bool:
    """Return whether a database could hold this login: without a NUL, and of characters only."""
    try:
        login.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in login


def _wrong_credentials(login: str) -> AccessDenied:
    return AccessDenied(
        f"wrong login or password for '{login}', or the account is disabled: check auth_user and auth_pwd"
    )


def _bytes(value: bytes | str | None) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else bytes(value or b"")
