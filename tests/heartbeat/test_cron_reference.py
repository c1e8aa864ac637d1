"""Cron text against a slow reference: every minute that a clock shows, around the changes of all zones' clocks."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itopd.heartbeat.schedules.cron_text import CronText

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NAMES = sorted(available_timezones() - {"localtime"})


@cache
def changes_of(name: str) -> tuple[datetime, ...]:
    """Return the days since 1975 on which the clock of a zone changes, found by looking at every day."""
    zone, found = ZoneInfo(name), []
    day = datetime(1975, 1, 1, tzinfo=UTC)
    before = zone.utcoffset(day.astimezone(zone))
    while day.year < 2040:
        following = day + DAY
        after = zone.utcoffset(following.astimezone(zone))
        if before != after:
            found.append(day)
        day, before = following, after
    return tuple(found)


def field(lowest: int, highest: int) -> st.SearchStrategy[str]:
    number = st.integers(lowest, highest)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    stepped = st.tuples(span | st.just("*"), st.integers(1, 40)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.just("*") | st.lists(number.map(str) | span | stepped, min_size=1, max_size=3).map(",".join)


def texts(hour: int) -> st.SearchStrategy[str]:
    """Return cron texts, many of them about the hour at which the clock changes."""
    near = [str((hour + ahead) % 24) for ahead in (-1, 0, 1)]
    return st.tuples(
        st.sampled_from(["0", "30", "*/20"]) | field(0, 59),
        st.sampled_from([*near, ",".join(near), "*", "*/2"]) | field(0, 23),
        st.sampled_from(["*", "*/2", "1-31"]) | field(1, 31),
        st.just("*"),
        st.sampled_from(["*", "*", "0", "7", "sun", "mon-fri"]) | field(0, 7),
    ).map(" ".join)


def hour_of(change: datetime, zone: ZoneInfo) -> int:
    """Return the hour on the clock just before it changes, on the day that begins at ``change``."""
    offset, at = zone.utcoffset(change.astimezone(zone)), change
    while at < change + DAY and (at + MINUTE).astimezone(zone).utcoffset() == offset:
        at += MINUTE
    return at.astimezone(zone).hour


def values(text: str, lowest: int, highest: int) -> set[int]:
    """Read one field as crontab(5) has it, in the plainest way."""
    names = {"sun": "0", "mon": "1", "fri": "5"}
    found = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, _, last = ("-".join(names.get(end, end) for end in span.split("-"))).partition("-")
        low, high = (lowest, highest) if first == "*" else (int(first), int(last or first))
        found |= set(range(low, high + 1, int(step or 1)))
    return found


def reference(text: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Return all times in an interval: each minute of each calendar day, looked up in what the clock really shows."""
    shown: dict[datetime, list[datetime]] = defaultdict(list)
    at = start - 2 * DAY
    while at < end + 2 * DAY:
        shown[at.astimezone(zone).replace(tzinfo=None)].append(at)
        at += MINUTE
    walls = sorted(shown)
    minutes, hours, days, _, weekdays = text.split()
    minutes_meant, hours_meant = values(minutes, 0, 59), values(hours, 0, 23)
    runs = set()
    day = (start - DAY).astimezone(zone).date()
    while day <= end.astimezone(zone).date():
        for hour in sorted(hours_meant) if fits(day, days, weekdays) else ():
            for minute in sorted(minutes_meant):
                wall = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - what the clock shows
                passes = shown.get(wall, [])
                if passes:
                    runs |= set(passes if hours.startswith("*") else passes[:1])
                else:
                    runs.add(min(shown[walls[bisect(walls, wall)]]))
        day += DAY
    return sorted(run for run in runs if start < run <= end)


def fits(day: date, days: str, weekdays: str) -> bool:
    by_date = day.day in values(days, 1, 31)
    by_weekday = day.isoweekday() % 7 in {number % 7 for number in values(weekdays, 0, 7 if weekdays[0] != "*" else 6)}
    if days.startswith("*") or weekdays.startswith("*"):
        return by_date and by_weekday
    return by_date or by_weekday


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.data(), st.sampled_from(NAMES), st.integers(0, 36 * 60))
def test_the_times_around_a_change_of_the_clock_are_those_of_the_slow_reference(
    data: st.DataObject, name: str, before: int
) -> None:
    zone, changes = ZoneInfo(name), changes_of(name)
    change = data.draw(st.sampled_from(changes)) if changes else datetime(2027, 3, 28, tzinfo=UTC)
    text = data.draw(texts(hour_of(change, zone)))
    start = change - timedelta(minutes=before)
    end = start + 3 * DAY
    schedule, found, at = CronText.parse(text), list[datetime](), start
    while (at := schedule.after(at, zone)) <= end and len(found) < 40:
        found.append(at)
    assert found == reference(text, zone, start, end)[:40]
