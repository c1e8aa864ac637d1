"""All look-ups of a chunk come before its first verdict, each in bulk, with the values that intents may lead to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from itopd.errors import ItopdError
from itopd.writing.deleting import Deletions
from itopd.writing.draft import Draft
from itopd.writing.drafting import Drafting
from itopd.writing.ids import Ids
from itopd.writing.intents import Create, Delete, Intent, Issue, Pending, Update
from itopd.writing.link_sets import LinkSets
from itopd.writing.participants import Participants, Voices
from itopd.writing.uniqueness import Rules
from itopd.writing.verdicts import Verdict, refused
from itopd.writing.working import Item, Working


@dataclass(slots=True)
class Slot:
    """One intent of the caller with what is known of it before its turn."""

    intent: Intent
    draft: Draft | None = None
    """``None`` when the object does not exist or the class is abstract."""
    provisional: bool = False
    """The object is made by the same chunk, so the draft is only good for looking up."""
    refusal: Verdict | None = None
    """What to answer without further ado."""
    pending: bool = False
    """Some values refer to objects that earlier intents of the call make."""
    subject: int = 0
    """The same for all intents on one object."""


class Foresight:
    """Finds out what deciding the intents of a chunk takes."""

    def __init__(
        self,
        participants: Participants,
        working: Working,
        drafting: Drafting,
        ids: Ids,
        rules: Rules,
        voices: Voices,
        deletions: Deletions,
        links: LinkSets,
    ) -> None:
        self._participants = participants
        self._model = participants.database.model
        self._working = working
        self._drafting = drafting
        self._ids = ids
        self._rules = rules
        self._voices = voices
        self._deletions = deletions
        self._links = links

    def prepare(self, intents: Sequence[Intent]) -> list[Slot]:
        """Look up everything; return the intents with their drafts, in their order."""
        self._lock_trees(intents)
        self._load(intents)
        creations: dict[Hashable, Draft] = {}
        slots = [self._slot(intent, creations) for intent in intents]
        gone = self._links.load(intents)
        resets = self._deletions.foresee(self._deleted(intents, gone))
        hosts = [slot.draft for slot in slots if slot.draft is not None]
        self._ids.reserve(hosts)
        links = self._links.foresee((slot.draft, slot.intent) for slot in slots if slot.draft is not None)
        drafts = [*resets, *hosts, *links]
        self._look_up_keys(drafts)
        self.read_trees(drafts)
        self._ids.spare(links)
        if self._participants.guards or self._participants.behaviours:
            certain = [slot.draft for slot in slots if slot.draft is not None and not slot.provisional]
            self._voices.prepare(self._working, [*resets, *certain, *links])
        self._foresee(slots, creations)
        self._look_up_rules(slots, [*resets, *links])
        return slots

    def read_trees(self, drafts: Iterable[Draft]) -> None:
        """Read the trees in which drafts take or change a place; one statement per tree of the chunk."""
        for draft in drafts:
            for code in draft.layout.trees:
                if draft.new or code in draft.changes:
                    self._working.load_tree((draft.layout.cls.attributes[code].origin, code))

    def _lock_trees(self, intents: Sequence[Intent]) -> None:
        """Read the trees that the chunk is to change, before anything else is locked or looked at.

        Who has to wait for a tree sees then all that others have done to it; and as everybody begins with trees, nobody
        waits for another who waits for him.
        """
        classes = {intent.cls: None for intent in intents if not isinstance(intent, Update)}
        for intent in intents:
            if isinstance(intent, Update):
                trees = self._participants.layout(intent.cls).trees
                if not trees or not intent.values.keys().isdisjoint(trees):
                    classes[intent.cls] = None
        for cls in classes:
            for name in self._model.get_class(cls).subclasses:
                layout = self._participants.layout(name)
                for code in layout.trees:
                    self._working.load_tree((layout.cls.attributes[code].origin, code))

    def _load(self, intents: Sequence[Intent]) -> None:
        """Load the objects to update, one statement per class (two where subclasses have to be told apart)."""
        ids: dict[str, list[int]] = defaultdict(list)
        codes: dict[str, dict[str, None]] = defaultdict(dict)
        for intent in intents:
            if isinstance(intent, Update):
                root = self._model.get_class(intent.cls).root
                if id_ := self._drafting.id_of(intent):
                    ids[intent.cls].append(id_)
                codes[root].update(dict.fromkeys(intent.values))
        for cls, of_class in ids.items():
            self._working.load(cls, of_class, codes[self._model[cls].root])

    def _slot(self, intent: Intent, creations: dict[Hashable, Draft]) -> Slot:
        """Return an intent with its draft as far as it can be known now; notes creations by their tag."""
        if isinstance(intent, Delete):
            return Slot(intent)
        slot = Slot(intent, pending=any(type(value) is Pending for value in intent.values.values()))
        if isinstance(intent, Create):
            if self._model.get_class(intent.cls).abstract:
                text = f"cannot create an object of the abstract class {intent.cls}; name one of its subclasses"
                slot.refusal = refused(intent.cls, 0, Issue(None, "abstract_class", text))
                return slot
            slot.draft = self._drafting.creation(intent.cls, intent.values)
            slot.subject = id(slot.draft)
            if intent.tag is not None:
                if intent.tag in creations or self._drafting.knows(intent.tag):
                    raise ItopdError(f"two creations of one call have the tag '{intent.tag}'")
                creations[intent.tag] = slot.draft
            return slot
        created = creations.get(intent.id.tag) if isinstance(intent.id, Pending) else None
        if created is not None:
            item = Item(created.layout, 0, {**created.base, **created.changes}, new=True)
            slot.draft = self._drafting.update(item, intent.values)
            slot.provisional = True
            slot.subject = id(created)
        elif (found := self._drafting.item(intent)) is not None:
            slot.draft = self._drafting.update(found, intent.values)
            slot.subject = id(found)
        return slot

    def _look_up_keys(self, drafts: Iterable[Draft]) -> None:
        """Learn which targets of keys exist; one statement per root class."""
        targets: dict[str, set[int]] = defaultdict(set)
        for draft in drafts:
            for code, root in draft.layout.keys.items():
                if code in draft.changes:
                    targets[root].add(draft.changes[code])
            if draft.changes or draft.new:
                for host in draft.layout.hosts:
                    targets[host.root].update((draft.base[host.key], draft.value(host.key)))
        for root, ids in targets.items():
            ids.discard(0)
            self._working.look_up_targets(root, ids)

    def _foresee(self, slots: Iterable[Slot], creations: Mapping[Hashable, Draft]) -> None:
        """Give pending keys the ids reserved for what they refer to, so that what must be unique is looked up by them.

        A verdict gives the draft what its keys are by then.
        """
        for slot in slots:
            if slot.pending and slot.draft is not None and not isinstance(slot.intent, Delete):
                draft = slot.draft
                draft.given = self._drafting.resolved(draft.layout, slot.intent.values)
                for code, value in slot.intent.values.items():
                    if type(value) is Pending and value.tag in creations:
                        draft.given[code] = creations[value.tag].id
                draft.begin()

    def _deleted(self, intents: Sequence[Intent], links: Mapping[str, list[int]]) -> Mapping[str, list[int]]:
        """Return the ids of the stored objects that a chunk asks to delete, links included, by the class it names."""
        found: dict[str, list[int]] = defaultdict(list, {cls: [*ids] for cls, ids in links.items()})
        for intent in intents:
            if isinstance(intent, Delete) and (id_ := self._drafting.id_of(intent)):
                found[intent.cls].append(id_)
        return found

    def _look_up_rules(self, slots: Iterable[Slot], others: Iterable[Draft]) -> None:
        """Learn who holds what must be unique; one statement per rule."""
        objects: dict[int, list[Draft]] = defaultdict(list)
        for draft in others:
            objects[id(draft if draft.new else draft.item)].append(draft)
        for slot in slots:
            if slot.draft is not None and (slot.draft.new or slot.draft.changes):
                objects[slot.subject].append(slot.draft)
        self._rules.look_up(objects.values())
