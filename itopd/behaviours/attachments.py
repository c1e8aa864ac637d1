"""Attachments go with the ticket that they are attached to (``spec/objects.md`` §7.3): no key says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from itopd.datamodel import Class
from itopd.writing import Doom, Present

_ATTACHMENT = "Attachment"


class AttachmentsOfTicket:
    """The attachments of a deleted ticket are deleted, too."""

    classes = frozenset({"Ticket"})
    minds_deletions = False

    def judge(self, present: Present, cls: Class, ids: Sequence[int]) -> Mapping[int, Doom]:
        """Find the attachments: one statement."""
        if _ATTACHMENT not in present.database.model:
            return {}
        found: dict[int, list[tuple[str, int]]] = defaultdict(list)
        rows = [(cls.name, id_) for id_ in ids]
        for id_, attached in zip(ids, present.find(_ATTACHMENT, ("item_class", "item_id"), rows), strict=True):
            found[id_] += [(_ATTACHMENT, one) for one in attached]
        return {id_: Doom(also=tuple(attached)) for id_, attached in found.items()}
