"""``read_url``: exports and queries read there and nowhere else; accounts and all writes are the main database's."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.clock import SystemClock
from itopd.database import Database
from itopd.errors import DatabaseError, RefusedError
from itopd.installation import Administrator, install
from itopd.rules import ITOPD
from itopd.settings import Settings
from itopd.wiring import open_application, writer_of
from itopd.wiring.guard import database_uuid
from tests.cli.calls import Place
from tests.cli.conftest import installed, prepared
from tests.support.servers import empty_mariadb, empty_postgresql, mariadb_url, opened, postgresql_url

__all__ = ["installed", "prepared"]


def _set_name(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.execute(sa.update(database.table("Organization")).values(name=name))


def _set_uuid(database: Database, uuid: str) -> None:
    with database.write() as connection:
        connection.execute(sa.update(database.table("DBProperty")).values(value=uuid))


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.mariadb),
        pytest.param("postgresql", marks=pytest.mark.postgresql),
    ]
)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Give the URLs of a database and of a replica; each tells in the name of its organization which one it is."""
    with ExitStack() as stack:
        urls = []
        for name in ("main", "replica"):
            match request.param:
                case "sqlite":
                    url = f"sqlite:///{tmp_path}/{name}.db"
                case "mariadb":
                    url = mariadb_url(stack.enter_context(empty_mariadb()))
                case _:
                    url = postgresql_url(stack.enter_context(empty_postgresql()))
            with opened(url) as database:
                writer = writer_of(database, ITOPD, SystemClock())
                install(database, writer, SystemClock(), Administrator("admin", "Tests-of-itopd-1"))
                _set_name(database, name)
                _set_uuid(database, "{1}")
            urls.append(url)
        yield urls[0], urls[1]


def _names(settings: Settings, *, reads: bool) -> tuple[str, str]:
    """Return the organization that a run reads, and where its account comes from."""
    with open_application(settings, reads=reads) as application:
        application.account("", "")
        with application.source.read() as connection:
            table = application.source.table("Organization")
            return connection.execute(sa.select(table.c.name)).scalar_one(), application.database.name


def test_who_reads_reads_the_replica_who_writes_the_main_one(pair: tuple[str, str], tmp_path: Path) -> None:
    main, replica = pair
    settings = Settings(database_url=main, read_url=replica, data_folder=tmp_path)
    assert _names(settings, reads=True)[0] == "replica"
    assert _names(settings, reads=False)[0] == "main"
    assert _names(settings.model_copy(update={"read_url": ""}), reads=True)[0] == "main"


def test_accounts_are_those_of_the_main_database_and_the_replica_is_never_written(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    main, replica = pair
    with opened(replica) as database, database.write() as connection:
        connection.execute(sa.delete(database.table("User")))
    with open_application(
        Settings(database_url=main, read_url=replica, data_folder=tmp_path), reads=True
    ) as application:
        assert application.account("admin", "Tests-of-itopd-1").login == "admin"
        with pytest.raises(RefusedError, match="for reading only"), application.source.write():
            pass


@pytest.mark.parametrize("uuid", ["{2}", ""])
def test_the_database_of_another_itop_is_no_replica(pair: tuple[str, str], tmp_path: Path, uuid: str) -> None:
    main, replica = pair
    with opened(replica) as database:
        _set_uuid(database, uuid)
        assert database_uuid(database) == uuid
    settings = Settings(database_url=main, read_url=replica, data_folder=tmp_path)
    with pytest.raises(DatabaseError, match="is no replica of"), open_application(settings, reads=True):
        pass


def _lacking(installed: Place) -> str:
    (installed.folder / "empty.db").touch()
    return "sqlite:///empty.db"


@pytest.mark.parametrize(
    "read_url",
    [lambda _: "mysql://root@127.0.0.1:1/itop", lambda _: "sqlite:///nowhere.db", _lacking],
    ids=["away", "no", "empty"],
)
def test_a_replica_that_cannot_be_read_is_an_error_and_nothing_falls_back(
    installed: Place, read_url: Callable[[Place], str]
) -> None:
    installed.configure(read_url=read_url(installed))
    words = ("export", "--expression=SELECT Organization", "--fields=name", "--no_localize=1")
    for answer in (installed.call(*words), installed.call("query", "SELECT Organization")):
        assert (answer.code, answer.out) == (69, "")
        assert "read_url: " in answer.err
        assert "nowhere else" in answer.err
    assert "TO DO  database: read_url: " in installed.call("check").out
    file = installed.write("orgs.csv", "name,code\nNew,N\n")
    assert installed.call("import", "--class=Organization", f"--csvfile={file}", "--no_localize=1").code == 0


def test_exports_queries_and_jobs_read_there_imports_do_not(installed: Place) -> None:
    shutil.copyfile(installed.folder / "itopd.db", installed.folder / "replica.db")
    with opened(f"sqlite:///{installed.folder}/replica.db") as database:
        _set_name(database, "of the replica")
    installed.configure(read_url="sqlite:///replica.db")
    select = ("--expression=SELECT Organization", "--fields=name", "--no_localize=1")
    assert installed.call("export", *select).out == '"name"\n"of the replica"\n'
    assert installed.query("SELECT Organization", "name") == [("of the replica",)]
    assert "of the replica" in installed.call("query", "SELECT Organization").out
    installed.write(
        "jobs/out.params",
        "service = export\nschedule = every 1h\nexpression = SELECT Organization\nfields = name\nno_localize = 1\n"
        f"output_file = {installed.folder}/out.csv\n",
    )
    assert installed.call("job", "run", "out").code == 0
    assert installed.read("out.csv") == '"name"\n"of the replica"\n'
    assert "Exports and queries read from " in installed.call("status").out
    assert "exports and queries read file " in installed.call("check").out
    file = installed.write("orgs.csv", "name,code\nNew,N\n")
    assert installed.call("import", "--class=Organization", f"--csvfile={file}", "--no_localize=1").code == 0
    assert installed.call("export", *select).out == '"name"\n"of the replica"\n'
    installed.configure(read_url="")
    assert installed.query("SELECT Organization WHERE code = 'N'", "name") == [("New",)]
