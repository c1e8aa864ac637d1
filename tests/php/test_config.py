"""config-itop.php: read as literals, converted as PHP does, with the line of each value."""

from __future__ import annotations

from pathlib import Path

import pytest

from itopd.errors import MissingFile, SettingsError
from itopd.php import PhpValue, expand_placeholders, read_config, read_itop_settings
from itopd.php.config import php_bool, php_int, php_text
from itopd.settings import describe, load_settings

CONFIG = """<?php
/** The configuration */
$MySettings = array(
	'db_host' => 'localhost:3307',
	'db_user' => ' %env(DB_USER)% ',
	'db_pwd' => 's3cret',
	'db_name' => 'itop',
	'access_mode' => ACCESS_FULL,
	'email_asynchronous' => 'false',
	'email_transport_smtp.port' => '587abc',
	'async_task_retries' => array('AsyncSendEmail' => array('max_retries' => 3, 'retry_delay' => 60)),
	'csv_import_charsets' => array(),
	'graphviz_path' => '/usr/bin/dot',
	'encryption_key' => '%env(DB_USER)%',
	'timezone' => null,
);
$MyModuleSettings = array(
	'itop-backup' => array(
		'week_days' => 'monday',
		'time' => null,
		'extra_files' => array('a', 'b'),
	),
);
$MyModules = array('addons' => array('user rights' => 'addons/userrights/userrightsprofile.class.inc.php'));
?>"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config-itop.php"
    path.write_text(CONFIG)
    return path


def test_the_settings_of_itop_come_with_their_lines(config: Path) -> None:
    read = read_itop_settings(config, {"DB_USER": "joe", "ITOP_CONFIG_PLACEHOLDERS": "1"})
    assert {field: (value, origin.line) for field, (value, origin) in read.items()} == {
        "db_host": ("localhost:3307", 4),
        "db_user": ("joe", 5),
        "db_pwd": ("s3cret", 6),
        "db_name": ("itop", 7),
        "access_mode": (3, 8),
        "email_asynchronous": (True, 9),
        "email_transport_smtp_port": (587, 10),
        "async_task_retries": ({"AsyncSendEmail": {"max_retries": 3, "retry_delay": 60}}, 11),
        "csv_import_charsets": ({}, 12),
        "encryption_key": ("%env(DB_USER)%", 14),
        "itop_backup_week_days": ("monday", 19),
        "itop_backup_extra_files": (["a", "b"], 21),
        "tracking_level_linked_set_default": (1, 0),
    }


def test_an_attached_itop_gives_the_database_and_is_weaker_than_itopds_own_file(config: Path, tmp_path: Path) -> None:
    own = tmp_path / "itopd.params"
    own.write_text(f"itop_config = {config}\ndb_user = other\n")
    loaded = load_settings([own], {}, {}, read_itop=read_itop_settings)
    assert loaded.settings.database_url == "mysql+pymysql://other:s3cret@localhost:3307/itop?charset=utf8mb4"
    assert loaded.settings.async_task_retries["AsyncSendEmail"].max_retries == 3
    assert str(loaded.origins["db_name"]) == f"{config}:7"
    assert "s3cret" not in str(describe(loaded))


def test_a_missing_or_unreadable_configuration_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="correct the setting itop_config"):
        read_itop_settings(tmp_path / "nope.php", {})
    with pytest.raises(MissingFile, match=r"cannot be read .*let itopd's account read it"):
        read_itop_settings(tmp_path, {})


def test_a_comment_may_be_of_any_charset_and_a_value_that_is_not_utf8_is_named(config: Path) -> None:
    plain = config.read_bytes()
    config.write_bytes(plain.replace(b"<?php\n", b"<?php\n// caf\xe9 \x80\n", 1))
    assert read_itop_settings(config, {})["db_name"][0] == "itop"
    config.write_bytes(plain.replace(b"'itop'", b"'it\xe9op'", 1))
    with pytest.raises(SettingsError, match=r"setting 'db_name': a string is not UTF-8, .*--set db_name=\.\.\."):
        read_itop_settings(config, {})


def test_a_secret_that_only_php_can_tell_is_asked_for_as_a_file(config: Path) -> None:
    config.write_text(config.read_text().replace("'db_pwd' => ", "'db_pwd' => 'x' . "))
    with pytest.raises(SettingsError, match=r"db_pwd_file = PATH \(as by itopd attach --set db_pwd_file=PATH\)"):
        read_itop_settings(config, {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<?php $MyModules = array('addons' => array());", r"\$MySettings is missing"),
        ("<?php $MySettings = 3; $MyModules = array('addons' => array());", r"\$MySettings is missing or no array"),
        ("<?php $MySettings = array();", r"\$MyModules is missing"),
        ("<?php $MySettings = array(); $MyModules = array();", "no 'addons'"),
    ],
)
def test_an_incomplete_configuration_is_refused(text: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        read_config(text)


def test_a_wrong_value_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "c.php"
    path.write_text(CONFIG)
    with pytest.raises(SettingsError, match=r"c\.php:5: setting 'db_user': %env\(DB_USER\)% .* not set"):
        read_itop_settings(path, {"ITOP_CONFIG_PLACEHOLDERS": "1"})
    path.write_text(CONFIG.replace("'itop'", "array(1)"))
    with pytest.raises(SettingsError, match=r"c\.php:7: setting 'db_name': an array stands where a text"):
        read_itop_settings(path, {})


@pytest.mark.parametrize(
    ("value", "truth", "number", "text"),
    [
        ("false", True, 0, "false"),
        ("0", False, 0, "0"),
        ("", False, 0, ""),
        ("0.0", True, 0, "0.0"),
        ("12abc", True, 12, "12abc"),
        (" 1e3x", True, 1000, " 1e3x"),
        ("1e999", True, 0, "1e999"),
        (0.0, False, 0, "0"),
        (1.9, True, 1, "1.9"),
        (True, True, 1, "1"),
        (False, False, 0, ""),
        (None, False, 0, ""),
    ],
)
def test_values_convert_by_phps_rules(value: PhpValue, truth: bool, number: int, text: str) -> None:
    assert (php_bool(value), php_int(value), php_text(value)) == (truth, number, text)


def test_arrays_convert_by_phps_rules() -> None:
    assert (php_bool({}), php_int({}), php_bool({0: 1}), php_int({0: 1})) == (False, 0, True, 1)


ON = {"ITOP_CONFIG_PLACEHOLDERS": "1"}


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("%env(A)%-%env(A)%", "1-1"),
        ("%server(H)%/%env(H)?:none%", "host/none"),
        ("%env(A)?:x y%", "%env(A)?:x y%"),
        ("%file(A)%", "%file(A)%"),
        ("%env(A.B)%", "%env(A.B)%"),
        ("%env(TWICE)%", "%env(A)%"),
        ({"k": {0: "%env(A)%"}, "l": 5}, {"k": {0: "1"}, "l": 5}),
        (5, 5),
    ],
)
def test_placeholders_take_variables_once(raw: PhpValue, value: object) -> None:
    environ = {**ON, "A": "1", "TWICE": "%env(A)%"}
    assert expand_placeholders(raw, environ, {"H": "host"}) == value


@pytest.mark.parametrize("switch", [{}, {"ITOP_CONFIG_PLACEHOLDERS": ""}, {"ITOP_CONFIG_PLACEHOLDERS": "0"}])
def test_placeholders_stay_where_nobody_switched_them_on(switch: dict[str, str]) -> None:
    assert expand_placeholders("%env(NOPE)%", {**switch}, {}) == "%env(NOPE)%"


def test_a_value_that_only_php_can_tell_is_named_and_can_be_given_by_hand(config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG.replace("'s3cret'", "getenv('DB_PWD')").replace("'monday'", "implode(',', $days)"))
    with pytest.raises(SettingsError) as refused:
        read_itop_settings(config, {})
    db_pwd, week_days = refused.value.message.splitlines()
    what_to_do = "is no literal, and PHP is never run; give the value by hand in itopd's own file:"
    assert db_pwd.startswith(f"{config}:6: setting 'db_pwd': 'getenv' {what_to_do} db_pwd_file = PATH (as by")
    assert week_days.startswith(f"{config}:19: setting 'itop-backup/week_days': 'implode' {what_to_do}")
    assert week_days.endswith("itop_backup_week_days = ... (as by itopd attach --set itop_backup_week_days=...)")
    own = tmp_path / "itopd.params"
    own.write_text(f"itop_config = {config}\ndb_pwd = byhand\nitop_backup_week_days = friday\n")
    loaded = load_settings([own], {}, {}, read_itop=read_itop_settings)
    assert loaded.settings.db_pwd.get_secret_value() == "byhand"
    assert loaded.settings.itop_backup_week_days == "friday"


def test_a_database_url_given_by_hand_makes_itops_own_access_needless(config: Path) -> None:
    config.write_text(CONFIG.replace("'s3cret'", "getenv('DB_PWD')"))
    read = read_itop_settings(config, {}, {"database_url"})
    assert "db_host" not in read
    assert "timezone" not in read
    assert read["access_mode"][0] == 3


def test_settings_that_itopd_does_not_have_may_be_anything(config: Path) -> None:
    config.write_text(CONFIG.replace("'/usr/bin/dot'", "PATH . '/dot'"))
    assert read_itop_settings(config, {})["db_name"][0] == "itop"


def test_an_array_of_settings_that_only_php_can_tell_is_refused(config: Path) -> None:
    config.write_text("<?php\n$MySettings = array_merge($a, $b);\n$MyModules = array('addons' => array());")
    with pytest.raises(SettingsError, match=r"config-itop.php:2: 'array_merge' is no literal.*any setting of \$MySett"):
        read_itop_settings(config, {})
    config.write_text("<?php\n$MySettings = array(DB => 'x');\n$MyModules = array('addons' => array());")
    with pytest.raises(SettingsError, match=r"config-itop.php:2: 'DB' is no literal.*any setting of \$MySett"):
        read_itop_settings(config, {})
