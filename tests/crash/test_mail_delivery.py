"""A delivery killed at any point loses no mail, and repeats at most the one in flight, with the same Message-ID."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.database import Database
from itopd.mail import Address, Message, counts, listing, put_all
from itopd.state import StateStore, open_state
from itopd.state.mail_claims import MAIL_CLAIM
from tests.crash.mail_child import deliver
from tests.support.engines import EACH_ENGINE, empty_url, marked, new_database
from tests.support.invariants import assert_mails_at_rest
from tests.support.servers import drop_connections
from tests.support.smtp import SmtpServer, smtp_server

pytestmark = pytest.mark.crash

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.crash.mail_child"])

MAILS = 50
IDS = [f"<crash-{number}@example.com>" for number in range(MAILS)]

EXACTLY_ONCE = [
    "mail.claim_recorded",  # the state store knows the claim, the queue does not
    "mail.claimed",
    "mail.in_hand:1",
    "mail.in_hand:20",
    "mail.before_data:7",
    "mail.settled:7",  # the queue knows that the mail is sent, the state store does not
]
IN_THE_WINDOW = [
    "mail.in_data:7",  # the data is on its way
    "mail.after_data:7",  # the server said yes, the queue was not told
]


@dataclass
class World:
    """A queue of mails, its state store, and a mail server that outlives every delivery."""

    database: Database
    state: StateStore
    state_url: str
    server: SmtpServer

    def begin(self, crash_at: str = "") -> ForkServerProcess:
        """Begin a delivery in a process of its own."""
        url = self.database.engine.url.render_as_string(hide_password=False)
        process = PROCESSES.Process(target=deliver, args=(url, self.state_url, self.server.port, crash_at))
        process.start()
        return process

    def deliver(self, crash_at: str = "") -> int | None:
        """Run one delivery in a process of its own; return how it ended."""
        return self.end_of(self.begin(crash_at))

    def end_of(self, process: ForkServerProcess) -> int | None:
        """Wait for the end of a delivery; return how it ended."""
        process.join(60)
        ended = process.exitcode
        process.close()
        return ended

    def die(self, crash_at: str) -> None:
        assert self.deliver(crash_at) == -signal.SIGKILL

    def finish(self) -> None:
        assert self.deliver() == 0

    def when_mail_comes(self, number: int, act: Callable[[], None]) -> threading.Event:
        """Do something once, when a mail is there and the server has not said so yet; return what tells when."""
        done, heard = threading.Event(), itertools.count(1)

        def script(stage: str, _argument: str) -> None:
            if stage == "dot" and next(heard) == number:
                act()
                done.set()

        self.server.script = script
        return done

    @property
    def copies(self) -> Counter[str]:
        return Counter(self.server.delivered)


@pytest.fixture(params=EACH_ENGINE)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        database = stack.enter_context(new_database(request.param, tmp_path))
        state_url = stack.enter_context(empty_url(request.param, tmp_path))
        state = open_state(state_url)
        stack.callback(state.close)
        server = stack.enter_context(smtp_server())
        mails = [
            (Message(to="to@example.com", sender=Address("itop@example.com"), message_id=identifier), 0)
            for identifier in IDS
        ]
        with database.write() as connection:
            put_all(connection, database, mails, "2026-01-01 00:00:00")
        yield World(database, state, state_url, server)


def assert_queue_is_empty(world: World) -> None:
    """Nothing is left: no row, and no claim of anybody."""
    with world.database.read() as connection:
        assert counts(connection, world.database) == []
        assert list(connection.execute(sa.select(world.database.table("AsyncSendEmail").c.id))) == []
    with world.state.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(MAIL_CLAIM)).scalar() == 0
    assert_mails_at_rest(world.database, world.state)


@pytest.mark.parametrize("point", EXACTLY_ONCE)
def test_every_mail_arrives_exactly_once_when_killed_outside_the_window(world: World, point: str) -> None:
    world.die(point)
    world.finish()
    assert world.copies == Counter(IDS)
    assert_queue_is_empty(world)


@pytest.mark.parametrize("point", IN_THE_WINDOW)
def test_in_the_window_one_mail_may_arrive_twice_with_the_same_id(world: World, point: str) -> None:
    world.die(point)
    world.finish()
    assert world.copies.keys() == set(IDS)
    assert world.copies.total() <= MAILS + 1
    assert max(world.copies.values()) <= 2
    assert_queue_is_empty(world)


def test_a_crash_during_the_rescue_changes_nothing(world: World) -> None:
    world.die("mail.in_hand:10")
    world.die("mail.rescued")
    world.finish()
    assert world.copies == Counter(IDS)
    assert_queue_is_empty(world)


def test_a_mail_that_kills_its_process_twice_is_put_aside_and_the_others_go_out(world: World) -> None:
    world.die("mail.in_hand:1")
    world.die("mail.in_hand:1")
    world.finish()
    assert world.copies == Counter(IDS[1:])
    with world.database.read() as connection:
        (left,) = listing(connection, world.database)
    assert left.status == "error"
    assert "died 2 times" in left.last_error


def test_rows_that_a_php_process_is_sending_are_never_touched(world: World) -> None:
    task = world.database.table("AsyncTask")
    with world.database.write() as connection:
        first = connection.execute(sa.select(sa.func.min(task.c.id))).scalar()
        taken = sa.update(task).where(task.c.id == first).values(status="running", started="2026-01-01 00:00:05")
        connection.execute(taken)
    world.die("mail.after_data:3")
    world.finish()
    assert IDS[0] not in world.copies
    with world.database.read() as connection:
        (left,) = listing(connection, world.database)
    assert (left.status, left.started) == ("running", "2026-01-01 00:00:05")


def test_a_sender_that_slept_until_others_took_its_mails_writes_and_sends_nothing_more(world: World) -> None:
    sleeper: list[int] = []
    asleep = world.when_mail_comes(7, lambda: os.kill(sleeper[0], signal.SIGSTOP))
    first = world.begin()
    assert first.pid is not None
    sleeper.append(first.pid)
    assert asleep.wait(60)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    with world.state.write() as connection:
        silenced = connection.execute(MAIL_CLAIM.update().values(seen=long_ago)).rowcount
    assert silenced > 1
    world.finish()
    sent = world.copies
    os.kill(first.pid, signal.SIGCONT)
    assert world.end_of(first) == 0
    assert world.copies == sent, "it went on with mails that are no longer its own"
    assert sent == Counter([*IDS, IDS[6]]), "only the one in hand may come twice"
    assert_queue_is_empty(world)


@pytest.mark.parametrize("world", [marked("mariadb"), marked("postgresql")], indirect=True)
def test_connections_that_the_server_drops_meanwhile_cost_no_mail(world: World) -> None:
    urls, dropped = [str(world.database.engine.url), world.state_url], list[int]()
    world.when_mail_comes(20, lambda: dropped.append(drop_connections(urls)))
    world.finish()
    assert dropped[0] >= 2, "one of the queue, one of the state store"
    assert world.copies == Counter(IDS)
    assert_queue_is_empty(world)
