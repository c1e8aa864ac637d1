"""Secrets from systemd's credentials (``LoadCredential=itopd:/etc/itopd/credentials``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from itopd.errors import SettingsError
from itopd.settings import load_settings


def test_a_credential_gives_the_setting_of_its_name_over_files_and_under_the_environment(tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "itopd_db_pwd").write_text("geheim\n")
    (folder / "itopd_email_transport_smtp_password").write_text("a # b")
    (folder / "other").write_text("of somebody else")
    file = tmp_path / "itopd.params"
    file.write_text("db_pwd = from the file\nemail_transport_smtp.password = from the file\n")
    file.chmod(0o600)
    loaded = load_settings([file], environ={"CREDENTIALS_DIRECTORY": str(folder)})
    assert loaded.settings.db_pwd.get_secret_value() == "geheim"
    assert loaded.settings.email_transport_smtp_password.get_secret_value() == "a # b"
    assert str(loaded.origins["db_pwd"]) == str(folder / "itopd_db_pwd")
    assert loaded.warnings == ()
    given = load_settings([file], environ={"CREDENTIALS_DIRECTORY": str(folder), "ITOPD_DB_PWD": "stronger"})
    assert given.settings.db_pwd.get_secret_value() == "stronger"


def test_a_credential_that_no_setting_is_called_by_is_named(tmp_path: Path) -> None:
    (tmp_path / "itopd_db_pdw").write_text("x")
    (warning,) = load_settings([], environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}).warnings
    assert warning == "credential itopd_db_pdw: no setting is called 'db_pdw'; did you mean 'db_pwd'?"


def test_a_folder_of_credentials_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"CREDENTIALS_DIRECTORY.*/gone"):
        load_settings([], environ={"CREDENTIALS_DIRECTORY": str(tmp_path / "gone")})
