"""What iTop's cron.php prints, line by line (``spec/heartbeat.md`` §2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from itopd.clock import to_itop
from itopd.errors import ItopdError
from itopd.heartbeat.executing.records import RunReport
from itopd.heartbeat.seeing.table import planned_table, status_table
from itopd.state import TaskRow

_STARTING, _ENDED, _SKIPPING = 49, 42, 40
"""Widths that names are padded to."""


@dataclass(frozen=True, slots=True)
class CronLines:
    """Prints what happens when ``verbose``, and always what ends a heartbeat early."""

    write: Callable[[str], None]
    """Takes text with its line feeds."""
    zone: ZoneInfo
    verbose: bool

    def begin(self, seconds: int, pause: int) -> None:
        """Say how long it goes on."""
        self._say(f"Planned duration = {seconds} seconds", f"Loop pause = {pause} seconds")

    def created(self, rows: Iterable[TaskRow]) -> None:
        """Tell of rows that were made."""
        for row in rows:
            planned = self._date(row.next_run_date)
            self._say(f"Creating record for: {row.class_name}", f"First execution planned at: {planned}")

    def processes(self, names: Sequence[str]) -> None:
        """Name the tasks."""
        self._say(f"Background processes: {', '.join(names)}")

    def problem(self, text: str) -> None:
        """Tell what keeps a task from running."""
        self._say(f"TO DO: {text}")

    def planned(self, rows: Sequence[TaskRow], now: datetime) -> None:
        """Show what is due."""
        self._say(f"{len(rows)} Tasks planned to run now ({self._date(now)}):")
        self._print(planned_table(rows, self.zone))

    def starting(self, name: str, now: datetime) -> None:
        """Tell that a task begins."""
        self._say(f">> === {self._date(now)} Starting:{f' {name} ':=<{_STARTING}}")

    def elsewhere(self, name: str) -> None:
        """Tell that another process is at work on a task."""
        self._say(f"{name}: another process has taken it up")

    def message(self, name: str, report: RunReport) -> None:
        """Tell what came of a task; errors that nobody foresaw are iTop's fatal ones."""
        error = next(iter(report.error.splitlines()), "")
        if report.handed_back:
            self._say(f"{name}: handed back ({error})")
        elif report.succeeded:
            self._say(*([f"{name}: {report.message}"] if report.message else []))
        elif report.exit_code == ItopdError.exit_code:
            self._say(f"ERROR : an exception was thrown when processing '{name}' (error_code=0, message=\"{error}\")")
        else:
            self._say(f"{name}: Processing failed with message: {error}")

    def ended(self, name: str, now: datetime, next_run: datetime | None) -> None:
        """Tell that a task has ended, and when it is due again."""
        self._say(f"<< === {self._date(now)} End of:  {f' {name} ':=<{_ENDED}} Next: {self._date(next_run)}")

    def away(self, name: str, reason: str) -> None:
        """Tell that the database went away."""
        self.write(f"ERROR : '{reason}' thrown when processing {name}  (error_code=2006)\n")

    def skipped(self, rows: Iterable[TaskRow]) -> None:
        """Tell when the other tasks are due, by date."""
        self._say("--")
        for row in (row for row in _by_date(rows) if row.next_run_date is not None):
            self._say(f"-- Skipping task: {f'{row.class_name} ':-<{_SKIPPING}} until: {self._date(row.next_run_date)}")
        self._say("Sleeping...", "")

    def end(self, rows: Sequence[TaskRow], exceeded: int) -> None:
        """Show all tasks by date."""
        self._say("")
        self._print(status_table(_by_date(rows), self.zone))
        self._say(f"Reached normal execution time limit (exceeded by {exceeded}s)")

    def _say(self, *lines: str) -> None:
        self._print("".join(f"{line}\n" for line in lines))

    def _print(self, text: str) -> None:
        if self.verbose:
            self.write(text)

    def _date(self, instant: datetime | None) -> str:
        return "" if instant is None else to_itop(instant, self.zone)


def _by_date(rows: Iterable[TaskRow]) -> list[TaskRow]:
    """Return rows as iTop orders them: without a date first; ties keep their order."""
    return sorted(rows, key=lambda row: (row.next_run_date is not None, row.next_run_date))
