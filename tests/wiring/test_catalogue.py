"""The names that callers, settings files and services share are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from itopd.errors import SettingsError
from itopd.rules import ITOP, ITOPD
from itopd.settings import Settings, parameter_keys, setting_names
from itopd.wiring import SERVICES, CallParameters, known_names, load


def test_no_parameter_has_the_name_of_a_setting_but_compat_which_means_the_same() -> None:
    for service in SERVICES.values():
        assert setting_names() & parameter_keys(CallParameters, service.parameters) == {"compat"}, service.name


def test_no_service_takes_a_parameter_that_every_call_takes() -> None:
    for service in SERVICES.values():
        assert not parameter_keys(CallParameters) & parameter_keys(service.parameters), service.name


def test_every_service_has_help_and_every_key_is_known() -> None:
    for name, service in SERVICES.items():
        assert (service.name, bool(service.help)) == (name, True)
        assert parameter_keys(service.parameters) <= known_names()


def test_the_rules_are_those_of_the_call_else_of_the_setting() -> None:
    assert CallParameters().rules(Settings()) is ITOPD
    assert CallParameters().rules(Settings(compat="itop")) is ITOP
    assert CallParameters(compat="itopd").rules(Settings(compat="itop")) is ITOPD
    with pytest.raises(SettingsError, match="compat=other: write itopd or itop"):
        CallParameters(compat="other").rules(Settings())


def test_the_variable_that_names_the_settings_files_is_no_setting(tmp_path: Path) -> None:
    file = tmp_path / "itopd.params"
    file.write_text("stop_timeout = 5\ncsvfile = people.csv\narg_name = x\n")
    loaded = load([str(file)], {}, {"ITOPD_CONFIG": str(file), "ITOPD_TIMEZONE": "UTC"})
    assert loaded.warnings == ()
    assert (loaded.settings.stop_timeout, loaded.settings.timezone) == (5, "UTC")
