"""What runs logged stays beside them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from itopd.state import Run, RunState, StateStore, Subject, SubjectKind, ledger, run_logs, this_process

DUE = datetime(2027, 2, 10, 9, tzinfo=UTC)


def test_lines_of_several_attempts_follow_one_another(store: StateStore) -> None:
    assert run_logs.read(store, "r") == []
    run_logs.append(store, "r", ["one", "zwei «é» 😀"])
    run_logs.append(store, "r", ["three\0"])
    assert run_logs.read(store, "r") == ["one", "zwei «é» 😀", "three␀"]


def test_only_the_newest_lines_are_kept(store: StateStore) -> None:
    run_logs.append(store, "r", [f"{number} " + "é" * 2000 for number in range(run_logs.LINES)])
    run_logs.append(store, "r", ["last"])
    kept = run_logs.read(store, "r")
    assert (len(kept), kept[0][:2], kept[-1]) == (run_logs.LINES, "1 ", "last")


def test_a_forgotten_run_takes_its_log_with_it(store: StateStore) -> None:
    ids = []
    for number in range(2):
        subject = Subject(SubjectKind.TASK, "T")
        due = DUE + timedelta(minutes=number)
        run = ledger.claim(
            store, subject, due=due, next_due=due, owner=this_process(), seen=ledger.heads(store).get(subject), now=due,
            lease_seconds=60,
        )  # fmt: skip
        assert isinstance(run, Run)
        ledger.start(store, run, pid=1, now=due)
        ledger.finish(store, run, succeeded=True, exit_code=0, now=due, next_due=due)
        run_logs.append(store, run.id, [run.id])
        ids.append(run.id)
    assert ledger.prune(store, before=DUE + timedelta(days=1), states=[RunState.DONE]) == 1
    assert [run_logs.read(store, run_id) for run_id in ids] == [[], [ids[1]]]
