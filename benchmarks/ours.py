"""itopd's side: the real services, opened as the daemon opens them; the clock runs while they work."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.databases import Place
from benchmarks.measure import JobFailed, Stopwatch
from itopd import exports, imports
from itopd.mail import RetryPolicy, deliver, open_transport
from itopd.service import Result, Service
from itopd.settings import ParameterFile, resolve_parameters
from itopd.state import open_state
from itopd.wiring import Application, open_application, set_up_log

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
