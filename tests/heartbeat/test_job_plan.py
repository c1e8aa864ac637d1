"""Windows, misfires and retries: when a job may begin, and when it is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.heartbeat.jobs.plan import Misfire, Plan, Retries
from itopd.heartbeat.jobs.windows import Window
from itopd.heartbeat.schedules.cron_text import CronText
from itopd.heartbeat.schedules.schedule import Periodic, backed_off

PARIS = ZoneInfo("Europe/Paris")
NIGHT = Window(time(22), time(4))

zones = st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo)
instants = st.integers(0, 40 * 366 * 86400).map(
    lambda seconds: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
times = st.times().map(lambda at: at.replace(second=0, microsecond=0))


def local(text: str, zone: ZoneInfo = PARIS, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def shown(instant: datetime, zone: ZoneInfo = PARIS) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}"


class TestWindow:
    @pytest.mark.parametrize(
        ("window", "at", "inside"),
        [
            (Window(time(8), time(18)), "07:59:59", False),
            (Window(time(8), time(18)), "08:00:00", True),
            (Window(time(8), time(18)), "18:00:59", True),
            (Window(time(8), time(18)), "18:01:00", False),
            (NIGHT, "23:00:00", True),
            (NIGHT, "03:59:00", True),
            (NIGHT, "12:00:00", False),
            (Window(not_after=time(4)), "00:00:00", True),
            (Window(not_before=time(22)), "23:59:59", True),
        ],
    )
    def test_both_minutes_are_included_and_midnight_is_crossed(self, window: Window, at: str, inside: bool) -> None:
        assert window.holds(time.fromisoformat(at)) is inside

    @given(zones, instants, times, times)
    def test_it_opens_next_when_the_clock_first_shows_a_time_inside(
        self, zone: ZoneInfo, now: datetime, not_before: time, not_after: time
    ) -> None:
        window = Window(not_before, not_after)
        if window.is_open(now, zone):
            return
        opens = window.opening(now, zone)
        assert opens > now
        assert window.is_open(opens, zone)
        minute = now.replace(second=0, microsecond=0)
        # The slow reference: no minute before it is inside; zones shift by whole minutes since 1972.
        while (minute := minute + timedelta(minutes=1)) < min(opens, now + timedelta(hours=30)):
            assert not window.is_open(minute, zone)


class TestPlan:
    @given(zones, instants, st.integers(0, 59), st.integers(0, 23), times)
    def test_a_planned_date_is_always_inside_the_window(
        self, zone: ZoneInfo, now: datetime, minute: int, hour: int, not_after: time
    ) -> None:
        window = Window(time(hour, minute), not_after)
        for base in (CronText.parse(f"{minute} {hour} * * *"), Periodic(4 * 3600), Periodic(86400)):
            plan = Plan(base, zone, window)
            first = plan.first(now)
            following = plan.next(first, first)
            assert following > first
            assert plan.is_open(first)
            assert plan.is_open(following)

    def test_a_period_begins_with_the_window_and_keeps_its_grid_inside(self) -> None:
        plan = Plan(Periodic(5 * 3600), PARIS, NIGHT)
        dates = plan.coming(local("2027-02-10 12:00:00"), 4)
        assert [shown(at) for at in dates] == [
            "2027-02-10 22:00:00",
            "2027-02-11 03:00:00",
            "2027-02-11 22:00:00",
            "2027-02-12 03:00:00",
        ]

    def test_cron_text_passes_over_the_times_outside(self) -> None:
        plan = Plan(CronText.parse("*/30 * * * *"), PARIS, Window(time(8), time(8, 30)))
        dates = plan.coming(local("2027-02-10 08:10:00"), 4)
        assert [shown(at) for at in dates] == [
            "2027-02-10 08:30:00",
            "2027-02-11 08:00:00",
            "2027-02-11 08:30:00",
            "2027-02-12 08:00:00",
        ]

    def test_it_heeds_its_own_zone_only(self) -> None:
        tokyo = ZoneInfo("Asia/Tokyo")
        plan = Plan(CronText.parse("0 2 * * *"), tokyo, own_zone=True)
        assert shown(plan.first(local("2027-02-10 12:00:00"), PARIS), tokyo) == "2027-02-11 02:00:00"
        assert plan.text == "0 2 * * * Asia/Tokyo"


class TestMisfire:
    plan = Plan(CronText.parse("0 2 * * *"), PARIS)

    @pytest.mark.parametrize(
        ("misfire", "now", "missed"),
        [
            (Misfire(), "2027-02-20 14:00:00", False),
            (Misfire(timedelta(minutes=5)), "2027-02-10 02:05:00", False),
            (Misfire(timedelta(minutes=5)), "2027-02-10 02:05:01", True),
        ],
    )
    def test_only_skip_knows_a_run_that_is_too_late(self, misfire: Misfire, now: str, missed: bool) -> None:
        assert bool(misfire.missed(local("2027-02-10 02:00:00"), local(now), self.plan)) is missed

    def test_a_closed_window_misses_a_run_under_both_rules(self) -> None:
        plan = Plan(CronText.parse("0 2 * * *"), PARIS, Window(time(1), time(4)))
        planned = local("2027-02-10 02:00:00")
        for misfire in (Misfire(), Misfire(timedelta(days=9))):
            assert misfire.missed(planned, local("2027-02-10 03:59:59"), plan) == ""
            assert misfire.missed(planned, local("2027-02-10 09:00:00"), plan) == "its window 01:00-04:00 has closed"


class TestRetries:
    daily = Plan(CronText.parse("0 2 * * *"), PARIS)
    now = local("2027-02-10 02:00:10")
    tomorrow = local("2027-02-11 02:00:00")

    def pauses(self, retries: Retries, plan: Plan, failures: range) -> list[float]:
        return [
            (retries.after_failure(self.tomorrow, number, self.now, plan) - self.now).total_seconds()
            for number in failures
        ]

    def test_each_planned_time_has_its_retries_whose_pauses_double(self) -> None:
        rest = (self.tomorrow - self.now).total_seconds()
        found = self.pauses(Retries(3, timedelta(minutes=1)), self.daily, range(1, 9))
        assert found == [60, 120, 240, rest, 60, 120, 240, rest]

    def test_a_pause_is_an_hour_at_most(self) -> None:
        assert max(self.pauses(Retries(20, timedelta(minutes=1)), self.daily, range(1, 21))) == 3600

    def test_a_longer_first_pause_stays_as_it_was_asked_for(self) -> None:
        assert self.pauses(Retries(2, timedelta(hours=2)), self.daily, range(1, 3)) == [7200, 7200]

    def test_no_retries_wait_for_the_next_planned_time(self) -> None:
        assert Retries(0).after_failure(self.tomorrow, 1, self.now, self.daily) == self.tomorrow

    def test_a_retry_never_begins_outside_the_window(self) -> None:
        plan = Plan(CronText.parse("0 2 * * *"), PARIS, Window(time(1), time(2)))
        assert Retries(3, timedelta(minutes=1)).after_failure(self.tomorrow, 1, self.now, plan) == self.tomorrow

    def test_what_is_planned_sooner_replaces_a_retry_and_backs_off_too(self) -> None:
        often, soon = Plan(Periodic(10), PARIS), self.now + timedelta(seconds=10)
        found = [Retries().after_failure(soon, number, self.now, often) for number in (1, 2, 3, 7)]
        assert found == [backed_off(soon, number, self.now) for number in (1, 2, 3, 7)]
        assert (found[-1] - self.now).total_seconds() == 960
