"""Accounts as an administrator keeps them: add, show, set a password, disable.

The rules are those of ``spec/http.md`` §2.4 and ``objects.md`` §9.2. Every function acts as the account of its
context: it sees and changes what that one may, and the history names it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import sqlalchemy as sa

from itopd.access import ADMINISTRATOR, Action, hash_password, named_profiles, policy_problem
from itopd.attributes import PasswordHash
from itopd.clock import to_itop
from itopd.errors import AccessDenied, ConflictError, RefusedError, SettingsError
from itopd.objects import find, seen
from itopd.oql import ColumnPath, compile_query, parse, resolve
from itopd.service import Context
from itopd.writing import NOT_ALLOWED, Change, Create, Intent, Outcome, Pending, Update

Status = Literal["enabled", "disabled"]

_LOCK: Final = "itopd_users"
"""Name of the lock under which a login is looked for and taken."""
_PATIENCE: Final = 10.0
"""Seconds that an addition waits for another one."""
_LOCAL: Final = "UserLocal"
_LANGUAGE: Final = re.compile(r"[A-Z]{2} [A-Z]{2}", re.ASCII)
_MINE: Final = "tag of the new account"

PERFORMED: Final[Mapping[str, frozenset[str]]] = {
    # class -> hooks that iTop has in PHP for writes of it and whose work is done below (``objects.md`` §9.2)
    "User": frozenset({"DoCheckToWrite", "RegisterEventListeners"}),
    _LOCAL: frozenset({"DoCheckToWrite", "OnInsert", "OnUpdate", "GetAttributeFlags"}),
    "URP_UserProfile": frozenset({"OnInsert", "OnUpdate"}),
    "URP_UserOrg": frozenset({"OnInsert", "OnUpdate"}),
}
"""What iTop's own classes need; a hook that an extension adds on a class of its own is not among them."""


@dataclass(frozen=True, slots=True)
class _Queries:
    """What is read of accounts."""

    users: str
    profiles: str
    organizations: str


_ALL: Final = _Queries("SELECT User AS u", "SELECT URP_UserProfile AS l", "SELECT URP_UserOrg AS l")
_ONE: Final = _Queries(
    "SELECT User AS u WHERE u.login = :login",
    "SELECT l FROM URP_UserProfile AS l JOIN User AS u ON l.userid = u.id WHERE u.login = :login",
    "SELECT l FROM URP_UserOrg AS l JOIN User AS u ON l.userid = u.id WHERE u.login = :login",
)


@dataclass(frozen=True, slots=True)
class NewUser:
    """What is asked of a new account."""

    login: str
    password: str = field(repr=False)
    profiles: Sequence[str]
    """Names or ids."""
    contact: str = ""
    """Id or e-mail address of the person behind it; empty = nobody."""
    organizations: Sequence[str] = ()
    """Names or ids of what it may see, with all below; none = everything."""
    language: str = ""
    """Like ``EN US``; empty = the setting ``default_language``."""


@dataclass(frozen=True, slots=True)
class User:
    """One account, as lists show it."""

    id: int
    login: str
    cls: str
    status: str
    language: str
    contact_id: int
    contact: str
    """Name of the person behind it; empty = nobody."""
    email: str
    profiles: tuple[str, ...]
    organizations: tuple[str, ...]
    """What it was given to see; empty = everything."""


def add(context: Context, new: NewUser) -> tuple[int, list[str]]:
    """Create a local account; return its id, and what its maker should know.

    Raises :class:`SettingsError` for a login that is taken, an unknown profile, person or organization, and for a
    password that is too weak; :class:`AccessDenied` when the acting account may not make accounts.
    """
    if not context.rights.allows_creation(_LOCAL):
        raise AccessDenied(
            f"'{context.account.login}' may not make accounts ({named_profiles(context.account)}): "
            "use another auth_user"
        )
    _require_no_demonstration(context)
    _require_login(new.login)
    if new.language and not _LANGUAGE.fullmatch(new.language):
        raise SettingsError(f"language '{new.language}' is none of iTop's: write it like EN US or FR FR")
    password = _hashed(context, new.password)
    if not new.profiles:
        raise SettingsError(f"account '{new.login}' needs at least one profile: name one of those in URP_Profiles")
    if context.account.assigned_orgs is not None and not new.organizations:
        raise AccessDenied(
            f"'{context.account.login}' sees some organizations only, so it can make no account that sees all: "
            "name with --org what the new one may see"
        )
    database = context.database
    with database.named_lock(_LOCK, wait=_PATIENCE), database.write() as connection:
        if find(database, connection, "User", ["login"], [[new.login]])[0]:
            raise SettingsError(f"there is an account '{new.login}' already: choose another login")
        profiles = [_object(context, connection, "URP_Profiles", "name", text) for text in new.profiles]
        organizations = [_object(context, connection, "Organization", "name", text) for text in new.organizations]
        contact = _object(context, connection, "Person", "email", new.contact) if new.contact else 0
        if contact and organizations and ADMINISTRATOR not in profiles:
            _require_own_organization(context, connection, new, contact, organizations)
        intents: list[Intent] = [
            Create(
                _LOCAL,
                {
                    "login": new.login,
                    "contactid": contact,
                    "language": new.language or context.settings.default_language,
                    "password": password,
                    "password_renewed_date": _today(context),
                },
                tag=_MINE,
            )
        ]
        mine = Pending(_MINE)
        intents += [Create("URP_UserProfile", {"userid": mine, "profileid": id_}) for id_ in dict.fromkeys(profiles)]
        intents += [
            Create("URP_UserOrg", {"userid": mine, "allowed_org_id": id_}) for id_ in dict.fromkeys(organizations)
        ]
        outcomes = _write(context, connection, intents)
    return outcomes[0].id, list(_remarks(new))


def set_password(context: Context, login: str, password: str) -> User:
    """Give a local account another password; return the account.

    Raises :class:`SettingsError` for an unknown login, an account without password of its own, or a weak password.
    """
    _require_no_demonstration(context)
    hashed = _hashed(context, password)
    with context.database.write() as connection:
        user = _one(context, connection, login)
        if user.cls != _LOCAL:
            raise SettingsError(
                f"account '{user.login}' is a {user.cls}, which has no password here: its directory or web server "
                "checks it, so change it there"
            )
        values: dict[str, Any] = {"password": hashed, "password_renewed_date": _today(context)}
        if user.id == context.account.user_id and _expiration(context, connection, user.id) == "force_expire":
            values["expiration"] = "can_expire"
        _write(context, connection, [Update(_LOCAL, user.id, values)])
    return user


def set_status(context: Context, login: str, status: Status) -> bool:
    """Enable or disable an account of any class; return whether that changed anything.

    Raises :class:`SettingsError` for an unknown login, :class:`RefusedError` for whoever would lock itself out.
    """
    _require_no_demonstration(context)
    with context.database.write() as connection:
        user = _one(context, connection, login)
        if status == "disabled" and user.id == context.account.user_id:
            raise RefusedError(
                f"'{user.login}' is the account that acts, and nobody can disable itself: use another auth_user"
            )
        (outcome,) = _write(context, connection, [Update(user.cls, user.id, {"status": status})])
    return outcome.status == "updated"


def users(context: Context) -> list[User]:
    """Return the accounts that the acting account sees, by login; raises :class:`AccessDenied` if it may not."""
    with context.database.read() as connection:
        return list(_read(context, connection, _ALL, {}))


def user(context: Context, login: str) -> User:
    """Return one account; raises :class:`SettingsError` when there is none that the acting account sees."""
    with context.database.read() as connection:
        return _one(context, connection, login)


def _one(context: Context, connection: sa.Connection, login: str) -> User:
    found = next(_read(context, connection, _ONE, {"login": login}), None)
    if found is None:
        raise SettingsError(f"there is no account '{login}': 'itopd user list' shows those there are")
    return found


def _read(
    context: Context, connection: sa.Connection, queries: _Queries, arguments: Mapping[str, str]
) -> Iterator[User]:
    """Yield accounts with three statements: them, their profiles, their organizations."""
    if not context.rights.allows(Action.READ, "User"):
        raise AccessDenied(
            f"'{context.account.login}' may not read accounts ({named_profiles(context.account)}): "
            "use another auth_user"
        )

    def rows(text: str, *paths: str) -> list[tuple[Any, ...]]:
        query = resolve(parse(text), context.database.model)
        compiled = compile_query(
            query,
            context.database,
            columns=[ColumnPath(query.selected[0].alias, path) for path in paths],
            arguments=arguments,
            now=to_itop(context.clock.now(), context.database.timezone),
            reader=context.reader,
        )
        return [tuple(column.decode(row) for column in compiled.columns) for row in connection.execute(compiled.select)]

    profiles = _by_user(rows(queries.profiles, "userid", "profile"))
    organizations = _by_user(rows(queries.organizations, "userid", "allowed_org_name"))
    columns = ("id", "login", "finalclass", "status", "language", "contactid", "contactid_friendlyname", "email")
    for id_, login, cls, status, language, contact, name, email in rows(queries.users, *columns):
        yield User(
            id_,
            login,
            cls,
            status,
            language,
            contact,
            name if contact else "",
            email or "",
            profiles.get(id_, ()),
            organizations.get(id_, ()),
        )


def _by_user(links: Iterable[tuple[int, str | None]]) -> dict[int, tuple[str, ...]]:
    """Return the names that each account is linked to, in alphabetical order."""
    names: dict[int, list[str]] = defaultdict(list)
    for user_id, name in links:
        names[user_id].append(name or "")
    return {user_id: tuple(sorted(of_user)) for user_id, of_user in names.items()}


def _require_no_demonstration(context: Context) -> None:
    if context.settings.demo_mode:
        raise RefusedError("accounts cannot be changed: demo_mode is on, in iTop's configuration or in itopd's own")


def _require_own_organization(
    context: Context, connection: sa.Connection, new: NewUser, contact: int, organizations: Sequence[int]
) -> None:
    """Refuse organizations among which, with all below them, the person's own one is not."""
    database = context.database
    person, table = database.table("Contact"), database.table("Organization")
    own, top = table.alias("own"), table.alias("top")
    inside = sa.and_(own.c.parent_id_left >= top.c.parent_id_left, own.c.parent_id_right <= top.c.parent_id_right)
    among = (
        sa.select(own.c.id)
        .join(person, person.c.org_id == own.c.id)
        .join(top, inside)
        .where(person.c.id == contact, top.c.id.in_(organizations))
    )
    if connection.execute(among.limit(1)).first() is None:
        raise SettingsError(
            f"the organizations of account '{new.login}' must include that of its contact '{new.contact}', or one "
            "above it: name it with --org, too"
        )


def _require_login(login: str) -> None:
    if not login or login != login.strip():
        raise SettingsError(f"'{login}' cannot be a login: it must not be empty, nor begin or end with a blank")


def _hashed(context: Context, password: str) -> PasswordHash:
    problem = policy_problem(password, context.settings.authent_local_password_validation_pattern)
    if problem:
        raise SettingsError(problem)
    try:
        return PasswordHash(hash_password(password).encode())
    except ValueError as error:
        raise SettingsError(f"this password cannot be used: {error}") from error


def _object(context: Context, connection: sa.Connection, cls: str, code: str, text: str) -> int:
    """Return the one visible object of a class that an id or a value names."""
    by, value = ("id", int(text)) if text.isascii() and text.isdecimal() else (code, text)
    (ids,) = find(context.database, connection, cls, [by], [[value]])
    visible = seen(context.database, connection, cls, ids, context.reader)
    if len(visible) == 1:
        return next(iter(visible))
    if not visible:
        raise SettingsError(f"there is no {cls} with the {by} '{text}': name an existing one")
    some = ", ".join(map(str, sorted(visible)))
    raise SettingsError(f"several objects of class {cls} have the {by} '{text}' (ids {some}): give the id")


def _expiration(context: Context, connection: sa.Connection, user_id: int) -> str | None:
    table = context.database.table(_LOCAL)
    expiration: str | None = connection.execute(
        sa.select(table.c.expiration).where(table.c.id == user_id)
    ).scalar_one_or_none()
    return expiration


def _today(context: Context) -> str:
    return to_itop(context.clock.now(), context.database.timezone)[:10]


def _write(context: Context, connection: sa.Connection, intents: Sequence[Intent]) -> list[Outcome]:
    """Write all or nothing: the first refusal is raised, and the caller's transaction ends with it."""
    account = context.account
    change = Change(f"{account.friendly_name} (itopd user)", account.user_id)
    outcomes = context.writer.write(connection, intents, change)
    for issue in (issue for outcome in outcomes for issue in outcome.issues):
        if issue.kind == NOT_ALLOWED:
            raise AccessDenied(f"{issue.text}: use another auth_user")
        if issue.kind == "database":
            raise ConflictError(issue.text)
        raise SettingsError(issue.text)
    return outcomes


def _remarks(new: NewUser) -> Iterator[str]:
    if not new.contact:
        yield "the account has no contact: rules and queries about 'the current person' find nobody"
    if not new.organizations:
        yield "the account is limited to no organization: its profiles hold for the objects of all"
