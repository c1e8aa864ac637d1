"""A daemon notices that iTop's set-up has run: the next run has the new model; nothing writes while it is unusable."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.settings import Settings
from itopd.wiring import open_configured_database
from itopd.wiring.model_watch import ModelWatch
from tests.cli.calls import PATIENCE, Place, wait_until
from tests.cli.conftest import installed, prepared
from tests.support.sample import REFERENCE, require_shared

__all__ = ["installed", "prepared"]

pytestmark = pytest.mark.shared

PROBE = """<class id="GuardProbe"><parent>cmdbAbstractObject</parent><properties><category>bizmodel</category>
<db_table>guard_probe</db_table><naming><attributes><attribute id="name"/></attributes></naming></properties>
<fields><field id="name" xsi:type="AttributeString"><sql>name</sql>
<is_null_allowed>true</is_null_allowed></field></fields>
</class>"""


@pytest.fixture
def attached(installed: Place) -> Place:
    """Give a place whose data model is a file, as beside a running iTop."""
    require_shared()
    shutil.copyfile(REFERENCE / "datamodel.xml", installed.folder / "datamodel.xml")
    installed.configure(data_model=installed.folder / "datamodel.xml")
    return installed


def _add_probe(made: Place) -> None:
    """Let iTop's set-up write a model with one more class; the file appears whole."""
    text = made.read("datamodel.xml")
    draft = made.write("draft.xml", text.replace("</classes>", f"{PROBE}</classes>", 1))
    draft.rename(made.folder / "datamodel.xml")


def _make_probe_table(made: Place) -> None:
    with closing(sqlite3.connect(made.folder / "itopd.db")) as database:
        database.execute("CREATE TABLE guard_probe (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)")


@pytest.fixture
def watch(attached: Place) -> Iterator[ModelWatch]:
    settings = Settings(data_folder=attached.folder, data_model=str(attached.folder / "datamodel.xml"))
    database = open_configured_database(settings)
    try:
        yield ModelWatch(settings, database)
    finally:
        database.close()


def test_nothing_changes_while_nobody_changes_anything(watch: ModelWatch) -> None:
    first = watch.generation()
    assert "datamodel.xml of 20" in first
    assert "set-up of iTop never recorded" in first
    assert watch.problem() == ""
    assert (watch.generation(), watch.problem()) == (first, "")


def test_the_file_and_the_rows_of_installed_modules_tell_that_the_set_up_ran(
    attached: Place, watch: ModelWatch
) -> None:
    first = watch.generation()
    row = {"name": "itop-tickets", "version": "3.2", "installed": "2026-11-23 10:00:00"}
    with watch.database.write() as connection:
        connection.execute(sa.insert(watch.database.table("ModuleInstallation")), row)
    second = watch.generation()
    assert "set-up of iTop 2026-11-23 10:00:00" in second
    os.utime(attached.folder / "datamodel.xml")
    assert len({first, second, watch.generation()}) == 3


def test_a_model_that_does_not_load_or_fit_refuses_writes_until_it_does(attached: Place, watch: ModelWatch) -> None:
    assert watch.problem() == ""
    whole = attached.read("datamodel.xml")
    attached.write("datamodel.xml", whole[: len(whole) // 2])
    assert "cannot be loaded, nothing that writes begins until it can: " in watch.problem()
    attached.write("datamodel.xml", whole)
    assert watch.problem() == ""
    _add_probe(attached)
    assert "table guard_probe is missing" in watch.problem()
    _make_probe_table(attached)
    assert watch.problem() == ""


def test_what_differed_at_the_start_is_for_check_to_tell(attached: Place, watch: ModelWatch) -> None:
    _add_probe(attached)
    assert watch.problem() == ""


def test_without_a_model_of_its_own_there_is_nothing_to_watch(installed: Place) -> None:
    settings = Settings(data_folder=installed.folder)
    database = open_configured_database(settings)
    assert (ModelWatch(settings, database).generation(), ModelWatch(settings, database).problem()) == ("", "")
    database.close()


def test_a_daemon_takes_the_new_model_up_and_survives_a_broken_one(attached: Place) -> None:
    export = (  # a new model is taken up between runs: there must be such moments on a busy machine, too
        "service = export\nschedule = every 6s\nexpression = SELECT {0}\nfields = name\noutput_file = {1}/{0}.csv\n"
    )
    attached.write("jobs/people.params", export.format("Person", attached.folder))
    attached.write("jobs/probes.params", export.format("GuardProbe", attached.folder))
    people, probes = attached.folder / "Person.csv", attached.folder / "GuardProbe.csv"
    daemon = attached.start("run")

    def log() -> str:
        return attached.read("started.err")

    try:
        wait_until(people.exists, "the first export")
        wait_until(lambda: "GuardProbe" in log() and "run_failed" in log(), "the refusal of the unknown class")
        _make_probe_table(attached)
        _add_probe(attached)
        wait_until(lambda: "model_ready" in log(), "the new model")
        assert "model_changed" in log()
        attached.write("jobs/probes.params", export.format("GuardProbe", attached.folder) + "enabled = yes\n")
        wait_until(probes.exists, "an export of the new class")

        whole = attached.read("datamodel.xml")
        attached.write("datamodel.xml", whole[: len(whole) // 2])
        wait_until(lambda: "writes_refused" in log(), "the report of the broken model")
        assert daemon.poll() is None
        Path(people).unlink(missing_ok=True)
        attached.write("datamodel.xml", whole)
        wait_until(lambda: "writes_allowed" in log(), "the end of the refusal")
        wait_until(people.exists, "an export after it")
        assert "Data model: " in attached.call("status").out
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(PATIENCE) == 0
    finally:
        daemon.kill()
        daemon.wait()
