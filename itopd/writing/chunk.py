"""One chunk of intents: look everything up in bulk, then decide intent by intent in memory.

Each intent is judged against what the ones before it left, so the result is that of writing them one by one. All
look-ups come before the first verdict and are made with the values that intents may lead to; a verdict that needs
something else all the same (a behaviour changed a value) asks the database for that one thing.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from itopd.errors import ItopdError
from itopd.writing.draft import Draft
from itopd.writing.drafting import Drafting, Tags
from itopd.writing.foresight import Foresight, Slot
from itopd.writing.history import History
from itopd.writing.ids import Ids
from itopd.writing.intents import Create, Intent, Issue, Update
from itopd.writing.judging import Judge
from itopd.writing.participants import Participants, Voices
from itopd.writing.protocols import Written
from itopd.writing.uniqueness import Clash, Rules
from itopd.writing.verdicts import Verdict, not_found
from itopd.writing.working import Working

_DEEPEST = 10
"""How far writes may bring about other writes."""


class Chunk:
    """The work on one chunk. ``tags`` is read and extended."""

    def __init__(
        self,
        participants: Participants,
        connection: sa.Connection,
        history: History,
        now: str,
        tags: Tags,
    ) -> None:
        database, layout = participants.database, participants.layout
        self.working = Working(database, connection, layout, participants.has_behaviour, history.change)
        self.written: list[Written] = []
        self._drafting = Drafting(database.model, layout, self.working, now, tags)
        self._voices = Voices(participants)
        ids, rules = Ids(participants, connection), Rules(database, connection)
        self._foresight = Foresight(participants, self.working, self._drafting, ids, rules, self._voices)
        told = self.written if participants.reactions else None
        self._judge = Judge(self.working, history, rules, self._voices, ids, told)

    def decide(self, intents: Sequence[Intent]) -> list[Verdict]:
        """Return what becomes of each intent; the rows are in :attr:`working` then, and nothing is written yet."""
        slots = self._foresight.prepare(intents)
        return [self._decide(slot) for slot in slots]

    def _decide(self, slot: Slot) -> Verdict:
        intent = slot.intent
        verdict = slot.refusal or self._drafting.waiting_in_vain(intent)
        if verdict is None:
            draft = self._draft_at_turn(slot)
            verdict = self._settle(draft, 0) if draft is not None else not_found(intent)
        if isinstance(intent, Create):
            self._drafting.made(intent, verdict.id if verdict.status == "created" else 0)
        return verdict

    def _draft_at_turn(self, slot: Slot) -> Draft | None:
        """Return the draft of an intent against what the object is now; ``None`` when there is no such object."""
        intent, draft = slot.intent, slot.draft
        if isinstance(intent, Update) and (draft is None or slot.provisional):
            item = self._drafting.item(intent)
            return None if item is None else self._drafting.update(item, intent.values)
        if draft is not None:
            if slot.pending:
                draft.given = self._drafting.resolved(draft.layout, intent.values)
            if slot.pending or (draft.item is not None and draft.item.dirty):
                draft.begin()
        return draft

    def _settle(self, draft: Draft, depth: int) -> Verdict:
        """Judge a draft and, once it is accepted, do the writes that it brings about."""
        verdict = self._judge.judge(draft)
        if verdict.status in {"created", "updated"}:
            warnings = [*verdict.warnings]
            for hook in self._voices.hooks_for(draft.layout):
                for intent in hook.follow(draft):
                    warnings += self._follow(intent, depth + 1)
            verdict.warnings = warnings
        return verdict

    def _follow(self, intent: Intent, depth: int) -> list[Issue | Clash]:
        """Do a write that another one brings about; return why, when it is refused."""
        if depth > _DEEPEST:
            raise ItopdError(f"writes on {intent.cls} bring about each other more than {_DEEPEST} deep")
        draft: Draft | None
        if isinstance(intent, Create):
            draft = self._drafting.creation(intent.cls, intent.values)
        else:
            self.working.load(intent.cls, [self._drafting.id_of(intent)], intent.values)
            item = self._drafting.item(intent)
            draft = None if item is None else self._drafting.update(item, intent.values)
        if draft is None:
            return list(not_found(intent).issues)
        draft.asked = False
        self._foresight.read_trees([draft])
        verdict = self._settle(draft, depth)
        return [*verdict.issues, *verdict.warnings]
