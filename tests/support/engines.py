"""Databases by the name of their engine."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from itopd.database import Database
from itopd.datamodel import Model
from tests.support.sample import (
    new_mariadb,
    new_postgresql,
    new_sqlite,
    sample_mariadb,
    sample_postgresql,
    sample_sqlite,
)
from tests.support.servers import empty_mariadb, empty_postgresql, mariadb_url, opened, postgresql_url

ENGINES = ["sqlite", "mariadb", "postgresql"]


def marked(engine: str, *others: str) -> object:
    """Return an engine, or several in one case, as the parameter of a test that needs their servers."""
    marks = [getattr(pytest.mark, name) for name in sorted({engine, *others} - {"sqlite"})]
    return pytest.param((engine, *others) if others else engine, id="-".join([engine, *others]), marks=marks)


EACH_ENGINE = [marked(engine) for engine in ENGINES]
EACH_SAMPLE = [
    pytest.param(engine, marks=[getattr(pytest.mark, name) for name in {"shared", engine} - {"sqlite"}])
    for engine in ENGINES
]
"""The engines for tests that need the reference data."""


@contextmanager
def empty_url(engine: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database without any table, gone afterwards."""
    match engine:
        case "sqlite":
            yield f"sqlite:///{folder}/{secrets.token_hex(4)}.db"
        case "mariadb":
            with empty_mariadb() as name:
                yield mariadb_url(name)
        case _:
            with empty_postgresql() as name:
                yield postgresql_url(name)


@contextmanager
def new_database(engine: str, folder: Path) -> Iterator[Database]:
    """Give an empty database with the bundled schema."""
    opening = {"sqlite": lambda: new_sqlite(folder), "postgresql": new_postgresql, "mariadb": new_mariadb}
    with opening[engine]() as database:
        yield database


@contextmanager
def sample_database(engine: str, folder: Path) -> Iterator[Database]:
    """Give iTop's sample database."""
    opening = {"sqlite": lambda: sample_sqlite(folder), "postgresql": sample_postgresql, "mariadb": sample_mariadb}
    with opening[engine]() as database:
        yield database


@contextmanager
def empty_database(engine: str, folder: Path, model: Model | None = None) -> Iterator[Database]:
    """Give a database without any table, gone afterwards."""
    with empty_url(engine, folder) as url, opened(url, model) as database:
        yield database
