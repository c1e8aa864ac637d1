"""What a child process does for one run: a job's result is published whole or not at all."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from itopd.errors import AccessDenied, ItopdError, MissingFile, ModelError
from itopd.heartbeat import RunOutcome, RunSpec
from itopd.settings import Settings
from itopd.state import SubjectKind
from itopd.wiring import job_services, jobs_of, open_heartbeat, perform_job
from itopd.wiring.heartbeat import perform_run
from tests.cli.calls import Place
from tests.cli.conftest import installed, prepared

__all__ = ["installed", "prepared"]

NOW = datetime.now(UTC)


@dataclass
class Control:
    """A heartbeat that asks to stop, or does not."""

    stops: bool = False
    ours: bool = True

    def is_ours(self) -> bool:
        return self.ours

    def should_stop(self) -> bool:
        return self.stops

    def progress(self, done: int, total: int | None, unit: str) -> None:
        pass

    def log(self, run_id: str, line: str) -> None:
        pass


def _settings(made: Place) -> Settings:
    return Settings.model_validate({"data_folder": made.folder, "jobs_folder": made.jobs})


def _spec(service: str, output_file: object = "", **parameters: str) -> RunSpec:
    return RunSpec(
        run_id="42", kind=SubjectKind.JOB, name="job", due=NOW, started=NOW, until=NOW + timedelta(hours=1), token=1,
        attempt=1, service=service, parameters=parameters, output_file=str(output_file),
    )  # fmt: skip


def _run(made: Place, spec: RunSpec, *, stops: bool = False) -> RunOutcome:
    return perform_job(_settings(made), spec, Control(stops))


def test_the_result_of_a_job_goes_to_its_file_whose_folder_is_made(installed: Place) -> None:
    target = installed.folder / "new" / "people.csv"
    outcome = _run(installed, _spec("export", target, expression="SELECT Person", fields="name", no_localize="1"))
    assert (outcome.succeeded, outcome.exit_code, outcome.counters["rows"]) == (True, 0, 1)
    assert target.read_text() == '"name"\n"My last name"\n'


def test_a_result_named_gz_is_compressed(installed: Place) -> None:
    target = installed.folder / "people.csv.GZ"
    outcome = _run(installed, _spec("export", target, expression="SELECT Person", fields="name", no_localize="1"))
    assert outcome.succeeded
    assert gzip.decompress(target.read_bytes()) == b'"name"\n"My last name"\n'


def test_earlier_results_beyond_those_to_keep_go_once_the_new_one_is_there(installed: Place) -> None:
    folder = installed.folder / "out"
    for name in ("2027-01-01.csv", "2027-01-02.csv", "notes.csv"):
        installed.write(f"out/{name}", "earlier")
    keys = {"output_template": f"{folder}/{{date}}.csv", "keep": "2"}

    def run(expression: str) -> RunOutcome:
        spec = _spec("export", folder / "2027-01-03.csv", expression=expression, fields="name")
        return _run(installed, replace(spec, job_keys=keys))

    with pytest.raises(ItopdError):
        run("SELECT Nonsense")
    assert sorted(path.name for path in folder.iterdir()) == ["2027-01-01.csv", "2027-01-02.csv", "notes.csv"]
    assert run("SELECT Person").succeeded
    assert sorted(path.name for path in folder.iterdir()) == ["2027-01-02.csv", "2027-01-03.csv", "notes.csv"]


def test_without_a_file_the_result_goes_nowhere(installed: Place) -> None:
    assert _run(installed, _spec("export", expression="SELECT Person", fields="name")).succeeded


def test_an_import_with_issues_is_done_and_its_report_published(installed: Place) -> None:
    file = installed.write("people.csv", "name,first_name,org_id->name\nDoe,Jane,Nowhere\n")
    target = installed.folder / "report.txt"
    spec = _spec("import", target, **{"class": "Person", "csvfile": str(file), "no_localize": "1"})
    outcome = _run(installed, spec)
    assert (outcome.succeeded, outcome.exit_code) == (True, 1)
    assert "#Issues: 1" in target.read_text()


def test_what_fails_leaves_the_last_result(installed: Place) -> None:
    target = installed.write("people.csv", "of yesterday\n")
    with pytest.raises(MissingFile):
        _run(installed, _spec("import", target, **{"class": "Person", "csvfile": "/nowhere/people.csv"}))
    assert target.read_text() == "of yesterday\n"
    assert list(installed.folder.glob(".people*")) == []


def test_a_run_that_others_may_have_taken_over_publishes_nothing(installed: Place) -> None:
    target = installed.write("people.csv", "of the process that took it over\n")
    spec = _spec("export", target, expression="SELECT Person", fields="name")
    outcome = perform_job(_settings(installed), spec, Control(ours=False))
    assert (outcome.succeeded, outcome.exit_code) == (False, 75)
    assert "its lease was not renewed" in outcome.error
    assert target.read_text() == "of the process that took it over\n"


def test_what_was_stopped_leaves_the_last_result_and_wants_to_go_on(installed: Place) -> None:
    file = installed.write("orgs.csv", "name,code\nOne,1\n")
    target = installed.write("report.txt", "of yesterday\n")
    spec = _spec("import", target, **{"class": "Organization", "csvfile": str(file), "no_localize": "1"})
    outcome = _run(installed, spec, stops=True)
    assert (outcome.succeeded, outcome.unfinished) == (False, True)
    assert target.read_text() == "of yesterday\n"
    assert installed.query("SELECT Organization WHERE name = 'One'", "id") == []


def test_with_compat_itop_too_a_refused_job_has_failed(installed: Place) -> None:
    file = installed.write("people.csv", "name,first_name,org_id->name\nDoe,Jane,Nowhere\n")
    parameters = {"csvfile": str(file), "no_localize": "1", "compat": "itop"}
    with pytest.raises(ModelError, match="Persn"):
        _run(installed, _spec("import", **parameters, **{"class": "Persn"}))
    outcome = _run(installed, _spec("import", **parameters, **{"class": "Person"}))
    assert (outcome.succeeded, outcome.exit_code, outcome.counters["issues"]) == (True, 1, 1)


def test_a_job_acts_as_the_account_that_it_names(installed: Place) -> None:
    parameters = {"expression": "SELECT Person", "fields": "name", "auth_user": "admin", "auth_pwd": "wrong"}
    with pytest.raises(AccessDenied):
        _run(installed, _spec("export", **parameters))


def test_the_process_of_a_run_reads_the_settings_itself(installed: Place) -> None:
    with open_heartbeat(_settings(installed), [str(installed.config)]) as beat:
        handed = beat.settings
    spec = _spec("export", expression="SELECT Person", fields="name")
    outcome = perform_run(
        RunSpec(**{name: getattr(spec, name) for name in spec.__slots__} | {"settings": handed}), Control()
    )
    assert outcome.succeeded


def test_a_job_is_checked_against_its_service_before_it_runs(installed: Place) -> None:
    installed.write(
        "jobs/good.params", "service = export\nschedule = every 1h\nexpression = SELECT Person\nfields = name\n"
    )
    installed.write("jobs/bad.params", "service = export\nschedule = every 1h\nexpresion = SELECT Person\n")
    jobs = jobs_of(_settings(installed))
    assert [job.name for job in jobs.jobs] == ["good"]
    [broken] = jobs.broken
    assert f"{installed.jobs}/bad.params:3" in broken.problem
    assert "did you mean 'expression'?" in broken.problem
    assert set(job_services(_settings(installed))) == {"export", "import", "synchro_exec", "synchro_import"}
