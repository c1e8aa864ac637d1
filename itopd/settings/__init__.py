"""Parameters files, declared parameters of services, and the settings with the origin of each value."""

from itopd.settings.arguments import parse_arguments, request_values
from itopd.settings.declare import DateFormat, RetryRule, Switch
from itopd.settings.files import (
    ParameterFile,
    UnreadableParameterFile,
    parse_parameters,
    read_parameter_file,
    read_parameter_files,
)
from itopd.settings.load import LoadedSettings, SettingRow, describe, load_settings, setting_names, shown_value
from itopd.settings.model import Settings
from itopd.settings.origins import Origin
from itopd.settings.parameters import (
    Parameter,
    Resolved,
    declared_parameters,
    parameter,
    parameter_family,
    parameter_keys,
    resolve_parameters,
)
from itopd.settings.template import template

__all__ = [
    "DateFormat",
    "LoadedSettings",
    "Origin",
    "Parameter",
    "ParameterFile",
    "Resolved",
    "RetryRule",
    "SettingRow",
    "Settings",
    "Switch",
    "UnreadableParameterFile",
    "declared_parameters",
    "describe",
    "load_settings",
    "parameter",
    "parameter_family",
    "parameter_keys",
    "parse_arguments",
    "parse_parameters",
    "read_parameter_file",
    "read_parameter_files",
    "request_values",
    "resolve_parameters",
    "setting_names",
    "shown_value",
    "template",
]
