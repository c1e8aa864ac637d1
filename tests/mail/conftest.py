"""A queue of mails to deliver: database, state store, mail server and a clock that stands still."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.clock import FixedClock, to_itop
from itopd.database import Database
from itopd.mail import Address, Delivery, Limits, Message, QueueRow, RetryPolicy, deliver, listing, put, put_all
from itopd.mail.claims import MailQueue
from itopd.mail.smtp import SmtpServer, SmtpTransport
from itopd.mail.transport import Transport
from itopd.state import Owner, StateStore, open_state, this_process
from itopd.state.mail_claims import MAIL_CLAIM
from tests.support.engines import EACH_ENGINE, new_database
from tests.support.sample import new_mariadb
from tests.support.servers import opened
from tests.support.smtp import SmtpServer as Listening
from tests.support.smtp import smtp_server

POLICY = RetryPolicy(5, 60, exponential=True, permanent_too=False, server_patience=3)
UNLIMITED = Limits()
SOMEBODY_DEAD = Owner(this_process().place, 2**22 + 1, "1")
"""A process of this machine that cannot be running."""


@dataclass
class Post:
    """Everything around the queue."""

    database: Database
    state: StateStore
    server: Listening
    clock: FixedClock

    @property
    def now(self) -> str:
        return to_itop(self.clock.now(), self.database.timezone)

    def put(self, subject: str = "Hello", *, with_event: bool = True, now: str | None = None, **fields: Any) -> int:
        """Queue a mail; return its id."""
        given: dict[str, Any] = {"to": "to@example.com", "sender": Address("itop@example.com")} | fields
        with self.database.write() as connection:
            event = self._event(connection) if with_event else 0
            return put(connection, self.database, Message(subject=subject, **given), now or self.now, event_id=event)

    def put_many(self, number: int) -> None:
        """Queue mails whose subjects are their numbers, without events."""
        sender = Address("itop@example.com")
        mails = [(Message(to="to@example.com", subject=f"{one}", sender=sender), 0) for one in range(number)]
        with self.database.write() as connection:
            put_all(connection, self.database, mails, self.now)

    def _event(self, connection: sa.Connection) -> int:
        (event_id,) = self.database.allocate_ids(connection, "Event", 1)
        connection.execute(sa.insert(self.database.table("Event")).values(id=event_id, message="Pending"))
        return event_id

    def deliver(
        self,
        policy: RetryPolicy = POLICY,
        limits: Limits = UNLIMITED,
        transport: Transport | None = None,
        redirect_to: Sequence[Address] = (),
    ) -> Delivery:
        """Run one delivery a second later, so that what was just queued is due."""
        self.clock.advance(1)
        smtp = SmtpTransport(SmtpServer("127.0.0.1", self.server.port, timeout=60))
        return deliver(self.database, self.state, transport or smtp, self.clock, policy, limits, redirect_to)

    def queue(self, owner: Owner | None = None) -> MailQueue:
        return MailQueue(self.database, self.state, owner or this_process(), POLICY)

    def rows(self) -> list[QueueRow]:
        with self.database.read() as connection:
            return list(listing(connection, self.database))

    def row(self) -> QueueRow:
        (row,) = self.rows()
        return row

    def events(self) -> list[str]:
        event = self.database.table("Event")
        with self.database.read() as connection:
            return list(connection.execute(sa.select(event.c.message).order_by(event.c.id)).scalars())

    def claims(self) -> Sequence[Any]:
        with self.state.read() as connection:
            return connection.execute(sa.select(MAIL_CLAIM)).all()

    def change(self, task_id: int, **values: Any) -> None:
        task = self.database.table("AsyncTask")
        with self.database.write() as connection:
            connection.execute(sa.update(task).where(task.c.id == task_id).values(**values))

    def change_mail(self, task_id: int, **values: Any) -> None:
        mail = self.database.table("AsyncSendEmail")
        with self.database.write() as connection:
            connection.execute(sa.update(mail).where(mail.c.id == task_id).values(**values))


@pytest.fixture(scope="session")
def mariadb_queue_url() -> Iterator[str]:
    """Give one database for all tests of the queue: each empties the few tables that it uses."""
    with new_mariadb() as database:
        yield database.engine.url.render_as_string(hide_password=False)


@pytest.fixture(params=EACH_ENGINE)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give a database with an empty queue, on every engine."""
    if request.param != "mariadb":
        with new_database(request.param, tmp_path) as fresh:
            yield fresh
        return
    with opened(request.getfixturevalue("mariadb_queue_url")) as shared:
        with shared.write() as connection:
            for name in ("AsyncTask", "AsyncSendEmail", "Event", "InlineImage"):
                connection.execute(sa.delete(shared.table(name)))
        yield shared


@pytest.fixture(scope="session")
def new_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of an empty state store, to be copied."""
    path = tmp_path_factory.mktemp("state") / "state.db"
    open_state(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def post(database: Database, tmp_path: Path, new_state: Path) -> Iterator[Post]:
    """Give an empty queue and a server that accepts everything, on each engine."""
    state = open_state(f"sqlite:///{shutil.copy(new_state, tmp_path)}")
    try:
        with smtp_server() as server:
            yield Post(database, state, server, FixedClock(datetime(2027, 2, 10, 9, 0, tzinfo=UTC)))
    finally:
        state.close()
