"""The cells that the table of the report shows for a row (``spec/import.md`` §9.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from itopd.imports.definition import Definition, KeyDefinition, ValueDefinition
from itopd.imports.header import Column
from itopd.imports.match import Ref
from itopd.imports.problems import RowIssue, cell_sentence, key_sentence
from itopd.imports.report import NOT_AVAILABLE
from itopd.imports.rows import Draft, KeyResult, KeyState
from itopd.writing import Outcome, Pending

MODIFIED: Final = "Modified"
_CONVERTED: Final = frozenset({None, RowIssue.CELLS, RowIssue.MISSING_KEY, RowIssue.ABSTRACT, RowIssue.REFUSED})
"""Issues that leave the converted values to be shown."""


def table_cells(
    definition: Definition, draft: Draft, outcome: Outcome | None, made: Mapping[int, str]
) -> tuple[str, ...]:
    """Return the cells of a row; ``made`` tells what to show for an object that an earlier row created."""
    changed = _changed(definition, draft, outcome)
    keys = [_key_cell(key, draft, changed, made) for key in definition.keys]
    by_code = {value.column.code: value for value in definition.values}
    values = [
        _value_cell(by_code[column.code], draft, changed)
        if column.code in by_code
        else _id_cell(column, draft, changed, made)
        for column in definition.header.values
    ]
    return (*keys, *values)


def _changed(definition: Definition, draft: Draft, outcome: Outcome | None) -> frozenset[str]:
    """Return which attributes of an existing object the row changes, or would change."""
    if draft.target is None:
        return frozenset()
    if outcome is not None and outcome.status != "refused":
        return frozenset(change.code for change in outcome.changes)
    if draft.current is None:
        return frozenset()
    before = draft.current.values
    kinds = {value.column.code: value.cell.kind for value in definition.values}
    codes = {code for code, value in draft.values.items() if not kinds[code].equal(before[code], value)}
    codes |= {
        key.code for key in definition.keys if _found(draft, key) and draft.keys[key.code].ref != before[key.code]
    }
    return frozenset(codes)


def _found(draft: Draft, key: KeyDefinition) -> bool:
    return key.code in draft.keys and draft.keys[key.code].found


def _key_cell(key: KeyDefinition, draft: Draft, changed: frozenset[str], made: Mapping[int, str]) -> str:
    result = draft.keys.get(key.code)
    hidden = draft.issue is RowIssue.NOT_SETTABLE and not key.reconciling
    if result is None or hidden:
        return NOT_AVAILABLE
    if result.found:
        return _id_text(result.ref, made) + (MODIFIED if key.code in changed else "")
    return result.text if result.state is KeyState.NO_MATCH else key_sentence(result.text)


def _id_text(ref: Ref, made: Mapping[int, str]) -> str:
    return made.get(int(str(ref.tag)), "0") if isinstance(ref, Pending) else str(ref)


def _id_cell(column: Column, draft: Draft, changed: frozenset[str], made: Mapping[int, str]) -> str:
    """Show an external key given by id in its place among the attributes."""
    result: KeyResult | None = draft.keys.get(column.code)
    if result is None or not result.found or draft.issue not in _CONVERTED:
        return draft.cells[column.position] or ""
    return _id_text(result.ref, made) + (MODIFIED if column.code in changed else "")


def _value_cell(value: ValueDefinition, draft: Draft, changed: frozenset[str]) -> str:
    code, cell = value.column.code, value.cell
    text = draft.cells[value.column.position] or ""
    if code in draft.bad_cells:
        return cell_sentence(text, draft.bad_cells[code])
    raw = text if draft.issue is RowIssue.DATE_FORMAT else cell.show(text)
    if code not in draft.values or draft.issue not in _CONVERTED:
        return raw
    if draft.target is None:
        return cell.written(draft.values[code], text)
    return cell.written(draft.values[code], text) + MODIFIED if code in changed else raw
