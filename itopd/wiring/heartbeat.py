"""The heartbeat's parts: tasks, lanes, the entry of child processes; jobs are in :mod:`itopd.wiring.jobs`."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, cast

import structlog

from itopd.clock import SystemClock, to_itop
from itopd.database import Database
from itopd.deferred import find
from itopd.errors import ItopdError
from itopd.heartbeat import (
    Control,
    Executor,
    Heartbeat,
    ProcessExecutor,
    Reloaded,
    RunOutcome,
    RunQueue,
    RunSpec,
    perform,
)
from itopd.mail import names_of, redirection_of
from itopd.settings import Settings
from itopd.settings.urls import masked
from itopd.state import Owner, StateStore, SubjectKind, taken_over, this_process
from itopd.tasks.background_rows import BackgroundTaskRows
from itopd.wiring.catalogue import load
from itopd.wiring.config_files import tell_children
from itopd.wiring.databases import open_usable_database
from itopd.wiring.guard import Standing, begin, standing, this_account
from itopd.wiring.jobs import jobs_of
from itopd.wiring.lanes import lanes_of, queue_of
from itopd.wiring.log import set_up_log
from itopd.wiring.maintenance import is_attached, reason_closed
from itopd.wiring.model_watch import ModelWatch
from itopd.wiring.own_state import open_own_state
from itopd.wiring.queues import queues_of
from itopd.wiring.tasks import able, tasks_of, with_waiting

CHILD_ENTRY: Final = f"{__name__}:perform_run"
_WARM: Final = "itopd.wiring.warm"
_SETTINGS: Final = "settings"
_LOG_LEVEL: Final = "log_level"

FIXED: Final = frozenset(
    {"data_folder", "itop_config", "itop_root", "itop_environment", "data_model", "attached", "timezone"}
    | {name for name in Settings.model_fields if name.startswith("db_")}
    | {name for name in Settings.model_fields if name.startswith("lane_") and name.endswith("_executor")}
    | {"database_url", "state_url", "celery_broker_url", "celery_prefix"}
)
"""Settings that a running daemon keeps: connections, the model and the meaning of dates hang on them."""


@contextmanager
def open_heartbeat(
    settings: Settings, config: Sequence[str], log_level: int = logging.WARNING, *, starts: bool = False
) -> Iterator[Heartbeat]:
    """Open what the heartbeat needs.

    ``config`` are the settings files, read again when the heartbeat is reloaded; children get the settings that are
    in force, and log from ``log_level`` on. Who means to run things ``starts``: the first to do so makes this database
    the one that itopd works on.
    """
    files = tell_children(config)
    with open_usable_database(settings) as database, closing(open_own_state(settings, database)) as state:
        watch, executor = ModelWatch(settings, database), ProcessExecutor(CHILD_ENTRY, preload=(_WARM,))
        look = begin if starts else standing
        opened = _Opened(files, log_level, state, database, watch, executor, queue_of(settings), look)
        yield opened.heartbeat(settings)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What stays open, whatever the settings become."""

    files: Sequence[str]
    log_level: int
    state: StateStore
    database: Database
    watch: ModelWatch
    executor: Executor
    queue: RunQueue | None
    look: Callable[[Settings, Database, StateStore], Standing]
    owner: Owner = field(default_factory=this_process)

    def heartbeat(self, settings: Settings) -> Heartbeat:
        """Return a heartbeat that follows these settings."""
        state, database, clock = self.state, self.database, SystemClock()
        return Heartbeat(
            state=state,
            task_rows=BackgroundTaskRows(database),
            tasks=with_waiting(able(tasks_of(settings), database), database, state, clock),
            load_jobs=partial(jobs_of, settings),
            lanes=lanes_of(settings, self.executor, self.queue),
            clock=clock,
            zone=settings.zone,
            log=structlog.get_logger(),
            settings={_SETTINGS: settings, _LOG_LEVEL: self.log_level},
            handed_over=partial(taken_over.names, state) if is_attached(settings) else None,
            closed=partial(reason_closed, settings, writes=True),
            writes_refused=lambda: self.look(settings, database, state).refusal or self.watch.problem(),
            generation=self.watch.generation,
            reload=partial(self.reloaded, settings),
            remarks=partial(_remarks, settings, database, state),
            queues=partial(queues_of, database, clock),
            owner=self.owner,
            system_user=this_account(),
            stop_timeout=settings.stop_timeout,
        )

    def reloaded(self, present: Settings) -> Reloaded:
        """Read the settings files again; while they are wrong, the ``present`` settings stay."""
        try:
            read = load(list(self.files), {}, os.environ).settings
            kept = [name for name in sorted(FIXED) if getattr(read, name) != getattr(present, name)]
            settings = read.model_copy(update={name: getattr(present, name) for name in kept})
            set_up_log(settings, self.log_level, to_file=True)
            return Reloaded(self.heartbeat(settings), restart_for=tuple(kept))
        except ItopdError as error:
            return Reloaded(problem=error.message)


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


def perform_run(spec: RunSpec, control: Control) -> RunOutcome:
    """Do one run inside its child process."""
    settings: Settings = spec.settings[_SETTINGS]
    set_up_log(settings, spec.settings[_LOG_LEVEL], to_file=True, keep=control.log)
    structlog.contextvars.bind_contextvars(run=spec.run_id, name=spec.name)
    if spec.kind is SubjectKind.TASK:
        task = next((task for task in tasks_of(settings) if task.name == spec.name), None)
        if task is None:
            raise ItopdError(f"there is no task {spec.name} in this version of itopd")
        return perform(task, spec, control)
    return cast("RunOutcome", find("itopd.wiring.job_work:perform_job")(settings, spec, control))
