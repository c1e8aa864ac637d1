"""``itopd tick``, ``run``, ``status`` and ``job``: what is due is done, and every end is told."""

from __future__ import annotations

import signal
import socket

import pytest

from tests.cli.calls import PATIENCE, Place, wait_until
from tests.cli.heartbeats import EXPORT, daemon, export_job
from tests.support.smtp import smtp_server


def _results(made: Place, name: str) -> list[str]:
    return [path.read_text() for path in (made.folder / "out").glob(f"{name}-????-??-??.csv")]


def test_a_tick_does_everything_that_is_due_and_then_nothing_is_due(installed: Place) -> None:
    with smtp_server() as server:
        installed.configure(email_transport="SMTP", email_transport_smtp__host="127.0.0.1")
        installed.configure(email_transport_smtp__port=server.port)
        installed.call("mail", "enqueue", "--to=a@b.example", "--from=me@b.example", "--subject=Déjà vu")
        export_job(installed, "people")
        answer = installed.process("tick")
        assert (answer.code, answer.err) == (0, "")
        done = {line.partition(": ")[0] for line in answer.out.splitlines() if ": done in " in line}
        assert len(done) == len(answer.out.splitlines())
        assert {"BulkExportResultGC", "CheckStopWatchThresholds", "ExecAsyncTask", "people"} < done
        assert not {"LogFileRotationProcess", r"Combodo\iTop\SessionTracker\SessionGC"} & done
        assert "processed 1 tasks" in answer.out
        assert [mail.message["Subject"] for mail in server.received] == ["Déjà vu"]
    assert _results(installed, "people") == ['"Last Name"\n"My last name"\n']
    assert installed.call("mail", "list").out == "the queue is empty\n"
    again = installed.call("tick", "--only=people")
    assert (again.code, again.out, again.err) == (0, "nothing is due\n", "")
    status = installed.call("status")
    assert status.code == 0
    assert "| ExecAsyncTask" in status.out
    assert "people (export, every 1h): last" in status.out
    assert not status.out.endswith("\n\n")
    listed = installed.call("job", "list").out.splitlines()[1]
    assert " bytes to " + str(installed.folder / "out" / "people-") in installed.call("runs", "people").out
    assert listed.split()[:4] == ["people", "export", "every", "1h"]
    assert listed.endswith("done")


def test_a_tick_of_one_job_is_not_blamed_for_another_that_is_broken(installed: Place) -> None:
    export_job(installed, "people")
    installed.write("jobs/broken.params", "service = exprt\nschedule = every 1h\n")
    answer = installed.call("tick", "--only=people")
    assert (answer.code, "TO DO" in answer.out) == (0, False)
    answer = installed.call("tick", "--only=broken")
    assert answer.code == 1
    assert "unknown service 'exprt'" in answer.out


def test_jobs_that_fail_and_jobs_that_are_broken_end_a_tick_with_1(installed: Place) -> None:
    export_job(installed, "people")
    installed.write(
        "jobs/gone.params", "service = import\nschedule = every 1h\nclass = Person\ncsvfile = /nowhere/x.csv\n"
    )
    placeless = EXPORT.format(schedule="every 1h", file=f"{installed.config}/people.csv")
    installed.write("jobs/placeless.params", placeless)
    broken = installed.write("jobs/broken.params", "service = exprt\nschedule = every 1h\n")
    answer = installed.process("tick")
    assert answer.code == 1
    assert "gone: FAILED (66) in" in answer.out
    assert "'/nowhere/x.csv'" in answer.out
    assert "placeless: FAILED (66) in" in answer.out
    assert f"the folder of output_file {installed.config}/people.csv cannot be made (File exists)" in answer.out
    problem = f"{broken}:1: unknown service 'exprt'; known are export, import"
    assert f"TO DO: {problem}" in answer.out
    assert "people: done" in answer.out
    assert _results(installed, "people")
    status = installed.call("status")
    assert status.code == 1
    assert problem in status.out
    listed = installed.call("job", "list")
    assert f"TO DO: {problem}" in listed.out
    assert "failed" in listed.out


def test_a_job_is_run_now_on_request(installed: Place) -> None:
    export_job(installed, "people", "0 3 1 1 *")
    answer = installed.process("job", "run", "people")
    assert answer.code == 0, answer
    assert (answer.out, answer.err.startswith("people: done in ")) == ("", True)
    assert len(_results(installed, "people")) == 1


def test_a_job_that_cannot_be_run_is_refused(installed: Place) -> None:
    export_job(installed, "people")
    installed.write("jobs/broken.params", "service = exprt\nschedule = every 1h\n")
    export_job(installed, "resting")
    installed.write("jobs/resting.params", installed.read("jobs/resting.params") + "enabled = no\n")
    for name, problem in {
        "nonsense": "there is no job 'nonsense'; the jobs are: people, resting",
        "broken": "unknown service 'exprt'",
        "resting": "the job is disabled",
    }.items():
        answer = installed.call("job", "run", name)
        assert (answer.code, answer.out) == (64, ""), answer
        assert problem in answer.err


def test_a_tick_limited_to_an_unknown_name_is_refused(installed: Place) -> None:
    answer = installed.call("tick", "--only=ExecAsyncTsk")
    assert (answer.code, answer.out) == (64, "")
    assert "there is no task or job 'ExecAsyncTsk'; there are: CheckStopWatchThresholds, " in answer.err


@pytest.mark.parametrize(
    ("marker", "words", "code"),
    [
        (".maintenance", ("tick",), 69),
        (".maintenance", ("export", "--expression=SELECT Person", "--fields=name"), 69),
        (".readonly", ("tick",), 69),
        (".readonly", ("job", "run", "people"), 69),
        (".readonly", ("import", "--class=Person", "--csvfile=x.csv"), 69),
        (".readonly", ("export", "--expression=SELECT Person", "--fields=name"), 0),
    ],
)
def test_maintenance_and_read_only_are_respected(
    installed: Place, marker: str, words: tuple[str, ...], code: int
) -> None:
    export_job(installed, "people")
    before = installed.call("status").out
    installed.write(marker, "")
    answer = installed.call(*words)
    assert answer.code == code
    assert (marker in answer.err) is (code == 69)
    after = installed.call("status").out.splitlines(keepends=True)
    (told,) = [line for line in after if line.startswith("Nothing begins: ")]
    assert marker in told
    assert "".join(line for line in after if line != told) == before


def test_without_jobs_it_says_so(installed: Place) -> None:
    assert installed.call("job", "list").out == f"no jobs in {installed.jobs}\n"


@pytest.mark.parametrize("words", [("tick",), ("status",), ("job", "list"), ("mail", "list")])
def test_a_database_that_is_away_ends_it_with_69(installed: Place, words: tuple[str, ...]) -> None:
    installed.configure(database_url="mysql://root@127.0.0.1:1/x", state_url=f"sqlite:///{installed.folder}/s.db")
    answer = installed.call(*words)
    assert (answer.code, answer.out) == (69, "")
    assert answer.err.startswith("itopd: cannot open database 'x' at 127.0.0.1:1")
    assert len(answer.err.splitlines()) == 1


def test_the_daemon_runs_what_is_due_reloads_on_sighup_and_drains_on_sigterm(installed: Place) -> None:
    export_job(installed, "first")
    with daemon(installed) as running:
        wait_until(lambda: _results(installed, "first"), "the first job")
        export_job(installed, "second")
        running.send_signal(signal.SIGHUP)
        wait_until(lambda: _results(installed, "second"), "the job that SIGHUP brought")
        installed.write("jobs/broken.params", "service = exprt\n")
        running.send_signal(signal.SIGHUP)
        wait_until(lambda: "job_broken" in installed.read("started.err"), "the report of the broken job")
        assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 0
    log = installed.read("started.err")
    assert "daemon_stopped" in log
    assert "Traceback" not in log
    assert log.count("run_started") == log.count("run_finished")
    assert "Running now: nothing" in installed.call("status").out


def test_the_daemon_stops_on_ctrl_c_and_logs_json_where_asked(installed: Place) -> None:
    installed.configure(log_format="json")
    with daemon(installed) as running:
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE) == 0
    assert all(line.startswith("{") for line in installed.read("started.err").splitlines())


def test_lanes_and_workers_that_are_not_set_up_are_said_so(installed: Place) -> None:
    answer = installed.call("worker")
    assert answer.code == 64
    assert "no lane has workers: write lane_transfer_executor = celery" in answer.err
    installed.configure(lane_transfer_executor="celery")
    answer = installed.call("tick")
    assert answer.code == 64
    assert "write celery_broker_url = " in answer.err or "pip install 'itopd[celery]'" in answer.err
    installed.configure(lane_transfer_executor="somewhere")
    assert "lane_transfer_executor" in installed.call("tick").err


def test_status_and_tick_say_that_the_broker_is_away(installed: Place) -> None:
    pytest.importorskip("celery", reason="needs the extra celery")
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    installed.configure(lane_transfer_executor="celery", celery_broker_url=f"amqp://me:secret@127.0.0.1:{port}//")
    export_job(installed, "people")
    answer = installed.call("tick", "--only=people")
    assert answer.code == 1
    assert "people: waits for a worker\n" in answer.out
    assert f"TO DO: the broker amqp://me:**@127.0.0.1:{port}// (celery_broker_url) does not answer" in answer.out
    status = installed.call("status")
    assert status.code == 1
    assert "job people queued: waits for a worker" in status.out
    assert "(celery_broker_url) does not answer" in status.out
    assert "secret" not in answer.out + answer.err + status.out + status.err
    assert "the lane mail has no workers" in installed.call("worker", "--lane=mail").err
