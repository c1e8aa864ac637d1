"""The executor ``celery``: the ids of runs travel over RabbitMQ or Redis (extra ``celery``)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Final

from celery import Celery
from kombu import Queue
from kombu.exceptions import OperationalError

from itopd.heartbeat.run_queue import QueueAway

TASK: Final = "itopd.run"
"""The one Celery task: its argument is a run's id."""

_CONNECT_SECONDS = 4
_CALM_SECONDS = 4.0
"""After a failure the broker is left alone for so long, so that a thousand due runs do not wait for it one by one."""
_WEEK_MS = 7 * 24 * 3600 * 1000


def celery_app(broker_url: str, prefix: str, lanes: Iterable[str], longest_seconds: float) -> Celery:
    """Return the Celery application for lanes; ``longest_seconds`` is the hard limit of the longest run.

    Messages are acknowledged when the run is over (or was found to be nothing to do). RabbitMQ gives a message of a
    dead worker to another at once, Redis after its visibility time-out, which is longer than any run; both only
    hasten what the ledger decides anyway.
    """
    app = Celery("itopd", set_as_current=False)
    app.conf.update(
        # Both, or Celery would listen to the environment variable CELERY_BROKER_URL.
        broker_read_url=broker_url,
        broker_write_url=broker_url,
        broker_connection_timeout=_CONNECT_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # RabbitMQ closes the channel of a message that is unacknowledged for long
        broker_transport_options={
            "confirm_publish": True,
            "visibility_timeout": int(longest_seconds) + 3600,
            "global_keyprefix": f"{prefix}:",
            "socket_connect_timeout": _CONNECT_SECONDS,
        },
        task_queues=[
            # RabbitMQ 3.12 and newer heed it; older ones have one limit for all queues (30 minutes, rabbitmq.conf).
            Queue(queue_name(prefix, lane), durable=True, queue_arguments={"x-consumer-timeout": _WEEK_MS})
            for lane in lanes
        ],
        task_create_missing_queues=False,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_serializer="json",
        accept_content=["json"],
    )
    return app


def queue_name(prefix: str, lane: str) -> str:
    """Return the name of a lane's queue at the broker."""
    return f"{prefix}.{lane}"


class CeleryQueue:
    """Sends runs to Celery workers; thread-safe."""

    def __init__(self, app: Celery, prefix: str) -> None:
        """Send with ``app``, to the queues that begin with ``prefix``."""
        self._app = app
        self._prefix = prefix
        connection = app.connection_for_write()
        self._failures: tuple[type[Exception], ...] = (
            OperationalError,
            OSError,
            *connection.connection_errors,
            *connection.channel_errors,
        )
        self._sending = threading.Lock()
        self._failed_until = 0.0
        self._failure = ""

    def send(self, run_id: str, lane: str) -> None:
        """Send a message that survives a restart of the broker, and wait until the broker has it."""
        with self._sending:
            if time.monotonic() < self._failed_until:
                raise QueueAway(self._failure)
            try:
                self._app.send_task(
                    TASK,
                    args=[run_id],
                    task_id=run_id,
                    queue=queue_name(self._prefix, lane),
                    retry=True,  # once: the connection may have died since the last message
                    retry_policy={"max_retries": 1, "interval_start": 0, "interval_max": 0},
                )
            except self._failures as error:
                self._failure = self._problem_text(error)
                self._failed_until = time.monotonic() + _CALM_SECONDS
                raise QueueAway(self._failure) from error

    def problem(self) -> str:
        """Connect to the broker; return why that fails."""
        connection = self._app.connection_for_write()
        try:
            connection.connect()
        except self._failures as error:
            return self._problem_text(error)
        finally:
            connection.release()
        return ""

    def _problem_text(self, error: BaseException) -> str:
        shown = self._app.connection_for_write().as_uri()  # without the password
        reason = " ".join(str(error).split()) or type(error).__name__
        return f"the broker {shown} (celery_broker_url) does not answer: {reason}; runs of its lanes wait until it does"
