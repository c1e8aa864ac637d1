"""``itopd job``: seeing and steering jobs as an administrator does."""

from __future__ import annotations

import json

from itopd.state import Owner, Subject, SubjectKind, ledger, open_state
from tests.cli.calls import Place

EXPORT = "service = export\nschedule = {schedule}\nexpression = SELECT Person\nfields = name\nno_localize = 1\n"
RESULT = '"name"\n"My last name"\n'


def job(made: Place, name: str, schedule: str = "0 2 * * *", more: str = "") -> None:
    made.write(f"jobs/{name}.params", EXPORT.format(schedule=schedule) + more)


def test_a_job_without_a_file_prints_its_result_and_tells_beside_it_how_it_went(installed: Place) -> None:
    job(installed, "people")
    answer = installed.process("job", "run", "people")
    assert (answer.code, answer.out) == (0, RESULT)
    assert answer.err.startswith("people: done in ")
    shown = json.loads(installed.call("job", "show", "people", "--json").out)
    assert shown["condition"] == "fine"
    assert shown["last runs"][0].endswith("done 1 rows, 22 bytes to the caller")
    assert len(shown["next"]) == 3


def test_keys_of_the_command_line_win_for_this_once(installed: Place) -> None:
    job(installed, "people", more="enabled = no\n")
    answer = installed.process("job", "run", "people", "--fields=first_name", "--enabled=yes", "--format=json")
    assert (answer.code, json.loads(answer.out)) == (0, [{"first_name": "My first name"}])
    answer = installed.call("job", "run", "people", "--feilds=name", "--enabled=yes")
    assert (answer.code, answer.err) == (64, "itopd: --feilds: unknown key 'feilds'; did you mean 'fields'?\n")


def test_the_exit_code_of_a_job_run_by_hand_is_that_of_its_service(installed: Place) -> None:
    missing = "service = import\nschedule = @daily\nclass = Person\ncsvfile = /nowhere.csv\n"
    installed.write("jobs/missing.params", missing)
    answer = installed.process("job", "run", "missing")
    assert (answer.code, answer.out) == (66, "")
    assert "FAILED (66)" in answer.err


def test_a_job_that_runs_elsewhere_is_busy(installed: Place) -> None:
    job(installed, "people")
    state = open_state(f"sqlite:///{installed.folder}/itopd-state.db")
    assert installed.call("tick").code == 0
    now = ledger.heads(state)[Subject(SubjectKind.TASK, "ExecAsyncTask")].run.claimed
    ledger.claim(
        state, Subject(SubjectKind.JOB, "people"), due=now, next_due=now, owner=Owner("elsewhere", 4711, "1"),
        seen=None, now=now, lease_seconds=600,
    )  # fmt: skip
    state.close()
    answer = installed.call("job", "run", "people")
    assert (answer.code, answer.out) == (75, "")
    assert "people: at work at elsewhere pid 4711" in answer.err


def test_a_paused_job_rests_through_ticks_and_changes_until_it_is_resumed(installed: Place) -> None:
    job(installed, "people", "every 1h")
    assert installed.call("job", "pause", "people").out == "people is paused; 'itopd job resume people' ends that\n"
    assert installed.call("job", "pause", "people").out == "people was paused already\n"
    job(installed, "people", "every 2h")
    assert installed.call("tick", "--only=people").out == "nothing is due\n"
    listed = json.loads(installed.call("job", "list", "--json").out)["jobs"][0]
    assert (listed["condition"], listed["next_run"], listed["schedule"]) == ("paused", None, "every 2h")
    assert installed.call("job", "next", "people").out == "people: never by itself, it is paused\n"
    assert installed.call("job", "list").out.splitlines()[1].split()[4] == "paused"
    answer = installed.call("job", "resume", "people")
    assert (answer.code, answer.out.startswith("people runs again, next at ")) == (0, True)
    answer = installed.call("job", "resume", "people")
    assert (answer.code, answer.out) == (1, "people was neither paused nor set aside\n")


def test_disabled_broken_and_unknown_jobs_cannot_be_steered(installed: Place) -> None:
    job(installed, "off", more="enabled = no\n")
    job(installed, "broken", more="fieldz = x\n")
    for word in ("pause", "resume"):
        for name, problem in {
            "off": "the job is disabled in its file; write enabled = yes there",
            "broken": "unknown key 'fieldz'; did you mean 'fields'?",
            "none": "there is no job 'none'; the jobs are: off",
        }.items():
            answer = installed.call("job", word, name)
            assert (answer.code, problem in answer.err) == (64, True), answer
    listed = json.loads(installed.call("job", "list", "--json").out)
    assert [one["condition"] for one in listed["jobs"]] == ["disabled"]
    assert listed["broken"][0]["problem"].endswith("did you mean 'fields'?")
    assert installed.call("job", "list").out.splitlines()[1].split()[-2:] == ["disabled", "never"]


def test_the_coming_times_are_told_in_the_zone_of_the_job(installed: Place) -> None:
    job(installed, "tokyo", "0 2 * * *", "timezone = Asia/Tokyo\n")
    job(installed, "paris", "0 3 * * *")
    one = json.loads(installed.call("job", "next", "tokyo", "--count=3", "--json").out)
    assert [time["at"][10:] for time in one] == ["T02:00:00+09:00"] * 3
    both = json.loads(installed.call("job", "next", "--count=4", "--json").out)
    assert sorted(time["job"] for time in both) == ["paris", "paris", "tokyo", "tokyo"]
    line = installed.call("job", "next", "tokyo", "--count=1").out.splitlines()[1].split()
    assert (line[3], line[4:]) == ("02:00:00", ["+09:00", "Asia/Tokyo"])


def test_secrets_are_not_shown(installed: Place) -> None:
    job(installed, "people", more="auth_user = admin\nauth_pwd = s3cret\n")
    for words in (("job", "show", "people"), ("job", "show", "people", "--json"), ("job", "list", "--json")):
        answer = installed.call(*words)
        assert (answer.code, "s3cret" in answer.out) == (0, False)


def test_a_watched_folder_is_worked_off_by_hand_too(installed: Place) -> None:
    inbox = installed.folder / "inbox"
    keys = f"service = import\nwatch = {inbox}/*.csv\nwatch_settle = 0\nclass = Person\nno_localize = 1\n"
    installed.write("jobs/persons.params", keys + "reconciliationkeys = name\n")
    answer = installed.call("job", "list")
    assert f"TO DO: {installed.jobs}/persons.params: {inbox} cannot be read (No such file" in answer.out
    inbox.mkdir()
    assert installed.call("job", "run", "persons").err == f"no file waits in {inbox}\n"
    (inbox / "a.csv").write_text("name,first_name,org_id->name\nDoe,Jane,My Company/Department\n")
    (inbox / "b.csv").write_text("nonsense\n1\n")
    assert json.loads(installed.call("job", "show", "persons", "--json").out)["waiting"] == f"2 files in {inbox}"
    answer = installed.process("job", "run", "persons")
    assert answer.code == 65, answer
    assert answer.out == ""
    told = [line.split(" in ")[0] for line in answer.err.splitlines() if line.startswith("persons: ")]
    assert told == ["persons: done", "persons: FAILED (65)"]
    assert sorted(path.name for path in inbox.rglob("*.csv")) == ["a.csv", "b.csv"]
    assert (inbox / "failed" / "b.csv.report.txt").read_text().startswith("ERROR (65): Unknown column: 'nonsense'")


def test_each_watched_file_has_its_own_file_of_errors(installed: Place) -> None:
    inbox, errors = installed.folder / "inbox", installed.folder / "errors"
    inbox.mkdir()
    errors.mkdir()
    keys = f"service = import\nwatch = {inbox}/*.csv\nwatch_settle = 0\nclass = Person\nno_localize = 1\n"
    installed.write("jobs/persons.params", f"{keys}reconciliationkeys = name\nerror_file = {errors}/{{file}}\n")
    for name in ("a.csv", "b.csv"):
        (inbox / name).write_text(f"name,first_name,org_id->name\n{name},Jane,Nowhere\n")
    assert installed.process("job", "run", "persons").code == 1
    assert sorted(path.name for path in errors.iterdir()) == ["a.csv", "b.csv"]
    assert "b.csv" in (errors / "b.csv").read_text()


def test_what_looks_wrong_in_a_job_file_is_told(installed: Place) -> None:
    job(installed, "people", more="retries = 1\nretries = 0\n")
    warning = f"{installed.jobs}/people.params:7: retries has another value in line 6; this one counts: keep one"
    assert f"LOOK AT: {warning}\n" in installed.call("job", "list").out
    assert json.loads(installed.call("job", "list", "--json").out)["warnings"] == [warning]
    assert f"ok     jobs: 1 in {installed.jobs}; {warning}\n" in installed.call("check").out
