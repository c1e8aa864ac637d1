"""One row: what it says, what it would write, what is wrong with it (``spec/import.md`` §6.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from itopd.attributes import Refused
from itopd.imports.cells import is_impossible, problem_kind, wrong_date
from itopd.imports.definition import Definition, KeyDefinition, ValueDefinition, id_of
from itopd.imports.header import ID
from itopd.imports.match import Ref
from itopd.imports.problems import (
    CELL_MISSING,
    CELL_NULL,
    CellIssue,
    Problem,
    RowIssue,
    ambiguous_sentence,
    read_only_sentence,
)
from itopd.objects import Record
from itopd.tabular import Row
from itopd.writing import Create, Intent, Pending, Update


class KeyState(Enum):
    """What became of the columns of a key."""

    UNREACHED = auto()
    FOUND = auto()
    RESET = auto()
    NULL = auto()
    MISSING = auto()
    AMBIGUOUS = auto()
    NO_MATCH = auto()


class Missing(Enum):
    """Stands in for what a row does not tell by itself."""

    KEY = auto()
    EMPTY = auto()


KEY, EMPTY = Missing.KEY, Missing.EMPTY


@dataclass(slots=True)
class KeyResult:
    """The target of one external key of a row."""

    state: KeyState = KeyState.UNREACHED
    ref: Ref = 0
    text: str = ""
    """What the report shows when there is no target."""
    hidden: bool = False
    """A target exists that the account does not see."""

    @property
    def found(self) -> bool:
        """Return whether there is a value to write."""
        return self.state in {KeyState.FOUND, KeyState.RESET}


@dataclass(slots=True)
class Draft:
    """A data row on its way to an intent."""

    number: int
    """Among the data rows, from 0."""
    line: int
    """Line of the file on which it begins."""
    raw: list[str | None]
    """Its cells as they are in the file."""
    cells: list[str | None]
    """As many cells as the header, dates in stored form."""
    criteria: dict[str, tuple[Any, ...] | None] = field(default_factory=dict)
    """Key -> what its target is looked up by; ``None`` when all its cells are empty."""
    search: list[Any] = field(default_factory=list)
    """What the object is looked up by, :data:`KEY` standing for external keys and :data:`EMPTY` for what is missing."""
    keys: dict[str, KeyResult] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    """Plain attributes that could be converted."""
    bad_cells: dict[str, str] = field(default_factory=dict)
    """Attribute -> why its cell cannot be taken."""
    target: Ref | None = None
    """The object to update; ``None``: to create one."""
    current: Record | None = None
    issue: RowIssue | None = None
    issue_text: str = ""
    problems: list[Problem] = field(default_factory=list)
    assumes: frozenset[int] = frozenset()
    """Rows of the block on whose success it rests."""

    @property
    def ready(self) -> bool:
        """Return whether nothing speaks against writing the row."""
        return self.issue is None

    def fail(self, issue: RowIssue, text: str) -> None:
        """Say why the row is not written; the first reason stays."""
        if self.issue is None:
            self.issue, self.issue_text = issue, text

    def reset(self) -> None:
        """Forget what was judged, to judge the row again."""
        self.keys, self.values, self.bad_cells = {}, {}, {}
        self.target, self.current, self.issue, self.issue_text = None, None, None, ""
        self.problems, self.assumes = [], frozenset()


def read_draft(definition: Definition, number: int, row: Row) -> Draft:
    """Return the draft of a data row; one with the wrong number of cells or a wrong date has failed already."""
    width = definition.header.width
    cells = list(row.cells)
    draft = Draft(number, row.line, row.cells, cells)
    if len(cells) != width:
        if definition.rules.missing_cell == "issue":
            text = f"Wrong number of cells: found {len(cells)}, expected {width}"
            draft.fail(RowIssue.WRONG_NUMBER, text)
            draft.problems.append(Problem(RowIssue.WRONG_NUMBER, text))
        del cells[width:]
        cells += [None] * (width - len(cells))
    if draft.issue is None:
        _read_dates(definition, draft)
    if draft.issue is None:
        for key in definition.keys:
            draft.criteria[key.code] = key.values(cells)
        _read_search(definition, draft)
    return draft


def _read_dates(definition: Definition, draft: Draft) -> None:
    for value in definition.values:
        read, at = value.cell.read_date, value.column.position
        text = draft.cells[at]
        if read is None or not text:
            continue
        stored = read(text)
        if stored is not None:
            draft.cells[at] = stored
            continue
        reason = wrong_date(value.cell)
        draft.bad_cells[value.column.code] = reason
        draft.problems.append(Problem(CellIssue.DATE_FORMAT, reason, value.column.written, value.column.code))
        draft.fail(RowIssue.DATE_FORMAT, "a date does not follow date_format")


def resolve_key(key: KeyDefinition, draft: Draft) -> frozenset[int]:
    """Find the target of a key; return the rows of the block that the answer rests on."""
    attribute = key.columns.attribute
    result = draft.keys[key.code] = KeyResult()
    column = key.criteria[0].column.written
    values = draft.criteria[key.code]
    if values is None:
        if attribute.nullable:
            result.state = KeyState.RESET
        else:
            result.state = KeyState.MISSING if key.reconciling else KeyState.NULL
            result.text = CELL_MISSING if key.reconciling else CELL_NULL
            kind = CellIssue.MISSING if key.reconciling else CellIssue.NULL
            draft.problems.append(Problem(kind, result.text, column, key.code))
        return frozenset()
    match = key.lookup.match(values)
    if len(match.refs) == 1:
        result.state, result.ref = KeyState.FOUND, match.refs[0]
    elif match.refs:
        result.state = KeyState.AMBIGUOUS
        result.text = ambiguous_sentence(len(match.refs))
        draft.problems.append(Problem(CellIssue.AMBIGUOUS, result.text, column, key.code))
    else:
        result.state, result.hidden = KeyState.NO_MATCH, match.hidden
        draft.problems.append(Problem(CellIssue.NO_MATCH, "", column, key.code))
    return match.assumes


def _read_search(definition: Definition, draft: Draft) -> None:
    """Read what the object is looked up by, as far as the row alone tells it."""
    for part in definition.search:
        text = None if part.position is None else draft.cells[part.position]
        value: Any
        if part.position is None:
            value = KEY
        elif part.cell is None:
            value = (id_of(text) or EMPTY) if part.key.code == ID else text or ""
        elif not text:
            value = EMPTY if part.cell.kind.null is None else part.cell.kind.null
        else:
            try:
                value = part.cell.convert(text)
            except Refused:
                value = None  # equals nothing; the cell will tell why
        draft.search.append(value)


def search_values(definition: Definition, draft: Draft) -> tuple[Any, ...] | None:
    """Return what the object is looked up by, its keys being resolved; ``None`` when something is missing."""
    values = draft.search
    if EMPTY in values:
        return None
    if KEY not in values:
        return tuple(values)
    found: list[Any] = []
    for part, value in zip(definition.search, values, strict=True):
        if value is KEY:
            result = draft.keys[part.key.code]
            if not result.found:
                return None
            value = result.ref  # noqa: PLW2901
        found.append(value)
    return tuple(found)


def judge(definition: Definition, draft: Draft, current: Mapping[int, Record], defaults: dict[str, Any]) -> None:
    """Find the object of a row and convert its cells: afterwards the row has failed or can be written.

    ``current`` holds existing objects as far as they were read, ``defaults`` the values of a new one. Raises
    :class:`Stale` when the rows before must be written first.
    """
    assumes: set[int] = set()
    draft.assumes = frozenset()
    for key in definition.keys:
        if key.reconciling:
            assumes |= resolve_key(key, draft)
    values = search_values(definition, draft)
    if values is None:
        draft.assumes = frozenset(assumes)
        _cannot_look_up(definition, draft)
        return
    match = definition.lookup.match(values)
    assumes |= match.assumes
    draft.assumes = frozenset(assumes)
    if len(match.refs) > 1:
        draft.fail(RowIssue.AMBIGUOUS, f"{len(match.refs)} objects match, the columns to look up by must name one")
        draft.problems.append(Problem(RowIssue.AMBIGUOUS, draft.issue_text))
        return
    if match.refs:
        draft.target = match.refs[0]
        draft.current = current.get(draft.target) if isinstance(draft.target, int) else None
    elif match.hidden and not definition.rules.hidden_unseen:
        draft.fail(RowIssue.NOT_VISIBLE, f"the {definition.cls.name} exists but is not visible to this account")
        draft.problems.append(Problem(RowIssue.NOT_VISIBLE, draft.issue_text))
        return
    elif definition.header.id_column is not None and definition.search[0].key.code == ID:
        draft.fail(RowIssue.RECONCILIATION, f"there is no {definition.cls.name} with id {values[0]}")
        draft.problems.append(
            Problem(RowIssue.RECONCILIATION, draft.issue_text, definition.header.id_column.written, ID)
        )
        return
    for key in definition.keys:
        if not key.reconciling:
            assumes |= resolve_key(key, draft)
    draft.assumes = frozenset(assumes)
    _convert(definition, draft, defaults)


def _cannot_look_up(definition: Definition, draft: Draft) -> None:
    missing = [part.key for part in definition.search if part.position is not None and not draft.cells[part.position]]
    text = "the object cannot be looked up"
    if missing:
        text += f": {', '.join(key.code for key in missing)} must not be empty"
    draft.fail(RowIssue.RECONCILIATION, text)
    if not draft.problems:
        draft.problems += [
            Problem(CellIssue.MISSING, CELL_MISSING, key.column.written, key.code) for key in missing if key.column
        ] or [Problem(RowIssue.RECONCILIATION, text)]


def _convert(definition: Definition, draft: Draft, defaults: dict[str, Any]) -> None:
    for value in definition.values:
        if value.written and not (value.reconciling and value.cell.computed):
            try:
                draft.values[value.column.code] = value.cell.value(draft.cells[value.column.position])
            except Refused as refused:
                if _refuse(draft, value, refused):
                    return
    _check_read_only(definition, draft, defaults)
    if draft.problems:
        draft.fail(RowIssue.CELLS, "some cells cannot be taken")
    elif draft.target is None:
        _check_creation(definition, draft)


def _refuse(draft: Draft, value: ValueDefinition, refused: Refused) -> bool:
    """Note a cell that cannot be taken; return whether that ends the row at once."""
    code = value.column.code
    problem = Problem(problem_kind(refused), refused.text, value.column.written, code)
    if is_impossible(value.cell, refused):
        draft.problems = [problem]
        draft.fail(RowIssue.NOT_SETTABLE, f"{code}: {refused.text}")
        return True
    draft.bad_cells[code] = refused.text
    draft.problems.append(problem)
    return False


def _check_read_only(definition: Definition, draft: Draft, defaults: dict[str, Any]) -> None:
    cls = definition.cls
    if not definition.read_only or cls.state_attribute is None:
        return
    if draft.target is None:
        state, before = cls.initial_state, defaults
    elif draft.current is not None:
        before = draft.current.values
        state = before[cls.state_attribute]
    else:
        return
    for value in definition.values:
        code = value.column.code
        if code not in definition.read_only.get(state or "", ()) or code not in draft.values:
            continue
        kind, given = value.cell.kind, draft.values[code]
        if not kind.equal(before[code], given):
            reason = read_only_sentence(code, kind.to_text(before[code]), kind.to_text(given))
            draft.bad_cells[code] = reason
            draft.problems.append(Problem(CellIssue.READ_ONLY, reason, value.column.written, code))


def _check_creation(definition: Definition, draft: Draft) -> None:
    cls = definition.cls
    if cls.abstract:
        text = f"Cannot create an object of the abstract class {cls.name}"
        draft.fail(RowIssue.ABSTRACT, text)
        draft.problems.append(Problem(RowIssue.ABSTRACT, text))
    elif definition.missing_keys:
        labels = ", ".join(definition.missing_key_labels)
        draft.fail(RowIssue.MISSING_KEY, f"cannot be created without a column for: {labels}")
        draft.problems += [
            Problem(RowIssue.MISSING_KEY, "a mandatory key, and the file has no column for it", None, key.code)
            for key in definition.missing_keys
        ]


def intent_of(definition: Definition, draft: Draft) -> Intent:
    """Return what the row asks the writer to do."""
    values = given_values(definition, draft)
    if draft.target is None:
        return Create(definition.cls.name, values, tag=draft.number)
    return Update(definition.cls.name, draft.target, values)


def given_values(definition: Definition, draft: Draft) -> dict[str, Any]:
    """Return what the row sets."""
    values = dict(draft.values)
    for key in definition.keys:
        values[key.code] = draft.keys[key.code].ref
    return values


def note_effects(
    definition: Definition, draft: Draft, known: dict[Ref, dict[str, Any]], defaults: Mapping[str, Any]
) -> None:
    """Tell the look-ups what a row will write. ``known`` keeps the values of objects the block has touched."""
    given = given_values(definition, draft)
    if draft.target is None:
        ref: Ref = Pending(draft.number)
        values = known[ref] = {**defaults, **given}
        for lookup in definition.related_lookups:
            lookup.created(draft.number, ref, values)
        return
    values = known.get(draft.target) or (dict(draft.current.values) if draft.current else {})
    values.update(given)
    known[draft.target] = values
    for lookup in definition.related_lookups:
        lookup.updated(draft.number, draft.target, given, values)
