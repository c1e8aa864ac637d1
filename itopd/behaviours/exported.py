"""Results of exports belong to who made them (``spec/objects.md`` §9.3)."""

from __future__ import annotations

from collections.abc import Sequence

from itopd.writing import Draft, Hooks, Present


class ExportOwner:
    """The result of an export is that of the account that writes it."""

    classes = frozenset({"BulkExportResult"})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Return what to do for each result."""
        del drafts
        return _Owner(present.change.user_id)


class _Owner(Hooks):
    def __init__(self, user: int) -> None:
        self._user = user

    def compute(self, draft: Draft) -> None:
        if draft.new:
            draft.set("user_id", self._user)
