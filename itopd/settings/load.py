"""Loading the settings: argument > environment > credentials > parameters files > config-itop.php > default.

Every problem is found before anything is said: one error names all unknown keys and refused values with their places.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, SecretStr, ValidationError

from itopd.errors import SettingsError
from itopd.rules import ITOPD
from itopd.settings.declare import Declaration, declarations
from itopd.settings.files import is_secret_name, read_parameter_file
from itopd.settings.model import Settings
from itopd.settings.origins import ARGUMENT, DEFAULT, Origin
from itopd.settings.parameters import is_known, nearest
from itopd.settings.urls import masked

ENVIRONMENT_PREFIX = "ITOPD_"
"""``ITOPD_DB_PWD`` gives ``db_pwd``."""

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Environment variable that names the folder of systemd's credentials: its file ``itopd_db_pwd`` gives ``db_pwd``."""

_FROM_FILE = "_file"
Layer = Mapping[str, tuple[object, Origin]]
"""Values of one strength, by field, with where each stands."""
ReadItop = Callable[[Path, Mapping[str, str], Collection[str]], Layer]
"""Reads an iTop configuration, given the environment and the fields that are given elsewhere:
:func:`itopd.php.read_itop_settings`."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and where each came from."""

    settings: Settings
    origins: Mapping[str, Origin]
    """By field."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of ``itopd config show``."""

    name: str
    """iTop's spelling where iTop has the setting."""
    value: str
    """As a file would give it; secrets are stars."""
    origin: str
    help: str


def load_settings(
    paths: Sequence[str | Path] = (),
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    read_itop: ReadItop | None = None,
    other_known: Collection[str] = frozenset(),
) -> LoadedSettings:
    """Load the settings from parameters files (later ones win), the environment and ``overrides``.

    ``environ`` is that of the process when not given. ``other_known`` are keys that files may hold for others
    (:func:`~itopd.settings.parameter_keys`). ``read_itop`` is needed where ``itop_config`` may be set. Raises
    :class:`SettingsError` naming every problem, :class:`~itopd.errors.MissingFile` for a file that cannot be read.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    warnings: list[str] = []
    layers = [
        *(_from_file(Path(path), other_known, problems, warnings) for path in paths),
        _from_credentials(environ, problems, warnings),
        _from_environment(environ, problems, warnings),
        _from_overrides(overrides or {}, problems),
    ]
    given = {field: entry for layer in layers for field, entry in layer.items()}
    given = {**_attached(given, environ, read_itop), **given}
    values = {field: _content(field, value, origin, problems) for field, (value, origin) in given.items()}
    origins = {field: given[field][1] if field in given else DEFAULT for field in Settings.model_fields}
    settings = _validated(values, origins, problems)
    return LoadedSettings(settings, origins, tuple(warnings))


def describe(loaded: LoadedSettings) -> list[SettingRow]:
    """Return all settings for people to read: name, value without secrets, origin, meaning."""
    return [
        SettingRow(
            name=one.spellings[-1],
            value=_shown(one, getattr(loaded.settings, field)),
            origin=str(loaded.origins[field]),
            help=f"{one.help} ({one.unit})" if one.unit else one.help,
        )
        for field, one in declarations(Settings).items()
    ]


def setting_names() -> frozenset[str]:
    """Return all keys under which files may give settings, those with ``_file`` included."""
    return frozenset(_spellings())


def shown_value(key: str, value: str) -> str:
    """Return the value that a file gives to a key of :func:`setting_names`, its secrets replaced by stars."""
    field, is_path = _spellings()[key]
    one = declarations(Settings)[field]
    if is_path or not _is_secret(one):
        return value
    return masked(value) if one.field.endswith("_url") else "***"


@dataclass(frozen=True, slots=True)
class _ContentOf:
    """Stands for the content of a file until it is known whether anybody wants it."""

    path: str


def _spellings() -> dict[str, tuple[str, bool]]:
    """Return for each possible key its field, and whether the value is the path of a file that holds it."""
    keys: dict[str, tuple[str, bool]] = {}
    for field, one in declarations(Settings).items():
        for key in one.spellings:
            keys[key] = (field, False)
            keys[key + _FROM_FILE] = (field, True)
    return keys


def _from_file(path: Path, others: Collection[str], problems: list[str], warnings: list[str]) -> Layer:
    file = read_parameter_file(path, ITOPD)
    warnings += file.warnings
    keys = _spellings()
    entries = []
    for key, value in file.values.items():
        if key in keys:
            entries.append((key, value, file.sources[key]))
        elif not is_known(key, others):
            problems.append(f"{file.sources[key]}: unknown setting '{key}'{nearest(key, keys)}")
    return _layer(entries, problems)


def _from_environment(environ: Mapping[str, str], problems: list[str], warnings: list[str]) -> Layer:
    keys = {key: key for key in _spellings() if key.isidentifier()}
    entries = []
    for variable, value in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        key = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if key in keys:
            entries.append((key, value, Origin("environment", variable)))
        else:
            warnings.append(f"environment {variable}: no setting is called '{key}'{nearest(key, keys)}")
    return _layer(entries, problems)


def _from_credentials(environ: Mapping[str, str], problems: list[str], warnings: list[str]) -> Layer:
    """Return the settings that systemd's ``LoadCredential`` gives; credentials not called ``itopd_*`` are not ours."""
    folder, keys, entries = environ.get(CREDENTIALS), _spellings(), []
    try:
        files = sorted(Path(folder).iterdir()) if folder else []
    except OSError as error:
        problems.append(f"environment {CREDENTIALS}: {folder} cannot be read ({error.strerror})")
        return {}
    for file in files:
        key = file.name.lower()
        if not key.startswith(ENVIRONMENT_PREFIX.lower()):
            continue
        key = key.removeprefix(ENVIRONMENT_PREFIX.lower())
        if key in keys and not keys[key][1]:
            entries.append((key, _ContentOf(str(file)), Origin("file", str(file))))
        else:
            warnings.append(f"credential {file.name}: no setting is called '{key}'{nearest(key, keys)}")
    return _layer(entries, problems)


def _from_overrides(overrides: Mapping[str, object], problems: list[str]) -> Layer:
    keys = _spellings()
    problems += [f"argument: unknown setting '{key}'{nearest(key, keys)}" for key in overrides if key not in keys]
    return _layer([(key, value, ARGUMENT) for key, value in overrides.items() if key in keys], problems)


def _layer(entries: Sequence[tuple[str, object, Origin]], problems: list[str]) -> Layer:
    """Sort the entries of one source by field; giving a setting in two ways at once is a problem."""
    keys = _spellings()
    found: dict[str, tuple[object, Origin]] = {}
    spelled: dict[str, str] = {}
    for key, value, origin in entries:
        field, is_path = keys[key]
        if field in spelled:
            problems.append(f"{origin}: '{key}' and '{spelled[field]}' give the same setting; keep one of them")
        spelled[field] = key
        found[field] = (_ContentOf(str(value)) if is_path else value, origin)
    return found


def _attached(given: Layer, environ: Mapping[str, str], read_itop: ReadItop | None) -> Layer:
    """Return what the configuration of the iTop to attach to says, when there is one."""
    path = given.get("itop_config", (None, DEFAULT))[0]
    if not path or isinstance(path, _ContentOf):
        return {}
    if read_itop is None:
        raise TypeError("itop_config is set: load_settings needs read_itop")
    return read_itop(Path(str(path)), environ, given.keys())


def _content(field: str, value: object, origin: Origin, problems: list[str]) -> object:
    if not isinstance(value, _ContentOf):
        return value
    try:
        return Path(value.path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        problems.append(f"{origin}: cannot read '{value.path}' for setting '{field}' ({reason}); check the path")
        return ""


def _validated(values: Mapping[str, object], origins: Mapping[str, Origin], problems: list[str]) -> Settings:
    known = declarations(Settings)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            field = str(detail["loc"][0])
            inside = "".join(f"[{key}]" for key in detail["loc"][1:] if key in _keys_of(values.get(field)))
            value = "" if _is_secret(known[field]) else f" {detail['input']!r}"
            message = detail["msg"].removeprefix("Value error, ")
            problems.append(f"{origins[field]}: setting '{field}{inside}'{value} is refused: {message}")
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _keys_of(value: object) -> Collection[object]:
    """Return the keys by which an error may point into a value; pydantic's own branch names are left out."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return ()
    if not isinstance(value, Mapping):
        return ()
    return [*value, *(key for inner in value.values() for key in _keys_of(inner))]


def _is_secret(one: Declaration) -> bool:
    return one.annotation is SecretStr or is_secret_name(one.field) or one.field.endswith("_url")


def _shown(one: Declaration, value: object) -> str:
    text = as_text(value)
    return masked(text) if one.field.endswith("_url") else text


def as_text(value: object) -> str:
    """Return a value as a parameters file would give it; a secret is stars."""
    match value:
        case SecretStr():
            return "***" if value.get_secret_value() else ""
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case tuple():
            return ", ".join(value)
        case dict():
            return json.dumps(
                {key: item.model_dump() if isinstance(item, BaseModel) else item for key, item in value.items()},
                ensure_ascii=False,
            )
    return str(value)
