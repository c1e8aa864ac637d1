"""Whether tasks have anything to do: what an idle daemon asks instead of starting a process for each of their dates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from itopd.clock import Clock
from itopd.database import Database
from itopd.heartbeat import Waiting
from itopd.mail import MailsWaiting
from itopd.state import StateStore
from itopd.tasks import names
from itopd.tasks.check_stop_watch_thresholds import thresholds_wait
from itopd.tasks.inline_image_gc import next_expiry
from itopd.tasks.temporary_object_gc import temporary_objects_wait
from itopd.tasks.work import Work
from itopd.wiring.task_work import EFFECTS


def question_of(name: str, database: Database, state: StateStore, clock: Clock) -> Waiting:
    """Return what tells whether the task of a name has anything to do; it must be one of those that can tell."""
    return _QUESTIONS[name](database, state, clock)


def _mails(database: Database, state: StateStore, clock: Clock) -> Waiting:
    return MailsWaiting(database, state, clock)


def _drafts(database: Database, _state: StateStore, clock: Clock) -> Waiting:
    return partial(next_expiry, Work(names.INLINE_IMAGE_GC, database, clock))


def _temporary_objects(database: Database, _state: StateStore, clock: Clock) -> Waiting:
    return partial(temporary_objects_wait, Work(names.TEMPORARY_OBJECT_GC, database, clock))


def _thresholds(database: Database, _state: StateStore, clock: Clock) -> Waiting:
    return partial(thresholds_wait, Work(names.CHECK_STOP_WATCH_THRESHOLDS, database, clock), EFFECTS)


_QUESTIONS: Final[Mapping[str, Callable[[Database, StateStore, Clock], Waiting]]] = {
    names.EXEC_ASYNC_TASK: _mails,
    names.INLINE_IMAGE_GC: _drafts,
    names.TEMPORARY_OBJECT_GC: _temporary_objects,
    names.CHECK_STOP_WATCH_THRESHOLDS: _thresholds,
}
