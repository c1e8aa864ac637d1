"""``config-itop.php`` of an iTop to attach to: literals converted by PHP's rules, never run (``params.md`` §4)."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr

from itopd.errors import MissingFile, SettingsError
from itopd.php.codec import PhpValue
from itopd.php.literals import Assignments, Unread, parse_readable
from itopd.settings import Origin, Settings
from itopd.settings.declare import Declaration, declarations

_PLACEHOLDERS = "ITOP_CONFIG_PLACEHOLDERS"
_PLACEHOLDER = re.compile(r"%(env|server)\(([A-Za-z0-9_]+)\)(?:\?:([A-Za-z0-9_]*))?%")
_TRIMMED = " \t\r\n\0\x0b"
_NUMBER = re.compile(r"[ \t\n\r\v\f]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)", re.ASCII)
# Where iTop's code assumes another value than a fresh installation (and itopd) does when its file says nothing.
_ASSUMED: Mapping[str, Any] = {"tracking_level_linked_set_default": 1}
_OF_THE_URL = frozenset({"db_host", "db_user", "db_pwd", "db_name", "db_tls_enabled", "db_tls_ca"})
"""Settings that nobody needs where ``database_url`` is given."""


@dataclass(frozen=True, slots=True)
class ItopConfig:
    """The three arrays of a configuration file, as they are written there."""

    settings: Mapping[str, PhpValue]
    module_settings: Mapping[str, Mapping[str, PhpValue]]
    modules: Mapping[str, PhpValue]
    lines: Mapping[tuple[str | int, ...], int]
    """1-based lines: of ``("MySettings", name)`` and ``("MyModuleSettings", module, name)``."""
    unread: Mapping[tuple[str | int, ...], Unread] = field(default_factory=dict)
    """Places whose values only PHP could tell; they are in none of the arrays."""


def read_config(text: str, file: str = "config-itop.php") -> ItopConfig:
    """Read the text of a configuration file; values that are no literals are told in ``unread``.

    Raises :class:`SettingsError` with file and line for statements that are no assignments. ``$MySettings``, and
    ``$MyModules`` with its ``addons``, must be there, as iTop demands.
    """
    assigned = parse_readable(text, file)
    modules = _array(assigned, "MyModules", file)
    if "addons" not in modules:
        raise SettingsError(f"{file}: $MyModules has no 'addons': this is no complete configuration of iTop")
    by_module = _array(assigned, "MyModuleSettings", file) if "MyModuleSettings" in assigned.variables else {}
    return ItopConfig(
        settings=_array(assigned, "MySettings", file),
        module_settings={
            module: {str(name): value for name, value in values.items()}
            for module, values in by_module.items()
            if isinstance(values, dict)
        },
        modules=modules,
        lines=assigned.lines,
        unread=assigned.unread,
    )


def read_itop_settings(
    path: Path, environ: Mapping[str, str], by_hand: Collection[str] = frozenset()
) -> dict[str, tuple[object, Origin]]:
    """Return what the iTop configuration ``path`` says, by field of :class:`Settings`, with the line of each value.

    Settings that itopd does not have are left out, as are nulls and the fields given ``by_hand``, which win anyway.
    Raises :class:`SettingsError` naming every value that cannot be read, and the setting to give by hand instead.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")  # a comment may be of any charset
    except FileNotFoundError:
        raise MissingFile(f"iTop's configuration '{path}' is missing; correct the setting itop_config") from None
    except OSError as error:
        raise MissingFile(
            f"iTop's configuration '{path}' cannot be read ({error.strerror}); let itopd's account read it, as by "
            "adding it to iTop's group"
        ) from error
    config = read_config(text, str(path))
    found: dict[str, tuple[object, Origin]] = {}
    problems: list[str] = []
    unneeded = {*by_hand, *(_OF_THE_URL if "database_url" in by_hand else ())}
    for code, declaration in declarations(Settings).items():
        if declaration.itop_name is None or code in unneeded:
            continue
        module, slash, name = declaration.itop_name.rpartition("/")
        place = ("MyModuleSettings", module, name) if slash else ("MySettings", name)
        unread = _unread_at(place, config)
        if unread is not None:
            key, value = (f"{code}_file", "PATH") if declaration.annotation is SecretStr else (code, "...")
            problems.append(
                f"{path}:{unread.line}: setting '{declaration.itop_name}': {unread.problem}, and PHP is never run; "
                f"give the value by hand in itopd's own file: {key} = {value} (as by itopd attach --set {key}={value})"
            )
            continue
        raw = (config.module_settings.get(module, {}) if slash else config.settings).get(name)
        if raw is None:
            if code in _ASSUMED:
                found[code] = (_ASSUMED[code], Origin("config-itop.php", str(path)))
            continue
        origin = Origin("config-itop.php", str(path), config.lines.get(place, 0))
        try:
            found[code] = (_converted(declaration, raw, environ), origin)
        except SettingsError as error:
            problems.append(f"{origin}: setting '{declaration.itop_name}': {error.message}")
    if problems:
        raise SettingsError("\n".join(problems))
    return found


def _unread_at(place: tuple[str, ...], config: ItopConfig) -> Unread | None:
    """Return what could not be read at a place, within it, or of an array around it."""
    for path, unread in config.unread.items():
        length = min(len(path), len(place))
        if path[:length] == place[:length]:
            return unread
    return None


def expand_placeholders(value: PhpValue, environ: Mapping[str, str], server: Mapping[str, str]) -> PhpValue:
    """Replace ``%env(NAME)%`` and ``%server(NAME)?:default%`` in a text, or in all texts of an array.

    Only where the variable ``ITOP_CONFIG_PLACEHOLDERS`` says so. Raises :class:`SettingsError` for a variable that is
    missing and has no default.
    """
    if all(variables.get(_PLACEHOLDERS, "") in {"", "0"} for variables in (environ, server)):
        return value

    def replacement(found: re.Match[str]) -> str:
        source, name, default = found.groups()
        content = (environ if source == "env" else server).get(name, default)
        if content is None:
            raise SettingsError(f"{found[0]} stands for a variable that is not set; set {name}, or write a default")
        return content

    def expanded(one: PhpValue) -> PhpValue:
        if isinstance(one, str):
            return _PLACEHOLDER.sub(replacement, one)
        return {key: expanded(item) for key, item in one.items()} if isinstance(one, dict) else one

    return expanded(value)


def _array(assigned: Assignments, name: str, file: str) -> dict[str, Any]:
    value = assigned.variables.get(name)
    for path, unread in assigned.unread.items():
        if path == (name,) or (path[0] == name and len(path) == 2 and isinstance(path[1], int)):
            raise SettingsError(
                f"{file}:{unread.line}: {unread.problem}, and PHP is never run: it could be any setting of ${name}; "
                "write plain values there, or attach with --database_url and --data_model"
            )
    if not isinstance(value, dict):
        raise SettingsError(f"{file}: ${name} is missing or no array: this is no complete configuration of iTop")
    return {str(key): item for key, item in value.items()}


def _converted(declaration: Declaration, raw: PhpValue, environ: Mapping[str, str]) -> object:
    """Return a value as iTop's declared type makes of it."""
    of_module = "/" in (declaration.itop_name or "")
    value = raw if of_module or declaration.older else expand_placeholders(raw, environ, environ)
    if isinstance(value, str) and not of_module:
        value = value.strip(_TRIMMED)
    match _kind(declaration.annotation):
        case "bool":
            return php_bool(value)
        case "integer":
            return php_int(value)
        case "text":
            return php_text(value)
        case "list":
            return list(value.values()) if isinstance(value, dict) else value
        case _:
            return value


def _kind(annotation: Any) -> Literal["bool", "integer", "text", "list", "array"]:  # noqa: ANN401 - any type
    if annotation is bool:
        return "bool"
    if annotation is int:
        return "integer"
    if get_origin(annotation) is tuple:
        return "list"
    is_choice = get_origin(annotation) is Literal and all(isinstance(word, str) for word in get_args(annotation))
    return "text" if annotation in {str, SecretStr} or is_choice else "array"


def php_bool(value: PhpValue) -> bool:
    """Return a value's truth in PHP: ``'0'`` is false, ``'false'`` is true."""
    return value not in ("", "0", 0, None, {})


def php_int(value: PhpValue) -> int:
    """Return a value as PHP's integer: of a text, the number it begins with; of what has no end, 0."""
    if isinstance(value, str):
        found = _NUMBER.match(value)
        value = _number(found[1]) if found else 0
    if isinstance(value, dict):
        return 1 if value else 0
    if isinstance(value, float) and not math.isfinite(value):
        return 0
    return int(value or 0)


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else float(text)


def php_text(value: PhpValue) -> str:
    """Return a scalar as PHP's text: true is ``1``, false and null are empty."""
    if isinstance(value, bool) or value is None:
        return "1" if value else ""
    if isinstance(value, dict):
        raise SettingsError("an array stands where a text is expected; write a text")
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
