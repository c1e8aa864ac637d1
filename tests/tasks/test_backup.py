"""BackupExec: archives by the engines' own means, whole or not at all, and nothing left behind."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from itopd.backups import BackupPlan, Member, Pace, Programs, read_archive
from itopd.backups.naming import backup_name
from itopd.clock import FixedClock
from itopd.database import Database, open_database
from itopd.datamodel import bundled_model
from itopd.errors import ConflictError, DatabaseError, InputError, ItopdError, RefusedError, SettingsError
from itopd.heartbeat import Weekly
from itopd.settings import Settings
from itopd.tasks.backup_exec import backup_exec
from itopd.wiring import back_up as wiring_back_up
from itopd.wiring import tasks_of
from tests.cli.calls import wait_until
from tests.support.engines import new_database
from tests.support.servers import PARIS, admin_connection
from tests.tasks.work import NOW

NAME = "backup-2027-02-10_10_00"


def plan(folder: Path, **options: object) -> BackupPlan:
    values = {"folder": folder, "file_name_format": "backup-%Y-%m-%d_%H_%M", "environment": "production", **options}
    return BackupPlan(**values)  # type: ignore[arg-type]


def back_up(database: Database, folder: Path, *, keep: int = 5, pace: Pace | None = None, **options: object) -> str:
    return backup_exec(database, plan(folder, **options), keep, FixedClock(NOW), pace or Pace())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def program(folder: Path, name: str, text: str) -> Path:
    """Put a program into a folder of its own; return that."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return folder


def test_the_archive_is_whole_and_nobody_elses_to_read(database: Database, tmp_path: Path) -> None:
    extra = tmp_path / "extra"
    (extra / "deep").mkdir(parents=True)
    (extra / "deep" / "file").write_text("extra")
    folder = tmp_path / "backups" / "auto"
    message = back_up(database, folder, files=[Member("modules", extra), Member("one.txt", extra / "deep" / "file")])
    assert message == f"Created the backup: {folder}/{NAME}"
    archive = folder / f"{NAME}.tar.gz"
    assert names(folder) == [archive.name]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, archive)] == [0o700, 0o600]
    (tmp_path / "read").mkdir()
    manifest, dump = read_archive(archive, tmp_path / "read", Pace())
    assert (manifest.engine, manifest.created, manifest.prefix) == (database.dialect, NOW, "")
    assert set(manifest.members) == {dump.name, "modules/deep/file", "one.txt"}
    assert dump.name == ("itop.db" if database.dialect == "sqlite" else "itop-dump.sql")
    assert dump.stat().st_size == manifest.members[dump.name].size > 10_000
    assert b"CREATE SCHEMA" not in dump.read_bytes()


def test_an_archive_that_changed_is_found_out(tmp_path: Path) -> None:
    with new_database("sqlite", tmp_path) as database:
        back_up(database, tmp_path / "b")
    whole = (tmp_path / "b" / f"{NAME}.tar.gz").read_bytes()
    bad = tmp_path / "bad.tar.gz"
    for content in (whole[:-2000], whole[: len(whole) // 2], b"PK nonsense", whole[:9000] + b"x" + whole[9001:]):
        bad.write_bytes(content)
        with pytest.raises(InputError):
            read_archive(bad, tmp_path, Pace())
    with tarfile.open(bad, "w:gz") as archive, tarfile.open(tmp_path / "b" / f"{NAME}.tar.gz") as source:
        archive.addfile(source.getmember("itop.db"), source.extractfile("itop.db"))
    with pytest.raises(InputError, match=r"has no itopd-manifest\.json"):
        read_archive(bad, tmp_path, Pace())
    with tarfile.open(bad, "w:gz") as archive, tarfile.open(tmp_path / "b" / f"{NAME}.tar.gz") as source:
        for member in source:
            file = source.extractfile(member)
            assert file is not None
            changed = file.read()
            if member.name == "itop.db":
                changed = changed.replace(b"priv_user", b"priv_usex")
            archive.addfile(member, io.BytesIO(changed))
    with pytest.raises(InputError, match=r"itop\.db is not what itopd-manifest\.json says"):
        read_archive(bad, tmp_path, Pace())


def test_nothing_is_overwritten_and_the_oldest_go_once_the_new_one_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir(mode=0o700)
    for age, name in enumerate(["c.zip", "b.tar.gz", "a.tar.gz", "notes.txt", "z.tgz"]):
        (folder / name).write_text("old")
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    with new_database("sqlite", tmp_path) as database:
        back_up(database, folder, keep=3)
        assert names(folder) == sorted(["b.tar.gz", "c.zip", "notes.txt", "z.tgz", f"{NAME}.tar.gz"])
        assert back_up(database, folder, keep=0).endswith(f"{NAME}-2")
        assert len(names(folder)) == 6
        back_up(database, folder, keep=1)
        assert names(folder) == [f"{NAME}-3.tar.gz", "notes.txt", "z.tgz"]


@pytest.mark.parametrize("engine", [pytest.param("mariadb", marks=pytest.mark.mariadb), pytest.param("sqlite")])
def test_a_backup_that_is_stopped_or_fails_leaves_nothing_and_keeps_the_old_ones(engine: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "old.tar.gz").write_text("old")
    asked: list[int] = []

    def late() -> bool:
        asked.append(1)
        return len(asked) > 3

    with new_database(engine, tmp_path) as database:
        with pytest.raises(RefusedError, match="stopped before it was complete"):
            back_up(database, folder, keep=1, pace=Pace(late))
        with pytest.raises(SettingsError, match=r"gone.*extra_files"):
            back_up(database, folder, keep=1, files=[Member("gone", tmp_path / "gone")])
        if engine == "mariadb":
            broken = program(tmp_path / "bin", "mariadb-dump", "head -c 100000 /dev/zero; echo 'no luck' >&2; exit 3")
            with pytest.raises(DatabaseError, match=r"mariadb-dump failed \(exit code 3\): no luck"):
                back_up(database, folder, keep=1, programs=Programs(mysql=str(broken)))
    assert names(folder) == ["old.tar.gz"]


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        pytest.param("mariadb", "mariadb-client.*itop-backup.mysql_bindir", marks=pytest.mark.mariadb),
        pytest.param("postgresql", "postgresql-client.*backup_postgresql_bindir", marks=pytest.mark.postgresql),
    ],
)
def test_a_missing_program_is_told_with_package_and_setting(engine: str, told: str, tmp_path: Path) -> None:
    empty = str(tmp_path)
    with new_database(engine, tmp_path) as database, pytest.raises(SettingsError, match=told):
        back_up(database, tmp_path / "b", programs=Programs(empty, empty))
    assert names(tmp_path / "b") == []


SECRET = "a'\"\\#; %:@/p" + secrets.token_hex(8)
RECORD = 'cat /proc/$$/cmdline /proc/$$/environ > {seen}; ls -lAR {folder} >> {seen}; exec {real} "$@"'


@pytest.mark.mariadb
def test_mariadbs_password_is_seen_by_nobody(tmp_path: Path) -> None:
    user = f"itopd_{secrets.token_hex(5)}"
    seen, folder = tmp_path / "seen", tmp_path / "b"
    real = shutil.which("mariadb-dump") or shutil.which("mysqldump")
    tools = program(tmp_path / "bin", "mariadb-dump", RECORD.format(seen=seen, folder=folder, real=real))
    with new_database("mariadb", tmp_path) as database, closing(admin_connection()) as admin:
        cursor = admin.cursor()
        cursor.execute(f"CREATE USER {user}@'%%' IDENTIFIED BY %s", (SECRET,))
        try:
            cursor.execute(f"GRANT ALL ON `{database.name}`.* TO {user}@'%'")
            url = database.engine.url.set(username=user, password=SECRET)
            with closing(_open(url.render_as_string(hide_password=False), database)) as other:
                back_up(other, folder, programs=Programs(mysql=str(tools)))
        finally:
            cursor.execute(f"DROP USER {user}@'%'")
    _require_hidden(seen.read_bytes(), "options.cnf")
    assert names(folder) == [f"{NAME}.tar.gz"]


@pytest.mark.postgresql
def test_postgresqls_password_is_seen_by_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "another one")
    seen, folder, file = tmp_path / "seen", tmp_path / "b", tmp_path / "file"
    text = f"cp $PGPASSFILE {file}; " + RECORD.format(seen=seen, folder=folder, real=shutil.which("pg_dump"))
    tools = program(tmp_path / "bin", "pg_dump", text)
    with new_database("postgresql", tmp_path) as database:
        url = database.engine.url.set(password=SECRET)
        with closing(_open(url.render_as_string(hide_password=False), database)) as other:
            back_up(other, folder, programs=Programs(postgresql=str(tools)))
    _require_hidden(seen.read_bytes(), "passwords")
    assert file.read_text() == "*:*:*:*:" + SECRET.replace("\\", "\\\\").replace(":", "\\:") + "\n"


def _open(url: str, like: Database) -> Database:
    return open_database(url, like.model, PARIS)


def _require_hidden(seen: bytes, file: str) -> None:
    assert SECRET.encode() not in seen
    assert b"PGPASSWORD" not in seen
    (line,) = [line for line in seen.split(b"\n") if line.endswith(file.encode())]
    assert line.startswith(b"-rw------- ")


@pytest.mark.mariadb
@pytest.mark.crash
def test_what_a_killed_backup_left_the_next_one_removes(tmp_path: Path) -> None:
    folder, pid = tmp_path / "b", tmp_path / "pid"
    endless = program(tmp_path / "bin", "mariadb-dump", f"echo $$ > {pid}; exec yes")
    with new_database("mariadb", tmp_path) as database:
        config = tmp_path / "itopd.params"
        config.write_text(
            f"database_url = {database.engine.url.render_as_string(hide_password=False)}\n"
            f"data_folder = {tmp_path}\nbackup_folder = {folder}\nitop-backup.mysql_bindir = {endless}\n"
        )
        running = subprocess.Popen([sys.executable, "-m", "itopd", "--config", str(config), "backup"])
        try:
            wait_until(lambda: list(folder.glob(".tmp-backup-*/itop-dump.sql")), "the dump")
            with pytest.raises(ConflictError, match=r"backup\.production"):
                back_up(database, folder)
        finally:
            running.kill()
            running.wait()
        wait_until(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists(), "the end of the program")
        (left,) = folder.iterdir()
        assert stat.S_IMODE(left.stat().st_mode) == 0o700
        wait_until(lambda: _finishes(lambda: back_up(database, folder)), "the end of the dead one's lock")
        assert names(folder) == [f"{NAME}.tar.gz"]


def _finishes(work: Callable[[], str]) -> bool:
    try:
        work()
    except ConflictError:
        return False
    return True


def test_a_full_disk_is_told_and_nothing_stays(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    with new_database("sqlite", tmp_path) as database:
        config = tmp_path / "itopd.params"
        config.write_text(f"database_url = {database.engine.url}\ndata_folder = {tmp_path}\nbackup_folder = {folder}\n")
        limited = f"ulimit -f 1000; exec {sys.executable} -m itopd --config {config} backup"
        done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (64, 69), done.stderr
    assert str(folder) in done.stderr
    assert "internal error" not in done.stderr
    assert names(folder) == []


@pytest.mark.parametrize(
    ("name_format", "name"),
    [
        ("__DB__-%Y-%m-%d_%H_%M", "itop-2027-02-10_10_00"),
        ("__HOST__.__DB____SUBNAME__ %A", "db.example.org.itop100%Y_ Wednesday"),
        ("__DB__/x", None),
        ("..", None),
        ("", None),
    ],
)
def test_names(name_format: str, name: str | None) -> None:
    prefix = "100%Y_" if "SUBNAME" in name_format else ""
    with closing(open_database("mysql://u@db.example.org/itop", bundled_model(), PARIS, prefix)) as database:
        wall = NOW.astimezone(PARIS).replace(tzinfo=None)
        if name is None:
            with pytest.raises(ItopdError, match="file_name_format"):
                backup_name(name_format, database, wall)
        else:
            assert backup_name(name_format, database, wall) == name


def test_the_schedule_has_itops_settings() -> None:
    settings = Settings(itop_backup_week_days="monday, friday", itop_backup_time="21:15")
    (task,) = [one for one in tasks_of(settings) if one.name == "BackupExec"]
    assert task.schedule == Weekly(enabled=True, days=frozenset({0, 4}), time="21:15")
    wrong = [one for one in tasks_of(Settings(itop_backup_time="later")) if one.problem]
    assert [one.name for one in wrong] == ["BackupExec"]
    assert "itop-backup: wrong format for setting 'time'" in wrong[0].problem


def test_beside_an_itop_its_own_files_are_in_it_under_its_names(tmp_path: Path) -> None:
    root = tmp_path / "itop"
    for name in (
        "conf/config-itop.php",
        "data/production.delta.xml",
        "data/production-modules/m/a.php",
        "images/x.png",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    attached = Settings.model_validate(
        {
            "itop_root": root,
            "itop_config": root / "conf" / "config-itop.php",
            "jobs_folder": tmp_path / "no jobs",
            "itop_backup_extra_files": ["images"],
            "itop_backup_file_name_format": "night",
        }
    )
    with new_database("sqlite", tmp_path) as database:
        wiring_back_up(attached, [], database, FixedClock(NOW), Pace())
        outside = attached.model_copy(update={"itop_backup_extra_files": ("../x",)})
        with pytest.raises(SettingsError, match=r"'\.\./x' is not below"):
            wiring_back_up(outside, [], database, FixedClock(NOW), Pace())
    with tarfile.open(root / "data" / "backups" / "auto" / "night.tar.gz") as archive:
        own = ["config-itop.php", "delta.xml", "production-modules/m/a.php", "images/x.png"]
        assert archive.getnames() == ["itop.db", *own, "itopd-manifest.json"]
