"""One chunk of intents: look everything up in bulk, then decide intent by intent in memory.

Each intent is judged against what the ones before it left, so the result is that of writing them one by one. All
look-ups come before the first verdict and are made with the values that intents may lead to; a verdict that needs
something else all the same (a behaviour changed a value) asks the database for that one thing.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from itopd.errors import ItopdError
from itopd.writing.deleting import Deletions, FlushFirst
from itopd.writing.draft import Draft
from itopd.writing.drafting import Drafting, Tags
from itopd.writing.foresight import Foresight, Slot
from itopd.writing.history import History
from itopd.writing.ids import Ids
from itopd.writing.intents import Create, Delete, Intent, Issue, Update
from itopd.writing.judging import Judge
from itopd.writing.link_sets import LinkSets, LinkWrite, link_sets_of
from itopd.writing.participants import Participants, Voices
from itopd.writing.protocols import Written
from itopd.writing.uniqueness import Clash, Rules
from itopd.writing.verdicts import Verdict, not_found
from itopd.writing.working import Working

_DEEPEST = 10
"""How far writes may bring about other writes."""


class LinksRefused(Exception):
    """Links of one object speak against each other: the object is not written."""

    def __init__(self, issues: Sequence[Issue | Clash]) -> None:
        super().__init__()
        self.issues = issues


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
        self._deletions = Deletions(participants, self.working, self._drafting)
        self._links = LinkSets(self.working, self._drafting)
        self._ids = ids
        self._foresight = Foresight(
            *(participants, self.working, self._drafting, ids, rules, self._voices, self._deletions, self._links)
        )
        told = self.written if participants.reactions else None
        self._judge = Judge(self.working, history, rules, self._voices, ids, told)

    def decide(self, intents: Sequence[Intent]) -> list[Verdict]:
        """Return what becomes of each intent; the rows are in :attr:`working` then, and nothing is written yet.

        A deletion that has to see the intents before it written ends the chunk: the verdicts are fewer then.
        Raises :class:`FlushFirst` when it is another intent that brings such a deletion about.
        """
        slots = self._foresight.prepare(intents)
        verdicts: list[Verdict] = []
        for slot in slots:
            try:
                verdicts.append(self._decide(slot))
            except FlushFirst:
                if not verdicts or not isinstance(slot.intent, Delete):
                    raise
                break
        self._voices.finish()
        return verdicts

    def _decide(self, slot: Slot) -> Verdict:
        intent = slot.intent
        verdict = slot.refusal or self._drafting.waiting_in_vain(intent)
        if verdict is None and isinstance(intent, Delete):
            verdict = self._delete(intent)
        if verdict is None:
            draft = self._draft_at_turn(slot)
            verdict = self._settle_host(draft, intent) if draft is not None else self._not_found(intent)
        if isinstance(intent, Create):
            self._drafting.made(intent, verdict.id if verdict.status == "created" else 0)
        return verdict

    def _draft_at_turn(self, slot: Slot) -> Draft | None:
        """Return the draft of an intent against what the object is now; ``None`` when there is no such object."""
        intent, draft = slot.intent, slot.draft
        if isinstance(intent, Update) and (draft is None or slot.provisional):
            item = self._drafting.item(intent)
            return None if item is None else self._drafting.update(item, intent.values)
        if draft is not None and not isinstance(intent, Delete):
            if draft.item is not None and self.working.item(draft.layout.cls.root, draft.id) is None:
                return None  # deleted since
            if slot.pending:
                draft.given = self._drafting.resolved(draft.layout, intent.values)
            if slot.pending or (draft.item is not None and draft.item.dirty):
                draft.begin()
        return draft

    def _settle(self, draft: Draft, depth: int) -> Verdict:
        """Judge a draft and, once it is accepted, do the writes that it brings about."""
        return self._followed(draft, self._judge.judge(draft), depth)

    def _settle_host(self, draft: Draft, intent: Intent) -> Verdict:
        """Judge a draft with the link sets of its intent: the object and all its links, or nothing (§6.3)."""
        if isinstance(intent, Delete) or not link_sets_of(intent.values):
            return self._settle(draft, 0)
        opinion = self._judge.weigh(draft)
        cls = draft.layout.cls
        if opinion.issues:
            return self._judge.apply(draft, opinion)
        if not draft.id:
            draft.id = self._ids.take(cls.root)
        with self.working.expecting(cls.root, draft.id, cls.name):
            writes = list(self._links.writes(draft, intent.values))
            issues = [issue for write in writes if not write.late for issue in self._weigh_link(write)]
        if issues:
            return Verdict("refused", cls.name, 0 if draft.new else draft.id, issues=issues, warnings=opinion.warnings)
        warnings: list[Issue | Clash] = []
        verdict = self._judge.apply(draft, opinion, lambda: self._write_links(writes, warnings))
        verdict.warnings = [*verdict.warnings, *warnings]
        return self._followed(draft, verdict, 0)

    def _weigh_link(self, write: LinkWrite) -> Sequence[Issue | Clash]:
        """Return why a write of a link cannot be done."""
        if write.refusal is not None:
            return [write.refusal]
        if isinstance(write.intent, Delete):
            item = self._drafting.item(write.intent)
            decided = self._deletions.decide((item.layout.cls.name, item.id)) if item is not None else None
            return decided.issues if decided is not None else self._not_found(write.intent).issues
        draft = self._links.draft(write)
        return self._judge.weigh(draft).issues if draft is not None else self._not_found(write.intent).issues

    def _write_links(self, writes: Sequence[LinkWrite], warnings: list[Issue | Clash]) -> bool:
        """Write links, whose host is there by now; return whether anything was done. Raises :class:`LinksRefused`."""
        done = False
        for write in writes:
            draft = self._links.draft(write)
            if isinstance(write.intent, Delete):
                verdict = self._delete(write.intent)
            elif draft is None:
                verdict = self._not_found(write.intent)
            else:
                self._foresight.read_trees([draft])
                verdict = self._settle(draft, 1)
            if verdict.status == "refused":
                raise LinksRefused(verdict.issues)
            warnings += verdict.warnings
            done = done or verdict.status != "unchanged"
        return done

    def _delete(self, intent: Delete) -> Verdict:
        """Delete an object with all that goes with it, or nothing at all."""
        item = self._drafting.item(intent)
        if item is None:
            return self._not_found(intent)
        root = (item.layout.cls.name, item.id)
        decided = self._deletions.decide(root)
        self._foresight.read_trees(decided.resets)
        opinions = [(draft, self._judge.weigh(draft)) for draft in decided.resets]
        issues: list[Issue | Clash] = [*decided.issues]
        for _, opinion in opinions:
            issues += opinion.issues
        effects = decided.plan.effects(self._deletions.name)
        if issues:
            return Verdict("refused", *root, issues=issues, effects=effects)
        for node in decided.plan.in_order:
            self._judge.delete(self._deletions.item(node), self._deletions.name(node))
        for draft, opinion in opinions:
            self._followed(draft, self._judge.apply(draft, opinion), 1)
        return Verdict("deleted", *root, effects=effects)

    def _followed(self, draft: Draft, verdict: Verdict, depth: int) -> Verdict:
        """Do the writes that an accepted one brings about."""
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
        if isinstance(intent, Delete):
            self.working.load(intent.cls, [self._drafting.id_of(intent)])
            return [*self._delete(intent).issues]
        if isinstance(intent, Create):
            draft = self._drafting.creation(intent.cls, intent.values)
        else:
            self.working.load(intent.cls, [self._drafting.id_of(intent)], intent.values)
            item = self._drafting.item(intent)
            draft = None if item is None else self._drafting.update(item, intent.values)
        if draft is None:
            return list(self._not_found(intent).issues)
        draft.asked = False
        self._voices.prepare_more(self.working, draft)
        self._foresight.read_trees([draft])
        verdict = self._settle(draft, depth)
        return [*verdict.issues, *verdict.warnings]

    def _not_found(self, intent: Intent) -> Verdict:
        return not_found(intent, 0 if isinstance(intent, Create) else self._drafting.id_of(intent))
