"""``itopd cron``: iTop's parameters, its output and exit codes, and itopd's own."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.calls import Answer, Place, command
from tests.cli.conftest import PASSWORD
from tests.support.servers import opened
from tests.tasks.work import changes, insert

ADMIN = ("--auth_user=admin", f"--auth_pwd={PASSWORD}")
ITOP = ("--compat=itop", *ADMIN)
FRAME = re.compile(r"Starting: \d+ \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)\n(.*)Exiting: \d+ \(.{19}\)\n", re.DOTALL)


@pytest.fixture
def place(installed: Place) -> Place:
    """Give an installed place whose heartbeats end at once, before anything runs."""
    installed.configure(cron_max_execution_time=0)
    return installed


def inside(answer: Answer) -> str:
    """Return what is printed between the first and the last line."""
    found = FRAME.fullmatch(answer.out)
    assert found, answer
    return found[1]


def one_turn(made: Place, *words: str) -> list[str]:
    """Return the lines of a heartbeat that is stopped after it has done what was due."""
    made.configure(cron_max_execution_time=600, cron_sleep=600)
    cron = command("--config", made.config, "cron", "--verbose=1", *words)
    lines = []
    with subprocess.Popen(cron, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip("\n"))
            if line == "Sleeping...\n":
                process.send_signal(signal.SIGTERM)  # it wakes up and ends in the ordinary way
    assert process.returncode == 0, lines
    return lines


def test_one_heartbeat_runs_the_tasks_and_says_so(installed: Place) -> None:
    lines = one_turn(installed)
    assert "InlineImageGC: Cleaned 0 old temporary InlineImage(s) and 0 old temporary Attachment(s)." in lines
    assert "ExecAsyncTask: processed 0 tasks" in lines
    assert "CheckStopWatchThresholds: Triggered 0 threshold(s):" in lines
    assert "BulkExportResultGC: Cleaned 0 old export results(s)." in lines
    assert "Obsolescence date updated (classes: 0 ; set: 0 ; reset: 0)" in "\n".join(lines)
    assert lines[-1].startswith("Exiting: ")
    table = installed.call("cron", "--status_only=1")
    assert table.code == 0
    assert re.search(
        r"^\| InlineImageGC             \| active  \| .{19} \| .{19} \|      1 \| ", table.out, re.MULTILINE
    )
    assert re.findall(r"^\| ([\w\\]+)", table.out, re.MULTILINE)[1:] == [
        "BackupExec",
        "BulkExportResultGC",
        "CheckStopWatchThresholds",
        r"Combodo\iTop\Service\Noti",  # cut to its column, as iTop does
        r"Combodo\iTop\Service\Temp",
        "ExecAsyncTask",
        "InlineImageGC",
        "LogFileRotationProcess",
        "ObsolescenceDateUpdater",
    ]


def test_nothing_to_do_is_two_lines(place: Place) -> None:
    for words in ((), ITOP, ADMIN, ("--verbose=0",)):
        answer = place.call("cron", *words)
        assert (answer.code, inside(answer), answer.err) == (0, "", ""), words
    assert "Planned duration = 0 seconds\n" in inside(place.call("cron", "--verbose=false"))


@pytest.mark.parametrize(
    ("words", "code", "out", "own_code", "own"),
    [
        ((), 254, "ERROR: Missing argument 'auth_user'\n\n", 0, ""),
        (("--auth_user=admin",), 254, "ERROR: Missing argument 'auth_pwd'\n\n", 77, "wrong login or password"),
        (("--auth_user=admin", "--auth_pwd=no"), 255, "Access wrong credentials ('admin')\n", 77, "wrong login"),
        (
            (*ADMIN, "--param_file=no.params"),
            254,
            "Error: Could not find the parameter file: 'no.params'\n",
            66,
            "no.params",
        ),
        ((*ADMIN, "--verbos=1"), 0, None, 64, "unknown parameter 'verbos'"),
        ((*ADMIN, "--cron_sleep=1"), 0, None, 64, "cron_sleep"),
    ],
)
def test_what_is_wrong_ends_it_with_itops_or_itopds_code(
    place: Place, words: tuple[str, ...], code: int, out: str | None, own_code: int, own: str
) -> None:
    answer = place.call("cron", "--compat=itop", *words)
    assert answer.code == code, answer
    assert out is None or answer.out == out
    answer = place.call("cron", *words)
    assert answer.code == own_code, answer
    assert own in answer.err


def test_only_an_administrator_may(place: Place) -> None:
    place.write("bob", "Tests-of-itopd-2\n")
    made = place.call(
        "user", "add", "bob", "--profile=Configuration Manager", f"--password_file={place.folder / 'bob'}"
    )
    assert made.code == 0, made
    bob = ("--auth_user=bob", "--auth_pwd=Tests-of-itopd-2")
    answer = place.call("cron", "--compat=itop", *bob)
    assert (answer.code, answer.out) == (255, "Access restricted to administrators\n")
    answer = place.call("cron", *bob)
    assert (answer.code, answer.out) == (77, "")
    assert "the heartbeat is open to administrators only" in answer.err


@pytest.mark.parametrize(
    ("marker", "code", "out"),
    [
        (".readonly", 255, "iTop is read-only. Exiting...\n"),
        (".maintenance", 0, "This application is currently under maintenance."),
    ],
)
def test_a_marker_file_comes_before_everything(place: Place, marker: str, code: int, out: str) -> None:
    place.write(marker, "")
    answer = place.call("cron", "--compat=itop", "--param_file=no.params")
    assert (answer.code, answer.out) == (code, out)
    answer = place.call("cron")
    assert (answer.code, answer.out) == (69, "")
    assert f"{marker} exists" in answer.err


def test_access_mode_and_a_held_lock_are_told_inside_the_frame(place: Place) -> None:
    with (
        opened(f"sqlite:///{place.folder / 'itopd.db'}") as database,
        database.named_lock("cron"),
        database.named_lock("itopd_cron"),
    ):
        answers = place.call("cron", *ITOP), place.call("cron"), place.call("cron", "--status_only=1")
    assert [answer.code for answer in answers] == [0, 75, 0]
    assert [inside(answer) for answer in answers[:2]] == ["Already running...\n"] * 2
    place.configure(access_mode=1)
    answers = place.call("cron", *ITOP), place.call("cron"), place.call("cron", "--status_only=1")
    assert [answer.code for answer in answers] == [0, 69, 0]
    assert [inside(answer) for answer in answers[:2]] == ["A maintenance is ongoing\n"] * 2


def test_parameters_files_give_parameters_and_settings(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "cron.params"
    file.write_text(f"auth_user = admin\nauth_pwd = {PASSWORD}\nverbose = 1\ncompat = itop\ncron_sleep = 7\n")
    file.chmod(0o600)
    answer = place.call("cron", f"--param_file={file}")
    assert answer.code == 0
    assert inside(answer).startswith("Planned duration = 0 seconds\nLoop pause = 7 seconds\n")


def test_without_a_configuration_it_is_not_yet_installed(tmp_path: Path) -> None:
    made = Place(tmp_path)
    answer = made.call("cron", "--compat=itop", *ADMIN)
    assert (answer.code, answer.out.startswith("not yet installed: ")) == (255, True), answer
    assert made.call("cron").code == 66


def test_what_a_task_changes_is_tracked_under_the_account_of_the_heartbeat(place: Place) -> None:
    place.write("pw", "Tests-of-itopd-2\n")
    made = place.call("user", "add", "bob", "--profile=Administrator", f"--password_file={place.folder / 'pw'}")
    assert made.code == 0, made
    types = place.write("types.csv", "name\nDraft\n")
    assert place.call("import", "--class=ContactType", f"--csvfile={types}", "--no_localize=1").code == 0
    type_id, bob_id = _id(place, "ContactType WHERE name = 'Draft'"), _id(place, "UserLocal WHERE login = 'bob'")
    assert place.call("cron").code == 0  # rows are made
    task = r"Combodo\iTop\Service\TemporaryObjects\TemporaryObjectGC"
    with opened(f"sqlite:///{place.folder / 'itopd.db'}") as database:
        draft = {"item_class": "ContactType", "item_id": type_id, "operation": "create"}
        insert(database, "TemporaryObjectDescriptor", draft | {"expiration_date": "2024-01-01 00:00:00"})
        table = database.table("BackgroundTask")
        with database.write() as connection:
            connection.execute(table.update().where(table.c.class_name != task).values(status="paused"))
    lines = one_turn(place, "--auth_user=bob", "--auth_pwd=Tests-of-itopd-2")
    assert len([line for line in lines if line.startswith("<< ===")]) == 1, lines
    assert place.query("SELECT ContactType", "id") == []
    with opened(f"sqlite:///{place.folder / 'itopd.db'}") as database:
        assert changes(database)[-1] == (f"Background task ({task})", bob_id)


def _id(place: Place, query: str) -> int:
    ((found,),) = place.query(f"SELECT {query}", "id")
    return int(found)
