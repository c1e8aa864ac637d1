"""Settings: precedence and origins, secrets, files that hold values, and problems told all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from itopd.errors import MissingFile, SettingsError
from itopd.settings import LoadedSettings, Origin, RetryRule, Settings, describe, load_settings, setting_names
from itopd.settings.declare import declarations

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "itopd.params"


def load(tmp_path: Path, text: str = "", environ: dict[str, str] | None = None, **overrides: object) -> LoadedSettings:
    path = tmp_path / "itopd.params"
    path.write_text(text)
    path.chmod(0o600)
    return load_settings([path], overrides, environ or {})


def shown(loaded: LoadedSettings) -> dict[str, tuple[str, str]]:
    return {row.name: (row.value, row.origin) for row in describe(loaded)}


def test_argument_beats_environment_beats_file_beats_itop_beats_default(tmp_path: Path) -> None:
    path = tmp_path / "itopd.params"
    path.write_text("itop_config = /itop/config-itop.php\naccess_mode = 0\nrun_as = file\nlog_format = console\n")
    itop = Origin("config-itop.php", "/itop/config-itop.php", 7)
    loaded = load_settings(
        [path],
        {"log_format": "json"},
        {"ITOPD_RUN_AS": "env", "ITOPD_LOG_FORMAT": "console"},
        read_itop=lambda _path, _environ, _by_hand: {"access_mode": (2, itop), "cron_sleep": (9, itop)},
    )
    rows = shown(loaded)
    assert rows["log_format"] == ("json", "argument")
    assert rows["run_as"] == ("env", "environment ITOPD_RUN_AS")
    assert rows["access_mode"] == ("0", f"{path}:2")
    assert rows["cron_sleep"] == ("9", "/itop/config-itop.php:7")
    assert rows["timezone"] == ("Europe/Paris", "default")


def test_later_files_win_whatever_the_spelling(tmp_path: Path) -> None:
    for name, text in (("a", "db_pwd_file = /nowhere\ncron_sleep = 1"), ("b", "db_pwd = x"), ("c", "cron_sleep = 3")):
        (tmp_path / name).write_text(text)
    loaded = load_settings([tmp_path / "a", tmp_path / "b", tmp_path / "c"], {}, {})
    assert loaded.settings.cron_sleep == 3
    assert loaded.settings.db_pwd == SecretStr("x")
    assert str(loaded.origins["cron_sleep"]) == f"{tmp_path}/c:1"


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("email_transport_smtp.port", "email_transport_smtp_port", 587),
        ("email_transport_smtp_port", "email_transport_smtp_port", 587),
        ("itop-backup.retention_count", "itop_backup_retention_count", 587),
    ],
)
def test_a_setting_has_two_spellings(tmp_path: Path, key: str, field: str, value: int) -> None:
    assert getattr(load(tmp_path, f"{key} = 587").settings, field) == value


def test_all_problems_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    text = 'cron_slep = 3\ncron_sleep = 0\ntimezone = Mars\nlog_usage = maybe\nasync_task_retries = {"A": {"max": 1}}\n'
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text, {"ITOPD_ACCESS_MODE": "7"}, log_fromat="json")
    lines = caught.value.message.replace(str(tmp_path), "").splitlines()
    assert "/itopd.params:1: unknown setting 'cron_slep'; did you mean 'cron_sleep'?" in lines
    assert "argument: unknown setting 'log_fromat'; did you mean 'log_format'?" in lines
    assert "/itopd.params:2: setting 'cron_sleep' '0' is refused: Input should be greater than or equal to 1" in lines
    assert any(
        line.startswith("/itopd.params:3: setting 'timezone' 'Mars' is refused: not a time zone") for line in lines
    )
    assert any(
        line.startswith("/itopd.params:4: setting 'log_usage' 'maybe' is refused: use 1, true") for line in lines
    )
    assert any(line.startswith("/itopd.params:5: setting 'async_task_retries[A]") for line in lines)
    assert any(line.startswith("environment ITOPD_ACCESS_MODE: setting 'access_mode' '7' is refused") for line in lines)
    assert len(lines) == 7


def test_keys_that_mean_something_to_others_are_not_unknown(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("auth_user = x\nlog_format = json\n")
    assert load_settings([tmp_path / "a"], {}, {}, other_known={"auth_user"}).settings.log_format == "json"


def test_an_unknown_variable_is_only_a_warning(tmp_path: Path) -> None:
    assert load(tmp_path, environ={"ITOPD_DBPWD": "x"}).warnings == (
        "environment ITOPD_DBPWD: no setting is called 'dbpwd'; did you mean 'db_pwd'?",
    )


def test_a_value_can_be_read_from_a_file_and_loses_only_its_last_line_feed(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(" p#s=s \n")
    loaded = load(tmp_path, f"db_pwd_file = {tmp_path}/pw\n", {"ITOPD_ENCRYPTION_KEY_FILE": f"{tmp_path}/pw"})
    assert loaded.settings.db_pwd.get_secret_value() == " p#s=s "
    assert loaded.settings.encryption_key.get_secret_value() == " p#s=s "
    assert str(loaded.origins["db_pwd"]).endswith("itopd.params:1")


def test_a_value_and_the_file_of_a_value_are_not_given_together(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'db_pwd_file' and 'db_pwd' give the same setting; keep one of them"):
        load(tmp_path, "db_pwd = x\ndb_pwd_file = /dev/null\n")


def test_a_value_whose_file_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"itopd\.params:1: cannot read '/nope' for setting 'db_pwd' \(No such file"
    ):
        load(tmp_path, "db_pwd_file = /nope\n")
    (tmp_path / "latin1").write_bytes(b"\xe9")
    with pytest.raises(SettingsError, match="it is no UTF-8 text"):
        load(tmp_path, f"db_pwd_file = {tmp_path}/latin1\n")


def test_a_missing_settings_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="Could not find the parameter file"):
        load_settings([tmp_path / "nope"], {}, {})


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    text = (
        "db_pwd = s3cret\nemail_transport_smtp.password = s3cret\n"
        "encryption_key = s3cret\napplication.secret = s3cret\n"
        "database_url = mysql+pymysql://joe:s3cret@host/itop\nstate_url = postgresql://joe@host/x?password=s3cret\n"
    )
    loaded = load(tmp_path, text)
    assert "s3cret" not in repr(loaded)
    assert "s3cret" not in str(describe(loaded))
    assert shown(loaded)["database_url"][0] == "mysql+pymysql://joe:***@host/itop"
    assert shown(loaded)["db_pwd"][0] == "***"


def test_a_refused_secret_is_not_shown_either() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings([], {"database_url": ["s3cret"], "db_pwd": ["s3cret"]}, {})
    assert "s3cret" not in caught.value.message


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().run_as = "other"


def test_structured_settings_are_json_text(tmp_path: Path) -> None:
    text = (
        'async_task_retries = {"AsyncSendEmail": {"max_retries": 3, "exponential_delay": "yes"}}\n'
        'date_and_time_format = {"FR FR": {"date": "d/m/Y"}}\n'
        'log_level_min = {"Cron": "Debug"}\nitop-backup.extra_files = a, b\nitop-attachments.allowed_classes = ["X"]\n'
    )
    settings = load(tmp_path, text).settings
    assert settings.async_task_retries == {
        "AsyncSendEmail": RetryRule(max_retries=3, retry_delay=600, exponential_delay=True)
    }
    assert settings.date_and_time_format["FR FR"].time == "H:i:s"
    assert settings.log_level_min == {"Cron": "Debug"}
    assert settings.itop_backup_extra_files == ("a", "b")
    assert settings.itop_attachments_allowed_classes == ("X",)


def test_a_structured_setting_that_is_no_json_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"itopd\.params:1: setting 'async_task_retries' .* is refused: not JSON"):
        load(tmp_path, "async_task_retries = array(3)\n")


def test_an_empty_path_means_none(tmp_path: Path) -> None:
    settings = load(tmp_path, "itop_config =\nitop_root =\n").settings
    assert (settings.itop_config, settings.itop_root) == (None, None)


def test_a_configuration_to_attach_to_needs_a_reader() -> None:
    with pytest.raises(TypeError, match="read_itop"):
        load_settings([], {"itop_config": "/x"}, {})


def test_every_setting_says_what_it_means_and_has_its_own_spellings() -> None:
    known = declarations(Settings)
    assert all(one.help for one in known.values())
    assert len(setting_names()) == 2 * sum(len(one.spellings) for one in known.values())


def test_the_rules_and_the_zone_follow_the_settings() -> None:
    assert Settings().rules.name == "itopd"
    assert Settings(compat="itop", timezone="UTC").rules.name == "itop"
    assert Settings(timezone="UTC").zone.key == "UTC"


def test_the_commented_example_loads_when_every_line_is_switched_on(tmp_path: Path) -> None:
    lines = [
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line
        for line in EXAMPLE.read_text().splitlines()
    ]
    settable = [line for line in lines if line and not line.startswith("# ")]
    assert len(settable) > 20
    unwanted = ("itop_config", "db_pwd_file", "email_transport_smtp.password_file")
    loaded = load(tmp_path, "\n".join(line for line in settable if not line.startswith(unwanted)))
    assert not loaded.warnings
    assert {line.split("=")[0].rstrip(": ") for line in settable} <= setting_names()
