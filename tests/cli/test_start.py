"""How every command starts and ends: quickly, with help, with a documented exit code."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from itopd import __version__
from itopd.cli import COMMANDS, root
from itopd.settings import declared_parameters
from itopd.tasks.background_rows import BackgroundTaskRows
from itopd.wiring import SERVICES, CallParameters
from tests.cli.calls import Place, call, command, process
from tests.support.servers import opened


def _paths(command: click.Command, context: click.Context, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the words of a command and of all commands below it."""
    found = [words]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += _paths(below, context, (*words, name))
    return found


ALL = _paths(root, click.Context(root))


def test_the_version_is_told_without_loading_what_only_work_needs() -> None:
    program = (
        "import sys\n"
        "from itopd.cli import main\n"
        "try:\n    main(['--version'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'sqlalchemy', 'pydantic', 'rich', 'lxml', 'asyncio'}\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & heavy))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"itopd {__version__}", "[]"]


def test_a_tick_with_nothing_due_loads_nothing_of_what_runs_do(installed: Place) -> None:
    """A timer starts it every minute, and mostly for nothing: reading what is due takes none of the work's modules."""
    with opened(f"sqlite:///{installed.folder}/itopd.db") as database:
        rows = BackgroundTaskRows(database)
        assert installed.call("tick").code == 0
        for row in rows.read():
            rows.update(row.class_name, {"next_run_date": datetime.now(UTC) + timedelta(days=1)})
    program = (
        "import sys\n"
        "from itopd.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "work = ('imports.run', 'exports.run', 'writing', 'oql', 'objects', 'access', 'behaviours', 'backups',\n"
        "        'mail.smtp', 'mail.compose', 'wiring.task_work', 'wiring.job_work', 'database.copying.copy')\n"
        "parts = {f'itopd.{name}' for name in work} | {'aiosmtplib', 'alembic', 'apscheduler', 'lark', 'bcrypt'}\n"
        "print(sorted(sys.modules.keys() & parts))"
    )
    arguments = [sys.executable, "-c", program, "--config", str(installed.config), "tick"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["nothing is due", "[]"], done.stderr


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_names_every_option_with_its_meaning(words: tuple[str, ...]) -> None:
    answer = call(*words, "--help")
    assert answer.code == 0
    found: click.Command = root
    for word in words:
        assert isinstance(found, click.Group)
        below = found.get_command(click.Context(found), word)
        assert below is not None
        found = below
    assert found.help
    for option in found.params:
        if isinstance(option, click.Option):
            assert option.opts[0] in answer.out
            assert option.help, option
    if isinstance(found, click.Group):
        assert "..." not in answer.out.split("Commands:")[1], "the meaning of a command is cut"


@pytest.mark.parametrize("name", SERVICES)
def test_help_of_a_service_names_every_parameter_of_the_command_line_and_no_other(name: str) -> None:
    answer = call(name, "--help")
    for model in (SERVICES[name].parameters, CallParameters):
        for one in declared_parameters(model):
            assert one.help
            assert (f"--{one.name}" in answer.out) == ("cli" in one.where), one.name


def test_without_a_command_the_commands_are_listed() -> None:
    answer = call()
    assert all(f"  {name} " in answer.out + answer.err for name in COMMANDS)


def test_an_unknown_command_is_a_bad_parameter() -> None:
    answer = call("imprt")
    assert answer.code == 64
    assert "imprt" in answer.err


def test_an_unknown_option_is_a_bad_parameter() -> None:
    answer = call("check", "--fast")
    assert answer.code == 64
    assert "--fast" in answer.err


def test_what_nobody_foresaw_ends_with_70_and_is_reported_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def broken_command() -> None:
        raise ZeroDivisionError("of the test")

    monkeypatch.setitem(COMMANDS, "broken", (__name__, "broken"))
    monkeypatch.setattr(sys.modules[__name__], "broken_command", broken_command, raising=False)
    answer = call("broken")
    assert answer.code == 70
    assert "Traceback" in answer.err
    assert answer.err.splitlines()[-1] == (
        "itopd: internal error (ZeroDivisionError: of the test): report it with the lines above"
    )


def test_hyphens_and_underscores_mean_the_same_in_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def two_words_command() -> None:
        click.echo("called")

    monkeypatch.setitem(COMMANDS, "two_words", (__name__, "two words"))
    monkeypatch.setattr(sys.modules[__name__], "two_words_command", two_words_command, raising=False)
    assert call("two-words").out == call("two_words").out == "called\n"


def test_settings_files_are_found_by_option_environment_and_in_the_working_folder(installed: Place) -> None:
    rest = ("config", "show")
    elsewhere = installed.folder / "elsewhere"
    elsewhere.mkdir()
    by_option = installed.call(*rest)
    assert f"{installed.config}:1" in by_option.out
    by_environment = process(*rest, cwd=elsewhere, environ={"ITOPD_CONFIG": str(installed.config)})
    assert (by_environment.out, by_environment.err) == (by_option.out, "")
    in_folder = process(*rest, cwd=installed.folder)
    assert in_folder.out.replace("itopd.params", str(installed.config)).split() == by_option.out.split()


def test_a_missing_settings_file_ends_with_66() -> None:
    answer = call("--config", "/nowhere/itopd.params", "check")
    assert answer.code == 66
    assert "'/nowhere/itopd.params'" in answer.err


def test_a_reader_that_goes_away_is_no_error(installed: Place) -> None:
    words = command(
        "--config", installed.config, "export", "--expression=SELECT URP_Profiles", "--fields=name,description"
    )
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=installed.folder) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 0


def test_a_full_disk_is_told_in_one_line(installed: Place) -> None:
    for words in (("query", "SELECT URP_Profiles"), ("export", "--expression=SELECT URP_Profiles", "--fields=name")):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                command("--config", installed.config, *words), stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert done.returncode == 70
        assert done.stderr.decode() == (
            "itopd: writing failed: [Errno 28] No space left on device: make room, then call it again\n"
        )


def test_bytes_that_are_no_text_are_refused_without_showing_a_password(installed: Place) -> None:
    answer = installed.call("import", "--class=Person", "--auth_pwd=geh\udcffeim")
    assert (answer.code, answer.out) == (64, "")
    assert answer.err == (
        "itopd: the argument '--auth_pwd...' holds bytes that are not UTF-8: write it in UTF-8, "
        "or rename the file it names\n"
    )


def test_main_ends_the_process_with_the_code(tmp_path: Path) -> None:
    assert process("--config", tmp_path, "check").code == 66
