"""The verdict on one draft: computed values, checks, and what accepting it does to the objects of the chunk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from itopd.datamodel import Class
from itopd.writing.checks import value_issues
from itopd.writing.draft import Draft
from itopd.writing.history import History
from itopd.writing.ids import Ids
from itopd.writing.intents import ChangedValue, Issue, LinkSet
from itopd.writing.links import LinkOperation, operations, removals
from itopd.writing.participants import Voices
from itopd.writing.protocols import Written
from itopd.writing.uniqueness import Clash, Key, Rules, Uniqueness
from itopd.writing.verdicts import Verdict
from itopd.writing.working import Item, Working


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is to be said of a draft."""

    issues: Sequence[Issue | Clash] = ()
    warnings: Sequence[Issue | Clash] = ()
    keys: Sequence[tuple[Uniqueness, Key | None]] = ()
    """What the object must be alone with, rule by rule."""
    changes_nothing: bool = False


@dataclass(slots=True)
class Judge:
    """Judges the drafts of one chunk, each against what the ones before it left."""

    working: Working
    history: History
    rules: Rules
    voices: Voices
    ids: Ids
    written: list[Written] | None
    """What reactions will be told; ``None`` when there are none."""

    def judge(self, draft: Draft) -> Verdict:
        """Return what becomes of a draft; an accepted one is applied to the objects of the chunk."""
        return self.apply(draft, self.weigh(draft))

    def weigh(self, draft: Draft) -> Opinion:
        """Return what is to be said of a draft; nothing is applied yet."""
        layout = draft.layout
        hooks = self.voices.hooks_for(layout)
        for hook in hooks:
            hook.compute(draft)
        if layout.metas:
            draft.derive()
        if not draft.new and not draft.changes and not draft.problems.keys() - layout.types.keys():
            linked = any(type(value) is LinkSet for value in draft.wanted.values())
            return Opinion(
                [issue for hook in hooks for issue in hook.check(draft)] if linked else (), changes_nothing=True
            )
        issues: list[Issue | Clash] = []
        warnings: list[Issue | Clash] = []
        for hook in hooks:
            issues += hook.check(draft)
        keys = [(rule, rule.key(draft)) for rule in self.rules.of(layout)]
        for rule, key in keys:
            if key is not None and (others := rule.others(draft, key)):
                values = tuple(draft.value(code) for code in rule.layout.rule.attributes)
                (issues if rule.layout.rule.blocking else warnings).append(Clash(rule.layout, values, others[0]))
        issues += value_issues(draft, self.working)
        for veto in self.voices.vetoes:
            issues += veto(draft)
        if not issues:
            for hook in hooks:
                warnings += hook.warn(draft)
        return Opinion(issues, warnings, keys)

    def apply(self, draft: Draft, opinion: Opinion, write_links: Callable[[], bool] = lambda: False) -> Verdict:
        """Apply a draft to the objects of the chunk, if nothing speaks against it; return what becomes of it.

        ``write_links`` writes the object's links once it is there, and tells whether there was something to write;
        what they leave in the history comes before what the object itself does (§8.3, §8.4).
        """
        cls = draft.layout.cls
        if opinion.issues:
            id_ = draft.id if not draft.new else 0
            return Verdict("refused", cls.name, id_, issues=opinion.issues, warnings=opinion.warnings)
        if opinion.changes_nothing:
            return Verdict("updated" if write_links() else "unchanged", cls.name, draft.id)
        if not draft.id:
            draft.id = self.ids.take(cls.root)
        for rule, key in opinion.keys:
            rule.written(draft, key)
        verdict = self._accept(draft, write_links)
        verdict.warnings = opinion.warnings
        return verdict

    def delete(self, item: Item, name: str) -> None:
        """Take an object out of the chunk and record its deletion; ``name`` is its friendly name (§7.2)."""
        layout, values = item.layout, item.values
        for rule in self.rules.of(layout):
            rule.deleted(item.id, [values[code] for code in rule.layout.rule.attributes])
        for code in layout.trees:
            self.working.trees[layout.cls.attributes[code].origin, code].remove(item.id)
        self.working.remove(item)
        for operation in removals(layout.hosts, values.__getitem__):
            self._record_link(operation, layout.cls, item.id, values.__getitem__)
        self.history.deleted(layout.cls, item.id, name)

    def _accept(self, draft: Draft, write_links: Callable[[], bool]) -> Verdict:
        """Apply a draft to the objects of the chunk and record it."""
        if draft.layout.trees:
            self._place(draft)
        if draft.layout.hosts:
            self._record_links(draft)
        if draft.item is None:
            return self._create(draft, write_links)
        return self._update(draft, draft.item, write_links)

    def _create(self, draft: Draft, write_links: Callable[[], bool]) -> Verdict:
        layout, cls = draft.layout, draft.layout.cls
        values = {**draft.base, **draft.changes}
        self.working.put(Item(layout, draft.id, values, new=True, dirty=set(draft.changes)))
        write_links()
        self.history.created(layout, draft.id)
        if self.written is not None:
            self.written.append(Written(cls.name, draft.id, created=True, old={}, values=values.copy()))
        return Verdict("created", cls.name, draft.id)

    def _update(self, draft: Draft, item: Item, write_links: Callable[[], bool]) -> Verdict:
        layout, cls = draft.layout, draft.layout.cls
        item.values = {**item.values, **draft.changes}  # the draft keeps what was
        item.dirty.update(draft.changes)
        self.working.put(item)
        write_links()
        changes: list[ChangedValue] = []
        for code in sorted(draft.changes, key=layout.order.__getitem__):
            old, new = draft.base[code], draft.changes[code]
            changes.append(ChangedValue(code, old, new, code in draft.hooked))
            self.history.changed(layout, draft.id, code, old, new)
        if self.written is not None:
            before = {change.code: change.old for change in changes}
            self.written.append(Written(cls.name, draft.id, created=False, old=before, values=item.values.copy()))
        return Verdict("updated", cls.name, draft.id, tuple(changes))

    def _place(self, draft: Draft) -> None:
        """Give the object its place in its trees."""
        for code in draft.layout.trees:
            tree = self.working.trees.get((draft.cls.attributes[code].origin, code))
            if tree is not None and draft.new:
                tree.insert(draft.id, draft.value(code))
            elif tree is not None and code in draft.changes:
                tree.move(draft.id, draft.changes[code])

    def _record_links(self, draft: Draft) -> None:
        """Record on the hosts of a link what happened to it (§8.3); a host that is gone gets nothing."""
        before = None if draft.new else draft.before
        for operation in operations(draft.layout.hosts, before, draft.value, draft.changes):
            self._record_link(operation, draft.cls, draft.id, draft.value)

    def _record_link(self, operation: LinkOperation, cls: Class, id_: int, value: Callable[[str], int]) -> None:
        host_class = self.working.target(operation.host.root, operation.host_id)
        if host_class is not None:
            remote = operation.host.remote_key
            item = (operation.host.remote_class, value(remote)) if remote else (cls.name, id_)
            self.history.linked(operation, host_class, item, id_)
