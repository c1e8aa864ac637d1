"""The coming times of jobs, and what is said where the clock changes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from itopd.heartbeat import Job, parse_schedule
from itopd.heartbeat.jobs.control import JobCondition, JobView, coming
from itopd.heartbeat.jobs.plan import Plan
from itopd.heartbeat.jobs.results import Results
from itopd.heartbeat.schedules.schedule import Schedule
from itopd.heartbeat.schedules.weekly import Weekly
from itopd.state import TaskRow

PARIS = ZoneInfo("Europe/Paris")
MOVED = (
    "the planned time does not exist that day: right after the clock went forward; "
    "the clock went forward since the time before"
)
DAILY_230 = Weekly(enabled=True, days=frozenset(range(7)), time="02:30")


def view(schedule: Schedule, row: TaskRow | None = None, zone: ZoneInfo = PARIS) -> JobView:
    job = Job("one", Path("one.params"), "export", Plan(schedule, zone), True, "transfer", {}, Results("one"))
    return JobView(job, row, None, JobCondition.FINE)


def told(seen: JobView, now: datetime, count: int) -> list[tuple[str, str]]:
    return [(f"{one.local:%m-%d %H:%M %z}", one.note) for one in coming(seen, now, count)]


@pytest.mark.parametrize(
    ("schedule", "now", "times"),
    [
        (
            parse_schedule("30 2 * * *"),
            datetime(2027, 3, 26, 12, tzinfo=UTC),
            [
                ("03-27 02:30 +0100", ""),
                (
                    "03-28 03:00 +0200",
                    MOVED,
                ),
                ("03-29 02:30 +0200", ""),
            ],
        ),
        (
            parse_schedule("30 2 * * *"),
            datetime(2027, 10, 29, 12, tzinfo=UTC),
            [
                ("10-30 02:30 +0200", ""),
                ("10-31 02:30 +0200", "this time comes twice that day: first pass"),
                ("11-01 02:30 +0100", "the clock went back since the time before"),
            ],
        ),
        (
            DAILY_230,
            datetime(2027, 10, 30, 12, tzinfo=UTC),
            [
                (
                    "10-31 02:30 +0100",
                    "this time comes twice that day: second pass; the clock went back since the time before",
                ),
                ("11-01 02:30 +0100", ""),
            ],
        ),
        (
            DAILY_230,
            datetime(2027, 3, 27, 12, tzinfo=UTC),
            [
                (
                    "03-28 03:30 +0200",
                    MOVED,
                ),
            ],
        ),
        (
            parse_schedule("every 12h"),
            datetime(2027, 10, 30, 12, tzinfo=UTC),
            [
                ("10-30 14:00 +0200", ""),
                ("10-31 02:00 +0200", "this time comes twice that day: first pass"),
                ("10-31 13:00 +0100", "the clock went back since the time before"),
            ],
        ),
    ],
)
def test_what_the_clock_does_is_said(schedule: Schedule, now: datetime, times: list[tuple[str, str]]) -> None:
    assert told(view(schedule), now, len(times)) == times


def test_the_date_of_the_row_comes_first_unless_it_is_of_another_schedule() -> None:
    schedule, now = parse_schedule("0 2 * * *"), datetime(2027, 2, 10, 9, tzinfo=UTC)
    retry = datetime(2027, 2, 10, 9, 1, tzinfo=UTC)
    assert told(view(schedule, TaskRow("one", next_run_date=retry, schedule="0 2 * * *")), now, 2) == [
        ("02-10 10:01 +0100", ""),
        ("02-11 02:00 +0100", ""),
    ]
    assert told(view(schedule, TaskRow("one", next_run_date=retry, schedule="every 5m")), now, 1) == [
        ("02-11 02:00 +0100", ""),
    ]
