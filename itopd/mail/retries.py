"""When a failed mail is tried again (``spec/email.md`` §2, Retries, and §10)."""

from __future__ import annotations

from dataclasses import dataclass

from itopd.rules import Rules
from itopd.settings import Settings

QUEUED_MAIL = "AsyncSendEmail"
"""The class of queue rows that are mails."""

_SERVER_PATIENCE = 3
"""Failures of a server in a row that are no accident any more."""
_FIRST_DELAY = 60
"""Seconds: itopd's own default, doubled at each attempt."""
_LONGEST_DELAY = 366 * 86_400
"""Seconds: beyond this a doubled delay would leave what a date column can hold."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and after how long."""

    max_retries: int = 0
    retry_delay: int = 600
    """Seconds."""
    exponential: bool = False
    """Whether the delay doubles at each attempt."""
    permanent_too: bool = True
    """Whether what a server refused for good (5xx) is tried again like everything else, as iTop does."""
    server_patience: int | None = None
    """Failures of the server in a row after which the rest of the queue is left alone; ``None``: all are tried."""

    def delay(self, remaining: int) -> int:
        """Return the seconds before the next attempt when ``remaining`` retries are left."""
        if not self.exponential or not self.retry_delay:
            return self.retry_delay
        doublings = min(max(0, self.max_retries - remaining), 60)
        return min(self.retry_delay << doublings, max(self.retry_delay, _LONGEST_DELAY))


def retry_policy(settings: Settings, rules: Rules) -> RetryPolicy:
    """Return the policy for mails: an entry of ``async_task_retries`` to the letter, else the default of the rules.

    Entries are not inherited: one for ``AsyncTask`` says nothing about mails (observed).
    """
    patience = None if rules.every_mail_tried else _SERVER_PATIENCE
    entry = settings.async_task_retries.get(QUEUED_MAIL)
    if entry is not None:
        return RetryPolicy(entry.max_retries, entry.retry_delay, entry.exponential_delay, server_patience=patience)
    if rules.default_retries == 0:
        return RetryPolicy(server_patience=patience)
    return RetryPolicy(
        rules.default_retries, _FIRST_DELAY, exponential=True, permanent_too=False, server_patience=patience
    )
