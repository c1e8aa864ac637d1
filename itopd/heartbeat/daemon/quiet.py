"""Tasks with nothing to do: an idle daemon starts no process for them, keeps no books and writes nearly nothing.

iTop's ExecAsyncTask is due every two seconds, InlineImageGC every second; mostly there is nothing to do. A task that
can tell (``Task.waiting``) is asked at each of its dates, and while the answer is no there is no run, no child and no
row in the ledger, and its counters stay. Its row still shows life: once a minute the date of the last look and the
next date are written to it, as iTop's administrators read them. All of this is one daemon's memory: a row that
somebody else has changed meanwhile is looked at anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from itopd.heartbeat.looking import Due
from itopd.heartbeat.schedules.wall_clock import whole_second
from itopd.heartbeat.world import AWAY, Heartbeat
from itopd.state import RowChange, RunState, Subject, TaskRow

SHOWN_EVERY: Final = timedelta(seconds=60)
"""How often the row of a quiet task is written, and the longest that a quiet task is not asked."""


@dataclass(frozen=True, slots=True)
class _Asleep:
    """A task that had nothing to do."""

    due: Due
    ask_at: datetime
    """When to ask again, UTC."""


class QuietTasks:
    """The tasks of one daemon that are due and have nothing to do; used by one thread at a time."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self._asleep: dict[Subject, _Asleep] = {}
        self._shown: dict[Subject, datetime] = {}
        """When the row of a task was last written here."""
        self._unable: set[Subject] = set()
        """Tasks whose question fails; said once."""

    @property
    def next_at(self) -> datetime | None:
        """Return when the next of them is to be asked."""
        return min((one.ask_at for one in self._asleep.values()), default=None)

    def next_of_others(self, later: Mapping[Subject, datetime]) -> datetime | None:
        """Return when the next thing becomes due that does not sleep."""
        return min((date for subject, date in later.items() if subject not in self._asleep), default=None)

    def awake(self, due: Sequence[Due], later: Mapping[Subject, datetime]) -> list[Due]:
        """Return those of all that is due that have something to do; the others sleep on.

        ``later`` is what becomes due when: one that was put to sleep until its date is not looked at again for that.
        Raises what a database raises that is away.
        """
        now = self._heartbeat.clock.now()
        known = self._asleep
        self._asleep = {subject: one for subject, one in known.items() if later.get(subject) == one.ask_at}
        awake = []
        for item in due:
            before = known.get(item.entry.subject)
            if before is not None and _dates(before.due.row) != _dates(item.row):
                before = None
            if before is not None and timedelta(0) < before.ask_at - now <= SHOWN_EVERY:
                self._asleep[item.entry.subject] = replace(before, due=replace(item, planned=before.due.planned))
                continue
            current = item if before is None or before.ask_at > now else replace(item, planned=before.ask_at)
            if self._has_work(current, now):
                awake.append(current)
        return awake

    def somebody_woke(self) -> bool:
        """Ask those whose time has come; return whether one of them has something to do. Raises as :meth:`awake`."""
        now = self._heartbeat.clock.now()
        for item in [one for one in self._asleep.values() if one.ask_at <= now]:
            if self._has_work(replace(item.due, planned=item.ask_at), now):
                self._asleep[item.due.entry.subject] = item
                return True
        return False

    def _has_work(self, due: Due, now: datetime) -> bool:
        """Ask one task, unless it has to run in any case; put it to sleep when it has nothing to do."""
        head = due.head
        if due.entry.waiting is None or due.resumes or (head is not None and head.run.state is RunState.FAILED):
            return True  # after a failure there may be something to clean up that the question does not know
        self._asleep.pop(due.entry.subject, None)
        answer = self._answer(due)
        if answer is True or (answer is not False and answer <= now):
            return True
        ask_at = due.entry.schedule.next(due.planned, now, self._heartbeat.zone)
        if ask_at <= now:  # the grid has a point in the present second, which is the one that was just looked at
            ask_at = due.entry.schedule.next(ask_at, now, self._heartbeat.zone)
        if answer is not False:
            ask_at = max(ask_at, min(whole_second(answer), whole_second(now) + SHOWN_EVERY))
        self._sleep(due, ask_at.astimezone(UTC), now)
        return False

    def _answer(self, due: Due) -> bool | datetime:
        assert due.entry.waiting is not None  # noqa: S101 - the caller looked
        try:
            answer = due.entry.waiting()
        except AWAY:
            raise
        except Exception:  # reported here, and by the run that now begins and meets it again
            if due.entry.subject not in self._unable:
                self._unable.add(due.entry.subject)
                self._heartbeat.log.exception("task_cannot_tell", name=due.entry.subject.name)
            return True
        self._unable.discard(due.entry.subject)
        return answer

    def _sleep(self, due: Due, ask_at: datetime, now: datetime) -> None:
        """Remember when to ask again, and let the row show it when it has not for a minute."""
        subject, shown = due.entry.subject, self._shown.get(due.entry.subject)
        if shown is None or not timedelta(0) <= now - shown < SHOWN_EVERY or ask_at - now > SHOWN_EVERY / 2:
            change: RowChange = {"next_run_date": ask_at, "latest_run_date": whole_second(now)}
            due.entry.rows.update_seen(due.row, change)
            self._shown[subject] = now
            due = replace(due, row=replace(due.row, **change))
        self._asleep[subject] = _Asleep(due, ask_at)


def _dates(row: TaskRow) -> tuple[datetime | None, datetime | None]:
    return row.next_run_date, row.latest_run_date
