"""Rows on their way: what the target cannot hold is replaced where the caller allows it, and noted in any case."""

from __future__ import annotations

from collections.abc import Sequence

from itopd.attributes import Column, Stored
from itopd.database.copying.reading import CopiedTable, Row
from itopd.database.copying.report import Problem, Problems
from itopd.database.copying.values import Fault, Limits, Trouble, replaced, rule_of


class Inspector:
    """Looks at the rows of one table after the other."""

    def __init__(self, limits: Limits, replace: frozenset[Trouble], listed: int) -> None:
        self.refused = Problems(listed)
        """Values that stop the copy."""
        self.replaced = Problems(listed)
        """Values that were replaced."""
        self._limits = limits
        self._replace = replace

    def passed(self, table: CopiedTable, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the rows of one batch as the target can hold them; as they are when something cannot be helped."""
        changes: dict[int, list[tuple[int, Stored]]] = {}
        for place, (column, values) in enumerate(zip(table.columns, list(zip(*rows, strict=True))[1:], strict=True), 1):
            rule = rule_of(column, self._limits)
            present = [value for value in values if value is not None]
            if not present or rule.all_well(present):
                continue
            for number, value in enumerate(values):
                settled = self._settled(table, column, rows[number][0], value)
                if settled is not value:
                    changes.setdefault(number, []).append((place, settled))
        return _changed(rows, changes) if changes else rows

    def _settled(self, table: CopiedTable, column: Column, row_id: int, value: Stored) -> Stored:
        """Return what to store; a value may have one trouble after the other."""
        rule = rule_of(column, self._limits)
        while value is not None:
            fault = rule.fault(value)
            if fault is None:
                return value
            if fault.trouble not in self._replace:
                self.refused.add(_problem(table, column, row_id, fault))
                return value
            self.replaced.add(_problem(table, column, row_id, fault))
            value = replaced(value, fault.trouble, column, self._limits)
        return value


def _problem(table: CopiedTable, column: Column, row_id: int, fault: Fault) -> Problem:
    return Problem(table.table.name, row_id, column.name, fault.trouble, fault.text)


def _changed(rows: Sequence[Row], changes: dict[int, list[tuple[int, Stored]]]) -> list[Row]:
    result = list(rows)
    for number, values in changes.items():
        row = list(result[number])
        for place, value in values:
            row[place] = value
        result[number] = tuple(row)
    return result
