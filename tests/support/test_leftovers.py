"""What a killed session leaves on the servers is dropped by the next, and nothing of one that lives."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing

import pytest

from tests.support.leftovers import abandoned, drop_leftovers
from tests.support.servers import admin_connection, create_postgresql, new_name, postgresql_admin


@pytest.fixture
def dead() -> int:
    """Give the number of a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_only_what_tells_of_a_dead_process_is_abandoned(dead: int) -> None:
    theirs = [new_name(pid=dead), new_name("work", dead)]
    others = [new_name(), new_name("work", os.getppid()), f"itopd_test_1_p{dead}_abc", "itopd", f"x_{theirs[0]}"]
    assert list(abandoned([*theirs, *others])) == theirs


@pytest.mark.mariadb
@pytest.mark.postgresql
def test_databases_of_a_killed_session_go_and_those_of_this_one_stay(dead: int) -> None:
    left, kept = new_name(pid=dead), new_name()
    with admin_connection() as mariadb, mariadb.cursor() as cursor, closing(postgresql_admin()) as postgresql:
        for name in (left, kept):
            cursor.execute(f"CREATE DATABASE {name}")
            create_postgresql(postgresql, name)
        try:
            drop_leftovers()
            cursor.execute("SHOW DATABASES")
            on_mariadb = {name for (name,) in cursor.fetchall()}
            on_postgresql = {name for (name,) in postgresql.execute("SELECT datname FROM pg_database")}
            assert {left, kept} & on_mariadb == {left, kept} & on_postgresql == {kept}
        finally:
            cursor.execute(f"DROP DATABASE {kept}")
            postgresql.execute(f"DROP DATABASE {kept}".encode())
