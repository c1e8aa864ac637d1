"""The text of a job file that is made for people: its lines, what it says, what of it may be shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from itopd.errors import SettingsError
from itopd.rules import ITOP
from itopd.settings.files import is_secret_name, parse_parameters

_BLANKS: Final = " \t\r\n\0\x0b"
_KEY: Final = re.compile(r"[^\s=#]+")


def job_text(origin: str, service: str, keys: Mapping[str, str], disabled_for: Iterable[str] = ()) -> str:
    """Return a job file; one that has reasons not to run is disabled and tells them."""
    reasons = [f"# Disabled: {' '.join(reason.split())}" for reason in disabled_for]
    lines = [_line("service", service), *(["enabled = no"] if reasons else [])]
    lines += [_line(key, value) for key, value in keys.items()]
    return "".join(f"{one}\n" for one in [f"# Made by 'itopd adopt_crontab' from {origin}.", *reasons, *lines])


def masked(text: str) -> str:
    """Return a job file without its secrets, to be shown."""
    return "".join(
        f"{line.partition('=')[0]}= ***\n" if is_secret_name(line.partition("=")[0].strip(" :")) else f"{line}\n"
        for line in text.splitlines()
    )


def is_writable(key: str) -> bool:
    """Return whether a line can give a key of this name."""
    return _KEY.fullmatch(key) is not None


def says_the_same(path: Path, text: str) -> bool:
    """Return whether a file is the same job as a text, whatever its comments say and whether it is enabled."""
    try:
        return _job_in(path.read_bytes()) == _job_in(text.encode())
    except (OSError, SettingsError):  # another's file, which is not ours to judge
        return False


def _job_in(text: bytes) -> Mapping[str, str]:
    keys = parse_parameters(text, "", ITOP).values
    return {key: value for key, value in keys.items() if key != "enabled"}


def _line(key: str, value: str) -> str:
    """Return a line that is read as exactly this key and value."""
    plain = "#" not in value and value == value.strip(_BLANKS) and "\n" not in value
    return f"{key} = {value}" if plain else f"{key} := {json.dumps(value, ensure_ascii=False)}"
