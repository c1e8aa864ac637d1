"""``itopd task``: what operators do to background tasks."""

from __future__ import annotations

from itopd.state import Run, Subject, SubjectKind, ledger, open_state, this_process
from tests.cli.calls import Place

MAILS = Subject(SubjectKind.TASK, "ExecAsyncTask")


def test_a_task_that_was_set_aside_is_shown_and_released(installed: Place) -> None:
    installed.process("tick")
    _let_its_process_die_three_times(installed)
    status = installed.call("status")
    assert status.code == 1
    assert "task ExecAsyncTask is set aside since" in status.out
    assert "itopd task release 'ExecAsyncTask'" in status.out
    answer = installed.call("task", "release", "ExecAsyncTask")
    assert (answer.code, answer.out) == (0, "ExecAsyncTask is released: it runs at its next date\n")
    assert installed.call("status").code == 0
    answer = installed.call("task", "release", "ExecAsyncTask")
    assert (answer.code, answer.out) == (1, "ExecAsyncTask was not set aside\n")
    answer = installed.call("task", "stop", "ExecAsyncTask")
    assert (answer.code, answer.out) == (1, "ExecAsyncTask does not run\n")
    answer = installed.call("task", "stop", "ExecAsyncTsk")
    assert (answer.code, answer.err.count("ExecAsyncTask")) == (64, 1)


def _let_its_process_die_three_times(installed: Place) -> None:
    state = open_state(f"sqlite:///{installed.folder}/itopd-state.db")
    head = ledger.heads(state)[MAILS]
    now = head.run.due.replace(year=head.run.due.year + 1)
    run = ledger.claim(
        state,
        MAILS,
        due=now,
        next_due=now,
        owner=this_process(),
        seen=head,
        now=now,
        lease_seconds=60,
        version=head.run.version,
    )
    assert isinstance(run, Run)
    ledger.finish(
        state, run, succeeded=False, exit_code=70, now=now, next_due=now, error="its process was killed", deaths=3
    )
    state.close()
