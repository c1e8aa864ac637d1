"""Objects are read and found in chunks, with iTop's equality."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from itopd.database import Database
from itopd.errors import ModelError
from itopd.objects import fetch, final_classes, find, friendly_names

PICASSO, MONET, HELPDESK = 2, 6, 37


def statements(database: Database) -> list[str]:
    sent: list[str] = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    return sent


def test_objects_are_read_whole_by_their_final_class(sample: Database) -> None:
    with sample.read() as connection:
        records = fetch(sample, connection, "Contact", [PICASSO, HELPDESK, 4711, PICASSO])
    assert {id_: record.cls for id_, record in records.items()} == {PICASSO: "Person", HELPDESK: "Team"}
    assert records[PICASSO].values["first_name"] == "Pablo"
    assert "first_name" not in records[HELPDESK].values
    assert "friendlyname" not in records[PICASSO].values


def test_named_attributes_may_be_stored_or_computed(sample: Database) -> None:
    codes = (
        "name",
        "org_id",
        "org_name",
        "org_id_friendlyname",
        "friendlyname",
        "manager_id_friendlyname",
        "id",
        "finalclass",
    )
    with sample.read() as connection:
        values = fetch(sample, connection, "Person", [PICASSO], codes)[PICASSO].values
    assert values["org_name"] == values["org_id_friendlyname"] == "Demo"
    assert values["friendlyname"] == "Pablo Picasso"
    assert values["manager_id_friendlyname"] == ""
    assert (values["id"], values["finalclass"]) == (PICASSO, "Person")
    assert set(values) == set(codes)


def test_an_attribute_of_a_subclass_is_read_where_it_exists(sample: Database) -> None:
    with sample.read() as connection:
        records = fetch(sample, connection, "Contact", [PICASSO, HELPDESK], ["name", "first_name"])
    assert records[PICASSO].values == {"name": "Picasso", "first_name": "Pablo"}
    assert records[HELPDESK].values == {"name": "Helpdesk"}


def test_reading_costs_one_statement_per_chunk(sample: Database) -> None:
    sent = statements(sample)
    with sample.read() as connection:
        del sent[:]
        fetch(sample, connection, "Person", range(1, 2001), ["name", "first_name"])
    assert len(sent) == 2


def test_final_classes_leave_out_what_is_not_of_the_class(sample: Database) -> None:
    with sample.read() as connection:
        assert final_classes(sample, connection, "Contact", [PICASSO, HELPDESK]) == {
            PICASSO: "Person",
            HELPDESK: "Team",
        }
        assert final_classes(sample, connection, "Team", [PICASSO, HELPDESK]) == {HELPDESK: "Team"}
        assert final_classes(sample, connection, "Organization", [1, 99]) == {1: "Organization"}


def test_friendly_names_follow_the_format_of_each_class(sample: Database) -> None:
    with sample.read() as connection:
        assert friendly_names(sample, connection, "Contact", [PICASSO, HELPDESK]) == {
            PICASSO: "Pablo Picasso",
            HELPDESK: "Helpdesk",
        }
        links = friendly_names(sample, connection, "lnkPersonToTeam", [1])
    assert " / " in links[1]


@pytest.mark.parametrize("name", ["Picasso", "PICASSO", "Picass\u00f3", "picasso  "])
def test_texts_are_found_without_case_accents_and_trailing_blanks(sample: Database, name: str) -> None:
    with sample.read() as connection:
        assert find(sample, connection, "Contact", ["name"], [[name]]) == [(PICASSO,)]


def test_rows_are_answered_in_their_order_with_all_matches(sample: Database) -> None:
    with sample.read() as connection:
        rows: list[list[Any]] = [["Nobody", 3], ["picasso", 3], ["Picasso", 2], [None, 3], ["Monet", 3]]
        assert find(sample, connection, "Person", ["name", "org_id"], rows) == [(), (PICASSO,), (), (), (MONET,)]
        (of_demo,) = find(sample, connection, "Person", ["org_id"], [[3]])
    assert list(of_demo) == sorted(of_demo)
    assert {PICASSO, MONET} <= set(of_demo)


def test_id_final_class_and_friendly_name_find_too(sample: Database) -> None:
    with sample.read() as connection:
        by_class: list[list[Any]] = [[PICASSO, "person"], [PICASSO, "Team"]]
        assert find(sample, connection, "Contact", ["id", "finalclass"], by_class) == [(PICASSO,), ()]
        assert find(sample, connection, "Person", ["friendlyname"], [["pablo picasso"]]) == [(PICASSO,)]
        of_leaf: list[list[Any]] = [["Organization", 1]]
        assert find(sample, connection, "Organization", ["finalclass", "id"], of_leaf) == [(1,)]


def test_many_rows_cost_one_statement_per_chunk(sample: Database) -> None:
    sent = statements(sample)
    with sample.read() as connection:
        del sent[:]
        find(sample, connection, "Person", ["name", "first_name", "org_id"], [[f"n{i}", "x", 3] for i in range(1500)])
    assert len(sent) == 2


def test_what_is_not_stored_cannot_be_searched(sample: Database) -> None:
    with sample.read() as connection:
        for codes in (["org_name"], ["nonsense"], []):
            with pytest.raises(ModelError):
                find(sample, connection, "Person", codes, [["x"]])
