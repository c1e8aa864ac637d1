"""Jobs: which services they can run, and the jobs folder read against that."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from itopd.heartbeat import Jobs, JobService, load_jobs
from itopd.service import Service
from itopd.settings import ParameterFile, Settings, parameter_keys, resolve_parameters
from itopd.wiring.catalogue import SERVICES, call_names, call_parameters

FED: Final = {"import": "csvfile"}
"""Services that read a file, and the key that names it: what a watched folder can feed."""
MADE: Final = {"import": ("report", "error_file")}
"""Keys of services that name files which they write besides their output."""

_TO_COME = ("synchro_exec", "synchro_import")
"""Services of iTop that itopd does not have yet: a job of one can be written, but not enabled."""


def jobs_of(settings: Settings) -> Jobs:
    """Read the jobs folder, each job checked against the parameters of its service."""
    return load_jobs(settings.jobs_folder, job_services(settings), settings.zone)


def job_services(settings: Settings) -> Mapping[str, JobService]:
    """Return the services that jobs can run, and those of iTop that come later."""
    ready = {
        name: JobService(
            lane=service.lane,
            check=partial(_check_job, settings, service),
            keys=parameter_keys(service.parameters) | call_names(),
            writes=service.writes,
            feeds=FED.get(name, ""),
            made=MADE.get(name, ()),
        )
        for name, service in SERVICES.items()
    }
    return {name: _to_come(name) for name in _TO_COME} | ready


def _to_come(name: str) -> JobService:
    def check(_file: ParameterFile) -> None:
        """Refuse nothing: what the service will take is not known yet."""

    return JobService("synchro", check, missing=f"the service {name} comes with a later release of itopd")


def _check_job(settings: Settings, service: Service, file: ParameterFile) -> None:
    rules = call_parameters({}, file, settings.rules).rules(settings)
    resolve_parameters(service.parameters, {}, file, rules, other_known=call_names())
