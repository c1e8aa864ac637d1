"""The log: whole lines, in two shapes, in a stream or a file that may be moved away; never a secret."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr

from itopd.errors import SettingsError
from itopd.settings import Settings
from itopd.wiring import set_up_log
from itopd.wiring.log_sink import FileSink, StreamSink


def _log_into(path: Path, **settings: object) -> None:
    set_up_log(Settings.model_validate({"log_file": str(path), **settings}), to_file=True)


def test_a_json_line_begins_with_time_level_event_run_and_name(tmp_path: Path) -> None:
    _log_into(tmp_path / "log", log_format="json")
    structlog.contextvars.bind_contextvars(run="42", name="people")
    structlog.get_logger().bind(kind="job").warning("run_limit_reached", seconds=3, path=tmp_path)
    structlog.get_logger().debug("not logged")
    (line,) = (tmp_path / "log").read_text().splitlines()
    entry = json.loads(line)
    assert list(entry)[:5] == ["time", "level", "event", "run", "name"]
    assert entry["time"].endswith("Z")
    assert (entry["level"], entry["event"], entry["run"]) == ("warning", "run_limit_reached", "42")
    assert (entry["seconds"], entry["path"]) == (3, str(tmp_path))


@pytest.mark.parametrize("shape", ["json", "console"])
def test_secrets_never_appear(tmp_path: Path, shape: str) -> None:
    _log_into(
        tmp_path / "log",
        log_format=shape,
        db_pwd=SecretStr("geheim-1"),
        database_url="mysql://itop:geheim%2F2@db/itop",
        encryption_key=SecretStr("geheim-3"),
    )
    log = structlog.get_logger()
    try:
        hidden = "geheim-9 of a variable"
        raise OSError(f"connecting with geheim-1 and mysql://x:geheim-4@h/y failed, not {len(hidden)}")  # noqa: TRY301
    except OSError:
        log.exception("loop_died", loop="dispatch")
    log.info("said", auth_pwd="geheim-5", url="smtp://u:geheim-6@h", inside={"password": "geheim-7", "t": ["geheim-3"]})
    log.info("geheim/2 in an event", error=ValueError("geheim-1"))
    text = (tmp_path / "log").read_text()
    assert "geheim" not in text
    assert "OSError: connecting with *** and mysql://x:***@h/y failed" in text


def test_a_fencing_token_is_no_secret(tmp_path: Path) -> None:
    _log_into(tmp_path / "log", log_format="json")
    structlog.get_logger().error("lease_lost", token=7)
    assert json.loads((tmp_path / "log").read_text())["token"] == 7


def test_the_level_of_the_settings_wins(tmp_path: Path) -> None:
    _log_into(tmp_path / "log", log_level="error")
    structlog.get_logger().warning("quiet")
    structlog.get_logger().error("loud")
    assert "quiet" not in (tmp_path / "log").read_text()
    assert "loud" in (tmp_path / "log").read_text()


def test_a_file_that_cannot_be_opened_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere/log \(log_file\) cannot be opened \(No such file"):
        _log_into(tmp_path / "nowhere" / "log")


def test_a_file_that_was_moved_or_removed_is_made_anew_at_the_next_line(tmp_path: Path) -> None:
    path, moved = tmp_path / "log", tmp_path / "log.1"
    sink = FileSink(path)
    sink.write("first")
    path.rename(moved)
    sink.write("second")
    assert (moved.read_text(), path.read_text()) == ("first\n", "second\n")
    path.unlink()
    sink.write("third")
    path.rename(moved)
    path.touch()  # as logrotate's "create" does
    sink.write("fourth")
    assert (moved.read_text(), path.read_text()) == ("third\n", "fourth\n")


def _write_lines(path: Path, writer: int, lines: int) -> None:
    sink = FileSink(path)
    for number in range(lines):
        sink.write(json.dumps({"writer": writer, "number": number, "text": str(writer) * 20_000}))


def test_lines_of_many_processes_stay_whole_while_the_file_is_rotated(tmp_path: Path) -> None:
    path, writers, lines = tmp_path / "log", 4, 100
    context = multiprocessing.get_context("fork")
    path.touch()
    processes = [context.Process(target=_write_lines, args=(path, writer, lines)) for writer in range(writers)]
    for process in processes:
        process.start()
    rotations = 0
    while any(process.is_alive() for process in processes):
        if path.exists() and path.stat().st_size > 200_000:
            rotations += 1
            path.rename(tmp_path / f"log.{rotations}")
        processes[0].join(0.001)
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * writers
    assert rotations > 1
    entries = [json.loads(line) for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert sorted((entry["writer"], entry["number"]) for entry in entries) == [
        (writer, number) for writer in range(writers) for number in range(lines)
    ]


def test_lines_of_a_full_disk_go_to_standard_error_with_the_reason(capfd: pytest.CaptureFixture[str]) -> None:
    sink = FileSink(Path("/dev/full"))
    sink.write("first")
    sink.write("second")
    assert capfd.readouterr().err.splitlines() == [
        "/dev/full (log_file) cannot be written: No space left on device; its lines go here",
        "first",
        "second",
    ]


def test_lines_that_nobody_takes_are_counted_and_stop_nobody(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        sink = StreamSink(stream)
        sink.write("lost")
        sink.write("lost, too")
        with (tmp_path / "log").open("wb") as file:
            os.dup2(file.fileno(), writer)
            sink.write("there")
    assert (tmp_path / "log").read_text() == "(2 log lines could not be written)\nthere\n"


@pytest.mark.parametrize("shape", ["json", "console"])
def test_the_journal_gets_priorities_and_no_second_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shape: str
) -> None:
    with (tmp_path / "journal").open("w") as journal:
        status = os.fstat(journal.fileno())
        monkeypatch.setattr(sys, "stderr", journal)
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        set_up_log(Settings.model_validate({"log_format": shape}), to_file=True)
        structlog.get_logger().error("loop_died", loop="two\nlines")
        structlog.get_logger().info("daemon_stopped")
    lines = (tmp_path / "journal").read_text().splitlines()
    assert [line[:3] for line in lines if "loop_died" in line or "daemon_stopped" in line] == ["<3>", "<6>"]
    assert all(line.startswith("<") for line in lines)
    assert ("time" in lines[0]) == (shape == "json")


def test_lines_of_a_run_are_kept_with_it_without_secrets() -> None:
    kept: list[tuple[str, str]] = []
    settings = Settings.model_validate({"database_url": "mysql://u:geheimnis@h/d"})
    set_up_log(settings, keep=lambda run, line: kept.append((run, line)))
    structlog.get_logger().info("nothing_of_a_run")
    structlog.get_logger().bind(run="r1", name="people", kind="job").info("opened", url="mysql://u:geheimnis@h/d")
    ((run, line),) = kept
    assert run == "r1"
    assert line.split() == [line.split()[0], "[info]", "opened", "url=mysql://u:***@h/d"]
