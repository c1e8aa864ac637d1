"""State stores on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from itopd.state import StateStore, open_state
from tests.support.engines import EACH_ENGINE, empty_url


@pytest.fixture(params=EACH_ENGINE)
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a state store that nobody has opened yet."""
    with empty_url(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def store(state_url: str) -> Iterator[StateStore]:
    """Give an open, empty state store."""
    opened = open_state(state_url)
    yield opened
    opened.close()
