"""Files that an import leaves beside its output: the report as JSON, and the rows to repair."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from itopd.imports.header import ERROR_COLUMNS
from itopd.imports.report import RowReport
from itopd.tabular import NULL, Dialect, published


@contextmanager
def _text_file(path: str, charset: str) -> Iterator[IO[str]]:
    """Yield a text file that appears at ``path`` once it is complete."""
    with published(Path(path)) as file:
        text = io.TextIOWrapper(file, encoding=charset, errors="replace", newline="")
        try:
            yield text
        finally:
            text.detach()  # written out, and left open for who opened it


class JsonReport:
    """Every row with its outcome and problems, written as the rows come."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._rows = 0

    def begin(self, request: Mapping[str, Any]) -> None:
        """Write what was asked."""
        self._file.write('{"request": ' + json.dumps(request, ensure_ascii=False) + ',\n "rows": [')

    def add(self, row: RowReport) -> None:
        """Write one row."""
        entry: dict[str, Any] = {
            "row": row.number,
            "line": row.line,
            "outcome": row.outcome,
            "status": row.status,
            "class": None if row.cls == "n/a" else row.cls,
            "id": int(row.id) if row.id.isdigit() else None,
        }
        if row.issue is not None:
            entry["issue"] = row.issue
            entry["problems"] = [
                {"kind": p.kind, "column": p.column, "attribute": p.code, "text": p.text} for p in row.problems
            ]
        self._file.write(("," if self._rows else "") + "\n  " + json.dumps(entry, ensure_ascii=False))
        self._rows += 1

    def finish(self, counters: Mapping[str, int], warnings: Sequence[str]) -> None:
        """Write the counters."""
        self._file.write(
            "\n ],\n"
            f' "warnings": {json.dumps(list(warnings), ensure_ascii=False)},\n'
            f' "counters": {json.dumps(dict(counters))}}}\n'
        )


class ErrorFile:
    """The rows with issues as they were, each with what to repair; other rows are left out."""

    def __init__(self, file: IO[str], dialect: Dialect) -> None:
        self._file = file
        self._dialect = dialect

    def begin(self, header: Sequence[str | None]) -> None:
        """Write the header: that of the input, unless it has them already with the columns that say what is wrong."""
        self._width = len(header)
        self._own = [at for at, name in enumerate(header) if (name or "").strip() in ERROR_COLUMNS]
        self._write([*self._without_own(header), *ERROR_COLUMNS])

    def add(self, row: RowReport, cells: Sequence[str | None]) -> None:
        """Write a row if it has an issue."""
        if row.outcome != "issue":
            return
        padded = [*cells, *[None] * (self._width - len(cells))] if row.issue == "wrong_number_of_cells" else cells
        self._write(
            [
                *self._without_own(padded[: self._width]),
                str(row.line),
                ", ".join(dict.fromkeys(p.column for p in row.problems if p.column)),
                ", ".join(dict.fromkeys(p.kind for p in row.problems)) or row.issue,
                "; ".join(_reason(p.column, p.text) for p in row.problems) or row.status,
            ]
        )

    def _without_own(self, cells: Sequence[str | None]) -> list[str | None]:
        return [cell for at, cell in enumerate(cells) if at not in self._own]

    def _write(self, cells: Sequence[str | None]) -> None:
        qualifier, separator = self._dialect.qualifier, self._dialect.separator
        texts = [NULL if cell is None else cell for cell in cells]
        if qualifier:
            texts = [
                text if text == NULL else qualifier + text.replace(qualifier, qualifier * 2) + qualifier
                for text in texts
            ]
        else:  # nothing can be quoted: input cells hold neither, and a reason may lose them
            texts = [text.replace("\n", " ").replace(separator, " ") if separator else text for text in texts]
        self._file.write((separator or " ").join(texts) + "\n")


def _reason(column: str | None, text: str) -> str:
    return f"{column}: {text}" if column else text


@contextmanager
def json_report(path: str) -> Iterator[JsonReport | None]:
    """Yield the JSON report to fill, ``None`` when none is asked for."""
    if not path:
        yield None
        return
    with _text_file(path, "utf-8") as file:
        yield JsonReport(file)


@contextmanager
def error_file(path: str, dialect: Dialect, charset: str) -> Iterator[ErrorFile | None]:
    """Yield the error file to fill, in the dialect and charset of the input; ``None`` when none is asked for."""
    if not path:
        yield None
        return
    with _text_file(path, charset) as file:
        yield ErrorFile(file, dialect)
