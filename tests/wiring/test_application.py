"""An application opens what the settings name, or says what is wrong with it."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from itopd.access import Action
from itopd.errors import AccessDenied, DatabaseError, ModelError, SettingsError
from itopd.oql import Reader
from itopd.rules import ITOP, ITOPD
from itopd.settings import Settings
from itopd.wiring import model_of, open_application, open_heartbeat
from tests.cli.calls import Place
from tests.cli.conftest import PASSWORD, installed, prepared
from tests.support.dictionaries import dictionary_text
from tests.support.sample import REFERENCE, require_shared

__all__ = ["installed", "prepared"]


def _settings(made: Place, **more: object) -> Settings:
    return Settings.model_validate({"data_folder": made.folder, **more})


def test_without_credentials_run_as_acts(installed: Place) -> None:
    with open_application(_settings(installed)) as application:
        assert application.account("", "").login == "admin"
        assert application.rules is ITOPD
    with (
        open_application(_settings(installed, run_as="nobody")) as application,
        pytest.raises(AccessDenied, match="run_as"),
    ):
        application.account("", "")


def test_credentials_are_checked(installed: Place) -> None:
    with open_application(_settings(installed), ITOP) as application:
        assert application.account("ADMIN", PASSWORD).login == "admin"
        assert application.rules is ITOP
        for login, password in [("admin", "wrong"), ("admin", ""), ("nobody", PASSWORD), ("", PASSWORD)]:
            with pytest.raises(AccessDenied):
                application.account(login, password)


def test_what_may_be_written_must_be_a_class_of_the_model(installed: Place) -> None:
    settings = _settings(installed, allow_unported=["Ticket", "Tickt"])
    for opened in (open_application(settings), open_heartbeat(settings, [])):
        with pytest.raises(SettingsError, match="allow_unported names 'Tickt', which is no class"), opened:
            pass


def _give_profile(made: Place, profile: int) -> None:
    with sqlite3.connect(made.folder / "itopd.db") as database:
        database.execute("UPDATE priv_urp_userprofile SET profileid = ?", (profile,))
    database.close()


def test_a_portal_account_is_refused_whether_it_logs_in_or_is_run_as(installed: Place) -> None:
    _give_profile(installed, 2)
    with open_application(_settings(installed)) as application:
        for login, password in [("admin", PASSWORD), ("", "")]:
            with pytest.raises(AccessDenied, match="Portal user is not allowed"):
                application.account(login, password)


def test_an_account_acts_with_the_rights_of_its_profiles(installed: Place) -> None:
    _give_profile(installed, 3)
    with open_application(_settings(installed)) as application:
        account = application.account("admin", PASSWORD)
        rights = application.rights(account)
        assert rights.allows(Action.BULK_WRITE, "Server")
        assert not rights.allows(Action.BULK_WRITE, "UserRequest")
        reader = application.reader(account)
        assert (reader.strict, reader.hide_administrators) == (True, True)
        assert "UserLocal" in reader.classes_denied
    for mode, may_write in [(0, False), (1, True), (2, False), (3, True)]:
        with open_application(_settings(installed, access_mode=mode)) as application:
            assert application.rights(application.account("", "")).may_write is may_write


def test_administrators_see_everything_and_write_while_only_they_may(installed: Place) -> None:
    settings = _settings(installed, access_mode=2)
    with open_application(settings) as application:
        administrator = application.account("", "")
        assert application.reader(administrator) == Reader()
        assert application.rights(administrator).may_write


def test_a_database_without_tables_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="run 'itopd init'"), open_application(Settings(data_folder=tmp_path)):
        pass


def test_every_run_has_an_id_and_the_language_of_its_account(installed: Place) -> None:
    with open_application(_settings(installed)) as application:
        account = application.account("", "")
        first = application.context(account, output=io.BytesIO(), progress=lambda *_: None)
        second = application.context(account, output=io.BytesIO(), progress=lambda *_: None)
        named = application.context(account, output=io.BytesIO(), progress=lambda *_: None, run_id="42")
        assert len({first.run_id, second.run_id, named.run_id}) == 3
        assert named.run_id == "42"
        assert first.dictionary.class_label("Person") == "Person"
        assert first.should_stop() is False


@pytest.mark.shared
def test_the_data_model_of_an_itop_replaces_the_bundled_one() -> None:
    require_shared()
    model = model_of(Settings(data_model=str(REFERENCE / "datamodel.xml")))
    assert len(model) > 200
    assert model is not model_of(Settings())


def test_a_data_model_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "datamodel.xml"
    broken.write_text("<itop_design>")
    with pytest.raises(ModelError, match=str(broken)):
        model_of(Settings(data_model=str(broken)))


def test_labels_are_those_of_the_attached_itop(installed: Place, tmp_path: Path) -> None:
    folder = tmp_path / "env-test" / "dictionaries"
    folder.mkdir(parents=True)
    (folder / "fr-fr.dict.php").write_text(dictionary_text("FR FR", {"Class:Person": "Personne"}), encoding="utf-8")
    settings = _settings(installed, itop_root=tmp_path, itop_environment="test")
    with open_application(settings) as application:
        assert application.dictionary.in_language("FR FR").class_label("Person") == "Personne"
        assert application.dictionary.class_label("Person") == "Person"


def test_a_missing_folder_of_dictionaries_is_told(installed: Place, tmp_path: Path) -> None:
    with capture_logs() as logs, open_application(_settings(installed, itop_root=tmp_path)) as application:
        assert application.dictionary.in_language("FR FR").class_label("Person") == "Person"
    (warning,) = [log["event"] for log in logs if log["log_level"] == "warning"]
    assert warning.startswith(f"labels are the bundled ones: {tmp_path}/env-production/dictionaries is no folder;")


@pytest.mark.shared
def test_names_are_formed_as_the_attached_itop_says(tmp_path: Path) -> None:
    require_shared()
    folder = tmp_path / "env-production" / "dictionaries"
    folder.mkdir(parents=True)
    formats = {
        "EN US": {"Class:Person/Name": "%2$s, %1$s", "Class:Subnet/Name": "%1$s of %2$s", "Class:Team/Name": "%9$s"},
        "FR FR": {"Class:Subnet/Name": "%1$s de %2$s"},
    }
    for language, entries in formats.items():
        path = folder / f"{language.lower().replace(' ', '-')}.dict.php"
        path.write_text(dictionary_text(language, entries), encoding="utf-8")
    settings = Settings(data_model=str(REFERENCE / "datamodel.xml"), itop_root=tmp_path, default_language="FR FR")
    model = model_of(settings)
    assert [model[name].name_format for name in ("Person", "Subnet", "Team", "Organization")] == [
        "%2$s, %1$s",
        "%1$s de %2$s",
        "%1$s",
        "%1$s",
    ]
