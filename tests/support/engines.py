"""Empty databases by the name of their engine."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from itopd.database import Database
from itopd.datamodel import Model
from tests.support.servers import empty_mariadb, empty_postgresql, mariadb_url, opened, postgresql_url

ENGINES = ["sqlite", "mariadb", "postgresql"]


def marked(engine: str, *others: str) -> object:
    """Return an engine, or several in one case, as the parameter of a test that needs their servers."""
    marks = [getattr(pytest.mark, name) for name in sorted({engine, *others} - {"sqlite"})]
    return pytest.param((engine, *others) if others else engine, id="-".join([engine, *others]), marks=marks)


EACH_ENGINE = [marked(engine) for engine in ENGINES]


@contextmanager
def empty_database(engine: str, folder: Path, model: Model | None = None) -> Iterator[Database]:
    """Give a database without any table, gone afterwards."""
    match engine:
        case "sqlite":
            with opened(f"sqlite:///{folder}/{secrets.token_hex(4)}.db", model) as database:
                yield database
        case "mariadb":
            with empty_mariadb() as name, opened(mariadb_url(name), model) as database:
                yield database
        case _:
            with empty_postgresql() as name, opened(postgresql_url(name), model) as database:
                yield database
