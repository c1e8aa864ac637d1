"""State stores on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from itopd.state import StateStore, open_state
from tests.support.servers import empty_mariadb, empty_postgresql, mariadb_url, postgresql_url


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a state store that nobody has opened yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state.sqlite"
        return
    if request.param == "postgresql":
        with empty_postgresql() as name:
            yield postgresql_url(name)
        return
    with empty_mariadb() as name:
        yield mariadb_url(name)


@pytest.fixture
def store(state_url: str) -> Iterator[StateStore]:
    """Give an open, empty state store."""
    opened = open_state(state_url)
    yield opened
    opened.close()
