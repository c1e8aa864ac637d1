"""Attachments belong to the ticket that they are attached to (``spec/objects.md`` §7.3, §9.3): no key says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from itopd.datamodel import Class
from itopd.writing import Doom, Draft, Hooks, Intent, Present, Update

_ATTACHMENT, _TICKET = "Attachment", "Ticket"
_HOST = ("item_class", "item_id")


class AttachmentsOfTicket:
    """The attachments of a deleted ticket are deleted, too."""

    classes = frozenset({_TICKET})
    minds_deletions = False

    def judge(self, present: Present, cls: Class, ids: Sequence[int]) -> Mapping[int, Doom]:
        """Find the attachments: one statement."""
        if _ATTACHMENT not in present.database.model:
            return {}
        found: dict[int, list[tuple[str, int]]] = defaultdict(list)
        rows = [(cls.name, id_) for id_ in ids]
        for id_, attached in zip(ids, present.find(_ATTACHMENT, _HOST, rows), strict=True):
            found[id_] += [(_ATTACHMENT, one) for one in attached]
        return {id_: Doom(also=tuple(attached)) for id_, attached in found.items()}


class AttachmentOrganization:
    """Attachments go with their ticket into another organization."""

    classes = frozenset({_TICKET})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Load the attachments of tickets that change their organization: two statements."""
        moved = _Moved(present)
        moved.look_up(drafts)
        return moved


class _Moved(Hooks):
    def __init__(self, present: Present) -> None:
        self._present = present
        self._exist = _ATTACHMENT in present.database.model

    def look_up(self, drafts: Sequence[Draft]) -> None:
        hosts = sorted({(draft.cls.name, draft.id) for draft in drafts if self._moves(draft)})
        found = self._present.find(_ATTACHMENT, _HOST, hosts) if hosts else []
        if hosts:
            self._present.load(_ATTACHMENT, [id_ for ids in found for id_ in ids], (*_HOST, "item_org_id"))

    def follow(self, draft: Draft) -> Sequence[Intent]:
        if not self._moves(draft):
            return ()
        attached = self._present.matching(_ATTACHMENT, {"item_class": draft.cls.name, "item_id": draft.id})
        return [Update(_ATTACHMENT, id_, {"item_org_id": draft.value("org_id")}) for id_ in attached]

    def _moves(self, draft: Draft) -> bool:
        return self._exist and not draft.new and draft.changed("org_id")


class AttachmentOrigin:
    """A new attachment says when it was made and by whom, whatever the caller gave."""

    classes = frozenset({_ATTACHMENT})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Look up the contact of the account that writes."""
        me = present.change.user_id
        if not me or not any(draft.new for draft in drafts):
            return _Origin(me, 0)
        present.load("User", [me], ("contactid",))
        known = present.final_class("User", me) is not None
        return _Origin(me, present.value("User", me, "contactid")) if known else _Origin(0, 0)


class _Origin(Hooks):
    def __init__(self, user: int, contact: int) -> None:
        self._user = user
        self._contact = contact

    def compute(self, draft: Draft) -> None:
        if draft.new:
            draft.set("creation_date", draft.now)
            draft.set("user_id", self._user)
            draft.set("contact_id", self._contact)
