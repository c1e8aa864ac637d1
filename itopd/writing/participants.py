"""Who takes part in the writes of a chunk, and what each has prepared for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from itopd.database import Database
from itopd.datamodel import Class
from itopd.writing.draft import Draft
from itopd.writing.layout import Layout
from itopd.writing.protocols import Behaviour, DeletionRule, Guard, Hooks, Present, Reaction, Veto
from itopd.writing.references import Pointing


@dataclass(frozen=True, slots=True)
class Participants:
    """What all chunks of a writer share."""

    database: Database
    layout: Callable[[str], Layout]
    guards: Sequence[Guard]
    behaviours: Sequence[Behaviour]
    reactions: Sequence[Reaction]
    deletions: Sequence[DeletionRule]
    pointing: Pointing

    def has_behaviour(self, cls: Class) -> bool:
        """Return whether some behaviour is about the objects of a class."""
        return any(not behaviour.classes.isdisjoint(cls.lineage) for behaviour in self.behaviours)


class Voices:
    """The guards and behaviours of one chunk, once they have looked up what they need."""

    def __init__(self, participants: Participants) -> None:
        self._participants = participants
        self.vetoes: list[Veto] = []
        self._hooks: list[tuple[Behaviour, Hooks]] = []
        self._hooks_of: dict[str, tuple[Hooks, ...]] = {}

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> None:
        """Have each look up in bulk what the drafts of the chunk take."""
        self.vetoes = [guard.prepare(present, drafts) for guard in self._participants.guards]
        for behaviour in self._participants.behaviours:
            own = [draft for draft in drafts if not behaviour.classes.isdisjoint(draft.layout.cls.lineage)]
            if own:
                self._hooks.append((behaviour, behaviour.prepare(present, own)))

    def prepare_more(self, present: Present, draft: Draft) -> None:
        """Have those look up what a further draft takes that are about its class."""
        for behaviour in self._participants.behaviours:
            if behaviour.classes.isdisjoint(draft.layout.cls.lineage):
                continue
            hooks = next((hooks for other, hooks in self._hooks if other is behaviour), None)
            if hooks is None:
                self._hooks.append((behaviour, behaviour.prepare(present, [draft])))
                self._hooks_of.clear()
            else:
                hooks.look_up([draft])

    def finish(self) -> None:
        """Have each write what it keeps beside the objects."""
        for _, hooks in self._hooks:
            hooks.finish()

    def hooks_for(self, layout: Layout) -> tuple[Hooks, ...]:
        """Return the hooks for the objects of a class, in the order of the behaviours."""
        if not self._hooks:
            return ()
        name = layout.cls.name
        hooks = self._hooks_of.get(name)
        if hooks is None:
            lineage = layout.cls.lineage
            hooks = tuple(hook for behaviour, hook in self._hooks if not behaviour.classes.isdisjoint(lineage))
            self._hooks_of[name] = hooks
        return hooks
