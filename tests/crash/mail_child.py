"""The process that the crash tests of mails kill: one run of ExecAsyncTask."""

from __future__ import annotations

import os

from itopd.clock import SystemClock
from itopd.datamodel import bundled_model
from itopd.rules import ITOPD
from itopd.settings import Settings
from itopd.state import open_state
from itopd.tasks.exec_async_task import exec_async_task
from tests.support.servers import opened

bundled_model()  # once, in the fork server: what every child would load


def deliver(database_url: str, state_url: str, port: int, crash_at: str) -> None:
    """Deliver what is due; die at ``crash_at`` if that names a point that is passed."""
    if crash_at:
        os.environ["ITOPD_CRASH_AT"] = crash_at
    settings = Settings(email_transport="SMTP", email_transport_smtp_host="127.0.0.1", email_transport_smtp_port=port)
    state = open_state(state_url)
    try:
        with opened(database_url) as database:
            exec_async_task(database, state, settings, ITOPD, SystemClock())
    finally:
        state.close()
