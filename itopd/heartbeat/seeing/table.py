"""The status table that iTop's cron.php prints, byte for byte (``spec/heartbeat.md`` §2)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from itopd.clock import to_itop
from itopd.state import TaskRow

_BORDER = "+---------------------------+---------+---------------------+---------------------+--------+-----------+"
_HEADER = "| Task Class                | Status  | Last Run            | Next Run            | Nb Run | Avg. Dur. |"
_NARROW = len("+---------------------------+---------+---------------------+---------------------+")


def status_table(rows: Iterable[TaskRow], zone: ZoneInfo) -> str:
    """Return the table in the order of ``rows``, each line ended by a line feed."""
    lines = [_BORDER, _HEADER, _BORDER, *(_line(row, zone) for row in rows), _BORDER]
    return "".join(f"{line}\n" for line in lines)


def planned_table(rows: Iterable[TaskRow], zone: ZoneInfo) -> str:
    """Return the narrower table of what is due, without counters."""
    border, header = _BORDER[:_NARROW], _HEADER[:_NARROW]
    lines = [border, header, border, *(_joined(_names_and_dates(row, zone)) for row in rows), border]
    return "".join(f"{line}\n" for line in lines)


def by_class_name(rows: Iterable[TaskRow]) -> list[TaskRow]:
    """Return rows as ``status_only`` orders them: by class name, upper and lower case alike."""
    return sorted(rows, key=lambda row: row.class_name.lower())


def _line(row: TaskRow, zone: ZoneInfo) -> str:
    counters = (f"{row.total_exec_count:>6}", f"{row.average_run_duration!s:>7} s")
    return _joined((*_names_and_dates(row, zone), *counters))


def _names_and_dates(row: TaskRow, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        f"{row.class_name[:25]:<25}",
        f"{row.status.value:<7}",
        f"{_date(row.latest_run_date, zone):<19}",
        f"{_date(row.next_run_date, zone):<19}",
    )


def _joined(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _date(instant: datetime | None, zone: ZoneInfo) -> str:
    return "" if instant is None else to_itop(instant, zone)
