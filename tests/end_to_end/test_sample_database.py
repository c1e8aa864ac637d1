"""The sample of a real iTop on MariaDB, used through the real commands: only what should change changes.

itopd is attached, as to a running iTop: a ``config-itop.php`` names the database and the mail server, iTop's own data
model says what the tables are, and the state is a database of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from itopd.database import Database
from tests.cli.calls import Place, place
from tests.support.dumps import TableDifference, diff_dumps, dump_tables
from tests.support.sample import REFERENCE, fresh_sample_mariadb
from tests.support.servers import HOST, MARIADB_PORT, admin_connection
from tests.support.smtp import SmtpServer, smtp_server

pytestmark = [pytest.mark.shared, pytest.mark.mariadb]

CONFIG = """<?php
/** Written by a test; the values are those of an installation. */
$MySettings = array(
    'db_host' => '{host}:{mariadb}',
    'db_user' => 'root',
    'db_pwd' => '',
    'db_name' => '{name}',
    'db_subname' => '',
    'timezone' => 'Europe/Paris',
    'default_language' => 'EN US',
    'email_asynchronous' => true,
    'email_transport' => 'SMTP',
    'email_transport_smtp.host' => '127.0.0.1',
    'email_transport_smtp.port' => {smtp},
    'email_default_sender_address' => 'itop@example.com',
);
$MyModuleSettings = array(
    'authent-local' => array('password_validation.pattern' => ''),
);
$MyModules = array('addons' => array('user rights' => 'addons/userrights/userrightsprofile.class.inc.php'));
?>
"""

ROWS = [
    # (class name, status): all were due long ago
    ("CheckStopWatchThresholds", "active"),
    ("ExecAsyncTask", "active"),  # handed over to itopd below
    ("itop\\extension\\OfSomebody", "active"),
    ("EmailBackgroundProcess", "paused"),
    ("OldTask", "removed"),
]


@dataclass(frozen=True)
class Site:
    """An iTop, and itopd beside it."""

    place: Place
    database: Database
    mails: SmtpServer
    state: str

    @property
    def config_php(self) -> Path:
        """Return iTop's configuration."""
        return self.place.folder / "config-itop.php"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give an iTop whose processes were due long ago, and an itopd that is attached to it."""
    folder = tmp_path_factory.mktemp("attached")
    with fresh_sample_mariadb() as database, smtp_server() as mails, _state_of(database.name) as state:
        with admin_connection() as connection, connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {database.name}.priv_backgroundtask (class_name, first_run_date, latest_run_date, "
                "next_run_date, total_exec_count, latest_run_duration, min_run_duration, max_run_duration, "
                "average_run_duration, running, status, system_user) "
                "VALUES (%s, '2024-01-01', '2024-01-02', '2024-01-02 00:01:00', 7, 1, 1, 1, 1, 0, %s, 'www')",
                ROWS,
            )
        made = place(folder)
        config = CONFIG.format(host=HOST, mariadb=MARIADB_PORT, name=database.name, smtp=mails.port)
        made.write("config-itop.php", config)
        made.config.write_text(
            f"itop_config = {folder}/config-itop.php\n"
            f"data_model = {REFERENCE}/datamodel.xml\n"
            f"state_url = mysql://root@{HOST}:{MARIADB_PORT}/{state}\n"
            f"data_folder = {folder}\n"
            f"jobs_folder = {made.jobs}\n"
        )
        taken = made.call("attach", "--take_over", "--processes=ExecAsyncTask")
        assert (taken.code, taken.out) == (0, "ok     ExecAsyncTask: runs here now (its row was active)\n"), taken
        yield Site(made, database, mails, state)


@contextmanager
def _state_of(name: str) -> Iterator[str]:
    """Give the name of the state database; itopd creates it, this drops it."""
    state = f"{name}_state"
    try:
        yield state
    finally:
        with admin_connection() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {state}")


def _definitions(name: str) -> dict[str, str]:
    """Return how each table, view, trigger and routine of a database is made, counters left out."""
    with admin_connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"SHOW FULL TABLES FROM {name}")
        found = {}
        for table, _ in cursor.fetchall():
            cursor.execute(f"SHOW CREATE TABLE {name}.`{table}`")
            row = cursor.fetchone()
            assert row is not None
            found[table] = re.sub(r" AUTO_INCREMENT=\d+", "", row[1])
        # SHOW looks at this database alone; information_schema would open the tables of all, and wait for their locks.
        for kind in ("TRIGGERS", "EVENTS"):
            cursor.execute(f"SHOW {kind} FROM {name}")
            found[kind] = str(cursor.fetchall())
        for kind in ("PROCEDURE", "FUNCTION"):
            cursor.execute(f"SHOW {kind} STATUS WHERE Db = %s", (name,))
            found[kind] = str(cursor.fetchall())
    return found


@contextmanager
def _changes(site: Site) -> Iterator[dict[str, TableDifference]]:
    """Give what the block changed, table by table, filled at its end; the definitions must stay."""
    definitions, before = _definitions(site.database.name), dump_tables(site.database)
    changes: dict[str, TableDifference] = {}
    yield changes
    changes |= diff_dumps(before, dump_tables(site.database))
    assert _definitions(site.database.name) == definitions


def test_check_finds_everything_in_order_and_changes_nothing(site: Site) -> None:
    config = site.config_php.read_bytes()
    with _changes(site) as changes:
        answer = site.place.call("check")
    assert answer.code == 0, answer
    assert {line[:2] for line in answer.out.splitlines()} == {"ok"}
    assert f"database '{site.database.name}' at 127.0.0.1:3306 (user 'root'), tables as in the data model" in answer.out
    assert f"classes, {REFERENCE}/datamodel.xml" in answer.out
    assert f"SMTP server 127.0.0.1:{site.mails.port} answers" in answer.out
    assert changes == {}
    assert site.config_php.read_bytes() == config


def test_config_show_names_the_lines_of_itops_configuration(site: Site) -> None:
    answer = site.place.call("config", "show")
    line = next(line for line in answer.out.splitlines() if line.startswith("db_name "))
    assert line.split()[:3] == ["db_name", site.database.name, f"{site.config_php}:7"]


def test_a_query_reads_what_itop_wrote_and_changes_nothing(site: Site) -> None:
    with _changes(site) as changes:
        answer = site.place.call(
            "query", "SELECT UserLocal WHERE login = 'ADMIN'", "--fields=login,contactid_friendlyname", "--format=json"
        )
        people = site.place.call("query", "SELECT Person", "--fields=id,name,org_name", "--format=json")
    assert answer.code == 0, answer
    assert [row["login"] for row in json.loads(answer.out)] == ["admin"]
    with site.database.read() as connection:
        expected = connection.exec_driver_sql("SELECT COUNT(*) FROM person").scalar()
    assert len(json.loads(people.out)) == expected
    assert changes == {}


def test_an_import_changes_the_rows_it_names_and_their_history(site: Site) -> None:
    found = site.place.query("SELECT Person WHERE email != ''", "id,name,first_name,email,phone,org_id")[0]
    row_id, name, first_name, email, phone, org_id = found
    file = site.place.write(
        "people.csv",
        "email,name,first_name,org_id,phone\n"
        f"{email},{name},{first_name},{org_id},+33 1 00 00\n"
        f"new1@example.com,Näme,One,{org_id},\n"
        f"new2@example.com,Name,Two,{org_id},\n",
    )
    words = ("import", "--class=Person", f"--csvfile={file}", "--no_localize=1", "--reconciliationkeys=email")
    with _changes(site) as changes:
        answer = site.place.call(*words, "--comment=of the test")
    assert answer.code == 0, answer
    assert (answer.counter("Created"), answer.counter("Updated"), answer.counter("Issues")) == (2, 1, 0)

    contacts = changes.pop("contact")
    assert contacts.updated == {row_id: {"phone": (phone, "+33 1 00 00")}}
    assert [row["name"] for row in contacts.inserted.values()] == ["Näme", "Name"]
    people = changes.pop("person")
    assert (people.inserted.keys(), people.updated) == (contacts.inserted.keys(), {})
    change = changes.pop("priv_change")
    [(change_id, made)] = change.inserted.items()
    assert made["userinfo"].endswith(", Web Service (CSV) - of the test")
    operations = changes.pop("priv_changeop")
    assert sorted((row["optype"], row["objclass"], row["objkey"]) for row in operations.inserted.values()) == [
        *(("CMDBChangeOpCreate", "Person", key) for key in sorted(people.inserted)),
        ("CMDBChangeOpSetAttributeScalar", "Person", row_id),
    ]
    assert {row["changeid"] for row in operations.inserted.values()} == {change_id}
    assert len(changes.pop("priv_changeop_create").inserted) == 2
    [named] = changes.pop("priv_changeop_setatt").inserted.values()
    assert named["attcode"] == "phone"
    [values] = changes.pop("priv_changeop_setatt_scalar").inserted.values()
    assert (values["oldvalue"], values["newvalue"]) == (phone, "+33 1 00 00")
    assert changes == {}
    for difference in (contacts, people, change, operations):
        assert difference.deleted == {}

    with _changes(site) as changes:
        assert site.place.call(*words).counter("Unchanged") == 3
    assert changes == {}


def test_a_simulated_import_changes_nothing(site: Site) -> None:
    file = site.place.write("simulated.csv", "name,code\nSimulated,SIM\n")
    with _changes(site) as changes:
        answer = site.place.call(
            "import", "--class=Organization", f"--csvfile={file}", "--no_localize=1", "--simulate=1"
        )
    assert answer.counter("Created") == 1, answer
    assert changes == {}


def test_a_mail_is_queued_and_a_tick_delivers_it_and_touches_no_process_but_its_own(site: Site) -> None:
    with _changes(site) as changes:
        answer = site.place.call("mail", "enqueue", "--to=a@example.com", "--subject=Déjà vu", "--body=Text")
        assert answer.code == 0, answer
    assert {table: (len(one.inserted), one.deleted, one.updated) for table, one in changes.items()} == {
        "priv_async_send_email": (1, {}, {}),
        "priv_async_task": (1, {}, {}),
    }

    with _changes(site) as changes:
        answer = site.place.process("tick")
    assert answer.code == 0, answer
    assert "ExecAsyncTask: done in" in answer.out
    [mail] = site.mails.received
    assert (mail.message["Subject"], mail.sender, mail.recipients) == (
        "Déjà vu",
        "itop@example.com",
        ("a@example.com",),
    )
    assert len(changes.pop("priv_async_task").deleted) == 1
    assert len(changes.pop("priv_async_send_email").deleted) == 1
    processes = changes.pop("priv_backgroundtask")
    assert (processes.inserted, processes.deleted) == ({}, {})
    [(row_id, changed)] = processes.updated.items()
    assert dump_tables(site.database)["priv_backgroundtask"][row_id]["class_name"] == "ExecAsyncTask"
    assert changed["total_exec_count"] == (7, 8)
    assert {"latest_run_date", "next_run_date", "latest_run_duration"} <= changed.keys()
    assert "status" not in changed
    assert changes == {}


def test_a_process_that_was_not_handed_over_is_left_to_itop(site: Site) -> None:
    def make_due() -> None:
        with admin_connection() as connection, connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {site.database.name}.priv_backgroundtask SET next_run_date = '2024-01-02 00:01:00' "
                "WHERE class_name = 'ExecAsyncTask'"
            )

    make_due()
    with _changes(site) as changes:
        given_back = site.place.call("detach")
    assert (given_back.code, given_back.out) == (
        0,
        "ok     ExecAsyncTask: is back with iTop: its row is active again\n",
    )
    assert [list(change.updated.values()) for change in changes.values()] == [[{"status": ("paused", "active")}]]
    with _changes(site) as changes:
        answer = site.place.call("tick")
        status = site.place.call("status")
        check = site.place.call("check")
    assert (answer.code, answer.out) == (0, "nothing is due\n")
    assert "  ExecAsyncTask: iTop's cron.php\n" in status.out
    assert "  EmailBackgroundProcess: nobody: its row is paused\n" in status.out
    assert "ok     processes: iTop's cron.php runs all of them: 'itopd attach --take_over' changes that" in check.out
    assert changes == {}
    assert site.place.call("attach", "--take_over", "--processes=ExecAsyncTask").code == 0
    assert "  ExecAsyncTask: itopd\n" in site.place.call("status").out


def test_a_process_that_somebody_activates_is_told_and_does_not_run_here(site: Site) -> None:
    def give(status: str) -> None:
        with admin_connection() as connection, connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {site.database.name}.priv_backgroundtask SET status = %s, "
                "next_run_date = '2024-01-02 00:01:00' WHERE class_name = 'ExecAsyncTask'",
                (status,),
            )

    give("active")
    with _changes(site) as changes:
        answers = [site.place.call(command) for command in ("status", "check", "tick")]
    give("paused")
    assert [answer.code for answer in answers] == [1, 1, 0], answers
    for answer in answers[:2]:
        assert "ExecAsyncTask was handed over to itopd, but somebody has set its row" in answer.out
    assert answers[2].out == "nothing is due\n"
    assert changes == {}


def test_an_export_reads_one_snapshot_and_changes_nothing(site: Site) -> None:
    target = site.place.folder / "servers.csv"
    with _changes(site) as changes:
        answer = site.place.call(
            "export", "--expression=SELECT Server", "--fields=name,organization_name,status", f"--output={target}"
        )
    assert answer.code == 0, answer
    with site.database.read() as connection:
        servers = connection.exec_driver_sql("SELECT COUNT(*) FROM server").scalar()
    assert len(target.read_text(encoding="utf-8").splitlines()) == (servers or 0) + 1
    assert changes == {}


def test_a_scheduled_import_writes_state_beside_itop_and_history_inside(site: Site) -> None:
    file = site.place.write("brands.csv", "name\nOf a job\n")
    site.place.write(
        "jobs/brands.params",
        f"service = import\nschedule = every 1h\nclass = Brand\ncsvfile = {file}\nno_localize = 1\n",
    )
    with _changes(site) as changes:
        answer = site.place.process("job", "run", "brands")
    (site.place.jobs / "brands.params").unlink()
    assert answer.code == 0, answer
    assert set(changes) == {"brand", "typology", "priv_change", "priv_changeop", "priv_changeop_create"}
    with admin_connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT state FROM {site.state}.itopd_run WHERE kind = 'job' AND name = 'brands'")
        assert cursor.fetchall() == (("done",),)


def test_init_refuses_itops_database(site: Site) -> None:
    with _changes(site) as changes:
        answer = site.place.call("init")
    assert answer.code == 69
    assert "is not empty" in answer.err
    assert changes == {}


def test_another_data_model_than_itops_own_is_noticed(site: Site) -> None:
    with admin_connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {site.database.name}.person RENAME COLUMN mobile_phone TO mobile_phone_x")
    try:
        answer = site.place.call("check")
    finally:
        with admin_connection() as connection, connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {site.database.name}.person RENAME COLUMN mobile_phone_x TO mobile_phone")
    assert answer.code == 1
    assert "does not fit the data model" in answer.out
    assert "Name iTop's own datamodel-production.xml in data_model" in answer.out
