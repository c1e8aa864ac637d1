"""What an administrator is woken for, and what not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from itopd.heartbeat import (
    Health,
    HealthLimits,
    LaneSeen,
    QueueSeen,
    RunSeen,
    Standing,
    Status,
    SubjectSeen,
    health,
)
from itopd.state import Instance, Owner, Run, RunState, Subject, SubjectKind
from tests.heartbeat.support import NOW, PARIS
from tests.support.processes import dead_process

TASK = Subject(SubjectKind.TASK, "Busy")
ELSEWHERE = str(Owner("elsewhere", 1, "1"))


def run(**changes: Any) -> Run:
    values: dict[str, Any] = {
        "id": "r1", "kind": TASK.kind, "name": TASK.name, "due": NOW, "next_due": NOW, "state": RunState.DONE,
        "owner": ELSEWHERE, "token": 1, "attempts": 1, "failures": 0, "deaths": 0, "version": "", "stop_asked": False,
        "pid": 1, "claimed": NOW, "started": NOW, "finished": NOW, "exit_code": 0, "progress": "", "message": "",
        "counters": {}, "error": "", "last_success": None,
    }  # fmt: skip
    return Run(**values | changes)


def subject(**changes: Any) -> SubjectSeen:
    seen = SubjectSeen(TASK, "tasks", "", "every 5m", Standing.PLANNED, NOW, 0.0, None, run(), NOW, 0)
    return replace(seen, **changes)


def instance(**changes: Any) -> Instance:
    seen = Instance(ELSEWHERE, "daemon", "1.0", "working", NOW, NOW, 3.0, ())
    return replace(seen, **changes)


def seen(**changes: Any) -> Status:
    """Return a heartbeat that is well."""
    lanes = (LaneSeen("tasks", "process", 2, 0, 0, 0.0, ""),)
    queues = (QueueSeen("mails", 2, 1, 1, 0, NOW - timedelta(seconds=30)),)
    good = Status(NOW, "", (), (subject(),), (), lanes, queues, (instance(),), (), {}, (), ())
    return replace(good, **changes)


def at_work(**changes: Any) -> RunSeen:
    found = run(state=RunState.RUNNING, finished=None)
    return replace(RunSeen(found, "tasks", ELSEWHERE, NOW, NOW, 3.0, True, 10.0, 900.0), **changes)


def judged(**changes: Any) -> Health:
    return health(seen(**changes), PARIS)


def late(seconds: float = 301.0, **changes: Any) -> tuple[SubjectSeen, ...]:
    return (subject(standing=Standing.WAITING, late_seconds=seconds, **changes),)


def test_all_is_well() -> None:
    found = judged()
    assert (found.is_good, found.problems, found.warnings) == (True, (), ())
    assert found.summary == "1 task, 0 jobs, 0 running, mails: 2 waiting, 1 process"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"problems": ("jobs/x.params:1: wrong",)}, "jobs/x.params:1: wrong"),
        (
            {"subjects": late()},
            "task Busy is due since 2027-02-10 10:00:00 and nobody begins it: elsewhere pid",
        ),
        ({"subjects": late(), "instances": ()}, "no itopd gives a sign of life; start 'itopd run'"),
        ({"subjects": late(), "instances": (instance(silent_seconds=61.0),)}, "no itopd gives a sign of life"),
        (
            {"subjects": (subject(failures=3, last_run=run(state=RunState.FAILED, error="boom\nat x", failures=3)),)},
            "task Busy failed 3 times in a row, it last succeeded 2027-02-10 10:00:00: boom (itopd runs show r1)",
        ),
        (
            {"subjects": (subject(failures=1, last_success=None, last_run=run(error="boom", failures=1)),)},
            "task Busy failed, it has not succeeded yet: boom",
        ),
        ({"running": (at_work(seconds=901.0),)}, "task Busy runs for 901 s, beyond its limit of 900 s"),
        (
            {"queues": (QueueSeen("mails", 2, 2, 0, 0, NOW - timedelta(seconds=901)),)},
            "queue of mails: 2 could be sent, the oldest for 901 s",
        ),
        ({"instances": (instance(silent_seconds=61.0),)}, "gives no sign of life for 61 s"),
        ({"instances": (instance(problems=("the broker is away",)),)}, "elsewhere pid 1 start 1: the broker is away"),
        ({"lanes": (LaneSeen("transfer", "celery", 2, 0, 0, 0.0, "no broker"),)}, "lane transfer: no broker"),
    ],
)
def test_what_somebody_is_woken_for(changes: dict[str, Any], problem: str) -> None:
    found = judged(**changes)
    assert not found.is_good
    assert any(problem in one for one in found.problems), found.problems


@pytest.mark.parametrize(
    "changes",
    [
        {"subjects": late(299.0)},
        {"subjects": late(), "closed": "maintenance"},
        {"subjects": late(), "lanes": (LaneSeen("tasks", "process", 2, 2, 1, 61.0, ""),)},
        {"subjects": (subject(failures=3, standing=Standing.DISABLED),)},
        {"running": (at_work(limit_seconds=None, seconds=9e9),)},
        {"queues": (QueueSeen("mails", 9, 0, 0, 0, None),)},
        {"queues": (QueueSeen("mails", 2, 2, 0, 0, NOW - timedelta(days=1)),), "closed": "maintenance"},
    ],
)
def test_what_nobody_is_woken_for(changes: dict[str, Any]) -> None:
    assert judged(**changes).is_good


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"closed": "iTop is under maintenance"}, "nothing begins: iTop is under maintenance"),
        ({"instances": ()}, "no daemon (itopd run) gives a sign of life"),
        ({"instances": (instance(kind="worker"),)}, "no daemon (itopd run) gives a sign of life"),
        ({"instances": (instance(), instance(version="0.9"))}, "itopd runs in several versions: 0.9, 1.0"),
        (
            {"lanes": (LaneSeen("tasks", "process", 2, 2, 1, 61.0, ""),)},
            "lane tasks is full: 2 at work, 1 waiting, the first for 61 s",
        ),
        ({"queues": (QueueSeen("mails", 0, 0, 0, 4, None),)}, "queue of mails: 4 given up"),
        ({"running": (at_work(run=run(attempts=2)),)}, "task Busy is at its attempt 2"),
    ],
)
def test_what_is_worth_knowing(changes: dict[str, Any], warning: str) -> None:
    found = judged(**changes)
    assert found.is_good
    assert any(warning in one for one in found.warnings), found.warnings


def test_a_lane_that_is_full_for_a_moment_is_nothing_to_know() -> None:
    assert judged(lanes=(LaneSeen("tasks", "process", 2, 2, 1, 60.0, ""),)).warnings == ()


def test_a_lane_has_room_for_each_process() -> None:
    lanes = (LaneSeen("tasks", "process", 2, 2, 1, 61.0, ""),)
    two = (instance(), instance(owner=str(Owner("another", 1, "1"))))
    assert judged(subjects=late(), lanes=lanes).is_good
    assert not judged(subjects=late(), lanes=lanes, instances=two).is_good


def test_a_killed_daemon_is_missed_until_another_is_there() -> None:
    killed = instance(owner=str(dead_process()), silent_seconds=5.0)
    assert "has ended without a word" in judged(instances=(killed,)).problems[0]
    assert judged(instances=(killed, instance())).is_good


def test_limits_are_the_callers() -> None:
    assert health(seen(subjects=late(900.0)), PARIS, HealthLimits(late=1000.0)).is_good
    assert not health(seen(subjects=late(20.0)), PARIS, HealthLimits(late=10.0)).is_good
    assert not health(seen(), PARIS, HealthLimits(queue=10.0)).is_good
