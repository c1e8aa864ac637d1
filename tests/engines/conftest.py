"""One database per engine and module: the cases of a module only read what its own fixtures put there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from itopd.database import Database
from tests.support.engines import EACH_ENGINE
from tests.support.sample import new_mariadb, new_postgresql, new_sqlite


@pytest.fixture(scope="module", params=EACH_ENGINE)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Give an empty database with the bundled schema, on every engine, for a whole module."""
    match request.param:
        case "sqlite":
            opening = new_sqlite(tmp_path_factory.mktemp("engine"))
        case "mariadb":
            opening = new_mariadb()
        case _:
            opening = new_postgresql()
    with opening as database:
        yield database
