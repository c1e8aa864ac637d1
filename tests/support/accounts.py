"""Accounts for tests, inserted directly: no policy and no rule looks at them."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from itopd.access import hash_password
from itopd.database import Database

SECRET = hash_password("secret")


def add_user(
    database: Database,
    connection: sa.Connection,
    login: str,
    *,
    cls: str = "UserLocal",
    status: str = "enabled",
    stored: str = SECRET,
    salt: str = "",
    profiles: Sequence[int] = (),
    orgs: Sequence[int] = (),
    contact: int = 0,
    language: str = "FR FR",
) -> int:
    """Insert an account; its password is ``secret`` unless ``stored`` is another hash. Return its id."""
    user_id = 1000 + connection.execute(sa.select(sa.func.count()).select_from(database.table("User"))).scalar_one()

    def insert(name: str, **values: object) -> None:
        connection.execute(database.table(name).insert().values(**values))

    insert("User", id=user_id, contactid=contact, login=login, language=language, status=status, finalclass=cls)
    if "UserInternal" in database.model[cls].lineage:
        insert("UserInternal", id=user_id, finalclass=cls)
    if cls == "UserLocal":
        insert("UserLocal", id=user_id, password_hash=stored.encode(), password_salt=salt.encode())
    for profile_id in profiles:
        insert("URP_UserProfile", userid=user_id, profileid=profile_id)
    for org_id in orgs:
        insert("URP_UserOrg", userid=user_id, allowed_org_id=org_id)
    return user_id
