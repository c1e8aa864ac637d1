"""Which of the PHP behaviour of classes itopd has ported; classes with more of it are not written unasked.

A class of an attached iTop may do anything when its objects are written: complete values, refuse, write elsewhere. What
itopd does not do for it would be missing from what it writes, so that is refused until ``allow_unported`` names the
class. What a model says is hook and class, not program text: a stock class whose hook an extension has replaced looks
like the stock one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    "Ticket": frozenset({"DBInsertNoReload"}),  # TicketReference
    "UserRequest": frozenset({"OnInsert", "OnUpdate", "ComputeValues", "DoCheckToWrite"}),  # tickets.py
    "Incident": frozenset({"OnInsert", "OnUpdate", "ComputeValues", "DoCheckToWrite"}),  # TicketDates, ParentLogs
    "Change": frozenset({"OnInsert", "OnUpdate"}),  # TicketDates
    "WorkOrder": frozenset({"OnUpdate"}),  # WorkOrderLog
    "AsyncTask": frozenset({"OnInsert"}),  # CreationInstant
    "CMDBChangeOp": frozenset({"OnInsert"}),  # names the current change: itopd's history does, nobody else may write it
    "lnkConnectableCIToNetworkDevice": frozenset({"AfterInsert", "AfterUpdate", "AfterDelete"}),  # NetworkLinkTwin
    "TagSetFieldData": frozenset(
        {"ComputeValues", "OnUpdate", "DoCheckToWrite", "GetAttributeFlags", "DoCheckToDelete"}  # TagRules, TagInUse
    ),
    "TriggerOnObject": frozenset({"ComputeValues", "DoCheckToWrite"}),  # TriggerTarget
    "TriggerOnObjectUpdate": frozenset({"ComputeValues"}),  # TriggerTarget
    "Attachment": frozenset({"DBInsertNoReload"}),  # AttachmentOrigin
    "BulkExportResult": frozenset({"ComputeValues"}),  # ExportOwner
    "Action": frozenset({"AfterInsert", "AfterUpdate"}),  # a message of the user interface
    "ActionEmail": frozenset({"DoCheckToWrite"}),  # a warning of the user interface
    "InlineImage": frozenset({"AfterInsert", "AfterUpdate", "AfterDelete"}),  # traces
    "Person": frozenset({"GetAttributeFlags", "CheckToDelete"}),  # demonstration mode
    "URP_Profiles": frozenset({"AfterInsert", "AfterUpdate", "OnDelete", "AfterDelete"}),  # a cache; FixedProfile
    "User": frozenset({"DoCheckToWrite"}),  # Accounts
    "UserLocal": frozenset({"DoCheckToWrite", "OnInsert", "OnUpdate", "GetAttributeFlags"}),  # Accounts, LocalPassword
    "URP_UserProfile": frozenset({"OnInsert", "OnUpdate", "AfterInsert", "AfterUpdate"}),  # Grants; a cache
    "URP_UserOrg": frozenset({"OnInsert", "OnUpdate", "AfterInsert", "AfterUpdate"}),  # RightsGuard; a cache
}
_OF_DELETIONS: Final = frozenset({"OnDelete", "AfterDelete", "DBDelete", "DoCheckToDelete", "CheckToDelete"})
_OF_FORMS: Final = frozenset({"PrefillCreationForm"})


def unported_hooks(cls: Class, performed: Ported = MappingProxyType({})) -> tuple[str, ...]:
    """Return the hooks by which PHP takes part in creations and updates of a class and that itopd does not port.

    ``performed`` are further ones whose work the writing operation does itself.
    """
    hooks = _unported(cls, performed)
    return tuple(hook for hook in hooks if hook not in _OF_DELETIONS)


def unported_deletion_hooks(cls: Class) -> tuple[str, ...]:
    """Return the hooks by which PHP takes part in deletions of a class and that itopd does not port."""
    return tuple(hook for hook in _unported(cls, {}) if hook in _OF_DELETIONS)


def _unported(cls: Class, performed: Ported) -> Iterator[str]:
    for hook, owner in cls.php_behaviour.items():
        if hook not in _OF_FORMS and hook not in PORTED.get(owner, ()) and hook not in performed.get(owner, ()):
            yield hook


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
            raise RefusedError(self._refusal(refused, "writing to", "written"))
        return _nothing

    def deletions(
        self, present: Present, cls: Class, ids: Sequence[int], *, asked: bool
    ) -> Mapping[int, Sequence[Issue]]:
        """Raise :class:`RefusedError` when objects of such a class would be deleted, asked for or not."""
        del present, ids, asked
        hooks = unported_deletion_hooks(cls)
        if hooks and frozenset(self._allowed).isdisjoint(cls.lineage):
            raise RefusedError(self._refusal({cls: hooks}, "deleting objects of", "deleted"))
        return {}

    def _refusal(self, refused: Mapping[Class, Sequence[str]], what: str, done: str) -> str:
        names = [cls.name for cls in refused]
        losses = "".join(f"\n  {cls.name}: {what_is_lost(cls, hooks)}" for cls, hooks in refused.items())
        return (
            f"{what} {', '.join(names)} is refused: this iTop runs PHP of its own when such objects are {done}, "
            f"which itopd does not do. What you do would lack:{losses}\n"
            "If it can do without, put this line into itopd's parameters file (subclasses are included):\n"
            f"  allow_unported = {', '.join((*self._allowed, *names))}"
        )


def _nothing(draft: Draft) -> Sequence[Issue]:
    del draft
    return ()
