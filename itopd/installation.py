"""An empty database becomes one that works: iTop's tables, its profiles, a first organization, an administrator."""

from __future__ import annotations

import secrets
import string
import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from itopd.access import ADMINISTRATOR, hash_password
from itopd.attributes import PasswordHash
from itopd.clock import Clock, to_itop
from itopd.database import Database
from itopd.errors import RefusedError, SettingsError
from itopd.writing import Change, Create, Pending, Writer

_ADMINISTRATORS = (ADMINISTRATOR, "Administrator", "May do everything; no other right is looked at")
"""The one profile that no data model declares (``http.md`` §3.1)."""

_PASSWORD_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Administrator:
    """The first account."""

    login: str
    password: str


def new_password() -> str:
    """Return a random password that iTop's policy accepts: lower and upper case, a digit, another character."""
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(_PASSWORD_LENGTH - 4)) + "-aA1"


def install(database: Database, writer: Writer, clock: Clock, administrator: Administrator) -> int:
    """Create everything and return the number of tables; an installation that fails leaves nothing.

    Raises :class:`RefusedError` when the database holds anything, :class:`ConflictError` when another installation
    is at work on it, :class:`SettingsError` for an administrator that cannot be.
    """
    password = _hashed(administrator.password)
    _require_empty(database)
    with database.named_lock("itopd-init"):
        _require_empty(database)  # another installation may have filled it since
        try:
            database.create_schema()
            with database.write() as connection:
                _write_profiles(database, connection)
                _write_uuid(database, connection, clock)
                _write_administrator(writer, connection, clock, database, administrator.login, password)
        except BaseException:
            database.drop_schema()  # it was empty before
            raise
    return len(list(database.definitions()))


def _hashed(password: str) -> PasswordHash:
    try:
        return PasswordHash(hash_password(password).encode())
    except ValueError as error:
        raise SettingsError(f"the administrator's password cannot be used: {error}") from error


def _require_empty(database: Database) -> None:
    with database.read() as connection:
        held = sorted(sa.inspect(connection).get_table_names())
    if held:
        raise RefusedError(
            f"{database.where} is not empty (it holds {', '.join(held[:3])}{', ...' if len(held) > 3 else ''}): "
            "name an empty database in database_url, or use this one as it is; if an 'itopd init' was cut off here, "
            "drop the database and make it again"
        )


def _write_profiles(database: Database, connection: sa.Connection) -> None:
    declared = ((one.id, one.name, one.description) for one in database.model.user_rights.profiles.values())
    rows = [{"id": id_, "name": name, "description": text} for id_, name, text in (_ADMINISTRATORS, *declared)]
    connection.execute(sa.insert(database.table("URP_Profiles")), rows)


def _write_uuid(database: Database, connection: sa.Connection, clock: Clock) -> None:
    """Give the data the id by which copies of them are told from others, as iTop's set-up does."""
    (row_id,) = database.allocate_ids(connection, "DBProperty", 1)
    values = {
        "id": row_id,
        "name": "database_uuid",
        "description": "Unique ID of this iTop Database",
        "value": f"{{{str(uuid.uuid4()).upper()}}}",
        "change_date": to_itop(clock.now(), database.timezone),
        "change_comment": "Installation/upgrade of iTop",
    }
    connection.execute(sa.insert(database.table("DBProperty")).values(values))


def _write_administrator(
    writer: Writer, connection: sa.Connection, clock: Clock, database: Database, login: str, password: PasswordHash
) -> None:
    today = to_itop(clock.now(), database.timezone)[:10]
    intents = [
        Create("Organization", {"name": "My Company/Department", "code": "SOMECODE"}, tag="organization"),
        Create(
            "Person",
            {"name": "My last name", "first_name": "My first name", "org_id": Pending("organization")},
            tag="person",
        ),
        Create(
            "UserLocal",
            {
                "login": login,
                "contactid": Pending("person"),
                "password": password,
                "password_renewed_date": today,
            },
            tag="user",
        ),
        Create(
            "URP_UserProfile",
            {"userid": Pending("user"), "profileid": ADMINISTRATOR, "reason": "Created by itopd init"},
        ),
    ]
    outcomes = writer.write(connection, intents, Change("itopd init"))
    problem = next((issue.text for outcome in outcomes for issue in outcome.issues), None)
    if problem is not None:
        raise SettingsError(f"the administrator cannot be created: {problem}")
