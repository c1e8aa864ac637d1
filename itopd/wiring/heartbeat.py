"""The heartbeat's parts: tasks, jobs, lanes, and what a child process does for one run."""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from itopd.clock import SystemClock, to_itop
from itopd.database import Database
from itopd.errors import EXIT_DONE, EXIT_ISSUES, ItopdError, MissingFile
from itopd.heartbeat import (
    Control,
    Heartbeat,
    Jobs,
    JobService,
    ProcessExecutor,
    RunOutcome,
    RunSpec,
    Task,
    TaskContext,
    default_lanes,
    load_jobs,
    perform,
    periodic_task,
)
from itopd.mail import names_of, redirection_of
from itopd.service import Service
from itopd.settings import Origin, ParameterFile, Settings, resolve_parameters
from itopd.settings.urls import masked
from itopd.state import StateStore, SubjectKind, open_state, taken_over
from itopd.tabular import published
from itopd.tasks import exec_async_task
from itopd.tasks.background_rows import BackgroundTaskRows
from itopd.tasks.exec_async_task import NAME as EXEC_ASYNC_TASK
from itopd.tasks.exec_async_task import PERIOD as EXEC_ASYNC_TASK_PERIOD
from itopd.wiring import needs
from itopd.wiring.application import Application, open_application
from itopd.wiring.catalogue import SERVICES, call_names, call_parameters, load
from itopd.wiring.guard import Standing, begin, require_adopted, standing
from itopd.wiring.log import set_up_log
from itopd.wiring.maintenance import is_attached, reason_closed
from itopd.wiring.model_watch import ModelWatch

CHILD_ENTRY: Final = f"{__name__}:perform_run"
WARM_CONFIG: Final = "_ITOPD_WARM_CONFIG"
"""Environment variable that names the settings files to the server that children are forked from."""
_WARM: Final = "itopd.wiring.warm"
_CONFIG: Final = "config"
_LOG_LEVEL: Final = "log_level"


def tasks_of(settings: Settings) -> tuple[Task, ...]:
    """Return the background tasks that exist here; each opens what it needs when it runs."""
    return (periodic_task(EXEC_ASYNC_TASK, EXEC_ASYNC_TASK_PERIOD, partial(_exec_async_task, settings), lane="mail"),)


def _exec_async_task(settings: Settings, context: TaskContext) -> str:
    with open_application(settings) as application, closing(open_own_state(settings, application)) as state:
        require_adopted(settings, application.database, state)
        return exec_async_task(
            application.database,
            state,
            settings,
            application.rules,
            application.clock,
            until=context.until,
            should_stop=context.should_stop,
        )


def open_own_state(settings: Settings, application: Application) -> StateStore:
    """Open the state store of the application's database, and of no other; the caller closes it."""
    return open_state(settings.effective_state_url, serves=application.database.identity)


def jobs_of(settings: Settings) -> Jobs:
    """Read the jobs folder, each job checked against the parameters of its service."""
    return load_jobs(settings.jobs_folder, job_services(settings))


def job_services(settings: Settings) -> Mapping[str, JobService]:
    """Return the services that jobs can run."""
    return {
        name: JobService(service.lane, partial(_check_job, settings, service), service.writes)
        for name, service in SERVICES.items()
    }


def _check_job(settings: Settings, service: Service, keys: Mapping[str, str]) -> None:
    file = _as_file(keys)
    rules = call_parameters({}, file, settings.rules).rules(settings)
    resolve_parameters(service.parameters, {}, file, rules, other_known=call_names())


def _as_file(keys: Mapping[str, str]) -> ParameterFile:
    """Return the keys of a job as a parameters file; the heartbeat adds file and line to what is said of them."""
    return ParameterFile(keys, dict.fromkeys(keys, Origin("file", "the job")))


@contextmanager
def open_heartbeat(
    settings: Settings, config: Sequence[str], log_level: int = logging.WARNING, *, starts: bool = False
) -> Iterator[Heartbeat]:
    """Open what the heartbeat needs.

    ``config`` are the settings files, from which each child loads its own; its log starts at ``log_level``. Who means
    to run things ``starts``: the first to do so makes this database the one that itopd works on.
    """
    child = {
        _CONFIG: ",".join(str(Path(path).absolute()) for path in config),
        _LOG_LEVEL: str(log_level),
    }
    with open_application(settings) as application, closing(open_own_state(settings, application)) as state:
        yield _heartbeat(settings, child, state, application.database, begin if starts else standing)


def _heartbeat(
    settings: Settings,
    child: Mapping[str, str],
    state: StateStore,
    database: Database,
    look: Callable[[Settings, Database, StateStore], Standing],
) -> Heartbeat:
    watch = ModelWatch(settings, database)
    os.environ[WARM_CONFIG] = child[_CONFIG]
    executor = ProcessExecutor(CHILD_ENTRY, preload=(_WARM,))
    return Heartbeat(
        state=state,
        task_rows=BackgroundTaskRows(database),
        tasks=_able(tasks_of(settings), database),
        load_jobs=partial(jobs_of, settings),
        lanes=default_lanes(executor),
        clock=SystemClock(),
        zone=settings.zone,
        log=structlog.get_logger(),
        settings=child,
        handed_over=partial(taken_over.names, state) if is_attached(settings) else None,
        closed=partial(reason_closed, settings, writes=True),
        writes_refused=lambda: look(settings, database, state).refusal or watch.problem(),
        generation=watch.generation,
        remarks=partial(_remarks, settings, database, state),
        system_user=getpass.getuser(),
        stop_timeout=settings.stop_timeout,
    )


def _remarks(settings: Settings, database: Database, state: StateStore) -> tuple[str, ...]:
    """Return what the status tells of the clone guard and of a redirection."""
    remarks = [_adopted_text(standing(settings, database, state), settings)]
    if settings.data_model:
        remarks.append(f"Data model: {ModelWatch(settings, database).generation()}")
    redirect_to = redirection_of(settings)
    if settings.read_url:
        remarks.append(f"Exports and queries read from {masked(settings.read_url)} (read_url)")
    if redirect_to:
        remarks.append(f"Mails: all go to {names_of(redirect_to)} only (mail_redirect_to)")
    return tuple(remarks)


def _adopted_text(seen: Standing, settings: Settings) -> str:
    if seen.matching is None:
        return "Clone guard: REFUSES, see problems" if seen.adoptions else "Clone guard: itopd never started here yet"
    since = to_itop(seen.matching.adopted, settings.zone)
    return f"Clone guard: adopted {since} by {seen.matching.by}"


def _able(tasks: Sequence[Task], database: Database) -> tuple[Task, ...]:
    """Return the tasks; those that miss something in the database carry the reason instead of a schedule."""
    needs.require(database.model, "processes")
    no_mails = needs.lacking(database.model, "mails")
    if not no_mails:
        return tuple(tasks)
    return tuple(
        replace(task, schedule=None, problem=f"{task.name}: {no_mails}") if task.name == EXEC_ASYNC_TASK else task
        for task in tasks
    )


def perform_run(spec: RunSpec, control: Control) -> RunOutcome:
    """Do one run inside its child process."""
    settings = load([path for path in spec.settings[_CONFIG].split(",") if path], {}, os.environ).settings
    set_up_log(settings, int(spec.settings[_LOG_LEVEL]))
    structlog.contextvars.bind_contextvars(run=spec.run_id, name=spec.name)
    if spec.kind is SubjectKind.TASK:
        task = next((task for task in tasks_of(settings) if task.name == spec.name), None)
        if task is None:
            raise ItopdError(f"there is no task {spec.name} in this version of itopd")
        return perform(task, spec, control)
    return perform_job(settings, spec, control)


def perform_job(settings: Settings, spec: RunSpec, control: Control) -> RunOutcome:
    """Run the service of a job with the job's keys; its output goes to ``output_file``, whole or not at all."""
    service = SERVICES[spec.service]
    file = _as_file(spec.parameters)
    call = call_parameters({}, file, settings.rules)
    # The ledger must tell a refused job from one that is done, whatever the exit codes of iTop's scripts.
    rules = replace(call.rules(settings), zero_exit_on_error=False)
    with open_application(settings, rules, reads=not service.writes) as application:
        if service.writes:
            with closing(open_own_state(settings, application)) as state:
                require_adopted(settings, application.database, state)
        parameters = resolve_parameters(
            service.parameters,
            {},
            file,
            rules,
            other_known=call_names(),
            is_class=application.database.model.__contains__,
        ).values
        account = application.account(call.auth_user, call.auth_pwd)

        def run(output: BinaryIO) -> RunOutcome:
            context = application.context(
                account,
                output=output,
                progress=control.progress,
                run_id=spec.run_id,
                should_stop=control.should_stop,
            )
            result = service.run(context, parameters)
            return RunOutcome(
                succeeded=result.exit_code in {EXIT_DONE, EXIT_ISSUES},
                exit_code=result.exit_code,
                message=result.summary,
                counters=result.counters,
                unfinished=result.unfinished,
            )

        return _with_output(spec.output_file, run)


def _with_output(path: str, run: Callable[[BinaryIO], RunOutcome]) -> RunOutcome:
    if not path:
        with Path(os.devnull).open("wb") as nowhere:
            return run(nowhere)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingFile(
            f"the folder of output_file {path} cannot be made ({error.strerror}): correct output_file, "
            "or let this account write there"
        ) from error
    try:
        with published(Path(path)) as file:
            return _whole(run(file))
    except _NotPublishedError as early:
        return early.outcome


def _whole(outcome: RunOutcome) -> RunOutcome:
    if not outcome.succeeded:
        raise _NotPublishedError(outcome)
    return outcome


class _NotPublishedError(Exception):
    """The run ended early: what it wrote is no result."""

    def __init__(self, outcome: RunOutcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome
