from .application import Application, open_application, writer_of
from .backups import back_up
from .catalogue import (
    SERVICES,
    CallParameters,
    CronParameters,
    call_names,
    call_parameters,
    known_names,
    load,
    service_names,
)
from .cron import CronEdge, run_cron
from .databases import attached_texts, model_of, open_configured_database
from .guard import Standing, begin, record_start, require_adopted, standing, this_person
from .heartbeat import open_heartbeat
from .job_work import perform_job
from .jobs import job_services, jobs_of
from .lanes import work_off
from .log import set_up_log
from .maintenance import is_attached, require_open
from .needs import require_parts
from .own_state import open_own_state
from .restoring import restore
from .tasks import UNASKED_WITH_ITOP, tasks_of

__all__ = [
    "SERVICES",
    "UNASKED_WITH_ITOP",
    "Application",
    "CallParameters",
    "CronEdge",
    "CronParameters",
    "Standing",
    "attached_texts",
    "back_up",
    "begin",
    "call_names",
    "call_parameters",
    "is_attached",
    "job_services",
    "jobs_of",
    "known_names",
    "load",
    "model_of",
    "open_application",
    "open_configured_database",
    "open_heartbeat",
    "open_own_state",
    "perform_job",
    "record_start",
    "require_adopted",
    "require_open",
    "require_parts",
    "restore",
    "run_cron",
    "service_names",
    "set_up_log",
    "standing",
    "tasks_of",
    "this_person",
    "work_off",
    "writer_of",
]
