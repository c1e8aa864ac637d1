"""Whether tasks have anything to do: what an idle daemon asks instead of starting a process for each of their dates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from itopd.clock import Clock
from itopd.database import Database
from itopd.heartbeat import Task, Waiting
from itopd.mail import MailsWaiting
from itopd.state import StateStore
from itopd.tasks import Work, names, next_expiry, temporary_objects_wait, thresholds_wait
from itopd.wiring.tasks import EFFECTS


def with_waiting(tasks: Sequence[Task], database: Database, state: StateStore, clock: Clock) -> tuple[Task, ...]:
    """Return the tasks, those that can tell whether they have anything to do with their question."""
    questions = _questions(tasks, database, state, clock)
    return tuple(replace(task, waiting=questions.get(task.name, task.waiting)) for task in tasks)


def _questions(tasks: Sequence[Task], database: Database, state: StateStore, clock: Clock) -> Mapping[str, Waiting]:
    able = {task.name for task in tasks if task.schedule is not None}
    questions: dict[str, Waiting] = {}
    if names.EXEC_ASYNC_TASK in able:
        questions[names.EXEC_ASYNC_TASK] = MailsWaiting(database, state, clock)

    def ask(name: str, question: Callable[[Work], bool | datetime]) -> None:
        if name in able:
            questions[name] = partial(question, Work(name, database, clock))

    ask(names.INLINE_IMAGE_GC, next_expiry)
    ask(names.TEMPORARY_OBJECT_GC, temporary_objects_wait)
    ask(names.CHECK_STOP_WATCH_THRESHOLDS, partial(thresholds_wait, effects=EFFECTS))
    return questions
