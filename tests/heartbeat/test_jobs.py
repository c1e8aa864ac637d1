"""Job files: what they may say, and what is said when they are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from itopd.errors import SettingsError
from itopd.heartbeat import Jobs, JobService, Periodic, load_job, load_jobs
from itopd.heartbeat.jobs import synchronise_jobs
from itopd.state import TaskRow, TaskStatus
from tests.heartbeat.support import NOW, PARIS

GOOD = "service = export\nschedule = every 5m\noutput_file = out/{name}-{datetime}.csv\nexpression = SELECT Person\n"


def check(parameters: Mapping[str, str]) -> None:
    if "clas" in parameters:
        raise SettingsError("unknown parameter 'clas'; did you mean 'class'?")


SERVICES = {"export": JobService("transfer", check), "import": JobService("transfer", check)}


def written(folder: Path, text: str, name: str = "persons") -> Path:
    path = folder / f"{name}.params"
    path.write_text(text)
    return path


def test_a_job_is_its_parameters_file(tmp_path: Path) -> None:
    job = load_job(written(tmp_path, GOOD + "# a comment\nmax_seconds = 90\n"), SERVICES)
    assert (job.name, job.service, job.lane, job.enabled) == ("persons", "export", "transfer", True)
    assert (job.schedule, job.max_seconds) == (Periodic(300), 90.0)
    assert job.parameters == {"expression": "SELECT Person"}
    assert job.output_path(NOW, PARIS) == "out/persons-2027-02-10_100000.csv"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("schedule = every 5m\n", r"persons.params: 'service' is missing"),
        ("service = export\n", r"persons.params: 'schedule' is missing; write schedule = 'every 5m'"),
        ("service =\nschedule = every 5m\n", r"persons.params:1: 'service' is missing"),
        (
            "service = exprot\nschedule = every 5m\n",
            r"persons.params:1: unknown service 'exprot'; known are export, import",
        ),
        (
            "service = export\n\nschedule = 61 * * * *\n",
            r"persons.params:3: schedule '61 \* \* \* \*': the minute '61'",
        ),
        (GOOD + "enabled = perhaps\n", r"persons.params:5: enabled = perhaps is neither yes nor no"),
        (GOOD + "email_to = a@example.com\n", r"persons.params:5: sending .* later release; use output_file"),
        (GOOD + "max_seconds = -1\n", r"persons.params:5: max_seconds = -1 is no number"),
        (GOOD + "output_file = {day}.csv\n", r"persons.params:5: unknown placeholder {day}; known are {date}, {time}"),
        (GOOD + "output_file = {date:>99}.csv\n", r"persons.params:5: unknown placeholder {date:>99}"),
        (GOOD + "output_file = {date.csv\n", r"persons.params:5: {date.csv: .*brace"),
        (GOOD + "clas = Person\n", r"persons.params:5: unknown parameter 'clas'"),
    ],
)
def test_a_wrong_file_is_named_with_its_line_and_the_remedy(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        load_job(written(tmp_path, text), SERVICES)


def test_a_wrong_file_disables_only_its_own_job(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "b")
    written(tmp_path, "service = nothing\n", "a")
    written(tmp_path, GOOD, "with blank")
    (tmp_path / "notes.txt").write_text("not a job")
    jobs = load_jobs(tmp_path, SERVICES)
    assert [job.name for job in jobs.jobs] == ["b"]
    assert [broken.name for broken in jobs.broken] == ["a", "with blank"]
    assert "rename the file" in jobs.broken[1].problem


def test_a_missing_folder_holds_no_jobs(tmp_path: Path) -> None:
    assert load_jobs(tmp_path / "none", SERVICES) == Jobs()


class TestRows:
    def jobs(self, folder: Path, text: str = GOOD) -> Jobs:
        written(folder, text)
        return load_jobs(folder, SERVICES)

    def test_a_new_job_gets_a_row_and_every_runs_at_once(self, tmp_path: Path) -> None:
        created, changed = synchronise_jobs(self.jobs(tmp_path), [], NOW, PARIS)
        assert created == [TaskRow("persons", next_run_date=NOW, schedule="every 5m")]
        assert changed == []

    def test_an_unchanged_job_keeps_its_date(self, tmp_path: Path) -> None:
        row = TaskRow("persons", next_run_date=NOW + timedelta(hours=1), schedule="every 5m")
        assert synchronise_jobs(self.jobs(tmp_path), [row], NOW, PARIS) == ([], [])

    def test_a_changed_schedule_is_planned_anew(self, tmp_path: Path) -> None:
        row = TaskRow("persons", next_run_date=NOW + timedelta(days=1), schedule="0 2 * * *")
        _, changed = synchronise_jobs(self.jobs(tmp_path), [row], NOW, PARIS)
        assert changed == [
            ("persons", {"next_run_date": NOW, "status": TaskStatus.ACTIVE, "schedule": "every 5m"}),
        ]

    def test_a_disabled_job_is_paused_and_a_deleted_one_removed(self, tmp_path: Path) -> None:
        rows = [TaskRow("persons", schedule="every 5m"), TaskRow("gone", schedule="every 5m")]
        _, changed = synchronise_jobs(self.jobs(tmp_path, GOOD + "enabled = no\n"), rows, NOW, PARIS)
        assert changed == [("persons", {"status": TaskStatus.PAUSED}), ("gone", {"status": TaskStatus.REMOVED})]

    def test_a_broken_file_leaves_its_row_alone(self, tmp_path: Path) -> None:
        rows = [TaskRow("persons", schedule="every 5m")]
        assert synchronise_jobs(self.jobs(tmp_path, "service = x\n"), rows, NOW, PARIS) == ([], [])
