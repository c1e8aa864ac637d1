"""The guard of an account: its rights on classes and the organizations it may touch (``spec/http.md`` §3).

What behaviours bring about is not judged: it follows from what the account was allowed to ask for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from itopd.access import Account, Action, Rights, named_profiles
from itopd.datamodel import Class
from itopd.oql import Reader
from itopd.writing.intents import Issue
from itopd.writing.protocols import Draft, Present, Veto

NOT_ALLOWED: Final = "access_denied"
"""Kind of the issues that tell of a missing right; what is out of sight reads like what does not exist."""

_ORGANIZATION: Final = "Organization"
_PARENT: Final = "parent_id"

_Object = tuple[str, int]
"""Class, as a key or an intent names it, and id."""


@dataclass(frozen=True, slots=True)
class RightsGuard:
    """Refuses what an account may not write, what it does not see, and keys to what it does not see.

    See :class:`itopd.writing.protocols.Guard`.
    """

    account: Account
    rights: Rights
    reader: Reader
    """What the account sees; administrators' accounts are out of reach for others even where they are shown."""

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Veto:
        """Look up which of the objects that the drafts are about or point to are invisible: a query per class."""
        hidden = set() if self.account.is_administrator else self._hidden(present, drafts)

        def veto(draft: Draft) -> Sequence[Issue]:
            return list(self._issues(draft, hidden)) if draft.asked else ()

        return veto

    def deletions(
        self, present: Present, cls: Class, ids: Sequence[int], *, asked: bool
    ) -> Mapping[int, Sequence[Issue]]:
        """Refuse objects of classes that the account may not delete; those it does not see are not there for it."""
        if not asked:
            if self.rights.allows(Action.DELETE, cls.name):
                return {}
            refusal = Issue(None, NOT_ALLOWED, self._refusal(cls, "delete"))
            return {id_: [refusal] for id_ in ids}
        if self.account.is_administrator:
            return {}
        seen = present.seen(cls.name, ids, replace(self.reader, hide_administrators=True))
        return {
            id_: [Issue(None, "not_found", f"there is no {cls.name} with the id {id_}")]
            for id_ in ids
            if id_ not in seen
        }

    def _hidden(self, present: Present, drafts: Sequence[Draft]) -> set[_Object]:
        """Return the stored objects that exist and are invisible, among those that the drafts touch."""
        reader = replace(self.reader, hide_administrators=True)
        touched: dict[str, set[int]] = defaultdict(set)
        for draft in drafts:
            if not draft.new:
                touched[draft.cls.name].add(draft.id)
            for _, (cls, id_) in _new_targets(draft):
                touched[cls].add(id_)
        return {
            (cls, id_)
            for cls, ids in touched.items()
            for id_ in ids - present.seen(cls, ids, reader)
            if present.final_class(cls, id_) is not None
        }

    def _issues(self, draft: Draft, hidden: set[_Object]) -> Iterator[Issue]:
        cls = draft.cls
        if not draft.new and (cls.name, draft.id) in hidden:
            yield Issue(None, "not_found", f"there is no {cls.name} with the id {draft.id}")
            return
        allowed = self.rights.allows_creation(cls.name) if draft.new else self.rights.allows(Action.WRITE, cls.name)
        if not allowed:
            yield Issue(None, NOT_ALLOWED, self._refusal(cls, "create" if draft.new else "modify"))
        for code, target in _new_targets(draft) if hidden else ():
            if target in hidden:
                name, id_ = target
                yield Issue(code, "target_not_found", f"{code}: target object not found ({name}::{id_})")
        if _ORGANIZATION in cls.lineage and self._leaves_sight(draft):
            yield Issue(
                _PARENT,
                NOT_ALLOWED,
                f"{_PARENT}: '{self.account.login}' sees some organizations only, and would not see this one: "
                "put it below one of them",
            )

    def _leaves_sight(self, draft: Draft) -> bool:
        """Return whether an organization would come to stand at the top although the account does not see all."""
        assigned = self.account.assigned_orgs
        if assigned is None or draft.id in assigned or draft.value(_PARENT):
            return False
        return draft.new or draft.changed(_PARENT)

    def _refusal(self, cls: Class, verb: str) -> str:
        if not self.rights.may_write:
            return f"objects of class {cls.name} cannot be written: access_mode lets '{self.account.login}' only read"
        return f"'{self.account.login}' may not {verb} objects of class {cls.name} ({named_profiles(self.account)})"


def _new_targets(draft: Draft) -> Iterator[tuple[str, _Object]]:
    """Yield each key that the caller sets to another object, with that object."""
    attributes = draft.cls.attributes
    for code, value in draft.given.items():
        attribute = attributes.get(code)
        if attribute is None or not attribute.is_external_key or attribute.target is None:
            continue
        if isinstance(value, int) and value and draft.changed(code):
            yield code, (attribute.target, value)
