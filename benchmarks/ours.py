"""itopd's side: the real services, opened as the daemon opens them; the clock runs while they work."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from benchmarks.databases import Place
from benchmarks.measure import JobFailed, Stopwatch
from itopd import exports, imports
from itopd.mail import RetryPolicy, deliver, open_transport
from itopd.service import Result, Service
from itopd.settings import ParameterFile, resolve_parameters
from itopd.state import open_state
from itopd.wiring import Application, open_application, set_up_log
from itopd.writing import Change, Create, Delete, Intent, Update

CHUNK: Final = 1000
EXPORTED = "id,name,first_name,email,phone,status,org_id,org_name"


def import_csv(watch: Stopwatch, place: Place, path: Path, outcome: str) -> int:
    """Import the persons; every row must end as ``outcome``: ``created`` or ``unchanged``."""
    with _application(place) as application:
        values = {"class": "Person", "csvfile": str(path), "no_localize": "1", "charset": "UTF-8"}
        result = _run(watch, application, imports.SERVICE, values)
    rows = result.counters[outcome]
    if result.exit_code or rows != sum(result.counters.values()):
        raise JobFailed(f"not every row was {outcome}: {result.summary}")
    return rows


def create_persons(watch: Stopwatch, place: Place, path: Path) -> int:
    """Create the persons of a file through the writer alone, namesakes without numbers of those imported."""
    with _application(place) as application, path.open(newline="", encoding="utf-8") as file:
        organizations = _organizations(application)
        codes = ("name", "first_name", "email", "phone", "employee_number", "function", "org_id")
        rows = csv.reader(file)
        next(rows)
        with watch:
            intents = (
                Create(
                    "Person",
                    dict(zip(codes, (f"{row[0]} II", *row[1:4], "", row[5], organizations[row[6]]), strict=True)),
                )
                for row in rows
            )
            return _write(application, intents, "created")


def update_persons(watch: Stopwatch, place: Place) -> int:
    """Give every person without a number another phone and function."""
    with _application(place) as application:
        ids = _without_number(application)
        with watch:
            intents = (Update("Person", id_, {"phone": f"+1 {id_}", "function": f"desk {id_}"}) for id_ in ids)
            return _write(application, intents, "updated")


def delete_persons(watch: Stopwatch, place: Place) -> int:
    """Delete every person without a number."""
    with _application(place) as application:
        ids = _without_number(application)
        with watch:
            return _write(application, (Delete("Person", id_) for id_ in ids), "deleted")


def _write(application: Application, intents: Iterator[Intent], outcome: str) -> int:
    writer = application.writer(application.account("", ""))
    change, done = Change("a script", 1), 0
    while chunk := list(islice(intents, CHUNK)):
        with application.database.write() as connection:
            outcomes = writer.write(connection, chunk, change)
        odd = next((one for one in outcomes if one.status != outcome), None)
        if odd is not None:
            raise JobFailed(f"{odd.cls}::{odd.id} was {odd.status}, not {outcome}: {odd.issues}")
        done += len(outcomes)
    return done


def _organizations(application: Application) -> dict[str, int]:
    table = application.database.table("Organization")
    with application.database.read() as connection:
        return {row.name: row.id for row in connection.execute(sa.select(table.c.name, table.c.id))}


def _without_number(application: Application) -> list[int]:
    person, contact = (application.database.table(name) for name in ("Person", "Contact"))
    query = sa.select(person.c.id).join(contact, contact.c.id == person.c.id).order_by(person.c.id)
    with application.database.read() as connection:
        where = query.where(person.c.employee_number == "", contact.c.email != "")
        return list(connection.execute(where).scalars())


def export_csv(watch: Stopwatch, place: Place, path: Path) -> int:
    """Export eight columns of every person."""
    with _application(place) as application:
        values = {"expression": "SELECT Person", "fields": EXPORTED, "no_localize": "1", "output": str(path)}
        return _run(watch, application, exports.SERVICE, values | {"format": "csv"}).counters["rows"]


def deliver_mail(watch: Stopwatch, place: Place, port: int) -> int:
    """Send every mail of the queue."""
    overrides = {"email_transport": "SMTP", "email_transport_smtp_host": "127.0.0.1"}
    with _application(place) as application, closing(open_state(place.settings.effective_state_url)) as state:
        settings = application.settings.model_copy(update=overrides | {"email_transport_smtp_port": port})
        transport = open_transport(settings)
        with watch:
            done = deliver(application.database, state, transport, application.clock, RetryPolicy())
    if done.processed != done.sent:
        raise JobFailed(f"not every mail was sent: {done}")
    return done.sent


@contextmanager
def _application(place: Place) -> Iterator[Application]:
    settings = place.settings
    set_up_log(settings, logging.WARNING)
    with open_application(settings) as application:
        yield application


def _run(watch: Stopwatch, application: Application, service: Service, values: dict[str, str]) -> Result:
    settings = application.settings
    parameters = resolve_parameters(service.parameters, values, ParameterFile({}, {}), settings.rules).values
    account = application.account("", "")
    with Path(os.devnull).open("wb") as nowhere:
        context = application.context(account, output=nowhere, progress=lambda _done, _total, _unit: None)
        with watch:
            return service.run(context, parameters)
