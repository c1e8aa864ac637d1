"""Which tasks exist where, and what their settings do to them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from itopd.heartbeat.schedules.wall_clock import parked
from itopd.heartbeat.tasks import SHIPPED
from itopd.settings import Settings
from itopd.wiring import tasks_of

PARIS = ZoneInfo("Europe/Paris")
FILES = {"BulkExportResultGC", "LogFileRotationProcess"}
ITOPS = {"CheckStopWatchThresholds", r"Combodo\iTop\Service\TemporaryObjects\TemporaryObjectGC"}


def names(**settings: object) -> set[str]:
    return {task.name for task in tasks_of(Settings.model_validate(settings))}


def test_every_task_goes_by_the_name_of_an_itop_process() -> None:
    assert names() <= SHIPPED
    assert names() | {r"Combodo\iTop\SessionTracker\SessionGC"} == SHIPPED


def test_attached_only_what_itopd_does_completely_can_be_taken_over(tmp_path: Path) -> None:
    assert names(attached=True, itop_root=tmp_path) == names() - ITOPS
    assert names(attached=True) == names() - ITOPS - FILES


def test_periods_come_from_the_settings() -> None:
    settings = Settings(obsolescence_date_update_interval=90, temporary_object_garbage_interval=120)
    texts = {task.name.rpartition("\\")[2]: task.schedule.text for task in tasks_of(settings) if task.schedule}
    assert texts["ObsolescenceDateUpdater"] == "every 90s"
    assert texts["TemporaryObjectGC"] == "every 2m"
    assert texts["LogFileRotationProcess"] == "monthly at midnight"


def test_a_builder_that_does_not_rotate_parks_the_rotation_an_unknown_one_disables_it() -> None:
    now = datetime(2027, 2, 10, tzinfo=UTC)

    def rotation(builder: str) -> tuple[object, str]:
        settings = Settings(log_filename_builder_impl=builder)
        (task,) = [task for task in tasks_of(settings) if task.name == "LogFileRotationProcess"]
        return task.schedule and task.schedule.next(now, now, PARIS), task.problem

    assert rotation("DefaultLogFileNameBuilder") == (parked(PARIS), "")
    date, problem = rotation("HourlyRotatingLogFileNameBuilder")
    assert date is None
    assert problem.startswith("LogFileRotationProcess: log_filename_builder_impl 'Hourly")
