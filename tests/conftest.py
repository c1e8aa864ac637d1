"""Fixtures that all tests may use: databases on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from itopd.database import Database
from tests.support.sample import new_mariadb, new_sqlite, sample_mariadb, sample_sqlite

# A busy machine is slow, not wrong: no example fails for the time it takes.
settings.register_profile("itopd", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("itopd")


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give an empty database with the bundled schema, on SQLite and on MariaDB."""
    with new_sqlite(tmp_path) if request.param == "sqlite" else new_mariadb() as opened:
        yield opened


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.shared),
        pytest.param("mariadb", marks=[pytest.mark.shared, pytest.mark.mariadb]),
    ]
)
def sample(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give iTop's sample database, on SQLite and on MariaDB."""
    with sample_sqlite(tmp_path) if request.param == "sqlite" else sample_mariadb() as opened:
        yield opened
