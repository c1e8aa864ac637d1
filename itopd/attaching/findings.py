"""What one look at an iTop and its database finds: line by line well, or with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from itopd.behaviours import unported_classes
from itopd.database import Database
from itopd.database.engines import open_engine, reason
from itopd.errors import DatabaseError, ItopdError
from itopd.heartbeat.seeing.status import owners_of
from itopd.settings import Settings
from itopd.settings.urls import masked
from itopd.state.served import SERVED
from itopd.tasks.background_rows import BackgroundTaskRows

_SHOWN = 5
_UNKNOWN_DATABASE = 1049
_NO_RIGHTS = 1044


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    about: str
    text: str
    well: bool = True
    """``False``: the text says what to do."""


def look_at_tables(database: Database) -> list[Finding]:
    """Return whether the database fits the data model, and what an older iTop lacks."""
    differences = database.missing()
    if differences:
        tables = Finding(
            "tables",
            f"{database.where} does not fit the data model: {_some(differences)}. Let iTop's set-up bring tables and "
            "data model up to date, or name the right one with --data_model",
            well=False,
        )
    else:
        tables = Finding("tables", "as the data model says")
    left_out = database.model.left_out
    if not left_out:
        return [tables, Finding("core classes", "as in iTop 3.2")]
    text = f"those of an older iTop: {len(left_out)} parts of 3.2 are left out: {_some([str(one) for one in left_out])}"
    return [tables, Finding("core classes", text)]


def look_at_rights(database: Database) -> Finding:
    """Return whether the account may write; rows are asked for that there are not, so nothing is written."""
    table = database.table("BackgroundTask")
    never = sa.false()
    tried = (
        sa.update(table).where(never).values(status=table.c.status),
        sa.insert(table).from_select([table.c.status], sa.select(table.c.status).where(never)),
        sa.delete(table).where(never),
    )
    try:
        with database.write() as connection:
            for statement in tried:
                connection.execute(statement)
    except DatabaseError as error:
        return Finding("rights", f"this account cannot write ({error.message}): run the statements below", well=False)
    return Finding("rights", "this account may write")


def look_at_php(database: Database, allowed: Sequence[str]) -> Finding:
    """Return which classes are not written because iTop runs PHP of its own for them."""
    model = database.model
    classes = [
        name
        for name in unported_classes(model)
        if not any(model.is_a(name, parent) for parent in allowed if parent in model)
    ]
    if not classes:
        return Finding("PHP of its own", "every class can be written")
    text = f"{len(classes)} classes are not written until allow_unported names them: {', '.join(classes)}"
    return Finding("PHP of its own", text)


def look_at_processes(database: Database) -> Finding:
    """Return what iTop's cron.php runs."""
    rows = BackgroundTaskRows(database).read()
    if not rows:
        return Finding(
            "processes",
            "priv_backgroundtask is empty: let iTop's cron.php run once, so that processes can be taken over",
            well=False,
        )
    owners, _ = owners_of(rows, frozenset())
    active = [name for name, owner in owners.items() if owner == "iTop's cron.php"]
    return Finding("processes", f"iTop's cron.php runs {len(active)} of {len(owners)}")


def look_at_state(settings: Settings, database: Database) -> Finding:
    """Return whether itopd's own store can be used; nothing is made here."""
    url = sa.make_url(settings.effective_state_url)
    shown = masked(url.render_as_string(hide_password=True))
    if url.get_backend_name() != "mysql":
        return Finding("state store", f"{shown}, made at the first start")
    try:
        served = _served(settings.effective_state_url)
    except DBAPIError as error:
        code = error.orig.args[0] if error.orig is not None and error.orig.args else None
        if code == _UNKNOWN_DATABASE:
            return Finding("state store", f"{shown}, made at the first start")
        advice = "run the statements below" if code == _NO_RIGHTS else "correct state_url"
        return Finding("state store", f"{shown} cannot be opened ({reason(error)}): {advice}", well=False)
    except ItopdError as error:
        return Finding("state store", error.message, well=False)
    if served not in (None, database.identity):
        text = (
            f"{shown} belongs to the iTop database '{served}': give this one a store of its own with "
            "--set state_url=mysql://USER:PASSWORD@HOST/NAME"
        )
        return Finding("state store", text, well=False)
    return Finding("state store", shown)


def _served(state_url: str) -> str | None:
    """Return which iTop database a state store is for; ``None`` when it has no tables yet."""
    engine = open_engine(state_url)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table(SERVED.name):
                return None
            served: str | None = connection.execute(sa.select(SERVED.c.name)).scalar()
            return served
    finally:
        engine.dispose()


def _some(texts: Sequence[str]) -> str:
    rest = f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + rest
