"""Nothing is written that could not be told afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from itopd.errors import RefusedError
from itopd.writing import Draft, Present, Veto


class HistoryGuard:
    """Refuses every write while the history of it could not be recorded."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Veto:
        """Raise :class:`RefusedError`."""
        del present, drafts
        raise RefusedError(self._reason)
