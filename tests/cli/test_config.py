"""``itopd config show``: every setting in force with its origin, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from itopd.settings import Settings
from tests.cli.calls import call, place, process


def _row(text: str, name: str) -> list[str]:
    """Return the words of the line of one setting."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name])


def test_given_settings_are_shown_with_file_and_line(tmp_path: Path) -> None:
    made = place(tmp_path)
    answer = made.call("config", "show")
    assert answer.code == 0
    assert answer.out.splitlines()[0].split() == ["setting", "value", "from", "meaning"]
    assert _row(answer.out, "email_transport")[:3] == ["email_transport", "null", f"{made.config}:3"]
    assert len(answer.out.splitlines()) == 4


def test_all_settings_are_shown_on_request(tmp_path: Path) -> None:
    answer = place(tmp_path).call("config", "show", "--all")
    assert len(answer.out.splitlines()) == len(Settings.model_fields) + 1
    assert _row(answer.out, "timezone")[:3] == ["timezone", "Europe/Paris", "default"]
    assert _row(answer.out, "email_transport_smtp.port")[:3] == ["email_transport_smtp.port", "25", "default"]


def test_without_any_setting_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = call("config", "show")
    assert answer.code == 0
    assert "every setting has its default" in answer.out


def test_a_later_file_and_the_environment_win(tmp_path: Path) -> None:
    made = place(tmp_path)
    later = made.write("later.params", "# comment\nstop_timeout = 7\n")
    both = f"{made.config},{later}"
    made.configure(stop_timeout=5)
    assert _row(call("--config", both, "config", "show").out, "stop_timeout")[1:3] == ["7", f"{later}:2"]
    answer = process("--config", both, "config", "show", environ={"ITOPD_STOP_TIMEOUT": "9"})
    assert "environment ITOPD_STOP_TIMEOUT" in answer.out
    assert _row(answer.out, "stop_timeout")[1] == "9"


def test_secrets_are_stars_wherever_they_come_from(tmp_path: Path) -> None:
    made = place(tmp_path)
    secret = made.write("secret", "geheim-1\n")
    made.configure(
        db_pwd_file=secret,
        encryption_key="geheim-2",
        email_transport_smtp__password="geheim-3",
        database_url="mysql://u:geheim-4@h/x",
        state_url="mysql://u@h/y?password=geheim-5",
    )
    made.config.chmod(0o600)
    answer = made.call("config", "show", "--all")
    assert (answer.code, answer.err) == (0, "")
    assert "geheim" not in answer.out
    assert _row(answer.out, "db_pwd")[1:3] == ["***", f"{made.config}:4"]
    assert _row(answer.out, "database_url")[1] == "mysql://u:***@h/x"
    assert _row(answer.out, "state_url")[1] == "mysql://u@h/y?password=***"


def test_a_secret_is_not_shown_where_it_is_refused(tmp_path: Path) -> None:
    made = place(tmp_path, database_url="mysql://u:geheim@h/x", timezone="Mars/Phobos")
    answer = made.call("check")
    assert answer.code == 64
    assert "Mars/Phobos" in answer.err
    assert "geheim" not in answer.err


def test_a_file_with_secrets_that_everybody_can_read_gives_a_warning(tmp_path: Path) -> None:
    made = place(tmp_path, db_pwd="geheim")
    made.config.chmod(0o644)
    answer = made.call("config", "show")
    assert answer.code == 0
    assert answer.err == (
        f"itopd: warning: {made.config}: holds credentials and everybody can read it; chmod o-r {made.config}\n"
    )
    made.config.chmod(0o640)
    assert made.call("config", "show").err == ""


def test_unknown_settings_are_all_named_with_place_and_nearest(tmp_path: Path) -> None:
    made = place(tmp_path, databse_url="x", emial_transport="SMTP", entirely_different="x")
    answer = made.call("config", "show")
    assert (answer.code, answer.out) == (64, "")
    assert answer.err.splitlines() == [
        f"itopd: {made.config}:4: unknown setting 'databse_url'; did you mean 'database_url'?",
        f"{made.config}:5: unknown setting 'emial_transport'; did you mean 'email_transport'?",
        f"{made.config}:6: unknown setting 'entirely_different'",
    ]


def test_a_file_named_for_a_secret_that_is_missing_is_named(tmp_path: Path) -> None:
    made = place(tmp_path, db_pwd_file="/nowhere/secret")
    answer = made.call("config", "show")
    assert answer.code == 64
    assert f"{made.config}:4: cannot read '/nowhere/secret' for setting 'db_pwd'" in answer.err


def test_a_setting_that_is_refused_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    answer = place(tmp_path, log_format="xml", stop_timeout="0").call("config", "show")
    assert answer.code == 64
    assert "setting 'log_format' 'xml' is refused" in answer.err
    assert "'console' or 'json'" in answer.err
    assert "setting 'stop_timeout' '0' is refused" in answer.err


def test_keys_of_services_in_a_settings_file_are_left_to_them(tmp_path: Path) -> None:
    made = place(tmp_path, csvfile="people.csv", fields="name", auth_user="admin")
    assert made.call("config", "show").code == 0
