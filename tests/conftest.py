"""Fixtures that all tests may use: databases on every engine."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from itopd.database import Database
from tests.support.engines import EACH_ENGINE, EACH_SAMPLE, new_database, sample_database
from tests.support.leftovers import drop_leftovers

# A busy machine is slow, not wrong: no example fails for the time it takes.
settings.register_profile("itopd", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("itopd")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Clean up after sessions that were killed; one session at a time does, and a worker of one leaves it to it."""
    if hasattr(session.config, "workerinput"):
        return
    with Path(tempfile.gettempdir(), f"itopd-test-{os.getuid()}.leftovers").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        drop_leftovers()


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Whatever a test sets up as its log, here or in a run in this process, the tests that follow have their own."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(params=EACH_ENGINE)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give an empty database with the bundled schema, on every engine."""
    with new_database(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture(params=EACH_SAMPLE)
def sample(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give iTop's sample database, on every engine."""
    with sample_database(request.param, tmp_path) as opened:
        yield opened
