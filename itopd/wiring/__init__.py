"""The one place that knows all: settings become an application, a catalogue of services, a heartbeat."""

from itopd.wiring.application import (
    Application,
    attached_texts,
    model_of,
    open_application,
    open_configured_database,
    writer_of,
)
from itopd.wiring.backups import back_up
from itopd.wiring.catalogue import (
    SERVICES,
    CallParameters,
    CronParameters,
    call_names,
    call_parameters,
    known_names,
    load,
    service_names,
)
from itopd.wiring.cron import CronEdge, run_cron
from itopd.wiring.guard import Standing, begin, record_start, require_adopted, standing, this_person
from itopd.wiring.heartbeat import open_heartbeat
from itopd.wiring.jobs import job_services, jobs_of, perform_job
from itopd.wiring.lanes import work_off
from itopd.wiring.log import set_up_log
from itopd.wiring.maintenance import is_attached, require_open
from itopd.wiring.needs import require as require_parts
from itopd.wiring.own_state import open_own_state
from itopd.wiring.restoring import restore
from itopd.wiring.tasks import UNASKED_WITH_ITOP, tasks_of

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
