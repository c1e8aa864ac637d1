"""The bulk writer leaves what writing one by one leaves: same answers, same rows, same history in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itopd.clock import FixedClock, to_itop
from itopd.database import Database
from itopd.datamodel import Model, bundled_model
from itopd.rules import ITOPD
from itopd.writing import Change, Create, Delete, Intent, LinkSet, Pending, Update, Writer
from itopd.writing import writer as writer_module
from tests.support.engines import marked, sample_database
from tests.support.sample import sample_sqlite
from tests.writing.reference import Answer, Reference

CLOCK = FixedClock(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
CLASSES = ("Person", "Team", "Organization", "lnkPersonToTeam", "Brand", "Model", "Server")
HISTORY = ("Create", "Delete", *(f"SetAttribute{kind}" for kind in ("Scalar", "Text", "LinksAddRemove", "LinksTune")))

names = st.sampled_from(["a", "A ", "\u00e1", "b", "", "\u0153", "oe", "x" * 300])
tags = st.sampled_from(["t1", "t2", "t3"])


def keys(*ids: int) -> st.SearchStrategy[Any]:
    return st.sampled_from([*ids, 0, 999]) | st.builds(Pending, tags)


VALUES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Person": {
        "name": names,
        "first_name": names,
        "org_id": keys(1, 2, 3),
        "employee_number": st.sampled_from(["", "1", "01", " "]),
        "email": st.sampled_from(["", "a@b.fr", "bad"]),
        "status": st.sampled_from(["active", "inactive", None, "odd"]),
        "manager_id": keys(2, 6),
    },
    "Team": {"name": names, "org_id": keys(1, 3), "phone": st.sampled_from(["", "12", "x"])},
    "Organization": {"name": names, "parent_id": keys(1, 2, 3), "code": names},
    "lnkPersonToTeam": {"person_id": keys(2, 6), "team_id": keys(37, 38), "role_id": keys(1)},
    "Brand": {"name": names},
    "Model": {"name": names, "brand_id": keys(11, 12), "type": st.sampled_from(["Server", "PC", None])},
    "Server": {
        "name": names,
        "org_id": keys(3),
        "description": names,
        "purchase_date": st.sampled_from([None, "2024-02-09"]),
    },
}
LINKS = {"Team": ("persons_list", "person_id", (2, 6)), "Person": ("team_list", "team_id", (37, 38))}
"""Class -> a link set, the key to the other end, and its targets."""
UPDATED = {
    "Person": [("Person", 2), ("Contact", 6), ("Contact", 37)],
    "Team": [("Team", 37), ("Contact", 38), ("Team", 2)],
    "Organization": [("Organization", 1), ("Organization", 2), ("Organization", 3)],
    "lnkPersonToTeam": [("lnkPersonToTeam", 1), ("lnkPersonToTeam", 2)],
    "Brand": [("Brand", 11)],
    "Model": [("Model", 1)],
    "Server": [("Server", 1), ("FunctionalCI", 1), ("FunctionalCI", 5)],
}
DELETED = [
    *(("Person", 2), ("Contact", 6), ("Person", 3), ("Team", 37), ("Contact", 38)),
    *(("Organization", 2), ("Organization", 3), ("lnkPersonToTeam", 1), ("lnkPersonToTeam", 2)),
    *(("Brand", 11), ("Model", 1), ("Server", 1), ("FunctionalCI", 5), ("Hypervisor", 18), ("Person", 999)),
]
"""Class and id of stored objects, and of one that does not exist."""
STORED_LINKS = 9
"""The highest id of a lnkPersonToTeam in the sample."""
OF_CONTACTS = {"name", "org_id", "phone", "status", "email"}


def _fits(model: Model, cls: str, code: str, value: object, made: Mapping[str, str]) -> bool:
    """Return whether a reference is to an object of the hierarchy that the key points into."""
    if not isinstance(value, Pending):
        return True
    target = model[cls].attributes[code].target
    return target is not None and value.tag in made and model[made[str(value.tag)]].root == model[target].root


@st.composite
def link_sets(draw: st.DrawFn, cls: str) -> LinkSet:
    """Draw what to do to the teams of a person or the persons of a team."""
    _, remote, targets = LINKS[cls]
    ends = st.fixed_dictionaries({remote: st.sampled_from([*targets, 0, 999])}, optional={"role_id": keys_of(1)})
    some = st.lists(st.sampled_from([1, 2, 3, 4, 999]), unique=True, max_size=2)
    return LinkSet(
        add=tuple(draw(st.lists(ends, max_size=3))),
        remove=tuple(draw(some)),
        modify={id_: {"role_id": draw(keys_of(1))} for id_ in draw(some)},
    )


def keys_of(*ids: int) -> st.SearchStrategy[int]:
    return st.sampled_from([*ids, 0, 999])


@st.composite
def deletions(draw: st.DrawFn, made: Mapping[str, str]) -> Delete:
    """Draw a deletion of a stored object or of one that was made before."""
    of_made: bool = draw(st.booleans())
    if made and of_made:
        tag = draw(st.sampled_from(sorted(made)))
        return Delete(made[tag], Pending(tag))
    cls, id_ = draw(st.sampled_from(DELETED))
    return Delete(cls, id_)


@st.composite
def intent_lists(draw: st.DrawFn) -> list[Intent]:
    """Draw intents; what refers to an earlier creation does so rightly."""
    intents: list[Intent] = []
    made: dict[str, str] = {}
    for _ in range(draw(st.integers(1, 12))):
        cls = draw(st.sampled_from(CLASSES))
        if draw(st.integers(0, 3)) == 0:
            intents.append(draw(deletions(made)))
            continue
        strategies = VALUES[cls]
        required = [code for code in ("name", "first_name", "org_id", "person_id", "team_id") if code in strategies]
        codes = draw(st.lists(st.sampled_from(sorted(strategies)), unique=True, min_size=1))
        creating: bool = draw(st.booleans())
        if creating and draw(st.integers(0, 5)):
            codes = list(dict.fromkeys([*required, *codes]))
        values = {code: draw(strategies[code]) for code in codes}
        model = bundled_model()
        values = {c: v if _fits(model, cls, c, v, made) else 0 for c, v in values.items()}
        if cls in LINKS and draw(st.integers(0, 2)) == 0:
            values[LINKS[cls][0]] = draw(link_sets(cls))
        if creating:
            drawn: str | None = draw(st.none() | tags)
            tag = None if drawn in made else drawn
            intents.append(Create(cls, values, tag))
            if tag is not None:
                made[tag] = cls
            continue
        pending = [tag for tag, of in made.items() if of == cls]
        reuse: bool = draw(st.booleans())
        if pending and reuse:
            intents.append(Update(cls, Pending(draw(st.sampled_from(sorted(pending)))), values))
        else:
            name, id_ = draw(st.sampled_from(UPDATED[cls]))
            known = {c for c in values if c in OF_CONTACTS} if name == "Contact" else values
            intents.append(Update(name, id_, {c: values[c] for c in values if c in known}))
    return intents


def snapshot(database: Database, connection: sa.Connection) -> dict[str, Any]:
    """Return the objects' rows by table, and the operations in order, without their own ids."""
    model = database.model
    rows: dict[str, Any] = {}
    for name in [cls.name for cls in model.values() if cls.table and not cls.name.startswith("CMDBChange")]:
        table = database.table(name)
        rows[name] = sorted(map(repr, connection.execute(table.select()).all()))
    operations: dict[int, dict[str, Any]] = {}
    for name in dict.fromkeys(part.name for kind in HISTORY for part in model.table_classes(f"CMDBChangeOp{kind}")):
        for row in connection.execute(database.table(name).select()).mappings():
            operations.setdefault(row["id"], {}).update(dict(row))
    change = database.table("CMDBChange")
    rows["changes"] = [tuple(row)[1:] for row in connection.execute(change.select().order_by(change.c.id))]
    drop = {"id", "changeid"}
    rows["operations"] = [{k: v for k, v in operations[id_].items() if k not in drop} for id_ in sorted(operations)]
    return rows


def ids_of_links(intents: list[Intent], ids: list[int], operations: list[dict[str, Any]]) -> list[int]:
    """Return the ids of the links that link sets made, in the order in which they did."""
    mine = {id_ for intent, id_ in zip(intents, ids, strict=True) if intent.cls == "lnkPersonToTeam"}
    told = {row["objkey"] for row in operations if row["objclass"] == "lnkPersonToTeam"}
    return sorted(id_ for id_ in told - mine if id_ > STORED_LINKS)


def bulk(database: Database, intents: list[Intent], size: int) -> tuple[list[Answer], dict[str, Any], list[int]]:
    """Write in bulk and take it back."""
    writer = Writer(database, CLOCK, ITOPD)
    with database.write() as connection:
        with mock.patch.object(writer_module, "CHUNK", size):
            outcomes = writer.write(connection, intents, Change("me", 1))
        answers: list[Answer] = [
            (o.status, o.id, tuple(sorted(i.kind for i in o.issues)), tuple(sorted(w.kind for w in o.warnings)))
            for o in outcomes
        ]
        rows = snapshot(database, connection)
        connection.rollback()
    return answers, rows, [outcome.id for outcome in outcomes]


def one_by_one(
    database: Database, intents: list[Intent], ids: list[int], link_ids: list[int]
) -> tuple[list[Answer], dict[str, Any]]:
    """Write one by one and take it back."""
    now = to_itop(CLOCK.now(), database.timezone)
    with database.write() as connection:
        answers = Reference(database, connection, now, iter(ids), iter(link_ids)).write(intents, Change("me", 1))
        rows = snapshot(database, connection)
        connection.rollback()
    return answers, rows


def check(database: Database, intents: list[Intent], size: int) -> None:
    answers, rows, ids = bulk(database, intents, size)
    link_ids = ids_of_links(intents, ids, rows["operations"])
    expected_answers, expected_rows = one_by_one(database, intents, ids, link_ids)
    assert answers == expected_answers
    for name, expected in expected_rows.items():
        assert rows[name] == expected, name


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("equivalence")
    with sample_sqlite(folder) as database:
        yield database


@pytest.fixture(scope="module", params=[marked("postgresql"), marked("mariadb")])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with sample_database(request.param, tmp_path_factory.mktemp("equivalence")) as database:
        yield database


@pytest.mark.shared
@given(intents=intent_lists(), size=st.sampled_from([1, 2, 5, 1000]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_bulk_writing_is_writing_one_by_one(sqlite: Database, intents: list[Intent], size: int) -> None:
    check(sqlite, intents, size)


@pytest.mark.shared
@given(intents=intent_lists(), size=st.sampled_from([3, 1000]))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_bulk_writing_is_writing_one_by_one_on_servers(server: Database, intents: list[Intent], size: int) -> None:
    check(server, intents, size)
