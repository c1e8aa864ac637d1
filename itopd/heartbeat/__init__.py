"""The heartbeat: what is due, who runs it, and what came of it. It imports no domain package.

``wiring`` makes a :class:`Heartbeat` (tasks, jobs, lanes, state store, the child entry); then

* :func:`tick` does everything that is due, once;
* :func:`run_now` runs one job, whatever is planned;
* :func:`run` is the daemon;
* :func:`status` looks at everything.

The way of one run: ``dispatch.look`` > ``dispatch.claim`` > ``Supervisor.carry_out`` > executor > ``child.main`` > the
child entry of ``wiring`` > the record in the ledger and in the row.
"""

from itopd.heartbeat.daemon import run
from itopd.heartbeat.dispatch import Held
from itopd.heartbeat.events import EVENTS
from itopd.heartbeat.executors import Executor, InlineExecutor, ProcessExecutor
from itopd.heartbeat.jobs import BrokenJob, Job, Jobs, JobService, load_job, load_jobs
from itopd.heartbeat.lanes import Lane, default_lanes
from itopd.heartbeat.runs import ChildEntry, Control, RunOutcome, RunSpec
from itopd.heartbeat.schedule import Periodic, Schedule, parse_schedule
from itopd.heartbeat.status import Status, status, status_text
from itopd.heartbeat.supervisor import RunReport
from itopd.heartbeat.table import by_class_name, status_table
from itopd.heartbeat.tasks import Task, TaskContext, perform, periodic_task, weekly_task
from itopd.heartbeat.tick import TickReport, run_now, tick
from itopd.heartbeat.weekly import Weekly
from itopd.heartbeat.world import Heartbeat

__all__ = [
    "EVENTS",
    "BrokenJob",
    "ChildEntry",
    "Control",
    "Executor",
    "Heartbeat",
    "Held",
    "InlineExecutor",
    "Job",
    "JobService",
    "Jobs",
    "Lane",
    "Periodic",
    "ProcessExecutor",
    "RunOutcome",
    "RunReport",
    "RunSpec",
    "Schedule",
    "Status",
    "Task",
    "TaskContext",
    "TickReport",
    "Weekly",
    "by_class_name",
    "default_lanes",
    "load_job",
    "load_jobs",
    "parse_schedule",
    "perform",
    "periodic_task",
    "run",
    "run_now",
    "status",
    "status_table",
    "status_text",
    "tick",
    "weekly_task",
]
