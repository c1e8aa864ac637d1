"""The report in iTop's text format (``spec/import.md`` §9), and what all reports are made of."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal, Self

from itopd.dictionary import Dictionary
from itopd.imports.definition import Definition
from itopd.imports.header import Header, ReconciliationKey
from itopd.imports.problems import Problem

RowOutcome = Literal["created", "updated", "unchanged", "issue"]
NOT_AVAILABLE: Final = "n/a"
_SPOOLED_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class RowReport:
    """What became of one data row."""

    number: int
    """Among the data rows, from 0."""
    line: int
    """Line of the file on which the row begins."""
    outcome: RowOutcome
    status: str
    cls: str = NOT_AVAILABLE
    """Final class of the object."""
    id: str = NOT_AVAILABLE
    """Its id; ``0`` for a simulated creation."""
    issue: str | None = None
    """Kind of the issue."""
    problems: tuple[Problem, ...] = ()
    cells: tuple[str, ...] = ()
    """Of the table, when it is asked for."""
    early: bool = False
    """Whether iTop lists the row before all others."""


@dataclass(slots=True)
class Counters:
    """Rows by outcome."""

    issues: int = 0
    warnings: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def count(self, row: RowReport) -> None:
        """Count one row."""
        name = "issues" if row.outcome == "issue" else row.outcome
        setattr(self, name, getattr(self, name) + 1)

    def as_mapping(self) -> dict[str, int]:
        """Return the counters under the names that services use."""
        return {
            "issues": self.issues,
            "warnings": self.warnings,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
        }

    @property
    def rows(self) -> int:
        """Return the number of rows counted."""
        return self.issues + self.created + self.updated + self.unchanged


@dataclass(slots=True)
class TextReport:
    """The report that goes to the output: comment lines, then the table. Rows wait in a temporary file."""

    output: str
    lines: list[str] = field(default_factory=list)
    _early: BinaryIO | None = None
    _rows: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self.output == "details":
            self._early = tempfile.SpooledTemporaryFile(_SPOOLED_BYTES)  # type: ignore[assignment]
            self._rows = tempfile.SpooledTemporaryFile(_SPOOLED_BYTES)  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        for spool in (self._early, self._rows):
            if spool is not None:
                spool.close()

    def add(self, row: RowReport) -> None:
        """Take in a row."""
        spool = self._early if row.early else self._rows
        if spool is not None:
            cells = (str(row.number), row.status, row.cls, row.id, *row.cells)
            spool.write((";".join(cells) + "\n").encode("utf-8", "surrogatepass"))

    def finish(self, output: BinaryIO, counters: Counters, table_head: str) -> None:
        """Write the whole report."""
        if self.output == "retcode":
            output.write(str(counters.issues).encode())
            return
        lines = [
            *self.lines,
            *(f"#{name.capitalize()}: {number}" for name, number in counters.as_mapping().items()),
            *([table_head] if self.output == "details" else []),
        ]
        output.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))
        for spool in (self._early, self._rows):
            if spool is not None:
                spool.seek(0)
                shutil.copyfileobj(spool, output, _SPOOLED_BYTES)


def middle_lines(
    header: Header,
    reconciliation: Sequence[ReconciliationKey],
    warnings: Sequence[str],
    *,
    lines: int,
    simulate: bool,
    comment: str,
) -> list[str]:
    """Return the comment lines between the opening ones and the counters (§9.1)."""
    keys = ", ".join(f"{key.code} ({key.detail})" if key.detail else key.code for key in reconciliation)
    return [
        f"#Data Lines: {lines}",
        f"#Simulate: {int(simulate)}",
        f"#Columns: {', '.join(column.code for column in header.columns)}",
        f"#Reconciliation Keys: {keys}",
        *(f"#Warning: {warning}" for warning in warnings),
        f"#Change tracking comment: {comment}",
    ]


def table_head(definition: Definition, dictionary: Dictionary) -> str:
    """Return the header line of the table: external keys first, then attributes; labels always."""
    cls = definition.cls.name
    keys = [f"{key.code} ({dictionary.attribute_label(cls, key.code)} - ext key)" for key in definition.keys]
    codes = [column.code for column in definition.header.values]
    values = [f"{code} ({dictionary.attribute_label(cls, code)})" for code in codes]
    return ";".join(["Line", "Status", "Object Class", "Object Id", *keys, *values])
