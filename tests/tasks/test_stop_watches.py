"""Thresholds of stop watches: what is due, what it sets off, what is written about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from structlog.testing import capture_logs

from itopd.database import Database
from itopd.datamodel import bundled_model
from itopd.tasks.check_stop_watch_thresholds import MARK, Effects, Reached, by_table, check_stop_watch_thresholds
from itopd.tasks.work import BATCH
from itopd.writing import Change, Update
from tests.tasks.work import changes, create, stored, update, work_on, writer

AT = datetime(2027, 2, 10, 9, 3, 46, tzinfo=UTC)
"""10:03:46 in Paris: one second after the first deadline."""
LATER = datetime(2027, 2, 10, 9, 6, 0, tzinfo=UTC)
BACKGROUND = "Background task (CheckStopWatchThresholds)"


def incident(database: Database) -> int:
    (org,) = create(database, "Organization", {"name": "Demo"})
    (id_,) = create(database, "Incident", {"title": "late", "description": "d", "org_id": org})
    running(database, id_)
    return id_


def running(database: Database, id_: int) -> None:
    update(
        database,
        "Incident",
        id_,
        tto_started="2027-02-10 10:00:00",
        tto_laststart="2027-02-10 10:00:00",
        tto_75_deadline="2027-02-10 10:03:45",
        tto_100_deadline="2027-02-10 10:05:00",
        ttr_laststart="2027-02-10 10:00:00",
        ttr_75_deadline="2027-02-10 10:11:15",
        ttr_100_deadline="2027-02-10 10:15:00",
    )


class Recorder:
    """Effects that tell what they were asked to do, and change the status as the stimulus would."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.asked: list[Any] = []

    def stimulus(
        self, connection: sa.Connection, reached: Sequence[Reached], parameters: Sequence[str], change: Change
    ) -> None:
        self.asked.append(("stimulus", [str(one) for one in reached], list(parameters)))
        updates = [Update(one.cls, one.id, {"status": "escalated_tto"}) for one in reached]
        writer(self.database, LATER).write(connection, updates, change)

    def activate(self, connection: sa.Connection, reached: Sequence[Reached], change: Change) -> None:
        table = self.database.table("Incident")
        marked = connection.execute(sa.select(table.c.tto_75_triggered)).scalars().all()
        self.asked.append(
            ("activate", [str(one) for one in reached], list(marked), change.userinfo, sorted(change.tags))
        )

    @property
    def effects(self) -> Effects:
        return Effects({"ApplyStimulus": self.stimulus}, self.activate)


def check(database: Database, effects: Effects, at: datetime = AT) -> str:
    work = work_on(database, "CheckStopWatchThresholds", at)
    return check_stop_watch_thresholds(work, writer(database, at), effects)


def test_a_threshold_without_action_is_marked_once_and_activates_triggers(database: Database) -> None:
    id_, recorder = incident(database), Recorder(database)
    exactly = AT.replace(second=45)
    assert check(database, recorder.effects, exactly) == "Triggered 0 threshold(s):"
    assert check(database, recorder.effects) == f"Triggered 1 threshold(s):Incident::{id_} tto 75"
    row = stored(database, "Incident", id_)
    assert (row["tto_75_triggered"], row["tto_75_passed"], row["tto_100_triggered"], row["tto_100_passed"]) == (
        1,
        1,
        0,
        0,
    )
    assert row["tto_75_deadline"] == "2027-02-10 10:03:45"
    context = ["CRON", "CRON:Task:CheckStopWatchThresholds"]
    assert recorder.asked == [("activate", [f"Incident::{id_} tto 75"], [1], MARK, context)]
    assert check(database, recorder.effects) == "Triggered 0 threshold(s):"


def test_actions_come_first_and_both_are_tracked(database: Database) -> None:
    id_, recorder = incident(database), Recorder(database)
    message = check(database, recorder.effects, LATER)
    assert message == f"Triggered 2 threshold(s):Incident::{id_} tto 75, Incident::{id_} tto 100"
    assert [one[0] for one in recorder.asked] == ["activate", "stimulus", "activate"]
    assert recorder.asked[1] == ("stimulus", [f"Incident::{id_} tto 100"], ["ev_timeout"])
    row = stored(database, "Incident", id_)
    assert (row["status"], row["tto_100_triggered"], row["tto_100_passed"]) == ("escalated_tto", 1, 1)
    assert (row["ttr_75_triggered"], row["ttr_75_passed"]) == (0, 0)
    # The first mark says already that the second threshold has passed.
    assert changes(database) == [(MARK, 7), (BACKGROUND, 7)]
    history = database.table("CMDBChangeOpSetAttributeScalar")
    attribute = database.table("CMDBChangeOpSetAttribute")
    with database.read() as connection:
        query = sa.select(attribute.c.attcode, history.c.oldvalue, history.c.newvalue).join_from(
            history, attribute, attribute.c.id == history.c.id
        )
        assert {tuple(found) for found in connection.execute(query)} == {
            ("sla_tto_passed", "0", "1"),
            ("status", "new", "escalated_tto"),
        }


def test_a_threshold_whose_action_itopd_cannot_do_waits_and_is_reported(database: Database) -> None:
    id_ = incident(database)
    with capture_logs() as logs:
        assert check(database, Effects(), LATER) == f"Triggered 1 threshold(s):Incident::{id_} tto 75"
    (left,) = [log for log in logs if log["event"] == "threshold_left_alone"]
    assert (left["cls"], left["stop_watch"], left["threshold"]) == ("Incident", "tto", 100)
    assert "ApplyStimulus" in left["reason"]
    assert stored(database, "Incident", id_)["tto_100_triggered"] == 0


def test_a_stopped_watch_passes_nothing(database: Database) -> None:
    id_ = incident(database)
    update(database, "Incident", id_, tto_laststart=None)
    assert check(database, Recorder(database).effects, LATER) == "Triggered 0 threshold(s):"


def test_one_statement_asks_for_all_thresholds_of_a_class(database: Database) -> None:
    seen: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    check(database, Effects())
    assert len([text for text in seen if "_deadline" in text]) == len(by_table(bundled_model())) == 2


def test_many_objects_are_marked_in_batches(database: Database) -> None:
    (org,) = create(database, "Organization", {"name": "Demo"})
    number = BATCH + 5
    values = {"title": "late", "description": "d", "org_id": org}
    ids = create(database, "Incident", *[values] * number)
    table = database.table("Incident")
    with database.write() as connection:
        late = {"tto_laststart": "2027-02-10 10:00:00", "tto_75_deadline": "2027-02-10 10:03:45"}
        connection.execute(table.update().values(late))
    seen: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    message = check(database, Effects())
    assert message.startswith(f"Triggered {number} threshold(s):Incident::{ids[0]} tto 75, Incident::{ids[1]} tto 75, ")
    assert len(seen) < 60
    with database.read() as connection:
        marked = connection.execute(sa.select(sa.func.sum(table.c.tto_75_triggered))).scalar_one()
    assert marked == number
