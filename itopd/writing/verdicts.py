"""What has been decided about one intent; the writer makes an outcome of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from itopd.writing.intents import ChangedValue, Effect, Intent, Issue
from itopd.writing.uniqueness import Clash


@dataclass(slots=True)
class Verdict:
    """What was decided; of clashes the names that a message mentions have yet to be looked up."""

    status: Literal["created", "updated", "deleted", "unchanged", "refused"]
    cls: str
    id: int = 0
    changes: tuple[ChangedValue, ...] = ()
    issues: Sequence[Issue | Clash] = ()
    warnings: Sequence[Issue | Clash] = ()
    effects: tuple[Effect, ...] = ()


def refused(cls: str, id_: int, *issues: Issue) -> Verdict:
    """Return a refusal for these reasons; ``id_`` is 0 for a creation."""
    return Verdict("refused", cls, id_, issues=issues)


def not_found(intent: Intent, id_: int) -> Verdict:
    """Return the refusal of an intent on an object that does not exist."""
    return refused(intent.cls, id_, Issue(None, "not_found", f"there is no {intent.cls} with the id {id_}"))
