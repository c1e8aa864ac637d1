"""The processes of a lane give way to others as far as its settings say."""

from __future__ import annotations

import os
from dataclasses import replace

from itopd.heartbeat import Control, InlineExecutor, Periodic, ProcessExecutor, RunOutcome, RunSpec, Task, tick
from itopd.settings import Settings
from itopd.state import StateStore
from itopd.wiring.lanes import lanes_of
from tests.heartbeat.support import heartbeat_of, not_called


def niceness(_spec: RunSpec, _control: Control) -> RunOutcome:
    """Tell how nice this process is."""
    return RunOutcome(succeeded=True, exit_code=0, message=str(os.getpriority(os.PRIO_PROCESS, 0)))


def test_the_process_of_a_run_is_as_nice_as_its_lane_says(state: StateStore) -> None:
    tasks = [Task(lane, Periodic(10), not_called, lane=lane) for lane in ("mail", "tasks")]
    heartbeat = heartbeat_of(state, *tasks, executor=ProcessExecutor(f"{__name__}:niceness"))
    lanes = {"mail": heartbeat.lanes["mail"], "tasks": replace(heartbeat.lanes["tasks"], niceness=7)}
    told = {run.subject.name: int(run.message) for run in tick(replace(heartbeat, lanes=lanes)).runs}
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert told == {"mail": own, "tasks": min(own + 7, 19)}


def test_all_lanes_give_way_but_that_of_mails_unless_the_settings_say_otherwise() -> None:
    def niceness_of(**given: int) -> dict[str, int]:
        lanes = lanes_of(Settings.model_validate(given), InlineExecutor("no:entry"), None)
        return {name: lane.niceness for name, lane in lanes.items()}

    assert niceness_of() == {"mail": 0, "tasks": 10, "synchro": 10, "transfer": 10}
    given = niceness_of(lane_mail_nice=1, lane_tasks_nice=2, lane_synchro_nice=3, lane_transfer_nice=0)
    assert given == {"mail": 1, "tasks": 2, "synchro": 3, "transfer": 0}
