"""ExecAsyncTask: sends what waits in the queue of asynchronous tasks (``spec/heartbeat.md`` §8, ``email.md`` §2).

Of the queue's classes itopd sends mails. Rows of ``AsyncSendNewsroom`` stay ``planned`` until itopd knows newsroom
notifications: they are neither lost nor in anybody's way, and an attached iTop that gets the process back sends them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from itopd.clock import Clock
from itopd.database import Database
from itopd.mail import Limits, deliver, names_of, open_transport, redirection_of, retry_policy
from itopd.rules import Rules
from itopd.settings import Settings
from itopd.state import StateStore

_log = structlog.get_logger(__name__)


def exec_async_task(
    database: Database,
    state: StateStore,
    settings: Settings,
    rules: Rules,
    clock: Clock,
    *,
    until: datetime | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> str:
    """Send queued mails until none is due, ``until`` (UTC) has passed or it is asked to stop; return iTop's message.

    With ``mail_redirect_to`` every mail goes there. A mail's failure is recorded in its row. Raises
    :class:`SettingsError` for a transport or a redirection that cannot be used, :class:`DatabaseError` when the queue
    cannot.
    """
    limits = Limits(until, should_stop, settings.mail_rate_limit)
    redirect_to = redirection_of(settings)
    transport, policy = open_transport(settings), retry_policy(settings, rules)
    done = deliver(database, state, transport, clock, policy, limits, redirect_to)
    if done.processed or done.handed_back:
        _log.info(
            "mail.delivered",
            sent=done.sent,
            retried=done.retried,
            failed=done.failed,
            handed_back=done.handed_back,
            server_down=done.server_down,
            redirected_to=names_of(redirect_to),
        )
    redirected = f"; mails go to {names_of(redirect_to)} only (mail_redirect_to)" if redirect_to else ""
    return f"processed {done.processed} tasks{redirected}"
