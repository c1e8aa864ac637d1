"""``itopd status``, ``ps``, ``runs`` and ``health``: what an administrator sees, by day and in the morning."""

from __future__ import annotations

import json
import signal

from tests.cli.calls import PATIENCE, Place, wait_until
from tests.cli.heartbeats import daemon, export_job


def broken_import(made: Place, name: str = "gone") -> None:
    text = "service = import\nschedule = every 1h\nclass = Person\ncsvfile = /nowhere/x.csv\n"
    made.write(f"jobs/{name}.params", text)


def test_an_installation_where_nothing_ran_yet_is_well(installed: Place) -> None:
    answer = installed.call("health")
    assert answer.code == 0
    assert answer.out.startswith("OK: ")
    assert " tasks, 0 jobs, 0 running" in answer.out
    assert "warning: no daemon (itopd run) gives a sign of life" in answer.out
    assert installed.call("ps").out == "nothing runs\n"
    assert installed.call("runs").out == "nothing ran yet\n"


def test_what_failed_last_night_is_told_with_the_way_to_see_more(installed: Place) -> None:
    broken_import(installed)
    export_job(installed, "people")
    assert installed.process("tick").code == 1
    answer = installed.call("health")
    assert answer.code == 1
    assert answer.out.startswith("PROBLEM: ")
    (problem,) = [line for line in answer.out.splitlines() if line.startswith("PROBLEM: job gone failed")]
    run_id = problem.partition("itopd runs show ")[2].rstrip(")")
    shown = installed.call("runs", "show", run_id).out
    assert "what:         job gone\n" in shown
    assert "state:        failed\n" in shown
    assert "exit code:    66\n" in shown
    assert "'/nowhere/x.csv'" in shown
    told = json.loads(installed.call("health", "--json").out)
    assert (told["healthy"], len(told["problems"])) == (False, 1)


def test_runs_are_listed_newest_first_by_name_and_by_failure(installed: Place) -> None:
    broken_import(installed)
    export_job(installed, "people")
    installed.process("tick")
    every = json.loads(installed.call("runs", "--json").out)
    assert [run["id"] for run in every] == sorted((run["id"] for run in every), reverse=True)
    assert {run["name"] for run in every} >= {"gone", "people", "ExecAsyncTask"}
    assert [run["name"] for run in json.loads(installed.call("runs", "people", "--json").out)] == ["people"]
    failed = installed.call("runs", "--failed").out.splitlines()
    assert len(failed) == 2
    assert "job gone" in failed[1]
    assert installed.call("runs", "people", "--failed").out == "no such runs\n"
    assert len(installed.call("runs", "--limit=1").out.splitlines()) == 2
    unknown = installed.call("runs", "peopel")
    assert (unknown.code, "there is no task or job 'peopel'" in unknown.err) == (64, True)
    missing = installed.call("runs", "show", "nonsense")
    assert (missing.code, "there is no run nonsense" in missing.err) == (64, True)


def test_a_daemon_is_seen_at_work_and_gone_in_good_order(installed: Place) -> None:
    export_job(installed, "people")
    with daemon(installed) as running:
        wait_until(lambda: "daemon" in installed.call("status").out, "the sign of life of the daemon")
        seen = json.loads(installed.call("status", "--json").out)
        (one,) = seen["instances"]
        assert (one["kind"], one["state"], one["problems"]) == ("daemon", "working", [])
        assert f" pid {running.pid} " in one["owner"]
        wait_until(lambda: installed.call("runs", "people", "--json").out.count('"done"') == 1, "the job")
        (run,) = json.loads(installed.call("runs", "people", "--json").out)
        wait_until(lambda: "run_finished" in installed.call("runs", "show", run["id"]).out, "the log of the run")
        log = json.loads(installed.call("runs", "show", run["id"], "--json").out)["log"]
        assert "run_started" in log[0]
        assert run["id"] not in log[0]
        answer = installed.call("health")
        assert (answer.code, answer.out.splitlines()[1:]) == (0, [])
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 0
    assert json.loads(installed.call("status", "--json").out)["instances"] == []


def test_a_killed_daemon_is_missed(installed: Place) -> None:
    with daemon(installed) as running:
        wait_until(lambda: "daemon" in installed.call("status").out, "the sign of life of the daemon")
        running.kill()
        running.wait()
    answer = installed.call("health")
    assert answer.code == 1
    assert "has ended without a word: look at its log" in answer.out


def test_the_queue_is_part_of_the_status(installed: Place) -> None:
    installed.call("mail", "enqueue", "--to=a@example.com", "--from=b@example.com", "--subject=s", "--body=b")
    assert "mails: 1 waiting, 1 of them due, the oldest for " in installed.call("status").out
    answer = installed.call("health", "--queue=-1")
    assert (answer.code, "queue of mails: 1 could be sent" in answer.out) == (1, True)
