"""Imports from the file to the database, on every engine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.clock import FixedClock
from itopd.database import Database
from itopd.errors import ConflictError
from itopd.imports import SERVICE
from itopd.imports.parameters import Parameters
from itopd.rules import ITOP
from tests.imports.calls import import_rows, make_context
from tests.support.dumps import diff_dumps, dump_tables

ORGANIZATIONS = "name,code,parent_id->name\nHouse,H,\nEast,E,House\nWest,W,House\n"
NOW = FixedClock(datetime(2024, 3, 1, 12, 0, tzinfo=UTC))


@pytest.fixture
def house(database: Database) -> Database:
    """Give a database with three organizations, made by an import."""
    assert import_rows(make_context(database), "Organization", ORGANIZATIONS).result.exit_code == 0
    return database


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are executed."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)


def persons(count: int, *, start: int = 0, function: str = "painter") -> str:
    rows = (f"Name{i},First,East,n{i}@example.org,{function}\n" for i in range(start, start + count))
    return "name,first_name,org_id->name,email,function\n" + "".join(rows)


def test_parents_made_by_earlier_rows_are_found(house: Database) -> None:
    tables = dump_tables(house)
    by_name = {row["name"]: (id_, row) for id_, row in tables["organization"].items()}
    top, _ = by_name["House"]
    assert [by_name[name][1]["parent_id"] for name in ("East", "West")] == [top, top]
    assert (by_name["House"][1]["parent_id_left"], by_name["House"][1]["parent_id_right"]) == (1, 6)


def test_rows_are_created_updated_unchanged_or_issues(house: Database) -> None:
    data = "name,first_name,org_id->name,phone,email\n"
    first = import_rows(make_context(house), "Person", data + "A,a,East,1,\nB,b,East,2,\n")
    assert first.outcomes == ["created", "created"]
    again = import_rows(
        make_context(house),
        "Person",
        data + "a,A,East,1,\nB,b,East,2,\nC,c,Nowhere,3,\nD,d,East,4,no mail\nE,,East,5,\n",
    )
    assert again.outcomes == ["updated", "unchanged", "issue", "issue", "issue"]
    assert again.problems == [
        (2, "org_id->name", "no_match"),
        (3, "email", "value.wrong_format"),
        (4, "first_name", "null"),
    ]
    assert again.result.exit_code == 1
    assert dict(again.result.counters) == {"issues": 3, "warnings": 0, "created": 0, "updated": 1, "unchanged": 1}


def test_one_change_record_says_who_and_why(house: Database) -> None:
    before = dump_tables(house)
    import_rows(make_context(house, clock=NOW), "Person", persons(2), comment="first load")
    new = diff_dumps(before, dump_tables(house))["priv_change"].inserted
    assert list(new.values()) == [
        {
            "date": "2024-03-01 13:00:00",
            "userinfo": "My first name My last name, Web Service (CSV) - first load",
            "user_id": 1,
            "origin": "csv-import.php",
        }
    ]


def test_nothing_written_leaves_no_trace(house: Database) -> None:
    import_rows(make_context(house), "Person", persons(3))
    before = dump_tables(house)
    assert import_rows(make_context(house), "Person", persons(3)).outcomes == ["unchanged"] * 3
    assert dump_tables(house) == before


def test_a_simulation_counts_what_the_import_then_does_and_writes_nothing(house: Database) -> None:
    data = persons(3) + "Name1,First,West,,\nName9,First,Nowhere,,\n" + "New,One,East,,\nNew,One,East,,\n"
    keys = {"reconciliationkeys": "name,first_name"}
    import_rows(make_context(house), "Person", persons(1), **keys)
    before = dump_tables(house)
    simulated = import_rows(make_context(house), "Person", data, simulate=True, output="details", **keys)
    assert dump_tables(house) == before
    real = import_rows(make_context(house), "Person", data, **keys)
    assert simulated.result.counters == real.result.counters
    assert (
        simulated.outcomes
        == real.outcomes
        == ["unchanged", "created", "created", "updated", "issue", "created", "unchanged"]
    )
    assert [row["id"] for row in simulated.report["rows"] if row["outcome"] == "created"] == [0, 0, 0]


def test_with_itops_rules_simulated_rows_do_not_see_each_other(house: Database) -> None:
    before = dump_tables(house)
    data = "name,first_name,org_id->name\nTwin,T,East\nTwin,T,East\n"
    simulated = import_rows(make_context(house, rules=ITOP), "Person", data, simulate=True)
    assert simulated.outcomes == ["created", "created"]
    assert dump_tables(house) == before


def test_statements_do_not_grow_with_the_rows(house: Database) -> None:
    def count(data: str) -> int:
        with statements(house) as seen:
            import_rows(make_context(house), "Person", data)
        return len(seen)

    created = [count(persons(100)), count(persons(1000, start=1000))]
    unchanged = [count(persons(100)), count(persons(1000, start=1000))]
    updated = [count(persons(100, function="x")), count(persons(1000, start=1000, function="x"))]
    for kind, (few, many) in {"created": created, "unchanged": unchanged, "updated": updated}.items():
        assert many <= few + 4, (kind, few, many)
        assert many < 60, (kind, many)


def test_chunks_are_committed_one_by_one_and_a_stop_comes_between(house: Database) -> None:
    seen: list[tuple[int, int | None]] = []
    context = make_context(
        house,
        should_stop=lambda: bool(seen),
        progress=lambda done, total, _unit: seen.append((done, total)),
    )
    imported = import_rows(context, "Person", persons(1500))
    assert seen == [(1000, 1500)]
    assert imported.result.exit_code == 75
    assert "stopped after 1000 of 1500 rows" in imported.result.summary
    rest = import_rows(make_context(house), "Person", persons(1500))
    assert dict(rest.result.counters) == {"issues": 0, "warnings": 0, "created": 500, "updated": 0, "unchanged": 1000}


def test_a_second_import_of_the_same_objects_has_to_wait(house: Database) -> None:
    with house.named_lock("itopd_import_Contact"), pytest.raises(ConflictError) as refused:
        import_rows(make_context(house), "Person", persons(1))
    assert refused.value.exit_code == 75


def test_the_error_file_holds_the_bad_rows_and_can_be_imported_once_repaired(house: Database, tmp_path: Path) -> None:
    errors = tmp_path / "errors.csv"
    data = (
        'name;first_name;org_id->name;notify\nGood;g;East;yes\nBad;"b;""x""";Nowhere;no\nShort;s\nWrong;w;East;maybe\n'
    )
    imported = import_rows(make_context(house), "Person", data, separator=";", error_file=str(errors))
    assert imported.outcomes == ["created", "issue", "issue", "issue"]
    lines = errors.read_text(encoding="utf-8").splitlines()
    assert lines[0] == '"name";"first_name";"org_id->name";"notify";"#line";"#column";"#code";"#reason"'
    assert lines[1].startswith('"Bad";"b;""x""";"Nowhere";"no";"3";"org_id->name";"no_match";')
    assert lines[2].startswith(
        '"Short";"s";<NULL>;<NULL>;"4";"";"wrong_number_of_cells";"Wrong number of cells: found 2'
    )
    assert lines[3].startswith('"Wrong";"w";"East";"maybe";"5";"notify";"value.value_not_allowed";')
    repaired = errors.read_text(encoding="utf-8").replace("Nowhere", "East").replace("maybe", "no")
    repaired = repaired.replace('"s";<NULL>;<NULL>', '"s";"West";"yes"')
    again = import_rows(make_context(house), "Person", repaired, separator=";", error_file=str(errors))
    assert again.outcomes == ["created"] * 3
    assert errors.read_text(encoding="utf-8").splitlines() == lines[:1]


def test_rows_are_reported_in_file_order_or_bad_dates_first(house: Database) -> None:
    data = "name,org_id->name,purchase_date\nR1,East,29/02/2024\nR2,East,2024-02-29\nR3,East,\n"
    strict = import_rows(make_context(house), "Rack", data, date_format="d/m/Y", output="details")
    assert [line.split(";")[0] for line in strict.output.splitlines()[-3:]] == ["0", "1", "2"]
    assert strict.problems == [(1, "purchase_date", "expected_date_format")]
    lenient = import_rows(make_context(house, rules=ITOP), "Rack", data, date_format="d/m/Y", output="details")
    assert [line.split(";")[0] for line in lenient.output.splitlines()[-3:]] == ["1", "0", "2"]
    assert '"R1"' not in lenient.output.splitlines()[-2]
    rack = next(row for row in dump_tables(house)["physicaldevice"].values() if row["purchase_date"])
    assert rack["purchase_date"] == "2024-02-29"


def test_the_strict_default_refuses_impossible_dates(house: Database) -> None:
    data = "name,org_id->name,purchase_date\nR1,East,30/02/2024\n"
    assert import_rows(make_context(house), "Rack", data, date_format="d/m/Y").outcomes == ["issue"]


def test_ragged_rows_are_issues_or_reset_the_missing_cells(house: Database) -> None:
    data = "name,first_name,org_id->name,phone\nA,a,East,12\n"
    import_rows(make_context(house), "Person", data)
    short = "name,first_name,org_id->name,phone\nA,a,East\nA,a,East,12,more\n"
    assert import_rows(make_context(house), "Person", short).outcomes == ["issue", "issue"]
    assert import_rows(make_context(house, rules=ITOP), "Person", short).outcomes == ["updated", "updated"]


def test_labels_are_read_when_localized(house: Database) -> None:
    data = "Last Name,First Name,Organization->Name,Status\nLoc,Al,East,Inactive\nLoc,Bo,East,inactive\n"
    imported = import_rows(make_context(house), "Person", data, no_localize="0")
    assert imported.outcomes == ["created", "issue"]
    contact = next(row for row in dump_tables(house)["contact"].values() if row["name"] == "Loc")
    assert contact["status"] == "inactive"


def test_objects_are_found_by_id_when_there_is_an_id_column(house: Database) -> None:
    import_rows(make_context(house), "Person", persons(1))
    [id_] = dump_tables(house)["person"]
    data = f"id,phone\n{id_},11\n{id_ + 1000},12\nabc,13\n"
    imported = import_rows(make_context(house), "Person", data)
    assert imported.outcomes == ["updated", "issue", "issue"]
    assert dump_tables(house)["contact"][id_]["phone"] == "11"


def test_strict_reconciliation_keeps_homonyms_of_other_organizations_apart(house: Database) -> None:
    east, west = (f"name,first_name,org_id->name\nA,a,{org}\n" for org in ("East", "West"))
    import_rows(make_context(house), "Person", east)
    loose = import_rows(make_context(house), "Person", west, simulate=True)
    assert loose.outcomes == ["updated"]
    assert "#Warning: objects are not looked up by org_id" in loose.output
    assert import_rows(make_context(house), "Person", west, reconcile="strict").outcomes == ["created"]


def test_several_matches_are_an_issue(house: Database) -> None:
    import_rows(make_context(house), "Person", persons(2))
    data = "org_id->name,phone\nEast,1\n"
    imported = import_rows(make_context(house), "Person", data, reconciliationkeys="org_id->name")
    assert imported.problems == [(0, None, "ambiguous")]


def test_a_write_check_refuses_the_row_alone(house: Database) -> None:
    data = "name,first_name,org_id->name,employee_number\nA,a,East,7\nB,b,East,7\nC,c,West,7\n"
    imported = import_rows(make_context(house), "Person", data, output="details")
    assert imported.outcomes == ["created", "issue", "created"]
    assert imported.report["rows"][1]["issue"] == "refused"


def test_output_retcode_is_the_number_of_issues_alone(house: Database) -> None:
    data = persons(2) + "X,Y,Nowhere,,\n"
    assert import_rows(make_context(house), "Person", data, output="retcode").output == "1"


def test_data_may_come_as_text(house: Database) -> None:
    context = make_context(house)
    SERVICE.run(context, Parameters(class_="Person", csvdata=persons(1), no_localize="1"))
    assert isinstance(context.output, io.BytesIO)
    assert b"#Created: 1" in context.output.getvalue()


def test_the_details_show_every_row_cell_by_cell(house: Database) -> None:
    import_rows(make_context(house), "Person", "name,first_name,org_id->name\nA,a,East\n")
    data = "name,first_name,org_id->name,phone,status\nA,a,West,1,active\nB,b,Nowhere,2,no\nC,c,East,,\n"
    imported = import_rows(make_context(house), "Person", data, output="details", comment="why")
    lines = imported.output.splitlines()
    first, third = imported.report["rows"][0], imported.report["rows"][2]
    east, west = (id_ for id_, row in sorted(dump_tables(house)["organization"].items()) if row["name"] != "House")
    assert lines[:13] == [
        "#Output format: details",
        "#Class: Person",
        "#Separator: ,",
        '#Qualifier: "',
        "#Charset Encoding:UTF-8",
        "#Date format: <none>",
        "#Localize: no",
        f"#Data Size: {len(data)}",
        "#Data Lines: 3",
        "#Simulate: 0",
        "#Columns: name, first_name, org_id->name, phone, status",
        "#Reconciliation Keys: name, first_name",
        lines[12],
    ]
    assert lines[12].startswith("#Warning: objects are not looked up by org_id")
    table = lines[lines.index("#Unchanged: 0") + 1 :]
    assert table[0] == (
        "Line;Status;Object Class;Object Id;org_id (Organization - ext key);"
        "name (Last Name);first_name (First Name);phone (Phone);status (Status)"
    )
    assert table[1] == f'0;updated 2 cols;Person;{first["id"]};{west}Modified;A;a;"1"Modified;active'
    assert table[2].startswith("1;Issue: some cells cannot be taken;n/a;n/a;nothing matches 'Nowhere', some of")
    assert "East, House, West" in table[2]
    assert table[2].endswith(';"B";"b";"2";\'no\' cannot be taken: value not allowed [no], allowed: active, inactive')
    assert third["outcome"] == "issue"
    assert table[3].endswith(f';n/a;n/a;{east};"C";"c";"";""')
