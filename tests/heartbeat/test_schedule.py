"""When things run: grids, weekly days, cron text, on ordinary days and on those when the clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.clock import to_itop
from itopd.errors import SettingsError
from itopd.heartbeat.schedules.cron_text import CronText
from itopd.heartbeat.schedules.schedule import Periodic, backed_off, parse_schedule
from itopd.heartbeat.schedules.wall_clock import disambiguated, end_of_gap, is_skipped, moved_forward, parked
from itopd.heartbeat.schedules.weekly import Weekly

PARIS = ZoneInfo("Europe/Paris")

zones = st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo)
instants = st.integers(0, 40 * 366 * 86400).map(
    lambda seconds: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


def local(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS, fold=fold).astimezone(UTC)


def shown(instant: datetime) -> str:
    return to_itop(instant, PARIS)


class TestPeriodic:
    @given(st.integers(1, 90_000).filter(lambda seconds: seconds % 86400), instants, st.integers(-100_000, 10**9))
    def test_next_is_the_first_grid_point_not_before_now(self, period: int, planned: datetime, late: int) -> None:
        now = planned + timedelta(seconds=late)
        following = Periodic(period).next(planned, now, PARIS)
        assert (following - planned) % timedelta(seconds=period) == timedelta(0)
        assert following > planned
        assert following >= now
        assert following - timedelta(seconds=period) <= planned or following - timedelta(seconds=period) < now

    @given(zones, instants, st.sampled_from([1, 2, 7, 60, 90, 600, 86_399, 86_400, 172_800]), st.floats(-3, 60))
    def test_next_is_what_adding_the_period_again_and_again_gives(
        self, zone: ZoneInfo, planned: datetime, period: int, periods: float
    ) -> None:
        """iTop's own loop, in elapsed time, or on the wall clock for whole days."""
        now = planned + timedelta(seconds=int(periods * period))
        for count in range(1, 64):
            if period % 86_400:
                slow = planned + timedelta(seconds=period * count)
            else:
                wall = planned.astimezone(zone).replace(tzinfo=None)
                slow = moved_forward(wall + timedelta(seconds=period * count), zone)
            if slow >= now:
                break
        assert Periodic(period).next(planned, now, zone) == slow

    @given(zones, instants, st.integers(1, 90_000), st.lists(st.integers(-7200, 7200), min_size=1, max_size=10))
    def test_whatever_the_clock_does_the_grid_only_moves_on(
        self, zone: ZoneInfo, planned: datetime, period: int, jumps: list[int]
    ) -> None:
        now = planned
        for jump in jumps:
            now += timedelta(seconds=jump)
            following = Periodic(period).next(planned, now, zone)
            assert following > planned
            assert following >= now
            if period % 86_400:
                assert (following - planned) % timedelta(seconds=period) == timedelta(0)
            planned = following

    def test_a_grid_point_in_the_present_second_is_kept(self) -> None:
        now = local("2027-02-10 10:00:30") + timedelta(milliseconds=700)
        assert shown(Periodic(10).next(local("2027-02-10 10:00:00"), now, PARIS)) == "2027-02-10 10:00:30"

    def test_six_years_of_outage_cost_nothing(self) -> None:
        planned, now = local("2021-01-01 00:00:00"), local("2027-01-01 00:00:03")
        assert shown(Periodic(7).next(planned, now, PARIS)) == "2027-01-01 00:00:07"

    @given(zones, instants, st.integers(1, 3), st.integers(0, 100))
    def test_whole_days_keep_their_time_on_the_wall(
        self, zone: ZoneInfo, planned: datetime, days: int, late: int
    ) -> None:
        now = planned + timedelta(days=late, hours=5)
        following = Periodic(days * 86400).next(planned, now, zone)
        wall, planned_wall = (instant.astimezone(zone).replace(tzinfo=None) for instant in (following, planned))
        assert following > planned
        assert following >= now
        wanted = datetime.combine(wall.date(), planned_wall.time())
        if not is_skipped(wanted, zone) and (wall.date() - planned_wall.date()).days % days == 0:
            assert wall == wanted

    def test_no_hour_is_lost_when_the_clock_goes_back(self) -> None:
        planned, now = local("2027-10-31 02:59:58"), local("2027-10-31 02:59:59")
        assert Periodic(2).next(planned, now, PARIS) == local("2027-10-31 02:00:00", fold=1)

    def test_a_period_of_zero_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="at least 1 second"):
            Periodic(0)


class TestWeekly:
    @given(zones, instants, st.sets(st.integers(0, 6), min_size=1), st.times())
    def test_the_next_occurrence_is_ahead_and_on_a_listed_day(
        self, zone: ZoneInfo, now: datetime, days: set[int], at: time
    ) -> None:
        schedule = Weekly(True, frozenset(days), f"{at:%H:%M}")
        following = schedule.next(now, now, zone)
        wall = following.astimezone(zone)
        assert following > now
        assert following - now < timedelta(days=9)
        wanted = datetime.combine(wall.date(), at)
        if not is_skipped(wanted.replace(second=0, microsecond=0), zone) and f"{wall:%H:%M}" == f"{at:%H:%M}":
            assert wall.weekday() in days

    @given(zones, instants, st.sets(st.integers(0, 6), min_size=1), st.times())
    def test_no_listed_day_is_passed_over(self, zone: ZoneInfo, now: datetime, days: set[int], at: time) -> None:
        wall = now.astimezone(zone)
        text = f"{at:%H:%M}"
        ahead = (wall.date() + timedelta(days=count) for count in range(8))
        day = next(
            day for day in ahead if day.weekday() in days and (day > wall.date() or wall.strftime("%H:%M") < text)
        )
        wanted = moved_forward(datetime.combine(day, at.replace(second=0, microsecond=0)), zone, "second")
        assert Weekly(True, frozenset(days), text).occurrence(now, zone) == wanted

    def test_hours_above_23_overflow_into_the_next_day(self) -> None:
        schedule = Weekly.of_settings("itop-backup", {"week_days": "monday", "time": "29:30"}, "23:30")
        assert shown(schedule.occurrence(local("2027-02-08 10:00:00"), PARIS)) == "2027-02-09 05:30:00"

    def test_the_missing_hour_moves_on_and_the_repeated_hour_means_its_second_pass(self) -> None:
        schedule = Weekly.of_settings("itop-backup", {"time": "02:30"}, "23:30")
        assert shown(schedule.occurrence(local("2027-03-27 10:00:00"), PARIS)) == "2027-03-28 03:30:00"
        assert schedule.occurrence(local("2027-10-30 10:00:00"), PARIS) == local("2027-10-31 02:30:00", fold=1)

    def test_a_time_with_seconds_does_not_run_twice_in_its_minute(self) -> None:
        schedule = Weekly.of_settings("itop-backup", {"time": "09:30:45"}, "23:30")
        planned = local("2027-02-08 09:30:00")
        assert shown(schedule.next(planned, planned + timedelta(seconds=2), PARIS)) == "2027-02-09 09:30:00"

    def test_disabled_is_parked(self) -> None:
        schedule = Weekly.of_settings("itop-backup", {"enabled": "0"}, "23:30")
        assert schedule.first(local("2027-02-08 09:30:00"), PARIS) == parked(PARIS)
        assert shown(parked(PARIS)) == "3000-01-01 00:00:00"

    @pytest.mark.parametrize("text", ["9:30", "0930", "09:60", "at 09:30", ""])
    def test_a_wrong_time_is_refused_by_name(self, text: str) -> None:
        with pytest.raises(SettingsError, match="itop-backup: wrong format for setting 'time'"):
            Weekly.of_settings("itop-backup", {"time": text}, "23:30")


class TestCronText:
    @pytest.mark.parametrize(
        ("text", "now", "following"),
        [
            ("0 2 * * *", "2027-02-10 01:59:59", "2027-02-10 02:00:00"),
            ("0 2 * * *", "2027-02-10 02:00:00", "2027-02-11 02:00:00"),
            ("*/15 * * * *", "2027-02-10 10:01:00", "2027-02-10 10:15:00"),
            ("5,35 8-17/3 * * *", "2027-02-10 11:36:00", "2027-02-10 14:05:00"),
            ("0 0 * * 0", "2027-02-10 10:00:00", "2027-02-14 00:00:00"),
            ("0 0 * * 7", "2027-02-10 10:00:00", "2027-02-14 00:00:00"),
            ("0 0 * * fri-sun", "2027-02-13 10:00:00", "2027-02-14 00:00:00"),
            ("0 0 * * sun-sun", "2027-02-10 10:00:00", "2027-02-14 00:00:00"),
            ("0 0 13 * fri", "2027-02-10 10:00:00", "2027-02-12 00:00:00"),
            ("0 0 13 * fri", "2027-02-12 10:00:00", "2027-02-13 00:00:00"),
            ("0 0 */2 * mon", "2027-02-10 10:00:00", "2027-02-15 00:00:00"),
            ("0 0 29 feb *", "2027-02-10 10:00:00", "2028-02-29 00:00:00"),
            ("0 0 31 JAN-DEC *", "2027-02-10 10:00:00", "2027-03-31 00:00:00"),
            ("@daily", "2027-02-10 10:00:00", "2027-02-11 00:00:00"),
            ("@Hourly", "2027-02-10 10:00:00", "2027-02-10 11:00:00"),
            ("@weekly", "2027-02-10 10:00:00", "2027-02-14 00:00:00"),
            ("@monthly", "2027-02-10 10:00:00", "2027-03-01 00:00:00"),
            ("@yearly", "2027-02-10 10:00:00", "2028-01-01 00:00:00"),
        ],
    )
    def test_the_next_time_is_that_of_cron_5(self, text: str, now: str, following: str) -> None:
        assert shown(CronText.parse(text).after(local(now), PARIS)) == following

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("", "found 0"),
            ("* * * *", "five fields"),
            ("60 * * * *", "minute '60' is wrong: 60 is not in 0-59"),
            ("* * 0 * *", "day of month '0'"),
            ("* * * * mon-sux", "'sux' is no number or name"),
            ("* 9-5 * * *", "hour '9-5' is wrong: the range runs backwards"),
            ("*/0 * * * *", "a step is at least 1"),
            ("5/15 * * * *", "'5-59/15'"),
            ("0 0 30 2 *", "never run"),
            ("@reboot", "unknown word @reboot"),
            ("every 5", "after 'every'"),
            ("every 0m", "at least 1 second"),
            ("- * * * *", "'' is no number"),
            ("1,,2 * * * *", "'' is no number"),
        ],
    )
    def test_a_wrong_text_is_refused_with_its_field(self, text: str, complaint: str) -> None:
        with pytest.raises(SettingsError, match=complaint):
            parse_schedule(text)

    @given(st.text(st.sampled_from("0123456789*/-, monjafe@"), max_size=30))
    def test_any_text_is_a_schedule_or_a_settings_error(self, text: str) -> None:
        try:
            schedule = parse_schedule(text)
        except SettingsError:
            return
        now = local("2027-02-10 10:00:00")
        assert schedule.next(now, now, PARIS) > now

    def test_a_skipped_time_runs_once_at_the_first_minute_after_the_gap(self) -> None:
        schedule = CronText.parse("0,30 2 * * *")
        ran = schedule.after(local("2027-03-27 10:00:00"), PARIS)
        assert shown(ran) == "2027-03-28 03:00:00"
        assert shown(schedule.after(ran, PARIS)) == "2027-03-29 02:00:00"

    def test_a_repeated_time_runs_once(self) -> None:
        schedule = CronText.parse("30 2 * * *")
        ran = schedule.after(local("2027-10-30 10:00:00"), PARIS)
        assert ran == local("2027-10-31 02:30:00", fold=0)
        assert shown(schedule.after(ran, PARIS)) == "2027-11-01 02:30:00"

    def test_every_hour_goes_on_through_the_repeated_hour(self) -> None:
        schedule = CronText.parse("*/30 * * * *")
        at, times = local("2027-10-31 01:45:00"), []
        for _ in range(6):
            at = schedule.after(at, PARIS)
            times.append(at)
        assert [after - before for before, after in pairwise(times)] == [timedelta(minutes=30)] * 5

    @given(zones, instants, st.integers(0, 59), st.integers(0, 23))
    def test_a_daily_time_runs_exactly_once_on_every_day_of_every_zone(
        self, zone: ZoneInfo, start: datetime, minute: int, hour: int
    ) -> None:
        schedule = CronText.parse(f"{minute} {hour} * * *")
        at, days = start, list[date]()
        for _ in range(8):
            following = schedule.after(at, zone)
            assert following > at
            wall = following.astimezone(zone).replace(tzinfo=None)
            if (wall.hour, wall.minute) != (hour, minute):  # only because the clock never showed it
                day = wall.date() if (wall.hour, wall.minute) > (hour, minute) else wall.date() - timedelta(days=1)
                skipped = datetime.combine(day, time(hour, minute))
                assert is_skipped(skipped, zone)
                assert following == end_of_gap(skipped, zone)
                days.append(day)
            else:
                days.append(wall.date())
            at = following
        gaps = [(after - before).days for before, after in pairwise(days)]
        assert gaps == [1] * 7

    @given(zones, instants)
    def test_every_minute_is_sixty_seconds_apart_in_every_zone(self, zone: ZoneInfo, start: datetime) -> None:
        # Zones that shift by whole minutes, which all do since 1972.
        first = CronText.parse("* * * * *").after(start, zone)
        assert CronText.parse("* * * * *").after(first, zone) - first == timedelta(minutes=1)

    @given(zones, instants)
    def test_the_end_of_a_gap_is_where_the_clock_jumped(self, zone: ZoneInfo, start: datetime) -> None:
        wall = start.replace(tzinfo=None)
        if is_skipped(wall, zone):
            jump = end_of_gap(wall, zone)
            before = (jump - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
            assert before < wall < jump.astimezone(zone).replace(tzinfo=None)


class TestParsing:
    @pytest.mark.parametrize(
        ("text", "seconds"), [("every 30s", 30), ("every 5m", 300), ("EVERY 2 h", 7200), (" every  1d ", 86400)]
    )
    def test_every_takes_four_units(self, text: str, seconds: int) -> None:
        schedule = parse_schedule(text)
        assert schedule == Periodic(seconds)
        assert parse_schedule(schedule.text) == schedule


def test_repeated_failures_back_off_up_to_an_hour() -> None:
    now = local("2027-02-10 10:00:00")
    soon = now + timedelta(seconds=2)
    pauses = [(backed_off(soon, failures, now) - now).total_seconds() for failures in (1, 2, 3, 4, 8, 9, 100)]
    assert pauses == [2, 2, 60, 120, 1920, 3600, 3600]
    assert backed_off(now + timedelta(days=1), 5, now) == now + timedelta(days=1)


def test_the_ledger_tells_the_two_passes_of_a_repeated_hour_apart() -> None:
    first, second = local("2027-10-31 02:10:00"), local("2027-10-31 02:10:00", fold=1)
    assert disambiguated(first, second, PARIS) == second
    assert disambiguated(first, first + timedelta(minutes=1), PARIS) == first
    assert disambiguated(first, None, PARIS) == first
