"""Rows to writes: as many rows at once as can be judged together, with a fixed number of statements per block.

A block is cut short where the rest can only be told once the rows before are written (:class:`Stale`), or where a row
rests on one that the write refused; what is left makes the next block. So the result is always that of taking the rows
one by one, in order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from itopd.database import Database
from itopd.imports.definition import Definition, KeyDefinition
from itopd.imports.match import Ref, Stale, default_values
from itopd.imports.problems import CellIssue, Problem, RowIssue, hidden_sentence, search_sentence, unseen_sentence
from itopd.imports.rows import Draft, KeyState, intent_of, judge, note_effects, resolve_key, search_values
from itopd.imports.suggest import hides_some, some_objects
from itopd.objects import Record, fetch, final_classes
from itopd.writing import Change, Outcome, Writer

LARGEST = 1000


@dataclass(frozen=True, slots=True)
class Settled:
    """A row that is done."""

    draft: Draft
    outcome: Outcome | None
    """What the writer said; ``None`` when the row never came that far."""
    final_class: str | None
    """Of the object found or written."""


class Blocks:
    """Takes the rows of one transaction; keeps between transactions how large blocks may be."""

    def __init__(
        self,
        database: Database,
        definition: Definition,
        writer: Writer,
        change: Change,
        *,
        rows_seen: bool,
    ) -> None:
        self._database = database
        self._definition = definition
        self._writer = writer
        self._rows_seen = rows_seen
        """Whether a row sees what the rows before it wrote: always, but for iTop's simulations."""
        self._size = LARGEST
        self.change = change

    def take(self, connection: sa.Connection, drafts: Sequence[Draft], now: str) -> list[Settled]:
        """Judge and write rows in order, within the caller's transaction."""
        done: list[Settled] = []
        while len(done) < len(drafts):
            block = drafts[len(done) : len(done) + self._size]
            settled = self._block(connection, block, now)
            self._size = max(1, len(settled)) if len(settled) < len(block) else min(LARGEST, self._size * 2)
            done += settled
        return done

    def _block(self, connection: sa.Connection, drafts: Sequence[Draft], now: str) -> list[Settled]:
        current = self._look_up(connection, drafts)
        drafts = self._judge(drafts, current, now)
        self._explain(connection, drafts)
        if not self._rows_seen:
            savepoint = connection.begin_nested()
            outcomes = self._write(connection, drafts)
            savepoint.rollback()
            self.change = self.change.again()
        elif any(draft.assumes for draft in drafts):
            drafts, outcomes = self._write_tentatively(connection, drafts)
        else:
            outcomes = self._write(connection, drafts)
        classes = self._final_classes(connection, drafts, outcomes)
        return [Settled(draft, outcomes.get(draft.number), classes.get(draft.number)) for draft in drafts]

    def _look_up(self, connection: sa.Connection, drafts: Sequence[Draft]) -> dict[int, Record]:
        """Look up all that the rows name, as the database has it; return the existing objects as far as needed."""
        definition = self._definition
        for lookup in definition.lookups:
            lookup.begin_block()
        sound = [draft for draft in drafts if draft.ready]
        for key in definition.keys:
            values = (draft.criteria[key.code] for draft in sound)
            key.lookup.prefetch(connection, (value for value in values if value is not None))
        wanted: list[tuple[Any, ...]] = []
        for draft in sound:
            for key in definition.keys:
                if key.reconciling:
                    resolve_key(key, draft)
            row = search_values(definition, draft)
            if row is not None:
                wanted.append(row)
            draft.reset()
        definition.lookup.prefetch(connection, wanted)
        if not definition.current_codes:
            return {}
        ids = dict.fromkeys(id_ for row in wanted for id_ in definition.lookup.ids(row))
        return fetch(self._database, connection, definition.cls.name, ids, definition.current_codes)

    def _judge(self, drafts: Sequence[Draft], current: dict[int, Record], now: str) -> Sequence[Draft]:
        """Judge the rows in memory up to one that needs the rows before it written; return those judged."""
        definition = self._definition
        defaults = default_values(definition.cls, definition.default_codes, now)
        known: dict[Ref, dict[str, Any]] = {}
        for position, draft in enumerate(drafts):
            if not draft.ready:
                continue
            try:
                judge(definition, draft, current, defaults)
            except Stale:
                draft.reset()
                if position == 0:
                    raise
                return drafts[:position]
            if self._rows_seen and definition.related_lookups and draft.ready:
                note_effects(definition, draft, known, defaults)
        return drafts

    def _write(self, connection: sa.Connection, drafts: Sequence[Draft]) -> dict[int, Outcome]:
        """Write what can be written; return the outcomes by row."""
        ready = [draft for draft in drafts if draft.ready]
        if not ready:
            return {}
        intents = [intent_of(self._definition, draft) for draft in ready]
        outcomes = self._writer.write(connection, intents, self.change)
        return {draft.number: outcome for draft, outcome in zip(ready, outcomes, strict=True)}

    def _write_tentatively(
        self, connection: sa.Connection, drafts: Sequence[Draft]
    ) -> tuple[Sequence[Draft], dict[int, Outcome]]:
        """Write rows some of which rest on others; take back what rests on a refused one, and leave it to the next."""
        unwritten = self.change.id is None
        savepoint = connection.begin_nested()
        outcomes = self._write(connection, drafts)
        refused = {number for number, outcome in outcomes.items() if outcome.status == "refused"}
        first = next((at for at, draft in enumerate(drafts) if not refused.isdisjoint(draft.assumes)), None)
        if first is None:
            savepoint.commit()
            return drafts, outcomes
        savepoint.rollback()
        if unwritten:
            self.change = self.change.again()
        for draft in drafts[first:]:
            if draft.issue not in _LASTING:
                draft.reset()
        return drafts[:first], self._write(connection, drafts[:first])

    def _explain(self, connection: sa.Connection, drafts: Sequence[Draft]) -> None:
        """Say of keys that match nothing what there is: one look per key and block."""
        failed: dict[str, list[Draft]] = defaultdict(list)
        for draft in drafts:
            for code, result in draft.keys.items():
                if result.state is KeyState.NO_MATCH:
                    failed[code].append(draft)
        for key in self._definition.keys:
            if key.code not in failed:
                continue
            target = self._database.model[key.columns.target]
            reader = self._definition.reader
            some = some_objects(self._database, connection, target, key.columns.codes, reader)
            unseen = self._definition.rules.hidden_unseen and hides_some(self._database, connection, target, reader)
            for draft in failed[key.code]:
                _explain_key(key, draft, target.name, some, unseen=unseen)

    def _final_classes(
        self, connection: sa.Connection, drafts: Sequence[Draft], outcomes: dict[int, Outcome]
    ) -> dict[int, str]:
        """Return the final classes of the objects that rows were about, by row."""
        found = {number: outcome.cls for number, outcome in outcomes.items()}
        unknown: dict[int, int] = {}
        for draft in drafts:
            if draft.number in found or not isinstance(draft.target, int):
                continue
            if draft.current is not None:
                found[draft.number] = draft.current.cls
            else:
                unknown[draft.number] = draft.target
        if unknown:
            classes = final_classes(self._database, connection, self._definition.cls.name, unknown.values())
            found |= {number: classes[id_] for number, id_ in unknown.items() if id_ in classes}
        return found


_LASTING = frozenset({RowIssue.WRONG_NUMBER, RowIssue.DATE_FORMAT})
"""Issues of a row by itself, whatever other rows do."""


def _explain_key(key: KeyDefinition, draft: Draft, target: str, some: str, *, unseen: bool) -> None:
    """Say why a key has no target; ``unseen``: the answer must not tell what is there that the account does not see."""
    result = draft.keys[key.code]
    values = " ".join(draft.cells[c.column.position] or "" for c in key.criteria)
    if unseen:
        kind, result.text = CellIssue.NO_MATCH, unseen_sentence(values, target, some)
    elif result.hidden:
        kind, result.text = CellIssue.NOT_VISIBLE, hidden_sentence(values, target, some)
    else:
        kind, result.text = CellIssue.NO_MATCH if some else CellIssue.NO_OBJECT, search_sentence(values, target, some)
    draft.problems = [
        Problem(kind, result.text, problem.column, problem.code)
        if problem.kind is CellIssue.NO_MATCH and problem.code == key.code
        else problem
        for problem in draft.problems
    ]
