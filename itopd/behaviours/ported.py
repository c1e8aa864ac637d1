"""Which of the PHP behaviour of classes itopd has ported; classes with more of it are not written unasked.

A class of an attached iTop may do anything when its objects are written: complete values, refuse, write elsewhere. What
itopd does not do for it would be missing from what it writes, so that is refused until ``allow_unported`` names the
class. What a model says is hook and class, not program text: a stock class whose hook an extension has replaced looks
like the stock one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from itopd.datamodel import Class, Model
from itopd.errors import RefusedError, SettingsError
from itopd.writing import Draft, Issue, Present
from itopd.writing.protocols import Veto

PORTED: Final[Mapping[str, frozenset[str]]] = {
    # class that has the hooks in iTop -> those that are ported, or have nothing to do outside PHP (objects.md §9)
    "AsyncTask": frozenset({"OnInsert"}),  # CreationInstant
    "CMDBChangeOp": frozenset({"OnInsert"}),  # names the current change: itopd's history does, nobody else may write it
    "lnkConnectableCIToNetworkDevice": frozenset({"AfterInsert", "AfterUpdate"}),  # NetworkLinkTwin
    "TagSetFieldData": frozenset({"ComputeValues", "DoCheckToWrite"}),  # TagRules
    "Action": frozenset({"AfterInsert", "AfterUpdate"}),  # a message of the user interface
    "ActionEmail": frozenset({"DoCheckToWrite"}),  # a warning of the user interface
    "InlineImage": frozenset({"AfterInsert", "AfterUpdate"}),  # traces
    "Person": frozenset({"GetAttributeFlags"}),  # demonstration mode
    "URP_Profiles": frozenset({"AfterInsert", "AfterUpdate"}),  # a cache of sessions
    "URP_UserProfile": frozenset({"AfterInsert", "AfterUpdate"}),
    "URP_UserOrg": frozenset({"AfterInsert", "AfterUpdate"}),
}
_NOT_OF_WRITES: Final = frozenset(
    {"OnDelete", "AfterDelete", "DBDelete", "DoCheckToDelete", "CheckToDelete", "PrefillCreationForm"}
)
"""Hooks of deletions, which itopd does not do, and of forms."""


def unported_hooks(cls: Class) -> tuple[str, ...]:
    """Return the hooks by which PHP takes part in creations and updates of a class and that itopd does not port."""
    return tuple(
        hook
        for hook, owner in cls.php_behaviour.items()
        if hook not in _NOT_OF_WRITES and hook not in PORTED.get(owner, ())
    )


def unported_classes(model: Model) -> dict[str, tuple[str, ...]]:
    """Return the classes with such hooks whose objects can be written: not the abstract ones."""
    found = {name: unported_hooks(cls) for name, cls in model.items() if not cls.abstract}
    return {name: hooks for name, hooks in found.items() if hooks}


class UnportedGuard:
    """Refuses to write to classes whose PHP behaviour is not ported, but for those that are allowed."""

    def __init__(self, model: Model, allowed: Sequence[str]) -> None:
        for name in allowed:
            if name not in model:
                raise SettingsError(f"allow_unported names '{name}', which is no class of the data model: correct it")
        self._allowed = frozenset(allowed)

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Veto:
        """Raise :class:`RefusedError` when a draft is of such a class: one reason says more than one per row."""
        del present
        for cls in {draft.cls: None for draft in drafts}:
            hooks = unported_hooks(cls) if self._allowed.isdisjoint(cls.lineage) else ()
            if hooks:
                raise RefusedError(
                    f"writing to {cls.name} is refused: this iTop runs PHP of its own when such an object is written "
                    f"({', '.join(hooks)}), which itopd does not do. If what you write can do without it, set "
                    f"allow_unported = {cls.name} (several with commas; subclasses are included)"
                )
        return _nothing


def _nothing(draft: Draft) -> Sequence[Issue]:
    del draft
    return ()
