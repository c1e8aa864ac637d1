"""Job files: what they may say, and what is said when they are wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from itopd.errors import SettingsError
from itopd.heartbeat import Jobs, JobService, Periodic, load_job, load_jobs
from itopd.heartbeat.jobs.hot_folder import Watch
from itopd.heartbeat.jobs.job import synchronise_jobs
from itopd.heartbeat.jobs.plan import Misfire, Plan, Retries
from itopd.settings import ParameterFile
from itopd.state import TaskRow, TaskStatus
from tests.heartbeat.support import NOW, PARIS

GOOD = "service = export\nschedule = every 5m\noutput_file = out/{name}-{datetime}.csv\nexpression = SELECT Person\n"


def check(file: ParameterFile) -> None:
    if file.values.get("class") == "Persn":
        raise SettingsError("unknown Persn\nvalue 'Persn' of parameter 'class' is refused")


KEYS = frozenset({"error_file", "expression", "class", "csvfile", "arg_*"})
SERVICES = {
    "export": JobService("transfer", check, KEYS),
    "import": JobService("transfer", check, KEYS, feeds="csvfile", made=("error_file",)),
    "synchro_exec": JobService("synchro", check, missing="the service synchro_exec comes later"),
}


def written(folder: Path, text: str, name: str = "persons") -> Path:
    path = folder / f"{name}.params"
    path.write_text(text)
    return path


def test_a_job_is_its_parameters_file(tmp_path: Path) -> None:
    job = load_job(written(tmp_path, GOOD + "# a comment\nmax_seconds = 90\n"), SERVICES, PARIS)
    assert (job.name, job.service, job.lane, job.enabled) == ("persons", "export", "transfer", True)
    assert (job.schedule, job.max_seconds) == (Plan(Periodic(300), PARIS), 90.0)
    assert job.parameters == {"expression": "SELECT Person"}
    assert job.output_path(NOW) == "out/persons-2027-02-10_100000.csv"


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
        (GOOD + "email_to = a@example.com\n", r"persons.params:5: sending .* later release; .* use output_file"),
        (GOOD + "max_seconds = -1\n", r"persons.params:5: '-1' is no number from 1 to"),
        (GOOD + "output_file = {day}.csv\n", r"persons.params:5: unknown placeholder {day}; known are {date}, {time}"),
        (GOOD + "output_file = {date:>99}.csv\n", r"persons.params:5: unknown placeholder {date:>99}"),
        (GOOD + "output_file = {date.csv\n", r"persons.params:5: {date.csv: .*brace"),
        (GOOD + "clas = Person\n", r"persons.params:5: unknown key 'clas'; did you mean 'class'\?"),
        (GOOD + "schedul = @daily\n", r"persons.params:5: unknown key 'schedul'; did you mean 'schedule'\?"),
        (GOOD + "zzz = 1\n", r"persons.params:5: unknown key 'zzz'; remove it"),
        (GOOD + "\nclass = Persn\n", r"persons.params: unknown Persn\n.*persons.params:6: value 'Persn'"),
        (GOOD + "time = 09:30\n", r"persons.params:5: there is a schedule already; remove time"),
        ("service = export\nweek_days = monday\n", r"persons.params:2: 'time' is missing; write time = 23:30"),
        ("service = export\ntime =\n", r"persons.params:2: it is empty; write time"),
        ("service = export\ntime = 9:30\n", r"persons.params:2: '9:30' is no time of the day"),
        ("service = export\ntime = 09:30\nweek_days = mon\n", r"persons.params:3: wrong format .* \(found 'mon'\)"),
        (GOOD + "timezone = Europe/Pari\n", r"persons.params:5: there is no time zone .*; did you mean 'Europe/Paris'"),
        (GOOD + "timezone = Europe\n", r"persons.params:5: there is no time zone 'Europe'"),
        (GOOD + "timezone = ../../etc/passwd\n", r"persons.params:5: there is no time zone"),
        (GOOD + "not_before = 24:00\n", r"persons.params:5: '24:00' is no time of the day"),
        (
            "service = export\nschedule = 30 5 * * *\nnot_after = 04:00\n",
            r"persons.params:3: the schedule '30 5 \* \* \*' never falls between 00:00 and 04:00",
        ),
        (
            "service = export\ntime = 05:30\nnot_before = 06:00\n",
            r"persons.params:3: the schedule 'monday, .* 05:30' never falls between 06:00 and 23:59",
        ),
        (GOOD + "misfire = twice\n", r"persons.params:5: misfire = twice: write once or skip"),
        (GOOD + "misfire_grace = 5m\n", r"persons.params:5: it means nothing without misfire = skip"),
        (GOOD + "misfire = skip\nmisfire_grace = soon\n", r"persons.params:6: 'soon' is no length of time"),
        (GOOD + "retries = -1\n", r"persons.params:5: '-1' is no number from 0 to 1000"),
        (GOOD + "lane = fast\n", r"persons.params:5: there is no lane 'fast'; lanes are mail, tasks"),
        (GOOD + "output_file = x.csv\nkeep = 3\n", r"persons.params:6: keep needs {date} or {datetime}"),
        (GOOD + "output_file = {date}/{date}.csv\nkeep = 3\n", r"persons.params:6: keep looks into one folder"),
        ("service = import\nwatch = *.csv\n", r"persons.params:2: '\*.csv' names no folder and pattern; write watch ="),
        ("service = import\nwatch =\n", r"persons.params:2: it is empty; write watch = data/inbox/\*.csv"),
        ("service = export\nwatch = in/*.csv\n", r"persons.params:2: the service export reads no file"),
        (
            "service = import\nwatch = in/*.csv\nschedule = @daily\n",
            r"persons.params:3: files make this job run, no clock; remove schedule",
        ),
        (
            "service = import\nwatch = in/*.csv\noutput_file = x\n",
            r"persons.params:3: the report of each file is put beside it; remove output_file",
        ),
        (
            "service = import\nwatch = in/*.csv\ncsvfile = x\n",
            r"persons.params:3: watch names the files; remove csvfile",
        ),
        (
            "service = import\nwatch = in/*.csv\nerror_file = errors.csv\n",
            r"persons.params:3: each file would overwrite the one before; write \{file\} for the file's name",
        ),
        (GOOD + "watch_settle = 5s\n", r"persons.params:5: it means nothing without watch"),
        (
            "service = synchro_exec\nschedule = @daily\n",
            r"persons.params:1: the service synchro_exec comes later; write enabled = no",
        ),
    ],
)
def test_a_wrong_file_is_named_with_its_line_and_the_remedy(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        load_job(written(tmp_path, text), SERVICES, PARIS)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + "lane = fast\nretries = many\nclas = Person\n")
    with pytest.raises(SettingsError) as caught:
        load_job(path, SERVICES, PARIS)
    assert [line.split(": ")[0] for line in sorted(caught.value.message.splitlines())] == [
        f"{path}:5",
        f"{path}:6",
        f"{path}:7",
    ]


def test_arguments_win_over_the_file_and_are_named_when_they_are_wrong(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    job = load_job(path, SERVICES, PARIS, {"expression": "SELECT Server", "output_file": "x.csv"})
    assert (job.parameters, job.output_path(NOW)) == ({"expression": "SELECT Server"}, "x.csv")
    with pytest.raises(SettingsError, match=r"^--expresion: unknown key 'expresion'; did you mean 'expression'\?$"):
        load_job(path, SERVICES, PARIS, {"expresion": "SELECT Server"})


def test_a_job_of_a_service_to_come_can_be_written_but_not_enabled(tmp_path: Path) -> None:
    text = "service = synchro_exec\nschedule = @daily\nenabled = no\ndata_sources = 3\n"
    assert not load_job(written(tmp_path, text), SERVICES, PARIS).enabled


def test_every_key_of_a_job_is_understood(tmp_path: Path) -> None:
    text = """service = export
week_days = Monday, friday
time = 02:30
timezone = America/New_York
not_before = 22:00
not_after = 04:00
misfire = skip
misfire_grace = 90
retries = 5
retry_delay = 2m
max_seconds = 60
lane = tasks
output_file = {date}.csv.gz
keep = 14
arg_org = 3
"""
    job = load_job(written(tmp_path, text), SERVICES, PARIS)
    assert job.schedule.text == "monday, friday 02:30 in 22:00-04:00 America/New_York"
    assert (job.misfire, job.retries) == (Misfire(timedelta(seconds=90)), Retries(5, timedelta(minutes=2)))
    assert (job.max_seconds, job.lane, job.results.keep) == (60.0, "tasks", 14)
    assert job.parameters == {"arg_org": "3"}
    assert job.output_path(NOW) == "2027-02-10.csv.gz"
    assert f"{job.schedule.first(NOW).astimezone(job.schedule.zone)}" == "2027-02-12 02:30:00-05:00"


def test_a_job_may_watch_a_folder_instead_of_a_clock(tmp_path: Path) -> None:
    text = "service = import\nwatch = in/*.csv\nwatch_settle = 5s\nnot_after = 18:00\nclass = Person\n"
    job = load_job(written(tmp_path, text), SERVICES, PARIS)
    assert job.schedule.text == "watch in/*.csv in 00:00-18:00"
    assert job.hot_folder is not None
    assert (job.hot_folder.watch, job.hot_folder.settle_seconds) == (Watch(Path("in"), "*.csv"), 5)
    assert job.child_keys() == {"watch": "in/*.csv", "ready": "{}", "settle_seconds": "5.0", "retries": "3"}


def test_a_wrong_file_disables_only_its_own_job(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "b")
    written(tmp_path, "service = nothing\n", "a")
    written(tmp_path, GOOD, "with blank")
    (tmp_path / "notes.txt").write_text("not a job")
    jobs = load_jobs(tmp_path, SERVICES, PARIS)
    assert [job.name for job in jobs.jobs] == ["b"]
    assert [broken.name for broken in jobs.broken] == ["a", "with blank"]
    assert "rename the file" in jobs.broken[1].problem


def test_a_missing_folder_holds_no_jobs(tmp_path: Path) -> None:
    assert load_jobs(tmp_path / "none", SERVICES, PARIS) == Jobs()


class TestRows:
    def jobs(self, folder: Path, text: str = GOOD) -> Jobs:
        written(folder, text)
        return load_jobs(folder, SERVICES, PARIS)

    def test_a_new_job_gets_a_row_and_every_runs_at_once(self, tmp_path: Path) -> None:
        created, changed = synchronise_jobs(self.jobs(tmp_path), [], NOW)
        assert created == [TaskRow("persons", next_run_date=NOW, schedule="every 5m")]
        assert changed == []

    def test_an_unchanged_job_keeps_its_date(self, tmp_path: Path) -> None:
        row = TaskRow("persons", next_run_date=NOW + timedelta(hours=1), schedule="every 5m")
        assert synchronise_jobs(self.jobs(tmp_path), [row], NOW) == ([], [])

    def test_a_changed_schedule_is_planned_anew(self, tmp_path: Path) -> None:
        row = TaskRow("persons", next_run_date=NOW + timedelta(days=1), schedule="0 2 * * *")
        _, changed = synchronise_jobs(self.jobs(tmp_path), [row], NOW)
        assert changed == [
            ("persons", {"next_run_date": NOW, "schedule": "every 5m"}),
        ]

    def test_a_changed_zone_or_window_is_planned_anew(self, tmp_path: Path) -> None:
        text = "service = export\nschedule = 0 2 * * *\n"
        for more in ("timezone = Asia/Tokyo\n", "not_after = 03:00\n"):
            (row,), _ = synchronise_jobs(self.jobs(tmp_path, text), [], NOW)
            _, changed = synchronise_jobs(self.jobs(tmp_path, text + more), [row], NOW)
            assert [name for name, _ in changed] == ["persons"]

    def test_a_disabled_or_deleted_job_is_removed_and_planned_anew_when_it_comes_back(self, tmp_path: Path) -> None:
        rows = [TaskRow("persons", schedule="every 5m"), TaskRow("gone", schedule="every 5m")]
        _, changed = synchronise_jobs(self.jobs(tmp_path, GOOD + "enabled = no\n"), rows, NOW)
        assert changed == [("persons", {"status": TaskStatus.REMOVED}), ("gone", {"status": TaskStatus.REMOVED})]
        removed = TaskRow("persons", schedule="every 5m", status=TaskStatus.REMOVED)
        _, changed = synchronise_jobs(self.jobs(tmp_path), [removed], NOW)
        assert changed == [
            ("persons", {"next_run_date": NOW, "schedule": "every 5m", "status": TaskStatus.ACTIVE}),
        ]

    def test_a_job_that_people_paused_stays_paused(self, tmp_path: Path) -> None:
        row = TaskRow("persons", schedule="every 5m", status=TaskStatus.PAUSED)
        assert synchronise_jobs(self.jobs(tmp_path), [row], NOW) == ([], [])
        _, changed = synchronise_jobs(self.jobs(tmp_path, GOOD.replace("5m", "6m")), [row], NOW)
        assert changed == [("persons", {"next_run_date": NOW, "schedule": "every 6m"})]

    def test_a_broken_file_leaves_its_row_alone(self, tmp_path: Path) -> None:
        rows = [TaskRow("persons", schedule="every 5m")]
        assert synchronise_jobs(self.jobs(tmp_path, "service = x\n"), rows, NOW) == ([], [])
