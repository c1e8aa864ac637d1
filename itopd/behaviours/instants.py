"""Instants that a creation sets: ``AsyncTask.created`` (``spec/objects.md`` §9.3)."""

from __future__ import annotations

from collections.abc import Sequence

from itopd.writing import Draft, Hooks, Present


class CreationInstant:
    """A queued task says when it was queued, whatever the caller gave."""

    classes = frozenset({"AsyncTask"})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Return what to do for each task."""
        del present, drafts
        return _Created()


class _Created(Hooks):
    def compute(self, draft: Draft) -> None:
        if draft.new:
            draft.set("created", draft.now)
