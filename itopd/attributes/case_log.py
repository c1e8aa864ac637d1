"""Entries of a case log: one text, newest entry first, and an index of lengths in bytes, oldest first (§3.1).

The two must agree, or iTop shows the wrong text under the wrong name. So an index that does not fit its text is not
believed: the text then counts as what it would be without one, a single old entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from itopd.attributes.documents import StoredCaseLog
from itopd.clock import to_itop
from itopd.php import PhpError, serialize, unserialize


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of a case log. An entry that no index describes has only a body."""

    body: str
    author: str = ""
    user_id: str = ""
    """Id of the author's account; empty when unknown."""
    instant: datetime | None = None
    format: str = "text"
    """``html`` or ``text``."""


@dataclass(frozen=True, slots=True)
class _Indexed:
    """One element of the index."""

    raw: Mapping[str | int, object]
    text_length: int
    separator_length: int


def append_entries(log: StoredCaseLog, entries: Iterable[LogEntry], zone: ZoneInfo) -> StoredCaseLog:
    """Return the log with the entries that one write adds, in their order.

    What one author says twice in a row is one entry, dated by its end: its bodies are joined by a line feed.
    """
    merged: list[LogEntry] = []
    for entry in entries:
        last = merged[-1] if merged else None
        if last is not None and _voice(last) == _voice(entry):
            merged[-1] = replace(entry, body=f"{last.body}\n{entry.body}")
        else:
            merged.append(entry)
    for entry in merged:
        log = append_entry(log, entry, zone)
    return log


def _voice(entry: LogEntry) -> tuple[str, str, str]:
    return entry.author, entry.user_id, entry.format


def append_entry(log: StoredCaseLog, entry: LogEntry, zone: ZoneInfo) -> StoredCaseLog:
    """Return the log with a new entry in front, its date in local time of ``zone``.

    The body is taken as it is: HTML has to be sanitised before. Raises ``ValueError`` for an entry without instant.
    """
    if entry.instant is None:
        raise ValueError("an entry of a case log needs its instant")
    when = to_itop(entry.instant, zone)
    separator = f"\n========== {when} : {entry.author} ({entry.user_id}) ============\n\n"
    element: dict[str, str | int | None] = {
        "user_name": entry.author,
        "user_id": entry.user_id or None,
        "date": int(entry.instant.timestamp()),
        "text_length": len(entry.body.encode()),
        "separator_length": len(separator.encode()),
        "format": entry.format,
    }
    index = [dict(indexed.raw) for indexed in _believed_index(log)]
    return StoredCaseLog(separator + entry.body + log.text, serialize([*index, element]))


def read_entries(log: StoredCaseLog) -> Iterator[LogEntry]:
    """Yield the entries, newest first."""
    text = log.text.encode()
    position = 0
    for indexed in reversed(_believed_index(log)):
        start = position + indexed.separator_length
        position = start + indexed.text_length
        yield LogEntry(
            body=text[start:position].decode("utf-8", "replace"),
            author=str(indexed.raw.get("user_name") or ""),
            user_id=str(indexed.raw.get("user_id") or ""),
            instant=_instant(indexed.raw.get("date")),
            format=str(indexed.raw.get("format") or "text"),
        )
    if text[position:].strip():
        yield LogEntry(text[position:].decode("utf-8", "replace"))


def _instant(date: object) -> datetime | None:
    """Return the instant of a Unix time; ``None`` for what is no time of the years 1 to 9999."""
    try:
        return datetime.fromtimestamp(date, UTC) if isinstance(date, int) else None
    except (OSError, OverflowError, ValueError):
        return None


def _believed_index(log: StoredCaseLog) -> list[_Indexed]:
    """Return the elements of the index, oldest first; none when the index is damaged or does not fit the text."""
    try:
        value = unserialize(log.index)
    except PhpError:
        return []
    if not isinstance(value, dict):
        return []
    elements: list[_Indexed] = []
    for raw in value.values():
        if not isinstance(raw, dict):
            return []
        text_length, separator_length = raw.get("text_length"), raw.get("separator_length")
        if not isinstance(text_length, int) or not isinstance(separator_length, int):
            return []
        elements.append(_Indexed(raw, text_length, separator_length))
    text = log.text.encode()
    position = 0
    for element in reversed(elements):
        if not text.startswith(b"\n=", position) or min(element.text_length, element.separator_length) < 0:
            return []
        position += element.separator_length + element.text_length
    return elements if position <= len(text) else []
