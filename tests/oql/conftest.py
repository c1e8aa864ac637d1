"""The sample on all engines at once, each with a connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from itopd.database import Database
from tests.support.sample import sample_mariadb, sample_postgresql, sample_sqlite

Engines = list[tuple[Database, sa.Connection]]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Give the sample on MariaDB, which is the reference, on SQLite and on PostgreSQL."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("sample")
        opening = (sample_mariadb(), sample_sqlite(folder), sample_postgresql())
        samples = [stack.enter_context(sample) for sample in opening]
        yield [(sample, stack.enter_context(sample.read())) for sample in samples]
