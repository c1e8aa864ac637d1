"""Fixtures that all tests may use: databases on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from itopd.database import Database
from tests.support.engines import EACH_ENGINE, EACH_SAMPLE, new_database, sample_database

# A busy machine is slow, not wrong: no example fails for the time it takes.
settings.register_profile("itopd", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("itopd")


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
