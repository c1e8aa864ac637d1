"""The lanes as the settings have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from itopd.errors import SettingsError
from itopd.heartbeat import Executor, Heartbeat, Lane, RunQueue
from itopd.settings import Settings

if TYPE_CHECKING:
    from celery import Celery

LANES: Final = ("mail", "tasks", "synchro", "transfer")


class _Values(NamedTuple):
    """The settings of one lane."""

    executor: str
    limit: int
    soft_seconds: int
    hard_seconds: int
    nice: int


def lanes_of(settings: Settings, executor: Executor, queue: RunQueue | None) -> Mapping[str, Lane]:
    """Return the lanes; runs execute in ``executor``, here or, where a lane's executor is celery, at a worker."""
    remote = celery_lanes(settings)
    return {name: _lane(settings, name, executor, queue if name in remote else None) for name in LANES}


def celery_lanes(settings: Settings) -> tuple[str, ...]:
    """Return the lanes whose runs go to Celery workers."""
    return tuple(name for name in LANES if _values(settings, name).executor == "celery")


def work_off(heartbeat: Heartbeat, settings: Settings, lanes: Sequence[str]) -> int:
    """Work as a Celery worker of ``lanes``, all of the settings' when there are none; return the exit code.

    Raises :class:`SettingsError` when no such lane's executor is celery, or the extra is not installed.
    """
    remote = celery_lanes(settings)
    if not remote:
        raise SettingsError("no lane has workers: write lane_transfer_executor = celery, for example")
    wrong = [lane for lane in lanes if lane not in remote]
    if wrong:
        raise SettingsError(f"the lane {wrong[0]} has no workers; the lanes that have are: {', '.join(remote)}")
    app = _app(settings)
    from itopd.heartbeat.executing.celery_worker import serve  # noqa: PLC0415 - only a worker needs it

    return serve(heartbeat, app, settings.celery_prefix, list(lanes or remote))


def _lane(settings: Settings, name: str, executor: Executor, queue: RunQueue | None) -> Lane:
    values = _values(settings, name)
    return Lane(name, executor, values.limit, values.soft_seconds, values.hard_seconds, values.nice, queue)


def _values(settings: Settings, lane: str) -> _Values:
    return _Values(*(getattr(settings, f"lane_{lane}_{word}") for word in _Values._fields))


def queue_of(settings: Settings) -> RunQueue | None:
    """Return what carries runs to workers, ``None`` when no lane has any. Raises as :func:`work_off`."""
    if not celery_lanes(settings):
        return None
    app = _app(settings)
    from itopd.heartbeat.executing.celery_queue import CeleryQueue  # noqa: PLC0415 - an extra, and slow to import

    return CeleryQueue(app, settings.celery_prefix)


def _app(settings: Settings) -> Celery:
    try:
        from itopd.heartbeat.executing.celery_queue import celery_app  # noqa: PLC0415 - an extra, and slow to import
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"a lane's executor is celery, but {error.name} is not installed: pip install 'itopd[celery]'"
        ) from None
    url = settings.celery_broker_url.get_secret_value()
    if not url:
        raise SettingsError("a lane's executor is celery: write celery_broker_url = amqp://user:password@host/vhost")
    longest = max(values.soft_seconds + values.hard_seconds for values in (_values(settings, name) for name in LANES))
    return celery_app(url, settings.celery_prefix, celery_lanes(settings), longest)
