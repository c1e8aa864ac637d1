"""One delivery: claim a batch, compose, send, settle each mail at once, until the queue is empty or it is time to stop.

The loop is asynchronous because it waits for servers; what it does with the database is short and done in between.
One delivery uses one transport. Several senders on one queue need nothing here to change: claims keep them apart.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from itopd.clock import Clock, to_itop
from itopd.database import Database
from itopd.errors import DatabaseError
from itopd.mail.claims import MailQueue, QueuedMail, Rescued
from itopd.mail.compose import Letter, Unsendable, compose
from itopd.mail.crash_points import crash_point
from itopd.mail.message import HTML, Address, Message
from itopd.mail.payload import PayloadError
from itopd.mail.pictures import fetch_pictures, picture_ids
from itopd.mail.redirect import names_of
from itopd.mail.retries import RetryPolicy
from itopd.mail.transport import Blame, Receipt, Transport
from itopd.state import StateStore, this_process

_log = structlog.get_logger(__name__)

BATCH = 50
"""Mails claimed at a time: few enough that a crash leaves little to rescue."""
_LOOK_AROUND = 0.25
"""Seconds between two looks at whether to stop while a server is silent."""
_SIGN_OF_LIFE = 60.0
"""Seconds between two signs of life."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one delivery did, in mails."""

    sent: int = 0
    retried: int = 0
    """Failed and planned again."""
    failed: int = 0
    """Failed for good: status ``error``."""
    handed_back: int = 0
    lost: int = 0
    """Claimed by us, but somebody took us for dead and has them now."""
    rescued: Rescued = field(default_factory=Rescued)
    server_down: bool = False
    """Whether it ended because the server failed again and again."""

    @property
    def processed(self) -> int:
        """Return how many mails were tried, whatever the outcome."""
        return self.sent + self.retried + self.failed


@dataclass(frozen=True, slots=True)
class Limits:
    """When a delivery ends before the queue is empty, and how fast it goes."""

    until: datetime | None = None
    should_stop: Callable[[], bool] = lambda: False
    rate: float = 0.0
    """Mails per second at most; 0 = no limit."""


def deliver(
    database: Database,
    state: StateStore,
    transport: Transport,
    clock: Clock,
    policy: RetryPolicy,
    limits: Limits = Limits(),
    redirect_to: Sequence[Address] = (),
) -> Delivery:
    """Send what is due in the queue and return what became of it; the transport is closed at the end.

    ``redirect_to`` gets every mail instead of its recipients (:func:`~itopd.mail.redirection_of`); empty: nobody does.
    A mail's failure is recorded in its row, never raised. Raises :class:`DatabaseError` when the queue itself cannot
    be used; what was claimed then goes back, at the latest by the next delivery's rescue.
    """
    queue = MailQueue(database, state, this_process(), policy)
    return asyncio.run(_Run(database, queue, transport, clock, limits, policy.server_patience, redirect_to).run())


class _Run:
    """The state of one delivery."""

    def __init__(
        self,
        database: Database,
        queue: MailQueue,
        transport: Transport,
        clock: Clock,
        limits: Limits,
        patience: int | None,
        redirect_to: Sequence[Address],
    ) -> None:
        self._database = database
        self._queue = queue
        self._transport = transport
        self._clock = clock
        self._limits = limits
        self._done = Delivery()
        self._settled: list[int] = []
        """Rows whose claim is still to be forgotten: that is done together with the next mail's note."""
        self._patience = patience
        self._redirect_to = redirect_to
        self._server_failures = 0
        self._offered = False
        """Whether the mail being delivered was given to the transport: then a server may have it."""
        self._sending: asyncio.Task[Any] | None = None
        self._abandoned = False
        self._paced = clock.monotonic()

    async def run(self) -> Delivery:
        before = self._now()
        rescued = self._queue.rescue(before)
        self._done = replace(self._done, rescued=rescued)
        waiting: deque[QueuedMail] = deque()
        watch = asyncio.create_task(self._watch())
        try:
            while not self._over():
                self._forget_settled()  # should one of these be due again, its new claim must not be taken for the old
                now = self._now()
                before = min(before, now)  # lower when the clock was set back meanwhile: what failed is not due yet
                waiting += self._queue.claim(now, before, BATCH)
                if not waiting:
                    break
                while waiting and not self._over():
                    await self._deliver_first(waiting)
        finally:
            watch.cancel()
            try:
                self._hand_back(waiting)
            finally:
                await self._transport.close()
        return self._done

    def _now(self) -> str:
        return to_itop(self._clock.now(), self._database.timezone)

    def _over(self) -> bool:
        limits = self._limits
        return (
            self._done.server_down
            or limits.should_stop()
            or (limits.until is not None and self._clock.now() >= limits.until)
        )

    async def _deliver_first(self, waiting: deque[QueuedMail]) -> None:
        """Deliver or settle the first mail; it stays when nobody can have it and it was not settled."""
        mail = waiting.popleft()
        self._offered = False
        try:
            if not await self._deliver_one(mail):
                waiting.appendleft(mail)
        except BaseException:
            if not self._offered:
                waiting.appendleft(mail)
            raise
        await self._pace()

    async def _deliver_one(self, mail: QueuedMail) -> bool:
        """Deliver or settle one mail; ``False``: it was abandoned before anybody could take it."""
        if isinstance(mail.content, PayloadError):
            self._failed(mail, mail.content.message, hopeless=True)
            return True
        if not self._queue.take_in_hand(mail, self._settled):
            self._lost(mail)
            return True
        self._settled = []
        letter = self._compose(mail, mail.content)
        if letter is None:
            return True
        crash_point("mail.in_hand")
        receipt = await self._send(letter)
        if receipt is None:
            return False
        crash_point("mail.after_data")
        self._settle(mail, letter, receipt)
        crash_point("mail.settled")
        return True

    def _compose(self, mail: QueuedMail, message: Message) -> Letter | None:
        """Return the letter, or settle the mail when there can be none."""
        try:
            pictures = {}
            wanted = picture_ids(message.body) if message.mime_type.lower() == HTML else frozenset()
            if wanted:
                with self._database.read() as connection:
                    pictures = fetch_pictures(self._database, connection, wanted)
            now = self._clock.now().astimezone(self._database.timezone)
            return compose(message, now, pictures, self._redirect_to)
        except Unsendable as error:
            self._failed(mail, error.message, permanent=True)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - one mail that nobody foresaw must not stop the others
            _log.exception("mail.compose.failed", mail=mail.id)
            self._failed(mail, f"The mail cannot be composed: {type(error).__name__}: {error}", hopeless=True)
        return None

    async def _send(self, letter: Letter) -> Receipt | None:
        """Send; ``None``: it was time to stop while the server could not have the letter yet (see ``_watch``)."""
        self._offered = True
        self._sending = task = asyncio.current_task()
        try:
            return await self._transport.send(letter)
        except asyncio.CancelledError:
            if task is None or not self._abandoned:
                raise
            task.uncancel()
            return None
        finally:
            self._sending = None

    async def _watch(self) -> None:
        """While a server is waited for: give signs of life; when it is time to stop, abandon what can be abandoned."""
        seen = self._clock.monotonic()
        while True:
            await asyncio.sleep(_LOOK_AROUND)
            if self._clock.monotonic() - seen >= _SIGN_OF_LIFE:
                seen = self._clock.monotonic()
                self._give_sign_of_life()
            if self._sending is not None and not self._transport.handed_over and self._limits.should_stop():
                self._abandoned = True
                self._sending.cancel()

    def _give_sign_of_life(self) -> None:
        try:
            self._queue.stay_alive()
        except DatabaseError as error:  # the watch goes on; there is time for many more tries
            _log.warning("mail.sign_of_life.failed", reason=str(error))

    def _settle(self, mail: QueuedMail, letter: Letter, receipt: Receipt) -> None:
        if receipt.failure is not None:
            self._server_failures = self._server_failures + 1 if receipt.failure.blame is Blame.SERVER else 0
            self._failed(mail, receipt.failure.text, permanent=receipt.failure.blame is Blame.PERMANENT)
            if self._patience is not None and self._server_failures >= self._patience:
                _log.error("mail.server.down", reason=receipt.failure.text)
                self._done = replace(self._done, server_down=True)
            return
        self._server_failures = 0
        refused = [f"{address} (no e-mail address)" for address in letter.invalid]
        refused += [f"{refusal.address} ({refusal.text})" for refusal in receipt.refused]
        later = [refusal.address for refusal in receipt.refused if not refusal.permanent]
        accepted = len(letter.recipients) - len(receipt.refused)
        if later or not accepted:
            text = f"Refused: {', '.join(refused)}"
            if accepted:
                text = f"Sent to {accepted} of {len(letter.recipients)} recipients. {text}"
            only_to = later if len(later) < len(letter.recipients) else ()
            self._failed(mail, text, permanent=not later, only_to=only_to)
        else:
            self._sent(mail, refused)

    def _sent(self, mail: QueuedMail, refused: Sequence[str]) -> None:
        message = "Sent"
        if self._redirect_to:
            message += f" to {names_of(self._redirect_to)} instead of its recipients (mail_redirect_to)"
        if refused:
            message += f". Refused: {', '.join(refused)}"
        try:
            settled = self._queue.sent(mail, message)
        except DatabaseError:
            self._queue.mark_sent(mail)  # so that the rescue does not send it again
            raise
        if not settled:
            self._lost(mail)
            return
        self._settled.append(mail.id)
        self._done = replace(self._done, sent=self._done.sent + 1)
        if refused:
            _log.warning("mail.sent.partly", mail=mail.id, outcome=message)

    def _failed(
        self,
        mail: QueuedMail,
        text: str,
        *,
        permanent: bool = False,
        hopeless: bool = False,
        only_to: Sequence[str] = (),
    ) -> None:
        now = self._clock.now()
        setback = self._queue.failed(mail, text, now, permanent=permanent, hopeless=hopeless, only_to=only_to)
        if setback is None:
            self._lost(mail)
            return
        self._settled.append(mail.id)
        reason = f"Failed to process async task #{mail.id} - reason: {text}"
        if setback.delay is None:
            _log.error("mail.failed", mail=mail.id, reason=reason)
            self._done = replace(self._done, failed=self._done.failed + 1)
        else:
            _log.info("mail.retry", mail=mail.id, reason=reason, seconds=setback.delay)
            self._done = replace(self._done, retried=self._done.retried + 1)

    def _lost(self, mail: QueuedMail) -> None:
        _log.warning("mail.claim.lost", mail=mail.id)
        self._done = replace(self._done, lost=self._done.lost + 1)

    def _hand_back(self, waiting: Iterable[QueuedMail]) -> None:
        self._forget_settled()
        mails = list(waiting)
        if mails:
            returned = self._queue.hand_back(mails)
            self._done = replace(self._done, handed_back=returned)
            _log.info("mail.handed_back", mails=returned)

    def _forget_settled(self) -> None:
        self._queue.forget(self._settled)
        self._settled = []

    async def _pace(self) -> None:
        if self._limits.rate > 0:
            now = self._clock.monotonic()
            self._paced = max(now, self._paced + 1 / self._limits.rate)
            await asyncio.sleep(self._paced - now)
