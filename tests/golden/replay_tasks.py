"""Replays the work of background processes: what each removes or notes, and its message."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from itopd.backups import MANIFEST, BackupPlan, Member, Pace
from itopd.backups.manifest import SQLITE_DUMP
from itopd.clock import FixedClock, to_itop
from itopd.database import Database
from itopd.tasks.backup_exec import backup_exec
from itopd.tasks.bulk_export_result_gc import bulk_export_result_gc
from itopd.tasks.event_notification_newsroom_gc import event_notification_newsroom_gc
from itopd.tasks.inline_image_gc import inline_image_gc
from itopd.tasks.obsolescence_date_updater import obsolescence_date_updater
from itopd.tasks.work import Work
from tests.golden.harness import Vector, check_equal, instead, replays
from tests.golden.sample import golden_sample

_RETENTION_DAYS = 182


@replays("cron", lambda vector: vector.name == "task-export-results")
def replay_export_results(vector: Vector) -> None:
    """Remove old results with their files."""
    with _sample() as (database, folder):
        for result in vector.data["given"]["results"]:
            _insert(database, "BulkExportResult", **result)
            if result["temp_file_path"]:
                (folder / result["temp_file_path"]).write_text("x")
        message = bulk_export_result_gc(_work(vector, database), [folder])
        left = _column(database, "BulkExportResult", "temp_file_path")
        check_equal("files left", sorted(path.name for path in folder.glob("*.tmp")), sorted(left))
    check_equal("message", message, vector.data["expect"]["message"])
    check_equal("left", left, vector.data["expect"]["left"])


@instead("cron/task-inline-images")
def replay_inline_images(vector: Vector) -> None:
    """Remove every expired draft: two pictures and the one attachment that has expired."""
    with _sample() as (database, _):
        for document in vector.data["given"]["documents"]:
            row = {key: document[key] for key in ("item_id", "expire")}
            _insert(database, document["class"], contents_filename=document["file"], **row)
        message = inline_image_gc(_work(vector, database))
        left = {
            cls: [name for name in _column(database, cls, "contents_filename") if name in _files(vector)]
            for cls in ("InlineImage", "Attachment")
        }
    check_equal("message", message, "Cleaned 2 old temporary InlineImage(s) and 1 old temporary Attachment(s).")
    check_equal(
        "left", left, {"InlineImage": ["used.png", "later.png", "noexpiry.png"], "Attachment": ["a2.txt", "a3.txt"]}
    )


@replays("cron", lambda vector: vector.name == "task-newsroom")
def replay_newsroom(vector: Vector) -> None:
    """Remove news that were read long ago. The recorded clock is the database's; here it is any."""
    now = datetime(2027, 2, 10, 9, tzinfo=UTC)
    with _sample() as (database, _):
        before = len(_column(database, "Event", "id"))
        for entry in vector.data["given"]["entries"]:
            days = entry["read_days_ago"]
            read = None if days is None else to_itop(now - timedelta(days=days), database.timezone)
            id_ = _insert(database, "Event", realclass="EventNotificationNewsroom")
            _insert(database, "EventNotification", id_, realclass="EventNotificationNewsroom")
            row = {"title": entry["title"], "read": entry["read"], "read_date": read}
            _insert(database, "EventNotificationNewsroom", id_, **row)
        work = Work(vector.data["run"]["process"], database, FixedClock(now))
        message = event_notification_newsroom_gc(work, _RETENTION_DAYS)
        expected = vector.data["expect"]
        check_equal("message", message, expected["message"])
        check_equal("left", _column(database, "EventNotificationNewsroom", "title"), expected["left"])
        left = len(_column(database, "Event", "id")) - before
        check_equal("left in priv_event", left, expected["left_in_priv_event"])


@replays("cron", lambda vector: vector.name == "task-obsolescence")
def replay_obsolescence(vector: Vector) -> None:
    """Note since when objects are obsolete. What the vector says in words: Server1, 2 and 4 are, two have dates."""
    with _sample() as (database, _):
        ids = _ids_of_servers(database)
        with database.write() as connection:
            devices, cis = database.table("PhysicalDevice"), database.table("FunctionalCI")
            obsolete = [ids[name] for name in ("Server1", "Server2", "Server4")]
            connection.execute(devices.update().where(devices.c.id.in_(obsolete)).values(status="obsolete"))
            for name, date in (("Server3", "2026-01-01"), ("Server4", "2026-05-05")):
                connection.execute(cis.update().where(cis.c.id == ids[name]).values(obsolescence_date=date))
        before = len(_column(database, "CMDBChangeOp", "id"))
        message = obsolescence_date_updater(_work(vector, database))
        expected = vector.data["expect"]
        check_equal("message", message, expected["message"])
        with database.read() as connection:
            rows = connection.execute(sa.select(cis.c.id, cis.c.obsolescence_date)).all()
        dates = {row.id: row.obsolescence_date for row in rows}
        found = [{"name": one["name"], "obsolescence_date": dates[ids[one["name"]]]} for one in expected["objects"]]
        check_equal("objects", found, expected["objects"])
        check_equal(
            "history entries", len(_column(database, "CMDBChangeOp", "id")) - before, expected["history_entries"]
        )


@replays("cron", lambda vector: vector.name == "task-backup")
def replay_backup(vector: Vector) -> None:
    """Make a backup beside older ones. The recorded database is called itop_cron; ours adds its manifest."""
    given, expected = vector.data["given"], vector.data["expect"]
    settings = given["module_settings"]["itop-backup"]
    clock = FixedClock(datetime.fromisoformat(given["clock"]["utc"]).replace(tzinfo=UTC))
    with _sample() as (database, folder):
        backups, config = folder / "auto", folder / "config-itop.php"
        backups.mkdir()
        config.write_text("<?php")
        for file in given["files"]:
            path = backups / file["name"]
            path.write_bytes(b"x")
            made = (clock.now() - timedelta(days=file["age_days"])).timestamp()
            os.utime(path, (made, made))
        plan = BackupPlan(
            folder=backups,
            file_name_format=settings["file_name_format"],
            environment="production",
            files=(Member("config-itop.php", config),),
        )
        message = backup_exec(database, plan, settings["retention_count"], clock, Pace())
        name = Path(database.name).stem if database.dialect == "sqlite" else database.name
        made_here = message.replace(str(backups), "<BACKUP_DIR>").replace(name, "itop_cron")
        check_equal("message", made_here, expected["message"])
        files = sorted(path.name.replace(name, "itop_cron") for path in backups.iterdir())
        check_equal("files after", files, sorted(expected["files_after"]))
        with tarfile.open(f"{message.removeprefix('Created the backup: ')}.tar.gz") as archive:
            members = sorted(set(archive.getnames()) - {MANIFEST})
        dump = {SQLITE_DUMP: "itop-dump.sql"} if database.dialect == "sqlite" else {}
        check_equal("members", sorted(dump.get(one, one) for one in members), sorted(expected["archive_members"]))


@contextmanager
def _sample() -> Iterator[tuple[Database, Path]]:
    with TemporaryDirectory() as name, golden_sample(Path(name)) as database:
        yield database, Path(name)


def _work(vector: Vector, database: Database) -> Work:
    now = datetime.fromisoformat(vector.data["given"]["clock"]["utc"]).replace(tzinfo=UTC)
    return Work(vector.data["run"]["process"], database, FixedClock(now))


def _files(vector: Vector) -> set[str]:
    return {document["file"] for document in vector.data["given"]["documents"]}


def _insert(database: Database, cls: str, id_: int | None = None, **row: Any) -> int:
    with database.write() as connection:
        key = database.allocate_ids(connection, cls, 1)[0] if id_ is None else id_
        connection.execute(sa.insert(database.table(cls)).values(id=key, **row))
    return key


def _column(database: Database, cls: str, name: str) -> list[Any]:
    table = database.table(cls)
    with database.read() as connection:
        return list(connection.execute(sa.select(table.c[name]).order_by(table.c.id)).scalars())


def _ids_of_servers(database: Database) -> dict[str, int]:
    cis, servers = database.table("FunctionalCI"), database.table("Server")
    query = sa.select(cis.c.name, cis.c.id).join_from(cis, servers, servers.c.id == cis.c.id)
    with database.read() as connection:
        return {row.name: row.id for row in connection.execute(query)}
