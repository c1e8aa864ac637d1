"""Which of the PHP behaviour of classes itopd has ported; classes with more of it are not written unasked.

A class of an attached iTop may do anything when its objects are written: complete values, refuse, write elsewhere. What
itopd does not do for it would be missing from what it writes, so that is refused until ``allow_unported`` names the
class. What a model says is hook and class, not program text: a stock class whose hook an extension has replaced looks
like the stock one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from itopd.behaviours.lost import what_is_lost
from itopd.datamodel import Class, Model
from itopd.errors import RefusedError
from itopd.writing import Draft, Issue, Present
from itopd.writing.protocols import Veto

Ported = Mapping[str, frozenset[str]]
"""Class -> those of its own hooks whose work is done here."""

PORTED: Final[Ported] = {
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


def unported_hooks(cls: Class, performed: Ported = MappingProxyType({})) -> tuple[str, ...]:
    """Return the hooks by which PHP takes part in creations and updates of a class and that itopd does not port.

    ``performed`` are further ones whose work the writing operation does itself.
    """
    return tuple(
        hook
        for hook, owner in cls.php_behaviour.items()
        if hook not in _NOT_OF_WRITES and hook not in PORTED.get(owner, ()) and hook not in performed.get(owner, ())
    )


def unported_classes(model: Model) -> dict[str, tuple[str, ...]]:
    """Return the classes with such hooks whose objects can be written: not the abstract ones.

    Those of the model's own XML come first: they are what people write.
    """
    names = sorted(model, key=lambda name: (name in model.core, name))
    found = {name: unported_hooks(model[name]) for name in names if not model[name].abstract}
    return {name: hooks for name, hooks in found.items() if hooks}


class UnportedGuard:
    """Refuses to write to classes whose PHP behaviour is not ported, but for those that are allowed."""

    def __init__(self, model: Model, allowed: Sequence[str], performed: Ported = MappingProxyType({})) -> None:
        self._model = model
        self._allowed = tuple(allowed)
        self._performed = performed

    def performing(self, performed: Ported) -> UnportedGuard:
        """Return the guard of an operation that does the work of these hooks itself."""
        return UnportedGuard(self._model, self._allowed, performed)

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Veto:
        """Raise :class:`RefusedError` when drafts are of such classes: one reason says more than one per row."""
        del present
        refused = {
            cls: hooks
            for cls in {draft.cls: None for draft in drafts}
            if frozenset(self._allowed).isdisjoint(cls.lineage) and (hooks := unported_hooks(cls, self._performed))
        }
        if refused:
            raise RefusedError(self._refusal(refused))
        return _nothing

    def _refusal(self, refused: Mapping[Class, Sequence[str]]) -> str:
        names = [cls.name for cls in refused]
        losses = "".join(f"\n  {cls.name}: {what_is_lost(cls, hooks)}" for cls, hooks in refused.items())
        return (
            f"writing to {', '.join(names)} is refused: this iTop runs PHP of its own when such objects are written, "
            f"which itopd does not do. What you write would lack:{losses}\n"
            "If it can do without, put this line into itopd's parameters file (subclasses are included):\n"
            f"  allow_unported = {', '.join((*self._allowed, *names))}"
        )


def _nothing(draft: Draft) -> Sequence[Issue]:
    del draft
    return ()
