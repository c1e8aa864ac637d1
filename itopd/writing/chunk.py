"""One chunk of intents: look everything up in bulk, then decide intent by intent in memory.

Each intent is judged against what the ones before it left, so the result is that of writing them one by one. All
look-ups come before the first verdict and are made with the values that intents may lead to; a verdict that needs
something else all the same (a behaviour changed a value) asks the database for that one thing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from itopd.database import Database
from itopd.datamodel import Class
from itopd.errors import ItopdError
from itopd.writing.checks import examine, value_issues
from itopd.writing.draft import Draft
from itopd.writing.history import History
from itopd.writing.intents import ChangedValue, Create, Intent, Issue, Pending, Update
from itopd.writing.layout import Layout
from itopd.writing.links import operations
from itopd.writing.protocols import Behaviour, Guard, Hooks, Reaction, Veto, Written
from itopd.writing.uniqueness import Clash, Uniqueness
from itopd.writing.working import Item, Working

Tags = MutableMapping[Hashable, tuple[str, int]]
"""Tag -> root class and id of the object that it stands for; 0 for a refused creation."""

_DEEPEST = 10
"""How far writes may bring about other writes."""


@dataclass(frozen=True, slots=True)
class Participants:
    """What all chunks of a writer share."""

    database: Database
    layout: Callable[[str], Layout]
    guards: Sequence[Guard]
    behaviours: Sequence[Behaviour]
    reactions: Sequence[Reaction]

    def has_behaviour(self, cls: Class) -> bool:
        """Return whether some behaviour is about the objects of a class."""
        return any(not behaviour.classes.isdisjoint(cls.lineage) for behaviour in self.behaviours)


@dataclass(slots=True)
class Verdict:
    """What was decided about one intent."""

    status: Literal["created", "updated", "unchanged", "refused"]
    cls: str
    id: int = 0
    changes: tuple[ChangedValue, ...] = ()
    issues: Sequence[Issue | Clash] = ()
    warnings: Sequence[Issue | Clash] = ()


@dataclass(slots=True)
class _Slot:
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
        self._database = participants.database
        self._layout = participants.layout
        self._participants = participants
        self._connection = connection
        self._history = history
        self._now = now
        self._tags = tags
        self.working = Working(self._database, connection, self._layout, participants.has_behaviour)
        self.written: list[Written] = []
        self._rules: dict[tuple[str, str], Uniqueness] = {}
        self._rules_of: dict[str, list[Uniqueness]] = {}
        self._vetoes: list[Veto] = []
        self._hooks: list[tuple[Behaviour, Hooks]] = []
        self._hooks_of: dict[str, tuple[Hooks, ...]] = {}
        self._ids: dict[str, list[int]] = defaultdict(list)
        self._allocated: dict[str, int] = defaultdict(int)
        self._defaults: dict[str, dict[str, Any]] = {}

    def decide(self, intents: Sequence[Intent]) -> list[Verdict]:
        """Return what becomes of each intent; the rows are in :attr:`working` then, and nothing is written yet."""
        slots = self._prepare(intents)
        return [self._decide(slot) for slot in slots]

    # -- look-ups ----------------------------------------------------------------------------------------------------

    def _prepare(self, intents: Sequence[Intent]) -> list[_Slot]:
        self._load(intents)
        creations: dict[Hashable, Draft] = {}
        slots = [self._slot(intent, creations) for intent in intents]
        drafts = [slot.draft for slot in slots if slot.draft is not None]
        self._look_up_keys(drafts)
        self._read_trees(drafts)
        self._reserve_ids(drafts)
        if self._participants.guards or self._participants.behaviours:
            self._ask_others([slot.draft for slot in slots if slot.draft is not None and not slot.provisional])
        self._foresee(slots, creations)
        self._look_up_rules(slots)
        return slots

    def _load(self, intents: Sequence[Intent]) -> None:
        """Load the objects to update, one statement per class (two where subclasses have to be told apart)."""
        ids: dict[str, list[int]] = defaultdict(list)
        codes: dict[str, dict[str, None]] = defaultdict(dict)
        for intent in intents:
            if isinstance(intent, Update):
                if id_ := self._id(intent):
                    ids[intent.cls].append(id_)
                codes[self._database.model.get_class(intent.cls).root].update(dict.fromkeys(intent.values))
        for cls, of_class in ids.items():
            self.working.load(cls, of_class, codes[self._database.model[cls].root])

    def _slot(self, intent: Intent, creations: dict[Hashable, Draft]) -> _Slot:
        """Return an intent with its draft as far as it can be known now; notes creations by their tag."""
        slot = _Slot(intent, pending=any(type(value) is Pending for value in intent.values.values()))
        if isinstance(intent, Create):
            if self._database.model.get_class(intent.cls).abstract:
                text = f"cannot create an object of the abstract class {intent.cls}; name one of its subclasses"
                slot.refusal = _refused(intent.cls, 0, Issue(None, "abstract_class", text))
                return slot
            slot.draft = self._creation(intent.cls, intent.values)
            slot.subject = id(slot.draft)
            if intent.tag is not None:
                if intent.tag in creations or intent.tag in self._tags:
                    raise ItopdError(f"two creations of one call have the tag '{intent.tag}'")
                creations[intent.tag] = slot.draft
            return slot
        created = creations.get(intent.id.tag) if isinstance(intent.id, Pending) else None
        if created is not None:
            item = Item(created.layout, 0, {**created.base, **created.changes}, new=True)
            slot.draft = self._update(item, intent.values)
            slot.provisional = True
            slot.subject = id(created)
        elif (found := self._item(intent.cls, self._id(intent))) is not None:
            slot.draft = self._update(found, intent.values)
            slot.subject = id(found)
        return slot

    def _item(self, cls: str, id_: int) -> Item | None:
        """Return a loaded object, provided that it is of a class."""
        item = self.working.item(self._database.model[cls].root, id_)
        return item if item is not None and cls in item.layout.cls.lineage else None

    def _creation(self, cls: str, values: Mapping[str, Any]) -> Draft:
        layout = self._layout(cls)
        defaults = self._defaults.get(cls)
        if defaults is None:
            defaults = self._defaults[cls] = layout.defaults(self._now)
        return Draft(layout, None, self._resolved(layout, values), examine(layout, values), defaults, self._now)

    def _update(self, item: Item, values: Mapping[str, Any]) -> Draft:
        layout = item.layout
        return Draft(layout, item, self._resolved(layout, values), examine(layout, values), item.values, self._now)

    def _resolved(self, layout: Layout, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values with ids for pending keys as far as known, 0 for the others."""
        return {
            code: self._made(value, layout.keys[code]) if type(value) is Pending else value
            for code, value in values.items()
        }

    def _made(self, reference: Pending, root: str) -> int:
        """Return the id of the object of a hierarchy that a tag stands for; 0 while there is none."""
        made, id_ = self._tags.get(reference.tag, (root, 0))
        if made != root:
            raise ItopdError(f"'{reference.tag}' is a {made}, but is used as a {root}")
        return id_

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
            self.working.look_up_targets(root, ids)

    def _read_trees(self, drafts: Iterable[Draft]) -> None:
        for draft in drafts:
            for code in draft.layout.trees:
                if draft.new or code in draft.changes:
                    self.working.load_tree((draft.layout.cls.attributes[code].origin, code))

    def _reserve_ids(self, drafts: Iterable[Draft]) -> None:
        """Allocate ids for the creations that nothing is known to forbid; one time per root class."""
        creations: dict[str, list[Draft]] = defaultdict(list)
        for draft in drafts:
            if draft.new and not draft.problems and self._is_complete(draft):
                creations[draft.layout.cls.root].append(draft)
        for root, of_root in creations.items():
            ids = self._database.allocate_ids(self._connection, root, len(of_root))
            self._allocated[root] += len(of_root)
            for draft, id_ in zip(of_root, ids, strict=True):
                draft.id = id_

    def _is_complete(self, draft: Draft) -> bool:
        """Return whether a creation has all that it requires, or has a behaviour that may give the rest."""
        given = all(code in draft.changes for code in draft.layout.required)
        return given or self._participants.has_behaviour(draft.layout.cls)

    def _take_id(self, root: str) -> int:
        """Return an id for a creation that was not foreseen; allocates ever more at a time, so rarely."""
        if not self._ids[root]:
            count = max(1, self._allocated[root])
            self._ids[root] = list(reversed(self._database.allocate_ids(self._connection, root, count)))
            self._allocated[root] += count
        return self._ids[root].pop()

    def _ask_others(self, drafts: Sequence[Draft]) -> None:
        self._vetoes = [guard.prepare(self.working, drafts) for guard in self._participants.guards]
        for behaviour in self._participants.behaviours:
            own = [draft for draft in drafts if not behaviour.classes.isdisjoint(draft.layout.cls.lineage)]
            if own:
                self._hooks.append((behaviour, behaviour.prepare(self.working, own)))

    def _hooks_for(self, layout: Layout) -> tuple[Hooks, ...]:
        name = layout.cls.name
        hooks = self._hooks_of.get(name)
        if hooks is None:
            lineage = layout.cls.lineage
            hooks = tuple(hook for behaviour, hook in self._hooks if not behaviour.classes.isdisjoint(lineage))
            self._hooks_of[name] = hooks
        return hooks

    def _rules_for(self, layout: Layout) -> list[Uniqueness]:
        of_class = self._rules_of.get(layout.cls.name)
        if of_class is None:
            of_class = self._rules_of[layout.cls.name] = []
            for rule in layout.rules:
                name = (rule.rule.root_class, rule.rule.id)
                of_class.append(self._rules.setdefault(name, Uniqueness(self._database, rule)))
        return of_class

    def _foresee(self, slots: Iterable[_Slot], creations: Mapping[Hashable, Draft]) -> None:
        """Give pending keys the ids reserved for what they refer to, so that what must be unique is looked up by them.

        A verdict gives the draft what its keys are by then.
        """
        for slot in slots:
            if slot.pending and slot.draft is not None:
                draft = slot.draft
                draft.given = self._resolved(draft.layout, slot.intent.values)
                for code, value in slot.intent.values.items():
                    if type(value) is Pending and value.tag in creations:
                        draft.given[code] = creations[value.tag].id
                draft.begin()

    def _look_up_rules(self, slots: Iterable[_Slot]) -> None:
        """Learn who holds what must be unique; one statement per rule."""
        objects: dict[int, list[Draft]] = defaultdict(list)
        for slot in slots:
            if slot.draft is not None and (slot.draft.new or slot.draft.changes):
                objects[slot.subject].append(slot.draft)
        by_rule: dict[Uniqueness, list[list[Draft]]] = defaultdict(list)
        for drafts in objects.values():
            for rule in self._rules_for(drafts[0].layout):
                by_rule[rule].append(drafts)
        for rule, of_rule in by_rule.items():
            rule.look_up(self._connection, of_rule)

    # -- verdicts ----------------------------------------------------------------------------------------------------

    def _decide(self, slot: _Slot) -> Verdict:
        intent = slot.intent
        verdict = slot.refusal or self._waiting_in_vain(intent)
        if verdict is None:
            draft = self._draft_at_turn(slot)
            verdict = self._judge(draft, 0) if draft is not None else _not_found(intent)
        if isinstance(intent, Create) and intent.tag is not None:
            root = self._database.model[intent.cls].root
            self._tags[intent.tag] = (root, verdict.id if verdict.status == "created" else 0)
        return verdict

    def _waiting_in_vain(self, intent: Intent) -> Verdict | None:
        """Return the refusal of an intent that refers to an object whose creation was refused."""
        references: list[tuple[str | None, Pending]] = []
        if isinstance(intent, Update) and isinstance(intent.id, Pending):
            references.append((None, intent.id))
        references += [(code, value) for code, value in intent.values.items() if type(value) is Pending]
        issues: list[Issue] = []
        for code, reference in references:
            if reference.tag not in self._tags:
                raise ItopdError(
                    f"an intent on {intent.cls} refers to '{reference.tag}', which no earlier creation makes"
                )
            if not self._tags[reference.tag][1]:
                text = f"{code or 'object'}: the object '{reference.tag}' that it refers to was refused"
                issues.append(Issue(code, "pending_refused", text))
        return _refused(intent.cls, 0, *issues) if issues else None

    def _draft_at_turn(self, slot: _Slot) -> Draft | None:
        """Return the draft of an intent against what the object is now; ``None`` when there is no such object."""
        intent, draft = slot.intent, slot.draft
        if isinstance(intent, Update) and (draft is None or slot.provisional):
            item = self._item(intent.cls, self._id(intent))
            return None if item is None else self._update(item, intent.values)
        if draft is not None:
            if slot.pending:
                draft.given = self._resolved(draft.layout, intent.values)
            if slot.pending or (draft.item is not None and draft.item.dirty):
                draft.begin()
        return draft

    def _id(self, intent: Update) -> int:
        if isinstance(intent.id, Pending):
            return self._made(intent.id, self._database.model[intent.cls].root)
        return intent.id

    def _judge(self, draft: Draft, depth: int) -> Verdict:
        layout = draft.layout
        hooks = self._hooks_for(layout) if self._hooks else ()
        for hook in hooks:
            hook.compute(draft)
        if layout.metas:
            draft.derive()
        if not draft.new and not draft.changes and not draft.problems.keys() - layout.types.keys():
            return Verdict("unchanged", layout.cls.name, draft.id)
        issues: list[Issue | Clash] = []
        warnings: list[Issue | Clash] = []
        for hook in hooks:
            issues += hook.check(draft)
        keys = [(rule, rule.key(draft)) for rule in self._rules_for(layout)]
        for rule, key in keys:
            if key is not None and (others := rule.others(self._connection, draft, key)):
                values = tuple(draft.value(code) for code in rule.layout.rule.attributes)
                (issues if rule.layout.rule.blocking else warnings).append(Clash(rule.layout, values, others[0]))
        issues += value_issues(draft, self.working)
        for veto in self._vetoes:
            issues += veto(draft)
        if issues:
            return Verdict("refused", layout.cls.name, draft.id if not draft.new else 0, (), issues, warnings)
        if not draft.id:
            draft.id = self._take_id(layout.cls.root)
        for rule, key in keys:
            rule.written(draft, key)
        verdict = self._accept(draft)
        verdict.warnings = warnings
        for hook in hooks:
            for intent in hook.follow(draft):
                warnings += self._follow(intent, depth + 1)
        return verdict

    def _accept(self, draft: Draft) -> Verdict:
        """Apply a draft to the objects of the chunk and record it."""
        layout, cls = draft.layout, draft.layout.cls
        for code in layout.trees:
            tree = self.working.trees.get((cls.attributes[code].origin, code))
            if tree is not None and draft.new:
                tree.insert(draft.id, draft.value(code))
            elif tree is not None and code in draft.changes:
                tree.move(draft.id, draft.changes[code])
        if layout.hosts:
            self._record_links(draft)
        if draft.item is None:
            values = {**draft.base, **draft.changes}
            self.working.put(Item(layout, draft.id, values, new=True, dirty=set(draft.changes)))
            self._history.created(layout, draft.id)
            if self._participants.reactions:
                self.written.append(Written(cls.name, draft.id, created=True, old={}, values=values.copy()))
            return Verdict("created", cls.name, draft.id)
        item = draft.item
        changes: list[ChangedValue] = []
        for code in sorted(draft.changes, key=layout.order.__getitem__):
            old, new = draft.base[code], draft.changes[code]
            changes.append(ChangedValue(code, old, new, code in draft.hooked))
            self._history.changed(layout, draft.id, code, old, new)
        item.values = {**item.values, **draft.changes}  # the draft keeps what was
        item.dirty.update(draft.changes)
        self.working.put(item)
        if self._participants.reactions:
            before = {change.code: change.old for change in changes}
            self.written.append(Written(cls.name, draft.id, created=False, old=before, values=item.values.copy()))
        return Verdict("updated", cls.name, draft.id, tuple(changes))

    def _record_links(self, draft: Draft) -> None:
        """Record on the hosts of a link what happened to it (§8.3); a host that is gone gets nothing."""
        before = None if draft.new else draft.before
        for operation in operations(draft.layout.hosts, before, draft.value, draft.changes):
            host_class = self.working.target(operation.host.root, operation.host_id)
            if host_class is not None:
                remote = operation.host.remote_key
                item = (operation.host.remote_class, draft.value(remote)) if remote else (draft.cls.name, draft.id)
                self._history.linked(operation, host_class, item, draft.id)

    def _follow(self, intent: Intent, depth: int) -> list[Issue | Clash]:
        """Do a write that another one brings about; return why, when it is refused."""
        if depth > _DEEPEST:
            raise ItopdError(f"writes on {intent.cls} bring about each other more than {_DEEPEST} deep")
        draft: Draft | None
        if isinstance(intent, Create):
            draft = self._creation(intent.cls, intent.values)
        else:
            id_ = self._id(intent)
            self.working.load(intent.cls, [id_], intent.values)
            item = self._item(intent.cls, id_)
            draft = None if item is None else self._update(item, intent.values)
        if draft is None:
            return list(_not_found(intent).issues)
        draft.asked = False
        self._read_trees([draft])
        verdict = self._judge(draft, depth)
        return [*verdict.issues, *verdict.warnings]


def _refused(cls: str, id_: int, *issues: Issue) -> Verdict:
    return Verdict("refused", cls, id_, issues=issues)


def _not_found(intent: Intent) -> Verdict:
    id_ = intent.id if isinstance(intent, Update) and isinstance(intent.id, int) else 0
    return _refused(intent.cls, id_, Issue(None, "not_found", f"there is no {intent.cls} with the id {id_}"))
