"""Fixtures that all tests may use: databases on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from itopd.database import Database
from tests.support.sample import (
    new_mariadb,
    new_postgresql,
    new_sqlite,
    sample_mariadb,
    sample_postgresql,
    sample_sqlite,
)

# A busy machine is slow, not wrong: no example fails for the time it takes.
settings.register_profile("itopd", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("itopd")


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give an empty database with the bundled schema, on every engine."""
    opening = {"sqlite": lambda: new_sqlite(tmp_path), "postgresql": new_postgresql, "mariadb": new_mariadb}
    with opening[request.param]() as opened:
        yield opened


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.shared),
        pytest.param("postgresql", marks=[pytest.mark.shared, pytest.mark.postgresql]),
        pytest.param("mariadb", marks=[pytest.mark.shared, pytest.mark.mariadb]),
    ]
)
def sample(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give iTop's sample database, on every engine."""
    opening = {"sqlite": lambda: sample_sqlite(tmp_path), "postgresql": sample_postgresql, "mariadb": sample_mariadb}
    with opening[request.param]() as opened:
        yield opened
