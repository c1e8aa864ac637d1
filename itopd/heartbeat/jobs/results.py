"""Where the results of a job go: the name of each, and which earlier ones go when there are too many.

``output_file`` is a template. ``{date}``, ``{time}`` and ``{datetime}`` are the start of the run on the clock of the
job's zone, ``{name}`` is the job's name. Only files that such a template can have made are ever removed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

from itopd.errors import SettingsError

_FORMS = {"date": "%Y-%m-%d", "time": "%H%M%S", "datetime": "%Y-%m-%d_%H%M%S"}
_PATTERNS = {"date": r"\d{4}-\d\d-\d\d", "time": r"\d{6}", "datetime": r"\d{4}-\d\d-\d\d_\d{6}"}
PLACEHOLDERS = (*_FORMS, "name")


@dataclass(frozen=True, slots=True)
class Results:
    """The results of one job."""

    name: str
    """Of the job."""
    template: str = ""
    """Empty: the result goes nowhere."""
    keep: int = 0
    """How many are kept; 0: all."""
    called: str = ""
    """What people call their place, where it is not the path."""

    def path(self, started: datetime, zone: ZoneInfo) -> str:
        """Return where the result of a run goes that started at an instant; empty: nowhere."""
        local = started.astimezone(zone)
        texts = {placeholder: local.strftime(form) for placeholder, form in _FORMS.items()}
        return self.template.format(**texts, name=self.name)

    def surplus(self) -> list[Path]:
        """Return the results that are too many, oldest first by the time in their names."""
        if not self.keep:
            return []
        found = sorted(self._existing())
        return [path for _, path in found[: max(0, len(found) - self.keep)]]

    def _existing(self) -> Iterator[tuple[tuple[str, str], Path]]:
        """Yield date and time of each result in the folder, as its name tells them."""
        folder = Path(self.template.format_map(_Fixed(self.name))).parent
        pattern = self._pattern()
        try:
            names = [entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]
        except FileNotFoundError:
            return
        for name in names:
            found = pattern.fullmatch(name)
            if found is not None:
                texts = {key.rstrip("0123456789"): text for key, text in found.groupdict().items()}
                date, _, time = texts.get("datetime", texts.get("date", "")).partition("_")
                yield (date, time or texts.get("time", "")), folder / name

    def _pattern(self) -> re.Pattern[str]:
        parts = []
        for number, (text, field) in enumerate(_fields(os.path.basename(self.template))):  # noqa: PTH119 - a template
            parts.append(re.escape(text))
            if field == "name":
                parts.append(re.escape(self.name))
            elif field is not None:
                parts.append(f"(?P<{field}{number}>{_PATTERNS[field]})")
        return re.compile("".join(parts))


class _Fixed(dict[str, str]):
    """The placeholders of a folder's name: only the job's name stays the same."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


def require_template(template: str) -> None:
    """Raise :class:`SettingsError` when a template holds anything but the placeholders that exist."""
    for _, field in _fields(template):
        if field is not None and field not in PLACEHOLDERS:
            known = ", ".join(f"{{{placeholder}}}" for placeholder in PLACEHOLDERS)
            raise SettingsError(f"unknown placeholder {{{field}}}; known are {known}")


def require_countable(template: str) -> None:
    """Raise :class:`SettingsError` when the results of a template cannot be told apart by the dates in their names."""
    folder, name = os.path.split(template)
    in_name = {field for _, field in _fields(name)}
    in_folder = {field for _, field in _fields(folder)} - {None, "name"}
    if in_folder:
        raise SettingsError(f"keep looks into one folder: put {{{min(map(str, in_folder))}}} into the file's name")
    if not in_name & {"date", "datetime"}:
        raise SettingsError(
            "keep needs {date} or {datetime} in the name of output_file: without it there is one result"
        )


def _fields(template: str) -> Iterator[tuple[str, str | None]]:
    """Yield the parts of a template: literal text, and the placeholder after it."""
    try:
        for text, field, form, conversion in Formatter().parse(template):
            # A conversion or a width ({name:>9}) makes an unknown placeholder: a name is all there is.
            odd = f"{'!' + conversion if conversion else ''}{':' + form if form else ''}"
            yield text, None if field is None else f"{field}{odd}"
    except ValueError as error:
        raise SettingsError(f"{template}: {error}; write {{{{ for a brace") from None
