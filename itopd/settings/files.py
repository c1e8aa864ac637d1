"""Parameters files: lines ``key = value``, read as iTop reads them (``params.md`` §1), byte for byte.

itopd adds one form, ``key := "JSON string"``, for values that a plain line cannot hold (``#``, blanks at the ends);
iTop ignores such a line.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from itopd.errors import MissingFile, SettingsError
from itopd.rules import Rules
from itopd.settings.origins import Origin

_TRIMMED = b" \t\r\n\0\x0b"
_BLANKS = b" \t\r\n\x0b\x0c"
_SETTING = re.compile(rb"(\S*)\s*=(.*)", re.DOTALL)
_JSON_SETTING = re.compile(rb"([^\s=#]+)\s+:=\s*(.*)", re.DOTALL)
_SECRET_NAME = re.compile(r"(?:pwd|password|secret|token|encryption_key)\Z", re.IGNORECASE)
LARGEST = 1 << 20
"""Bytes of a file that is read at all: nothing that is no parameters file may fill the memory."""
_URL_WITH_PASSWORD = re.compile(r"://[^/:@]*:[^@]+@")


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """What one or several parameters files say: for each key the last value given."""

    values: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, Origin] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def followed_by(self, later: ParameterFile) -> ParameterFile:
        """Return both together; ``later`` wins."""
        return ParameterFile(
            {**self.values, **later.values}, {**self.sources, **later.sources}, self.warnings + later.warnings
        )


class UnreadableParameterFile(MissingFile):
    """A parameters file that was named is missing or cannot be read; ``loaded`` is what those before it said."""

    def __init__(self, message: str, loaded: ParameterFile | None = None) -> None:
        super().__init__(message)
        self.loaded = loaded or ParameterFile()


def is_secret_name(key: str) -> bool:
    """Return whether a key is named like a credential."""
    return _SECRET_NAME.search(key) is not None


def read_parameter_files(paths: str, rules: Rules, folder: Path | None = None) -> ParameterFile:
    """Read the files of a ``param_file`` parameter: paths separated by commas, later ones winning.

    With ``folder``, as HTTP asks, a path must be the plain name of a file in it. Raises
    :class:`UnreadableParameterFile` for the first file that cannot be read, :class:`SettingsError` for a line that
    cannot be understood.
    """
    loaded = ParameterFile()
    for name in (part.strip(_TRIMMED.decode("ascii")) for part in paths.split(",")):
        if name not in {"", "0"}:  # a file called 0 counts as no file (observed)
            path = Path(name) if folder is None else _of_folder(name, folder)
            try:
                loaded = loaded.followed_by(read_parameter_file(path, rules, name))
            except UnreadableParameterFile as error:
                raise UnreadableParameterFile(error.message, loaded) from error
    return loaded


def read_parameter_file(path: Path, rules: Rules, name: str = "") -> ParameterFile:
    """Read one file; ``name`` is what messages and origins call it, its path by default.

    A file with credentials that everybody can read gives a warning. Raises as :func:`read_parameter_files`.
    """
    name = name or str(path)
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
            mode = os.fstat(file.fileno()).st_mode
    except IsADirectoryError:
        return _of_directory(name, rules)
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadableParameterFile(f"Could not find the parameter file: '{name}'; check its path") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UnreadableParameterFile(
            f"Could not load parameter file: '{name}' ({error}); make it readable for this account"
        ) from error
    if len(text) > LARGEST:
        raise SettingsError(f"{name}: larger than {LARGEST >> 20} MiB, so it is no parameters file: correct its name")
    parsed = parse_parameters(text, name, rules)
    if mode & stat.S_IROTH and any(_holds_secret(key, value) for key, value in parsed.values.items()):
        warning = f"{name}: holds credentials and everybody can read it; chmod o-r {name}"
        return ParameterFile(parsed.values, parsed.sources, (*parsed.warnings, warning))
    return parsed


def parse_parameters(text: bytes, file: str, rules: Rules) -> ParameterFile:
    """Read the lines of one file, whose name is only used in messages and origins."""
    values: dict[str, str] = {}
    sources: dict[str, Origin] = {}
    warnings: list[str] = []
    _look_for_marks(text, file, rules, warnings)
    for number, line in enumerate(text.split(b"\n"), start=1):
        found = _parse_line(line, f"{file}:{number}", rules, warnings)
        if found is not None:
            key, value = found
            if key == "param_file":
                warnings.append(
                    f"{file}:{number}: a file does not include others: name them all where this one is named"
                )
            if values.get(key, value) != value:
                earlier = sources[key].line
                warnings.append(
                    f"{file}:{number}: {key} has another value in line {earlier}; this one counts: keep one"
                )
            values[key] = value
            sources[key] = Origin("file", file, number)
    return ParameterFile(values, sources, tuple(warnings))


def _look_for_marks(text: bytes, file: str, rules: Rules, warnings: list[str]) -> None:
    """Tell of a mark of its encoding at the beginning of a file: it would be part of the first key."""
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SettingsError(f"{file}:1: this is UTF-16; convert the file to UTF-8")
    if text.startswith(codecs.BOM_UTF8):
        problem = f"{file}:1: begins with a byte order mark, which is part of the first key: save the file without it"
        if rules.unknown_parameter == "refuse":
            raise SettingsError(problem)
        warnings.append(problem)


def _of_folder(name: str, folder: Path) -> Path:
    if Path(name).name != name or name.startswith("."):
        raise SettingsError(f"parameters file '{name}' is no plain file name: name a file of {folder} without its path")
    return folder / name


def _holds_secret(key: str, value: str) -> bool:
    return bool(value) and (is_secret_name(key) or _URL_WITH_PASSWORD.search(value) is not None)


def _of_directory(name: str, rules: Rules) -> ParameterFile:
    """iTop reads a directory as an empty file; where itopd does not overlook things, it says so."""
    message = f"parameters file '{name}' is a directory; name a file"
    if rules.unknown_parameter == "refuse":
        raise MissingFile(message)
    return ParameterFile(warnings=(message,))


def _parse_line(line: bytes, where: str, rules: Rules, warnings: list[str]) -> tuple[str, str] | None:
    """Return key and value of a line, or nothing when it sets nothing."""
    line = line.strip(_TRIMMED)
    if not line or line.startswith(b"#"):
        return None
    exact = _JSON_SETTING.match(line)
    if exact is not None:
        return _exact_value(exact, where, rules, warnings)
    setting = line.partition(b"#")[0]
    found = _SETTING.match(setting.strip(_TRIMMED))
    if found is None:
        warnings.append(f"{where}: ignored, it is no line 'key = value'")
        return None
    key, value = _text(found[1], where), _text(found[2].strip(_TRIMMED), where)
    if "=" in key:
        key, value = _ambiguous_key(setting.strip(_TRIMMED), key, value, where, rules, warnings)
    if len(setting) < len(line) and setting[-1] not in _BLANKS and is_secret_name(key):
        warnings.append(f"{where}: the value of {key} is cut at its '#'; write {key} := \"...\" to keep it")
    return key, value


def _ambiguous_key(line: bytes, key: str, value: str, where: str, rules: Rules, warnings: list[str]) -> tuple[str, str]:
    """Decide what ``a=b=c`` means: iTop's key ends at the last ``=`` before a blank, the author's at the first."""
    if rules.equal_sign_key == "greedy":
        warnings.append(f"{where}: the key is '{key}', up to the last '='; put blanks around the first '='")
        return key, value
    first, _, rest = line.partition(b"=")
    warnings.append(f"{where}: the key is read as '{_text(first, where)}'; put blanks around the first '='")
    return _text(first, where), _text(rest.strip(_TRIMMED), where)


def _exact_value(found: re.Match[bytes], where: str, rules: Rules, warnings: list[str]) -> tuple[str, str] | None:
    """Read the JSON string of ``key := "..."``; only a comment may follow it."""
    key, text = _text(found[1], where), _text(found[2], where)
    value, end = _json_string(text)
    if value is not None and text[end:].lstrip()[:1] in {"", "#"}:
        return key, value
    problem = f"{where}: after ':=' a JSON string is expected, like {key} := \"p#ss\""
    if rules.unknown_parameter == "refuse":
        raise SettingsError(problem)
    warnings.append(f"{problem}; line ignored")
    return None


def _json_string(text: str) -> tuple[str | None, int]:
    """Return the JSON string that a text begins with and where it ends; ``None`` when it begins with none."""
    if not text.startswith('"'):
        return None, 0
    try:
        value, end = json.JSONDecoder().raw_decode(text)
        str(value).encode()  # half of a surrogate pair is no character
    except ValueError:
        return None, 0
    return str(value), end


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SettingsError(f"{where}: not UTF-8; convert the file to UTF-8") from None
