"""Exports by accounts with few rights and few organizations; on the sample of a real iTop."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from itopd.access import account_of
from itopd.clock import SystemClock
from itopd.database import Database
from itopd.dictionary import bundled_dictionary
from itopd.errors import AccessDenied
from itopd.exports import SERVICE, ExportParameters
from itopd.rules import ITOP, ITOPD, Rules
from itopd.settings import Settings
from itopd.wiring import Application
from tests.support.accounts import add_user

DEMO = 3


def rows(database: Database, login: str, *, rules: Rules = ITOPD, **parameters: Any) -> list[dict[str, str]]:
    application = Application(Settings(), rules, SystemClock(), database, bundled_dictionary(database.model))
    with database.read() as connection:
        account = account_of(database, connection, login)
    output = io.BytesIO()
    context = application.context(account, output=output, progress=lambda *_: None)
    SERVICE.run(context, ExportParameters(**{"format": "csv", "no_localize": True, **parameters}))
    return list(csv.DictReader(io.StringIO(output.getvalue().decode())))


@pytest.fixture
def accounts(sample: Database) -> Database:
    with sample.write() as connection:
        add_user(sample, connection, "joe", profiles=[3], orgs=[DEMO])
        add_user(sample, connection, "author", profiles=[11])
        add_user(sample, connection, "nothing")
    return sample


def test_only_objects_of_the_organizations_are_written(accounts: Database) -> None:
    assert rows(accounts, "joe", expression="SELECT Organization", fields="name") == [{"name": "Demo"}]
    mine = rows(accounts, "joe", expression="SELECT Person", fields="name,org_id")
    every = rows(accounts, "admin", expression="SELECT Person", fields="name,org_id")
    assert mine == [row for row in every if row["org_id"] == str(DEMO)]
    assert len(mine) < len(every)
    assert rows(accounts, "joe", expression="SELECT Brand", fields="name") == rows(
        accounts, "admin", expression="SELECT Brand", fields="name"
    )


@pytest.mark.parametrize("login", ["author", "joe"])
@pytest.mark.parametrize("cls", ["UserLocal", "SynchroDataSource", "EventIssue", "URP_UserProfile"])
def test_each_class_whose_attributes_are_asked_for_must_be_readable_in_bulk(
    accounts: Database, login: str, cls: str
) -> None:
    with pytest.raises(
        AccessDenied, match=rf"bulk read data of class '{cls}' \(alias: {cls}\): '{login}' has the prof"
    ):
        rows(accounts, login, expression=f"SELECT {cls}", fields="id")


def test_an_account_without_profiles_exports_nothing(accounts: Database) -> None:
    with pytest.raises(AccessDenied, match=r"'nothing' has the profiles: none"):
        rows(accounts, "nothing", expression="SELECT Person", fields="name")


def test_rights_come_before_what_is_wrong_with_the_fields(accounts: Database) -> None:
    query = "SELECT p, u FROM Person AS p JOIN User AS u ON u.contactid = p.id"
    assert rows(accounts, "author", expression=query, fields="p.name") is not None
    with pytest.raises(AccessDenied, match=r"class 'User' \(alias: u\)"):
        rows(accounts, "author", expression=query, fields="p.name,u.nonsense")


def test_strict_rights_empty_what_leads_out_of_sight(accounts: Database) -> None:
    with accounts.write() as connection:
        table = accounts.table("Person")
        connection.execute(table.update().where(table.c.id == 2).values(manager_id=4))
    asked: dict[str, Any] = {"expression": "SELECT Person WHERE id = 2", "fields": "name,manager_id->name"}
    assert rows(accounts, "joe", rules=ITOP, **asked) == [{"name": "Picasso", "manager_id->name": "Rousseau"}]
    assert rows(accounts, "joe", **asked) == [{"name": "Picasso", "manager_id->name": ""}]
    assert rows(accounts, "admin", **asked) == [{"name": "Picasso", "manager_id->name": "Rousseau"}]
