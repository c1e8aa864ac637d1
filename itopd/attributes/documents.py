"""Values with several columns: files and images, case logs, stop watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Any

from itopd.attributes.base import HistoryKind, TypeOf
from itopd.attributes.columns import Column, ColumnKind, Stored
from itopd.attributes.refusals import Refused, RefusedKind, unfit, wrong_format
from itopd.rules import Rules


@dataclass(frozen=True, slots=True)
class Document:
    """A file or an image."""

    data: bytes = b""
    mimetype: str = ""
    filename: str = ""
    downloads_count: int = 0


class Blob(TypeOf[Document]):
    """A file, with what a browser needs to know of it."""

    null = Document()
    history = HistoryKind.BLOB

    def _columns(self) -> tuple[Column, ...]:
        sql = self.attribute.sql
        return (
            Column(f"{sql}_data", ColumnKind.LONGBLOB),
            Column(f"{sql}_mimetype", ColumnKind.VARCHAR, 255),
            Column(f"{sql}_filename", ColumnKind.VARCHAR, 255),
            Column(f"{sql}_downloads_count", ColumnKind.UNSIGNED),
        )

    def decode(self, stored: Sequence[Any]) -> Document:
        """Return the file."""
        data, mimetype, filename, count = stored
        if not data and not mimetype and not filename and not count:
            return self.null
        return Document(data or b"", mimetype or "", filename or "", count or 0)

    def encode(self, value: Document) -> tuple[Stored, ...]:
        """Return content, type, name and count of downloads."""
        return value.data, value.mimetype, value.filename, value.downloads_count

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> Document:
        """Return no file for an empty text: any other names a file that must be fetched first."""
        if not text:
            return self.null
        raise Refused(RefusedKind.NOT_FROM_TEXT, f"a file cannot be given as text ({self.attribute.code})")

    def check(self, value: Document) -> Refused | None:
        """Refuse a name or type that is longer than its column."""
        return unfit(self.columns, self.encode(value))

    def equal(self, left: Document, right: Document) -> bool:
        """Return whether content, type and name are the same; downloads are not counted as a change."""
        return replace(left, downloads_count=0) == replace(right, downloads_count=0)

    def to_text(self, value: Document) -> str:
        """Return the name: the content has no text form."""
        return value.filename


class Image(Blob):
    """A picture; stored like any file."""

    def check(self, value: Document) -> Refused | None:
        """Refuse a content whose type is not an image's, too."""
        if not value.data or value.mimetype.startswith("image/"):
            return super().check(value)
        return wrong_format(value.mimetype, "the type of an image")


@dataclass(frozen=True, slots=True)
class StoredCaseLog:
    """A case log as stored: the text of all entries, newest first, and its PHP-serialized index, oldest first."""

    text: str = ""
    index: bytes = b"a:0:{}"


class CaseLog(TypeOf[StoredCaseLog]):
    """A log of entries that grows by appending (``spec/objects.md`` §3.1)."""

    null = StoredCaseLog()
    history = HistoryKind.CASE_LOG

    def _columns(self) -> tuple[Column, ...]:
        sql = self.attribute.sql
        return Column(sql, ColumnKind.LONGTEXT), Column(f"{sql}_index", ColumnKind.BLOB)

    def decode(self, stored: Sequence[Any]) -> StoredCaseLog:
        """Return the log, its index not yet read; SQLite returns as text what somebody else wrote as text."""
        text, index = stored
        if isinstance(index, str):
            index = index.encode()
        return StoredCaseLog(text or "", index or b"a:0:{}") if text or index else self.null

    def encode(self, value: StoredCaseLog) -> tuple[Stored, ...]:
        """Return text and index."""
        return value.text, value.index

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> StoredCaseLog:
        """Return an empty log for an empty text: any other is an entry, which needs its author and date."""
        if not text:
            return self.null
        raise Refused(
            RefusedKind.NOT_FROM_TEXT, f"an entry of a log needs an author and a date ({self.attribute.code})"
        )

    def check(self, value: StoredCaseLog) -> Refused | None:
        """Refuse a log of so many entries that its column cannot hold the index: some 400."""
        return unfit(self.columns, self.encode(value))

    def equal(self, left: StoredCaseLog, right: StoredCaseLog) -> bool:
        """Return whether the texts are the same; the indexes follow from them."""
        return left.text == right.text

    def to_text(self, value: StoredCaseLog) -> str:
        """Return all entries, newest first."""
        return value.text


@dataclass(frozen=True, slots=True)
class ThresholdState:
    """Where a stop watch stands towards one threshold."""

    percent: int
    deadline: str | None = None
    passed: bool = False
    triggered: bool = False
    overrun: int | None = None
    """Seconds since the threshold."""


@dataclass(frozen=True, slots=True)
class StopWatchState:
    """A stop watch: seconds spent while running, and the instants it was started and stopped."""

    timespent: int = 0
    started: str | None = None
    laststart: str | None = None
    """Set while it runs."""
    stopped: str | None = None
    thresholds: tuple[ThresholdState, ...] = ()

    def item(self, name: str) -> str | int | None:
        """Return what a sub-item shows, as it is stored: ``timespent``, ``100_deadline``, ``100_passed``, ..."""
        percent, underscore, part = name.partition("_")
        if not underscore:
            value = getattr(self, name)
        else:
            value = next((getattr(one, part) for one in self.thresholds if str(one.percent) == percent), None)
        return int(value) if isinstance(value, bool) else value


class StopWatch(TypeOf[StopWatchState]):
    """Time spent in some states of a life cycle, with thresholds (``spec/objects.md`` §6.4)."""

    history = HistoryKind.NONE

    def _columns(self) -> tuple[Column, ...]:
        sql = self.attribute.sql
        columns = [Column(f"{sql}_timespent", ColumnKind.UNSIGNED)]
        columns += [Column(f"{sql}_{name}", ColumnKind.DATETIME) for name in ("started", "laststart", "stopped")]
        for threshold in self.attribute.thresholds:
            base = f"{sql}_{threshold.percent}"
            columns += [
                Column(f"{base}_deadline", ColumnKind.DATETIME),
                Column(f"{base}_passed", ColumnKind.TINYINT_UNSIGNED),
                Column(f"{base}_triggered", ColumnKind.TINYINT),
                Column(f"{base}_overrun", ColumnKind.UNSIGNED),
            ]
        self.null = StopWatchState(thresholds=tuple(ThresholdState(t.percent) for t in self.attribute.thresholds))
        return tuple(columns)

    def decode(self, stored: Sequence[Any]) -> StopWatchState:
        """Return the watch."""
        timespent, started, laststart, stopped, *rest = stored
        thresholds = tuple(
            ThresholdState(threshold.percent, deadline, bool(passed), bool(triggered), overrun)
            for threshold, deadline, passed, triggered, overrun in zip(
                self.attribute.thresholds, rest[0::4], rest[1::4], rest[2::4], rest[3::4], strict=True
            )
        )
        return StopWatchState(timespent or 0, started, laststart, stopped, thresholds)

    def encode(self, value: StopWatchState) -> tuple[Stored, ...]:
        """Return all columns."""
        stored: list[Stored] = [value.timespent, value.started, value.laststart, value.stopped]
        for state in value.thresholds:
            stored += [state.deadline, int(state.passed), int(state.triggered), state.overrun]
        return tuple(stored)

    def to_text(self, value: StopWatchState) -> str:
        """Return the seconds spent."""
        return str(value.timespent)
