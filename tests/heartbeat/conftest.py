"""A state store for heartbeats; what it promises on servers, ``tests/state`` shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from itopd.state import StateStore, open_state


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateStore]:
    """Give an open, empty state store."""
    opened = open_state(f"sqlite:///{tmp_path}/state.sqlite")
    yield opened
    opened.close()
