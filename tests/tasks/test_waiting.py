"""The questions that a daemon asks before it starts a process: cheap, and never a wrong no."""

from __future__ import annotations

from datetime import timedelta

from itopd.database import Database
from itopd.tasks.check_stop_watch_thresholds import Effects, thresholds_wait
from itopd.tasks.inline_image_gc import next_expiry
from itopd.tasks.temporary_object_gc import temporary_objects_wait
from tests.tasks.test_stop_watches import AT, LATER, incident
from tests.tasks.work import NOW, insert, update, work_on


def test_drafts_are_asked_for_when_the_first_expires(database: Database) -> None:
    work = work_on(database)
    assert next_expiry(work) == NOW + timedelta(minutes=1)
    insert(database, "InlineImage", {"item_id": 5, "expire": "2027-02-10 09:00:00"})
    assert next_expiry(work) == NOW + timedelta(minutes=1)
    insert(database, "Attachment", {"item_id": 0, "expire": "2027-02-10 10:00:30"})
    assert next_expiry(work) == NOW + timedelta(seconds=31)
    insert(database, "InlineImage", {"item_id": 0, "expire": "2027-02-10 09:59:59"})
    assert next_expiry(work) <= NOW


def test_thresholds_wait_only_where_something_can_be_done(database: Database) -> None:
    able = Effects({"ApplyStimulus": lambda *_: None})
    id_ = incident(database)
    assert not thresholds_wait(work_on(database, now=AT - timedelta(seconds=1)), able)
    assert thresholds_wait(work_on(database, now=AT), able)
    update(database, "Incident", id_, tto_75_triggered=1)
    assert thresholds_wait(work_on(database, now=LATER), able)
    assert not thresholds_wait(work_on(database, now=LATER), Effects())


def test_temporary_objects_wait_when_one_has_expired(database: Database) -> None:
    assert not temporary_objects_wait(work_on(database))
    (id_,) = insert(database, "TemporaryObjectDescriptor", {"expiration_date": "2027-02-10 10:00:00"})
    assert not temporary_objects_wait(work_on(database))
    update(database, "TemporaryObjectDescriptor", id_, expiration_date="2027-02-10 09:59:59")
    assert temporary_objects_wait(work_on(database))
