"""The keys of a job file one by one: what their values mean, and what is found wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from itopd.errors import SettingsError
from itopd.heartbeat.lanes import LANES
from itopd.settings import ParameterFile
from itopd.settings.origins import ARGUMENT

OWN_KEYS: Final = (
    "service",
    "schedule",
    "week_days",
    "time",
    "timezone",
    "not_before",
    "not_after",
    "misfire",
    "misfire_grace",
    "retries",
    "retry_delay",
    "max_seconds",
    "lane",
    "enabled",
    "output_file",
    "keep",
    "watch",
    "watch_settle",
    "email_to",
)

_SWITCH = {"yes": True, "true": True, "1": True, "on": True, "no": False, "false": False, "0": False, "off": False}
_DURATION = re.compile(r"([0-9]{1,8})\s*([smhd]?)", re.IGNORECASE)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")

T = TypeVar("T")


@dataclass(slots=True)
class KeyReader:
    """One job file, and what is found wrong with it."""

    path: Path
    file: ParameterFile
    problems: list[str] = field(default_factory=list)

    def text(self, key: str) -> str:
        """Return the value of a key, empty when it is not there."""
        return self.file.values.get(key, "")

    def read(self, key: str, parse: Callable[[str], T], default: T) -> T:
        """Return what the value of a key means; the default when it is not there, empty or wrong."""
        text = self.text(key)
        if not text:
            return default
        try:
            return parse(text)
        except SettingsError as error:
            self.wrong(key, error.message)
            return default

    def wrong(self, key: str, problem: str) -> None:
        """Note a problem of a key."""
        self.problems.append(f"{self.where(key)}: {problem}")

    def where(self, key: str | None) -> str:
        """Return file and line of a key; an argument has no line."""
        origin = self.file.sources.get(key) if key else None
        if origin is ARGUMENT:
            return f"--{key}"
        return f"{self.path}:{origin.line}" if origin is not None and origin.line else str(self.path)

    def complain_of(self, message: str) -> None:
        """Note what a service complains of, a line each, at the place of the key that it names.

        What nobody knows is told already (:meth:`unknown_keys`), with the better suggestion.
        """
        for line in message.splitlines():
            if line.startswith("unknown parameter "):
                continue
            named = (key for key in self.file.values if re.search(rf"\b{re.escape(key)}\b", line))
            self.problems.append(f"{self.where(next(named, None))}: {line}")

    def unknown_keys(self, known: Collection[str]) -> None:
        """Note every key that nobody knows, with the one that was meant."""
        families = tuple(name[:-1] for name in known if name.endswith("*"))
        for key in self.file.values:
            if key not in known and not key.startswith(families):
                near = get_close_matches(key, [name for name in known if not name.endswith("*")], n=1)
                advice = f"did you mean '{near[0]}'?" if near else "remove it; docs/jobs.md lists the keys"
                self.wrong(key, f"unknown key '{key}'; {advice}")

    def without_own_keys(self) -> ParameterFile:
        """Return what is the service's."""
        values = {key: value for key, value in self.file.values.items() if key not in OWN_KEYS}
        return ParameterFile(values, {key: self.file.sources[key] for key in values})

    def finish(self) -> None:
        """Raise :class:`SettingsError` with everything that was noted."""
        if self.problems:
            raise SettingsError("\n".join(self.problems))


def read_switch(text: str) -> bool:
    """Return what yes or no means. Raises :class:`SettingsError`."""
    if text.lower() not in _SWITCH:
        raise SettingsError(f"enabled = {text} is neither yes nor no")
    return _SWITCH[text.lower()]


def read_number(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers between two limits."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not lowest <= int(text) <= highest:
            raise SettingsError(f"'{text}' is no number from {lowest} to {highest}")
        return int(text)

    return parse


def read_duration(text: str) -> timedelta:
    """Return a length of time: ``90``, ``90s``, ``5m``, ``2h``, ``1d``. Raises :class:`SettingsError`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise SettingsError(f"'{text}' is no length of time; write 90s, 5m, 2h or 1d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2].lower()])


def read_time(text: str) -> time:
    """Return a time of the day: ``06:30``. Raises :class:`SettingsError`."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise SettingsError(f"'{text}' is no time of the day; write hours and minutes, as in 06:30")
    return time(int(found[1]), int(found[2]))


def read_misfire(text: str) -> bool:
    """Return whether a late run is left out. Raises :class:`SettingsError`."""
    if text.lower() not in {"once", "skip"}:
        raise SettingsError(f"misfire = {text}: write once or skip")
    return text.lower() == "skip"


def read_zone(text: str) -> ZoneInfo:
    """Return a time zone by its name. Raises :class:`SettingsError`."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        near = get_close_matches(text, sorted(available_timezones()), n=1)
        advice = f"did you mean '{near[0]}'?" if near else "write a name like Europe/Paris"
        raise SettingsError(f"there is no time zone '{text}'; {advice}") from None


def read_lane(text: str) -> str:
    """Return the name of a lane that exists. Raises :class:`SettingsError`."""
    if text not in LANES:
        raise SettingsError(f"there is no lane '{text}'; lanes are {', '.join(LANES)}")
    return text
