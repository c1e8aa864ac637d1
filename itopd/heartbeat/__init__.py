"""The heartbeat: what is due, who runs it, and what came of it. It imports no domain package.

``wiring`` makes a :class:`Heartbeat` (tasks, jobs, lanes, state store, the child entry); then

* :func:`tick` does everything that is due, once;
* :func:`cron` does what is due one after the other for some minutes, as iTop's cron.php;
* :func:`run_now` runs one job, whatever is planned;
* :func:`run` is the daemon;
* :func:`status` looks at everything, :func:`health` judges it.

The way of one run: ``looking.look`` > ``claiming.claim`` > ``executing.Supervisor.carry_out`` > its lane's executor >
``executing.child.main`` > the child entry of ``wiring`` > the record in the ledger and in the row.

``schedules`` says when, ``jobs`` what jobs are, ``executing`` carries runs out, ``daemon`` stays, ``seeing`` tells.
"""

from itopd.heartbeat.cron import CronEnd, CronLimits, CronReport, Pause, cron
from itopd.heartbeat.cron_lines import CronLines
from itopd.heartbeat.daemon.daemon import run, run_when_open
from itopd.heartbeat.daemon.notify import ServiceManager
from itopd.heartbeat.events import EVENTS
from itopd.heartbeat.executing.child_processes import ProcessExecutor
from itopd.heartbeat.executing.executor import Executor
from itopd.heartbeat.executing.inline import InlineExecutor
from itopd.heartbeat.executing.records import RunReport
from itopd.heartbeat.executing.runs import ChildEntry, Control, RunOutcome, RunSpec
from itopd.heartbeat.jobs.files import load_job, load_jobs
from itopd.heartbeat.jobs.job import BrokenJob, Job, Jobs, JobService
from itopd.heartbeat.jobs.run_now import run_now
from itopd.heartbeat.lanes import Lane
from itopd.heartbeat.looking import Held
from itopd.heartbeat.rounds import TickReport
from itopd.heartbeat.run_queue import QueueAway, RunQueue
from itopd.heartbeat.schedules.schedule import Parked, Periodic, Schedule, parse_schedule
from itopd.heartbeat.schedules.weekly import Weekly
from itopd.heartbeat.seeing.health import Health, health
from itopd.heartbeat.seeing.health import Limits as HealthLimits
from itopd.heartbeat.seeing.plain import plain
from itopd.heartbeat.seeing.seen import LaneSeen, QueueSeen, RunSeen, Standing, Status, SubjectSeen
from itopd.heartbeat.seeing.status import status
from itopd.heartbeat.seeing.status_text import run_facts, seconds_text, status_text, what_came_of_it
from itopd.heartbeat.seeing.table import by_class_name, status_table
from itopd.heartbeat.set_aside import release, stop
from itopd.heartbeat.tasks import Task, TaskContext, Waiting, perform, periodic_task, scheduled_task, weekly_task
from itopd.heartbeat.tick import tick
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
