"""Imports by accounts that see some organizations only; on the sample of a real iTop."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from itopd.access import Account, account_of
from itopd.database import Database
from itopd.rules import ITOP, ITOPD, Rules
from tests.imports.calls import import_rows, make_context
from tests.support.accounts import add_user

DEMO = 3


@pytest.fixture
def joe(sample: Database) -> Account:
    """Give a configuration manager who sees the organization Demo only."""
    with sample.write() as connection:
        add_user(sample, connection, "joe", profiles=[3], orgs=[DEMO])
        return account_of(sample, connection, "joe")


def persons(database: Database) -> list[tuple[str, int, str]]:
    contact = database.table("Contact")
    with database.read() as connection:
        rows = connection.execute(sa.select(contact.c.name, contact.c.org_id, contact.c.phone).order_by(contact.c.id))
        return [(row.name, row.org_id, row.phone) for row in rows]


def test_visible_objects_are_updated_and_made(sample: Database, joe: Account) -> None:
    data = "name,first_name,org_id->name,phone\nPicasso,Pablo,Demo,1\nNew,One,Demo,2\n"
    imported = import_rows(make_context(sample, account=joe), "Person", data)
    assert imported.outcomes == ["updated", "created"]


@pytest.mark.parametrize("simulate", ["0", "1"])
def test_an_object_out_of_sight_is_said_to_be_there_and_stays_as_it_is(
    sample: Database, joe: Account, simulate: str
) -> None:
    before = persons(sample)
    data = "name,first_name,org_id->name,phone\nRousseau,Jean-Jacques,Demo,1\n"
    imported = import_rows(make_context(sample, account=joe), "Person", data, simulate=simulate)
    assert imported.outcomes == ["issue"]
    assert imported.problems == [(0, None, "not_visible")]
    assert "exists but is not visible" in imported.report["rows"][0]["status"]
    assert persons(sample) == before


def test_an_id_out_of_sight_is_not_visible_either(sample: Database, joe: Account) -> None:
    before = persons(sample)
    imported = import_rows(make_context(sample, account=joe), "Person", "id,phone\n4,1\n4711,1\n")
    assert [kind for _, _, kind in imported.problems] == ["not_visible", "reconciliation"]
    assert persons(sample) == before


@pytest.mark.parametrize(("column", "value"), [("org_id->name", "IT Department"), ("org_id", "2")])
def test_a_key_out_of_sight_is_said_to_be_there_and_nothing_else_is_told(
    sample: Database, joe: Account, column: str, value: str
) -> None:
    data = f"name,first_name,{column}\nOut,Silo,{value}\nOut,Silo,Nowhere\n"
    imported = import_rows(make_context(sample, account=joe), "Person", data)
    assert imported.problems == [(0, column, "not_visible"), (1, column, "no_match")]
    texts = [row["problems"][0]["text"] for row in imported.report["rows"]]
    assert texts[0].startswith(f"'{value}' exists but is not visible to this account, some of 'Organization' that it")
    assert all("My Company" not in text and "IT Department" not in text.replace(value, "") for text in texts)


def test_with_itops_rules_what_is_out_of_sight_does_not_exist(sample: Database, joe: Account) -> None:
    data = "name,first_name,org_id->name\nOut,Silo,IT Department\nRousseau,Jean-Jacques,Demo\n"
    imported = import_rows(make_context(sample, account=joe, rules=ITOP), "Person", data)
    assert imported.outcomes == ["issue", "created"]
    text = imported.report["rows"][0]["problems"][0]["text"]
    assert text == (
        "nothing that this account sees matches 'IT Department', it does not see all of 'Organization', "
        "some that it sees: Demo"
    )


@pytest.mark.parametrize("rules", [ITOPD, ITOP])
def test_rows_see_what_the_rows_before_made_out_of_sight_or_not(sample: Database, joe: Account, rules: Rules) -> None:
    data = "name,code,parent_id->name\nBelow,B,Demo\nDeeper,D,Below\nTop,T,\n"
    imported = import_rows(make_context(sample, account=joe, rules=rules), "Organization", data)
    assert imported.outcomes == ["created", "created", "issue"]
    again = import_rows(make_context(sample, account=joe, rules=rules), "Organization", data)
    assert again.outcomes == ["unchanged", "unchanged", "issue"]
