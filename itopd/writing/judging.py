"""The verdict on one draft: computed values, checks, and what accepting it does to the objects of the chunk."""

from __future__ import annotations

from dataclasses import dataclass

from itopd.writing.checks import value_issues
from itopd.writing.draft import Draft
from itopd.writing.history import History
from itopd.writing.ids import Ids
from itopd.writing.intents import ChangedValue, Issue
from itopd.writing.links import operations
from itopd.writing.participants import Voices
from itopd.writing.protocols import Written
from itopd.writing.uniqueness import Clash, Rules
from itopd.writing.verdicts import Verdict
from itopd.writing.working import Item, Working


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
        layout = draft.layout
        hooks = self.voices.hooks_for(layout)
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
        keys = [(rule, rule.key(draft)) for rule in self.rules.of(layout)]
        for rule, key in keys:
            if key is not None and (others := rule.others(draft, key)):
                values = tuple(draft.value(code) for code in rule.layout.rule.attributes)
                (issues if rule.layout.rule.blocking else warnings).append(Clash(rule.layout, values, others[0]))
        issues += value_issues(draft, self.working)
        for veto in self.voices.vetoes:
            issues += veto(draft)
        if issues:
            return Verdict("refused", layout.cls.name, draft.id if not draft.new else 0, (), issues, warnings)
        if not draft.id:
            draft.id = self.ids.take(layout.cls.root)
        for rule, key in keys:
            rule.written(draft, key)
        verdict = self._accept(draft)
        verdict.warnings = warnings
        return verdict

    def _accept(self, draft: Draft) -> Verdict:
        """Apply a draft to the objects of the chunk and record it."""
        if draft.layout.trees:
            self._place(draft)
        if draft.layout.hosts:
            self._record_links(draft)
        return self._create(draft) if draft.item is None else self._update(draft, draft.item)

    def _create(self, draft: Draft) -> Verdict:
        layout, cls = draft.layout, draft.layout.cls
        values = {**draft.base, **draft.changes}
        self.working.put(Item(layout, draft.id, values, new=True, dirty=set(draft.changes)))
        self.history.created(layout, draft.id)
        if self.written is not None:
            self.written.append(Written(cls.name, draft.id, created=True, old={}, values=values.copy()))
        return Verdict("created", cls.name, draft.id)

    def _update(self, draft: Draft, item: Item) -> Verdict:
        layout, cls = draft.layout, draft.layout.cls
        changes: list[ChangedValue] = []
        for code in sorted(draft.changes, key=layout.order.__getitem__):
            old, new = draft.base[code], draft.changes[code]
            changes.append(ChangedValue(code, old, new, code in draft.hooked))
            self.history.changed(layout, draft.id, code, old, new)
        item.values = {**item.values, **draft.changes}  # the draft keeps what was
        item.dirty.update(draft.changes)
        self.working.put(item)
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
            host_class = self.working.target(operation.host.root, operation.host_id)
            if host_class is not None:
                remote = operation.host.remote_key
                item = (operation.host.remote_class, draft.value(remote)) if remote else (draft.cls.name, draft.id)
                self.history.linked(operation, host_class, item, draft.id)
