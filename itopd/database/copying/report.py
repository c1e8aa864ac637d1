"""What a copy found and did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from itopd.database.copying.values import Trouble
from itopd.errors import InputError


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that the target cannot hold."""

    table: str
    row_id: int
    column: str
    trouble: Trouble
    text: str

    def __str__(self) -> str:
        return f"{self.table} {self.row_id}, column {self.column}: the value {self.text} ({self.trouble})"


@dataclass(slots=True)
class Problems:
    """Problems as they are found: the first ones in full, all of them as numbers."""

    listed: int
    """Most problems that are kept in full."""
    first: list[Problem] = field(default_factory=list)
    counts: Counter[tuple[str, str, Trouble]] = field(default_factory=Counter)

    def add(self, problem: Problem) -> None:
        """Take one more problem in."""
        self.counts[problem.table, problem.column, problem.trouble] += 1
        if len(self.first) < self.listed:
            self.first.append(problem)

    @property
    def total(self) -> int:
        """Return the number of problems."""
        return sum(self.counts.values())

    def lines(self) -> list[str]:
        """Return a line per listed problem; and, when there are more, one per column with its number of them."""
        lines = [str(problem) for problem in self.first]
        if self.total > len(self.first):
            lines.append(f"... {self.total:,} in all:")
            lines += [
                f"{table}.{column}: {count:,} ({trouble})" for (table, column, trouble), count in self.counts.items()
            ]
        return lines


class UnholdableValues(InputError):
    """The source holds values that the target cannot; nothing was copied."""

    kind = "unholdable_values"

    def __init__(self, problems: Problems, target: str) -> None:
        replaceable = sorted({trouble for _, _, trouble in problems.counts if trouble is not Trouble.OTHER})
        advice = "correct them in the source"
        if replaceable:
            advice += f", or have the replaceable ones replaced (--replace={','.join(replaceable)})"
        super().__init__(
            f"{problems.total:,} value{'s' if problems.total != 1 else ''} cannot be held by {target}, "
            f"so nothing was copied: {advice}\n" + "\n".join(f"  {line}" for line in problems.lines())
        )
        self.problems = problems


@dataclass(frozen=True, slots=True)
class CopyReport:
    """How a copy ended."""

    rows: Mapping[str, int]
    """Rows by table, in the order of the model."""
    left_out: Sequence[str]
    """Tables, and columns as ``table.column``, that the source holds and the model does not know."""
    replaced: Problems
    """Values that were replaced as the caller allowed."""
    verified: bool
    """Whether every row was read back and compared."""

    @property
    def total(self) -> int:
        """Return the number of rows."""
        return sum(self.rows.values())
