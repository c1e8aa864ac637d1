"""The services, and every key that means something to somebody in a parameters file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from pydantic import BaseModel

from itopd import exports, imports
from itopd.deferred import deferred
from itopd.errors import SettingsError
from itopd.rules import Rules, rules_for
from itopd.service import Service
from itopd.settings import (
    LoadedSettings,
    ParameterFile,
    Settings,
    load_settings,
    parameter,
    parameter_keys,
    resolve_parameters,
    setting_names,
)
from itopd.settings.filters import Value

CONFIG_VARIABLE: Final = "ITOPD_CONFIG"
"""Environment variable that names the settings files; it is no setting itself."""

SERVICES: Mapping[str, Service] = {service.name: service for service in (exports.SERVICE, imports.SERVICE)}


class CallParameters(BaseModel):
    """Parameters that every call of a service takes; they are read before the service's own."""

    auth_user: str = parameter(
        "", help="login of the account that acts; without it the setting run_as", filter="raw_data"
    )
    auth_pwd: str = parameter("", help="its password", filter="raw_data", secret=True)
    param_file: str = parameter(
        "", help="parameters files, separated by commas; arguments win over them", filter="raw_data", where={"cli"}
    )
    compat: str = parameter("", help="itopd or itop: whose rules hold where iTop is lenient; default: the setting")

    def rules(self, settings: Settings) -> Rules:
        """Return the rules of this call."""
        try:
            return rules_for(self.compat or settings.compat)
        except KeyError:
            raise SettingsError(f"compat={self.compat}: write itopd or itop") from None


class CronParameters(BaseModel):
    """Parameters of the service ``cron``, beside those of every call."""

    verbose: str = parameter("", help="say what happens; anything but 0 means yes")
    debug: str = parameter("", help="add a stack trace to an error that ends the heartbeat; anything but 0 means yes")
    status_only: str = parameter("", help="print the table of tasks and stop; anything but 0 means yes")


def call_names() -> frozenset[str]:
    """Return the names that every call takes."""
    return parameter_keys(CallParameters)


def call_parameters(arguments: Mapping[str, Value], files: ParameterFile, rules: Rules) -> CallParameters:
    """Return what holds for a call of any service; all other keys are left to the service, that knows its own best."""
    names = call_names()
    given = {name: value for name, value in arguments.items() if name in names}
    in_files = {name: value for name, value in files.values.items() if name in names}
    return resolve_parameters(CallParameters, given, ParameterFile(in_files, files.sources), rules).values


@cache
def known_names() -> frozenset[str]:
    """Return every key that a parameters file may hold for somebody: settings, calls, any service."""
    return setting_names() | service_names()


@cache
def service_names() -> frozenset[str]:
    """Return the names of the parameters of calls and of all services."""
    return parameter_keys(CallParameters, CronParameters, *[service.parameters for service in SERVICES.values()])


def load(paths: list[str], overrides: Mapping[str, object], environ: Mapping[str, str]) -> LoadedSettings:
    """Load the settings, those of an attached iTop included; keys of services in the same files are left to them."""
    settings = {name: value for name, value in environ.items() if name != CONFIG_VARIABLE}
    return load_settings(
        paths, overrides, settings, read_itop=deferred("itopd.php:read_itop_settings"), other_known=service_names()
    )
