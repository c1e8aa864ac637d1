"""The process of a job gives way to mails and tasks."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest

from itopd.heartbeat import Control, ProcessExecutor, RunOutcome, RunSpec
from itopd.heartbeat.executing.child_processes import _WARM_UP
from itopd.state import SubjectKind


def niceness(_spec: RunSpec, _control: Control) -> RunOutcome:
    """Tell how nice this process is."""
    return RunOutcome(succeeded=True, exit_code=0, message=str(os.getpriority(os.PRIO_PROCESS, 0)))


@pytest.mark.parametrize(("kind", "added"), [(SubjectKind.JOB, 5), (SubjectKind.TASK, 0)])
def test_only_the_process_of_a_job_is_nice(kind: SubjectKind, added: int) -> None:
    async def told() -> str:
        return (await ProcessExecutor(f"{__name__}:niceness").start(replace(_WARM_UP, kind=kind)).outcome()).message

    assert int(asyncio.run(told())) == min(os.getpriority(os.PRIO_PROCESS, 0) + added, 19)
