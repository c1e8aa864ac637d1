"""How long work may go on, and who hears how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from itopd.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Pace:
    """Asked and told between two steps of the work."""

    should_stop: Callable[[], bool] = lambda: False
    progress: Callable[[int, int | None, str], None] = lambda _done, _total, _unit: None

    def check(self) -> None:
        """Raise :class:`RefusedError` when the work is to stop."""
        if self.should_stop():
            raise RefusedError("stopped before it was complete: nothing of it is left; run it again")

    def report(self, done: int, total: int | None, unit: str) -> None:
        """Tell how far the work is."""
        self.progress(done, total, unit)
