"""What an administrator has: a database, a mail server and real daemons between them; the test brings trouble."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from itopd.database import Database
from itopd.mail import Address, Message, counts, put_all
from itopd.state import RunState, StateStore, Subject, SubjectKind, ledger, open_state
from tests.cli.calls import PATIENCE, command, place, wait_until
from tests.support.accounts import add_user
from tests.support.engines import empty_url, new_database
from tests.support.invariants import ALL, assert_at_rest, assert_mails_at_rest
from tests.support.smtp import SmtpServer, smtp_server

MAIL = Subject(SubjectKind.TASK, "ExecAsyncTask")
JOB = "service = export\nschedule = every 1s\nexpression = SELECT Person\nfields = name\noutput_file = {file}\n"
STOP_TIMEOUT = 4
ADMINISTRATOR = 1


class Itopd:
    """One ``itopd run``, its log and its end."""

    def __init__(self, config: Path, log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(command("--config", config, "run"), cwd=config.parent, stderr=out)

    @property
    def log(self) -> list[dict[str, Any]]:
        """Return what it has logged; the half line of a killed one is no entry."""
        entries = []
        for line in self._log.read_text().splitlines():
            with suppress(ValueError):
                entries.append(json.loads(line))
        return entries

    def logged(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Return the entries of one event with these fields."""
        found = [entry for entry in self.log if entry["event"] == event]
        return [entry for entry in found if all(entry.get(key) == value for key, value in fields.items())]

    def until(self, event: str, **fields: object) -> dict[str, Any]:
        """Wait for an event."""
        wait_until(lambda: self.logged(event, **fields) or self.process.poll() is not None, f"{event} {fields}")
        assert self.process.poll() is None, self._log.read_text()
        return self.logged(event, **fields)[0]

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@dataclass
class Site:
    """Databases of one engine, and what happens at the mail server."""

    folder: Path
    database: Database
    state: StateStore
    server: SmtpServer
    urls: dict[str, str]
    stack: ExitStack
    started: list[Itopd] = field(default_factory=list)

    def start(self, **settings: object) -> Itopd:
        """Start a daemon with settings of its own; return when it is at work."""
        daemon = self.launch(**settings)
        daemon.until("daemon_started")
        return daemon

    def launch(self, **settings: object) -> Itopd:
        """Start a daemon with settings of its own."""
        number = len(self.started)
        folder = self.folder / f"itopd-{number}"
        folder.mkdir()
        made = place(folder, **self.urls, stop_timeout=STOP_TIMEOUT, log_format="json")
        made.configure(email_transport="SMTP", email_transport_smtp__host="127.0.0.1", jobs_folder=self.folder / "jobs")
        made.configure(email_transport_smtp__port=self.server.port, **settings)
        daemon = Itopd(made.config, folder / "log")
        self.started.append(daemon)
        self.stack.callback(daemon.process.wait)
        self.stack.callback(daemon.process.kill)
        return daemon

    def job(self, name: str) -> None:
        """Write a job that runs every second."""
        jobs = self.folder / "jobs"
        jobs.mkdir(exist_ok=True)
        (jobs / f"{name}.params").write_text(JOB.format(file=self.folder / f"{name}.csv"))

    def queue(self, mails: int) -> Counter[str]:
        """Put mails into the queue; return their ids, once each."""
        ids = [f"<fire-{number}@example.com>" for number in range(mails)]
        rows = [(Message(to="to@example.com", sender=Address("i@example.com"), message_id=name), 0) for name in ids]
        with self.database.write() as connection:
            put_all(connection, self.database, rows, "2026-01-01 00:00:00")
        return Counter(ids)

    @property
    def copies(self) -> Counter[str]:
        """Return how often each mail arrived."""
        return Counter(self.server.delivered)

    def when_mail_comes(self, number: int, act: Callable[[], None]) -> threading.Event:
        """Do something when the server has the ``number``-th mail and has not said so yet; return what tells when."""
        done, heard = threading.Event(), itertools.count(1)

        def script(stage: str, _argument: str) -> None:
            if stage == "dot" and next(heard) == number:
                act()
                done.set()

        self.server.script = script
        return done

    def all_arrived(self, ids: Counter[str]) -> bool:
        """Return whether each of these mails is there and nobody has any in hand."""
        with self.database.read() as connection:
            return self.copies.keys() >= ids.keys() and not counts(connection, self.database)

    def assert_at_rest(self) -> None:
        """Nobody works any more: whatever was begun is told, in the ledger, the leases and the queue of mails."""
        assert_at_rest(self.state)
        assert_mails_at_rest(self.database, self.state)
        told = Counter(entry["run"] for one in self.started for entry in one.logged("run_finished"))
        assert not told or max(told.values()) == 1, f"told to be done more than once: {told}"
        for run in ledger.recent(self.state, ALL):
            starts = sum(len(one.logged("run_started", run=run.id)) for one in self.started)
            assert run.state is not RunState.DONE or starts <= run.attempts + self._handed_back(run.id)

    def _handed_back(self, run_id: str) -> int:
        return sum(len(one.logged("run_handed_back", run=run_id)) for one in self.started)


@contextmanager
def site_on(engine: str, folder: Path) -> Iterator[Site]:
    """Give the databases of an engine, with iTop's tables, and a mail server."""
    with ExitStack() as stack:
        database = stack.enter_context(new_database(engine, folder))
        state_url = stack.enter_context(empty_url(engine, folder))
        state = open_state(state_url)
        stack.callback(state.close)
        server = stack.enter_context(smtp_server())
        with database.write() as connection:
            profile = {"id": ADMINISTRATOR, "name": "Administrator"}
            connection.execute(database.table("URP_Profiles").insert().values(**profile))
            add_user(database, connection, "admin", profiles=[ADMINISTRATOR])
        url = database.engine.url.render_as_string(hide_password=False)
        yield Site(folder, database, state, server, {"database_url": url, "state_url": state_url}, stack)


def chance_of(seed: str) -> random.Random:
    """Return random numbers that ``ITOPD_SEED=...`` repeats; a test that fails shows which they were."""
    seed = os.environ.get("ITOPD_SEED", seed)
    print(f"ITOPD_SEED={seed}")
    return random.Random(seed)
