"""The three ways others take part in a write: a guard vetoes, a behaviour adds a class's own rules, a reaction follows.

All three look at a whole chunk with a few statements first (``prepare``) and then judge object by object in memory,
because each intent must see what the ones before it did. Nothing they do per object may query the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import sqlalchemy as sa

from itopd.database import Database
from itopd.datamodel import Class
from itopd.oql import Reader
from itopd.writing.intents import Change, Intent, Issue


class Draft(Protocol):
    """One object as the intent at hand would leave it. Reading it never queries."""

    @property
    def cls(self) -> Class:
        """Its final class."""
        ...

    @property
    def id(self) -> int:
        """Its id; the one a creation will get."""
        ...

    @property
    def new(self) -> bool:
        """Whether it is being created."""
        ...

    @property
    def asked(self) -> bool:
        """Whether the caller asked for it; a behaviour brought it about otherwise."""
        ...

    @property
    def now(self) -> str:
        """The instant of the write, as stored."""
        ...

    @property
    def given(self) -> Mapping[str, Any]:
        """What the caller asked to set, keys resolved to ids."""
        ...

    @property
    def wanted(self) -> Mapping[str, Any]:
        """The same word for word: with link sets, passwords in clear text, keys to pending objects."""
        ...

    def value(self, code: str) -> Any:  # noqa: ANN401 - attribute values are of many types
        """Return the value an attribute would have."""
        ...

    def before(self, code: str) -> Any:  # noqa: ANN401
        """Return the value it had; the default for a creation."""
        ...

    def changed(self, code: str) -> bool:
        """Return whether the write would change it; at creation whether it differs from the default."""
        ...

    @property
    def changes_anything(self) -> bool:
        """Return whether the write would do anything; a creation always does."""
        ...

    def set(self, code: str, value: object) -> None:
        """Set an attribute (only while a behaviour prepares or values are computed)."""
        ...


class Present(Protocol):
    """The objects of a chunk as they are at the moment: loaded ones, with what the chunk has written so far."""

    @property
    def change(self) -> Change:
        """The unit of work: who writes, and in which contexts."""
        ...

    @property
    def database(self) -> Database:
        """What ``prepare`` asks in bulk where :meth:`find` and :meth:`load` do not do."""
        ...

    @property
    def connection(self) -> sa.Connection:
        """The connection of the write; for ``prepare`` only."""
        ...

    def find(self, cls: str, codes: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[tuple[int, ...]]:
        """Return the ids of the stored objects that have these values, as ``objects.find``; for ``prepare`` only."""
        ...

    def load(self, cls: str, ids: Iterable[int], codes: Iterable[str] = ()) -> None:
        """Load objects of a class (or its subclasses) that following writes may concern; for ``prepare`` only.

        Files, logs and long texts are loaded only when named in ``codes``.
        """
        ...

    def seen(self, cls: str, ids: Iterable[int], reader: Reader) -> frozenset[int]:
        """Return which of the ids of stored objects of a class a reader sees; for ``prepare`` only."""
        ...

    def value(self, cls: str, id: int, code: str) -> Any:  # noqa: A002, ANN401
        """Return a value of a loaded object; ``KeyError`` when it is not loaded or does not exist."""
        ...

    def final_class(self, cls: str, id: int) -> str | None:  # noqa: A002
        """Return the final class of an object some draft refers to; ``None`` when it does not exist."""
        ...

    def matching(self, cls: str, values: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the ids of the loaded objects of a class whose attributes have these values, ascending.

        Ask with the same attributes while preparing what will be asked per object: an index is kept for them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Doom:
    """What is to be said of the deletion of one object."""

    issues: tuple[Issue, ...] = ()
    """Why it must not be."""
    also: tuple[tuple[str, int], ...] = ()
    """Final class and id of existing objects that go with it, though no key of theirs says so."""

    def with_issues(self, issues: Iterable[Issue]) -> Doom:
        """Return the same with further issues."""
        return replace(self, issues=(*self.issues, *issues))

    def with_more(self, also: Iterable[tuple[str, int]]) -> Doom:
        """Return the same with further objects that go."""
        return replace(self, also=(*self.also, *also))


class DeletionRule(Protocol):
    """What the program of a class does when its objects are deleted (``spec/objects.md`` §7.2, §9)."""

    @property
    def classes(self) -> frozenset[str]:
        """Classes it is about; subclasses are included."""
        ...

    @property
    def minds_deletions(self) -> bool:
        """Whether what it says may change when other objects are deleted."""
        ...

    def judge(self, present: Present, cls: Class, ids: Sequence[int]) -> Mapping[int, Doom]:
        """Look up in bulk what is to be said of stored objects of a final class; those not named may go alone."""
        ...


Veto = Callable[[Draft], Sequence[Issue]]


class Guard(Protocol):
    """May refuse a write of any class (``spec/objects.md`` §5.3)."""

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Veto:
        """Look up in bulk what judging these drafts takes; return the judge.

        ``drafts`` show each intent as if it were the only one of the chunk; the judge is asked about each in turn,
        as it then stands.
        """
        ...

    def deletions(
        self, present: Present, cls: Class, ids: Sequence[int], *, asked: bool
    ) -> Mapping[int, Sequence[Issue]]:
        """Return why stored objects of a final class must not be deleted; those not named may be.

        ``asked``: a caller names these objects; otherwise each may go because of another deletion, the named ones
        again among them.
        """
        ...


class Hooks:
    """What one behaviour does for the objects of one chunk; override what is needed."""

    def compute(self, draft: Draft) -> None:
        """Set values before the checks (``spec/objects.md`` §5, steps 1 and 2)."""

    def check(self, draft: Draft) -> Sequence[Issue]:
        """Return reasons to refuse."""
        _ = draft
        return ()

    def warn(self, draft: Draft) -> Sequence[Issue]:
        """Return what the caller should know of a write that is accepted."""
        _ = draft
        return ()

    def follow(self, draft: Draft) -> Sequence[Intent]:
        """Return the writes that this one brings about; they are done next, before the caller's next intent."""
        _ = draft
        return ()

    def look_up(self, drafts: Sequence[Draft]) -> None:
        """Look up what further drafts take: writes that others bring about."""

    def finish(self) -> None:
        """Write what is kept beside the objects; once, when all intents of the chunk are decided."""


class Behaviour(Protocol):
    """A class's own rules (``spec/objects.md`` §9)."""

    @property
    def classes(self) -> frozenset[str]:
        """Classes it is about; subclasses are included."""
        ...

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Look up in bulk what the chunk's drafts of these classes take; return what to do for each."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """One write that took place, as reactions see it."""

    cls: str
    """Final class."""
    id: int
    created: bool
    old: Mapping[str, Any]
    """Changed attributes of an update: what they were."""
    values: Mapping[str, Any]
    """What the object is now, as far as loaded."""


class Reaction(Protocol):
    """What follows a write in the same transaction (``spec/objects.md`` §8.5); if it fails, it alone is undone."""

    def react(self, connection: sa.Connection, written: Sequence[Written], change: Change) -> None:
        """Do what follows these writes; called once per chunk, after its rows are written."""
        ...
