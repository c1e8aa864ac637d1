"""What a writer is asked and what it answers: plain data."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Pending:
    """Stands for the id of the object that an earlier :class:`Create` of the same call makes; as a key or an id."""

    tag: Hashable


@dataclass(frozen=True, slots=True)
class Create:
    """Make an object of exactly the class ``cls``; attributes not in ``values`` take their defaults."""

    cls: str
    values: Mapping[str, Any]
    """Attribute code -> value as ``itopd.attributes`` defines it, or :class:`Pending` for a key."""
    tag: Hashable | None = None
    """Name under which later intents of the same call may refer to the new object; unique in the call."""


@dataclass(frozen=True, slots=True)
class Update:
    """Set attributes of one object."""

    cls: str
    """Its class or any parent of it."""
    id: int | Pending
    values: Mapping[str, Any]
    tag: Hashable | None = None


Intent = Create | Update


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """One attribute that an update changed."""

    code: str
    old: Any
    new: Any
    hooked: bool = False
    """Set by the class's own behaviour, not by the caller nor derived from what the caller set."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Why an intent is refused, or what its caller should be warned of."""

    code: str | None
    """The attribute it is about."""
    kind: str
    """One of ``itopd.attributes.RefusedKind``, or ``null``, ``target_not_found``, ``not_unique``, ``not_found``,
    ``abstract_class``, ``pending_refused``, ``database``, or what a guard or behaviour says."""
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one intent."""

    status: Literal["created", "updated", "unchanged", "refused"]
    cls: str
    """Final class of the object; for a refused one as far as it is known."""
    id: int
    """0 for a refused creation."""
    changes: tuple[ChangedValue, ...] = ()
    """Changed attributes of an update, in the order of the class."""
    issues: tuple[Issue, ...] = ()
    """All reasons of a refusal; empty otherwise."""
    warnings: tuple[Issue, ...] = ()


@dataclass(slots=True)
class Change:
    """The unit of work that the history names (``spec/objects.md`` §8.1): one ``priv_change`` row.

    The row is written with the first operation recorded under it; ``id`` is then its id. An instance that was used in
    a transaction that rolled back must not be used again: take :meth:`again`.
    """

    userinfo: str
    user_id: int = 0
    origin: str = "interactive"
    id: int | None = field(default=None)
    tags: frozenset[str] = frozenset()
    """The contexts that the work is done in, like ``CRON``: a trigger may be limited to some (``heartbeat.md`` §5)."""

    def again(self) -> Change:
        """Return the same unit of work with its row not written yet."""
        return Change(self.userinfo, self.user_id, self.origin, tags=self.tags)
