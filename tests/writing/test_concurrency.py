"""Several writers on one tree at once: it stays sound, and nothing is there twice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.database import Database, Repeats
from itopd.objects import find
from itopd.writing import Change, Create, Delete, Intent, Update, check_trees
from tests.support.engines import marked, new_database
from tests.writing.test_writer import writer

WRITERS, ROUNDS = 4, 25
NAMES = [f"org {number}" for number in range(12)]


def organizations(database: Database, connection: sa.Connection) -> list[int]:
    return list(connection.execute(sa.select(database.table("Organization").c.id)).scalars())


def step(database: Database, connection: sa.Connection, chance: random.Random) -> Sequence[Intent]:
    """Return what to do next, after a look at what is there: it may be out of date when it is written."""
    ids = [0, *organizations(database, connection)]
    match chance.randrange(8):
        case 0 | 1:
            parent = chance.choice(ids)
            return [Create("Organization", {"name": chance.choice(NAMES), "parent_id": parent}) for _ in range(2)]
        case 2:
            return [Update("Organization", chance.choice(ids), {"parent_id": chance.choice(ids)})]
        case 3 | 4:
            return [Create("Brand", {"name": name}) for name in chance.sample(NAMES, 4)]
        case 5 | 6:
            values = {"name": "N", "first_name": "F", "org_id": chance.choice(ids)}
            return [Create("Person", values), *(Delete("Person", chance.randrange(1, 60)) for _ in range(3))]
        case _:
            return [Delete("Organization", chance.choice(ids)), Delete("Organization", chance.choice(ids))]


@pytest.mark.parametrize("engine", [marked("sqlite"), marked("postgresql"), marked("mariadb")])
def test_four_writers_of_a_tree_leave_it_sound(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repeats, "pause", lambda _self, attempt: 0.01 * attempt)

    def work(database: Database, seed: int) -> set[str]:
        chance, seen = random.Random(seed), set[str]()
        for _ in range(ROUNDS):
            with database.read() as connection:
                intents = step(database, connection, chance)

            def write(connection: sa.Connection, intents: Sequence[Intent] = intents) -> set[str]:
                outcomes = writer(database).write(connection, intents, Change("me", 1))
                return {outcome.status for outcome in outcomes}

            seen |= database.transact(write)
        return seen

    with new_database(engine, tmp_path) as database, ThreadPoolExecutor(WRITERS) as pool:
        monkeypatch.setattr(
            database, "repeats", Repeats(count=50)
        )  # four who do nothing but fight for a handful of rows
        seen = set[str]().union(*pool.map(lambda seed: work(database, seed), range(WRITERS)))
        assert {"created", "updated", "deleted", "refused"} <= seen
        with database.read() as connection:
            (report,) = (one for one in check_trees(database, connection) if one.cls == "Organization")
            assert report.problems == ()
            people = connection.execute(sa.select(database.table("Contact").c.org_id)).scalars().all()
            assert set(people) <= {*organizations(database, connection)}, "no key points nowhere"
            brands = find(database, connection, "Brand", ["name"], [[name] for name in NAMES])
            assert max(len(ids) for ids in brands) == 1, "the name of a brand is unique"
