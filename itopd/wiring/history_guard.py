"""Nothing is written that could not be told afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from itopd.datamodel import Class
from itopd.errors import RefusedError
from itopd.writing import Draft, Issue, Present, Veto


class HistoryGuard:
    """Refuses every write while the history of it could not be recorded."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Veto:
        """Raise :class:`RefusedError`."""
        del present, drafts
        raise RefusedError(self._reason)

    def deletions(
        self, present: Present, cls: Class, ids: Sequence[int], *, asked: bool
    ) -> Mapping[int, Sequence[Issue]]:
        """Raise :class:`RefusedError`."""
        del present, cls, ids, asked
        raise RefusedError(self._reason)
