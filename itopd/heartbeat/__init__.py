"""The heartbeat: what is due, who runs it, and what came of it. It imports no domain package.

``wiring`` makes a :class:`Heartbeat` (tasks, jobs, lanes, state store, the child entry); then

* :func:`tick` does everything that is due, once;
* :func:`cron` does what is due one after the other for some minutes, as iTop's cron.php;
* :func:`run_now` runs one job, whatever is planned;
* :func:`run` is the daemon;
* :func:`status` looks at everything, :func:`health` judges it.

The way of one run: ``dispatch.look`` > ``dispatch.claim`` > ``Supervisor.carry_out`` > executor > ``child.main`` > the
child entry of ``wiring`` > the record in the ledger and in the row.
"""

from itopd.heartbeat.cron import CronEnd, CronLimits, CronReport, Pause, cron
from itopd.heartbeat.cron_lines import CronLines
from itopd.heartbeat.daemon import run, run_when_open
from itopd.heartbeat.dispatch import Held
from itopd.heartbeat.events import EVENTS
from itopd.heartbeat.executors import Executor, InlineExecutor, ProcessExecutor
from itopd.heartbeat.health import Health, health
from itopd.heartbeat.health import Limits as HealthLimits
from itopd.heartbeat.job_files import load_job, load_jobs
from itopd.heartbeat.jobs import BrokenJob, Job, Jobs, JobService
from itopd.heartbeat.lanes import Lane
from itopd.heartbeat.notify import ServiceManager
from itopd.heartbeat.plain import plain
from itopd.heartbeat.queueing import QueueAway, RunQueue
from itopd.heartbeat.runs import ChildEntry, Control, RunOutcome, RunSpec
from itopd.heartbeat.schedule import Parked, Periodic, Schedule, parse_schedule
from itopd.heartbeat.seen import LaneSeen, QueueSeen, RunSeen, Standing, Status, SubjectSeen
from itopd.heartbeat.set_aside import release, stop
from itopd.heartbeat.status import status
from itopd.heartbeat.status_text import run_facts, seconds_text, status_text, what_came_of_it
from itopd.heartbeat.supervisor import RunReport
from itopd.heartbeat.table import by_class_name, status_table
from itopd.heartbeat.tasks import Task, TaskContext, Waiting, perform, periodic_task, scheduled_task, weekly_task
from itopd.heartbeat.tick import TickReport, run_now, tick
from itopd.heartbeat.weekly import Weekly
from itopd.heartbeat.world import Heartbeat, Reloaded

__all__ = [
    "EVENTS",
    "BrokenJob",
    "ChildEntry",
    "Control",
    "CronEnd",
    "CronLimits",
    "CronLines",
    "CronReport",
    "Executor",
    "Health",
    "HealthLimits",
    "Heartbeat",
    "Held",
    "InlineExecutor",
    "Job",
    "JobService",
    "Jobs",
    "Lane",
    "LaneSeen",
    "Parked",
    "Pause",
    "Periodic",
    "ProcessExecutor",
    "QueueAway",
    "QueueSeen",
    "Reloaded",
    "RunOutcome",
    "RunQueue",
    "RunReport",
    "RunSeen",
    "RunSpec",
    "Schedule",
    "ServiceManager",
    "Standing",
    "Status",
    "SubjectSeen",
    "Task",
    "TaskContext",
    "TickReport",
    "Waiting",
    "Weekly",
    "by_class_name",
    "cron",
    "health",
    "load_job",
    "load_jobs",
    "parse_schedule",
    "perform",
    "periodic_task",
    "plain",
    "release",
    "run",
    "run_facts",
    "run_now",
    "run_when_open",
    "scheduled_task",
    "seconds_text",
    "status",
    "status_table",
    "status_text",
    "stop",
    "tick",
    "weekly_task",
    "what_came_of_it",
]
