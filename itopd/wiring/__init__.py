"""The one place that knows all: settings become an application, a catalogue of services, a heartbeat."""

from itopd.wiring.application import (
    Application,
    attached_texts,
    model_of,
    open_application,
    open_configured_database,
    writer_of,
)
from itopd.wiring.catalogue import (
    SERVICES,
    CallParameters,
    call_names,
    call_parameters,
    known_names,
    load,
    service_names,
)
from itopd.wiring.guard import Standing, begin, require_adopted, standing, this_person
from itopd.wiring.heartbeat import job_services, jobs_of, open_heartbeat, open_own_state, perform_job, tasks_of
from itopd.wiring.log import set_up_log
from itopd.wiring.maintenance import is_attached, require_open
from itopd.wiring.needs import require as require_parts

__all__ = [
    "SERVICES",
    "Application",
    "CallParameters",
    "Standing",
    "attached_texts",
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
    "require_adopted",
    "require_open",
    "require_parts",
    "service_names",
    "set_up_log",
    "standing",
    "tasks_of",
    "this_person",
    "writer_of",
]
