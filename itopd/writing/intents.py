"""What a writer is asked and what it answers: plain data."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
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
    """Attribute code -> value as ``itopd.attributes`` defines it, or :class:`Pending` for a key, :class:`LinkSet`
    for a link set, :class:`NewEntry` for a case log, :class:`NewPassword` for a hashed password."""
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


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete one object with all that has to go or to change with it, or not at all (``objects.md`` §7)."""

    cls: str
    """Its class or any parent of it."""
    id: int | Pending


Intent = Create | Update | Delete


@dataclass(frozen=True, slots=True)
class LinkSet:
    """What to do to a link set of the object that an intent is about, as the value of its attribute (§6.3)."""

    add: tuple[Mapping[str, Any], ...] = ()
    """Values of objects to make, without the key to this one; ``finalclass`` among them where it is no leaf class."""
    attach: tuple[int | Pending, ...] = ()
    """Existing objects to give to this one (1:n)."""
    remove: tuple[int, ...] = ()
    """Link objects to delete (n:n), objects to let go, or to delete where their key is mandatory (1:n)."""
    modify: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """Id of a link object, or of an object of this one -> attributes to set."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to put on top of a case log, as the value of its attribute (§3.1). Its instant is that of the write."""

    body: str
    format: Literal["html", "text"] = "html"
    author: str | None = None
    """``None``: the author and account of the :class:`Change`."""
    user_id: int = 0


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password in clear text, as the value of an attribute that keeps its hash; the policy for passwords holds."""

    text: str = field(repr=False)


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
    ``abstract_class``, ``manual`` (something else has to be deleted by hand first),
    ``pending_refused``, ``database``, or what a guard or behaviour says."""
    text: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What a deletion means for another object."""

    cls: str
    """Its final class."""
    id: int
    kind: Literal["deleted", "reset", "manual"]
    """It goes too; a key of it is reset; it has to be deleted by hand first, which stops the whole deletion."""
    name: str
    """Its friendly name."""
    values: Mapping[str, int] = field(default_factory=dict)
    """Of a reset: its keys, with what is put into them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one intent."""

    status: Literal["created", "updated", "deleted", "unchanged", "refused"]
    cls: str
    """Final class of the object; for a refused one as far as it is known."""
    id: int
    """0 for a refused creation."""
    changes: tuple[ChangedValue, ...] = ()
    """Changed attributes of an update, in the order of the class."""
    issues: tuple[Issue, ...] = ()
    """All reasons of a refusal; empty otherwise."""
    warnings: tuple[Issue, ...] = ()
    effects: tuple[Effect, ...] = ()
    """What a deletion does, or would have to do, to other objects."""


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
    author: str = ""
    """Who signs entries of case logs: the friendly name of the account's contact, else its login."""

    def again(self) -> Change:
        """Return the same unit of work with its row not written yet."""
        return replace(self, id=None)
