"""What tickets do when they are written (``spec/objects.md`` §9.1): reference, dates, priority, logs of parents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from itopd.database import insert_rows
from itopd.writing import Draft, Hooks, Intent, Issue, NewEntry, Present, Update

_TICKET: Final = "Ticket"
_CHANGE: Final = "Change"
_REQUEST: Final = "UserRequest"
_INCIDENT: Final = "Incident"
_LETTERS: Final[Mapping[str, str]] = {_REQUEST: "R", _INCIDENT: "I", _CHANGE: "C"}
"""First letter of references, by a class of the lineage; T elsewhere."""
_COUNTERS: Final = "KeyValueStore"
_PRIORITIES: Final[Mapping[str, str]] = {"1": "1124", "2": "1234", "3": "2334"}
"""Impact -> priority for each urgency from 1 to 4."""
_LOGS: Final = ("public_log", "private_log")
_PARENTS: Final[Mapping[str, Mapping[str, str]]] = {
    # class of a ticket -> classes of its children, with the key that names it there
    _REQUEST: {_REQUEST: "parent_request_id"},
    _INCIDENT: {_REQUEST: "parent_incident_id", _INCIDENT: "parent_incident_id"},
}
_WORK_ORDER: Final = "WorkOrder"


class TicketReference:
    """A ticket without reference gets one from the counter that all tickets share."""

    classes = frozenset({_TICKET})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Read the counter, and keep others from it until the transaction ends."""
        without = [draft for draft in drafts if draft.new and not draft.value("ref")]
        return _References(present, without) if without else Hooks()


class _References(Hooks):
    def __init__(self, present: Present, drafts: Sequence[Draft]) -> None:
        self._present = present
        database, connection = present.database, present.connection
        self._table = database.table(_COUNTERS)
        self._mine = (self._table.c.namespace == "ItopCounter", self._table.c.key_name == _TICKET)
        database.wait_for_turn(connection, _COUNTERS)
        query = sa.select(self._table.c.value).where(*self._mine).with_for_update()
        self._stored: str | None = connection.execute(query).scalar()
        self._last = self._read(self._stored)
        # Given at once, so that all are looked up together that must be the only one with their reference.
        self._references = {id(draft): self._next(draft) for draft in drafts}
        for draft in drafts:
            draft.set("ref", self._references[id(draft)])

    def _read(self, stored: str | None) -> int:
        """Return the number given last; a database without counter goes on behind the highest id."""
        if stored is not None and stored.isdecimal():
            return int(stored)
        key = self._present.database.table(_TICKET).c.id
        return int(self._present.connection.execute(sa.select(sa.func.max(key))).scalar() or 0)

    def compute(self, draft: Draft) -> None:
        if draft.new and not draft.value("ref"):
            draft.set("ref", self._references.get(id(draft)) or self._next(draft))

    def _next(self, draft: Draft) -> str:
        self._last += 1
        letter = next((_LETTERS[name] for name in draft.cls.lineage if name in _LETTERS), "T")
        return f"{letter}-{self._last:06d}"

    def finish(self) -> None:
        if self._stored == str(self._last):
            return
        connection, value = self._present.connection, str(self._last)
        if self._stored is not None:
            connection.execute(self._table.update().where(*self._mine).values(value=value))
            return
        (id_,) = self._present.database.allocate_ids(connection, _COUNTERS, 1)
        columns = ("id", "namespace", "key_name", "value")
        insert_rows(connection, self._table, columns, [(id_, "ItopCounter", _TICKET, value)])


class TicketDates:
    """Creation and last update of tickets, the priority of requests and incidents."""

    classes = frozenset({_REQUEST, _INCIDENT, _CHANGE})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Return what to do for each ticket."""
        del present, drafts
        return _Dates()


class _Dates(Hooks):
    def compute(self, draft: Draft) -> None:
        attributes = draft.cls.attributes
        if {"impact", "urgency", "priority"} <= attributes.keys() and _CHANGE not in draft.cls.lineage:
            priority = _priority(draft.value("impact"), draft.value("urgency"))
            if priority is not None:
                draft.set("priority", priority)
        if draft.new:
            for code in ("creation_date" if _CHANGE in draft.cls.lineage else "start_date", "last_update"):
                if code in attributes and not draft.value(code):
                    draft.set(code, draft.now)
        elif draft.changes_anything:
            draft.set("last_update", draft.now)


def _priority(impact: str | None, urgency: str | None) -> str | None:
    """Return the priority; ``None`` where impact or urgency is none of iTop's."""
    row = _PRIORITIES.get(impact or "")
    return row[int(urgency) - 1] if row and urgency in {"1", "2", "3", "4"} else None


class ParentRequest:
    """A request is not its own parent."""

    classes = frozenset({_REQUEST})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Return the check."""
        del present, drafts
        return _NotItsOwn()


class _NotItsOwn(Hooks):
    def check(self, draft: Draft) -> Sequence[Issue]:
        if draft.new or not draft.changed("parent_request_id") or draft.value("parent_request_id") != draft.id:
            return ()
        text = "Cannot assign the Parent request to the request itself"
        return [Issue("parent_request_id", "own_parent", f"parent_request_id: {text}")]


class ParentLogs:
    """What is written into the logs of a request or an incident is written into those of its children."""

    classes = frozenset({_REQUEST, _INCIDENT})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Load the children of tickets with new entries."""
        copies = _Copies(present)
        copies.look_up(drafts)
        return copies


class _Copies(Hooks):
    def __init__(self, present: Present) -> None:
        self._present = present
        self._rounds: dict[int, tuple[NewEntry, set[int]]] = {}
        """Identity of a copy on its way down -> the copy, ids of the tickets that have handed it on.

        Parents may form a circle. A caller may use one entry for both logs, or in several writes: each makes a round.
        """

    def look_up(self, drafts: Sequence[Draft]) -> None:
        """Load the children of tickets with new entries, and theirs, level by level."""
        level: dict[str, set[int]] = defaultdict(set)
        for draft in drafts:
            if any(True for _ in _new_entries(draft, _LOGS)):
                level[draft.cls.name].add(draft.id)
        seen: dict[str, set[int]] = defaultdict(set)
        while any(level.values()):
            following: dict[str, set[int]] = defaultdict(set)
            for parent, ids in level.items():
                seen[parent] |= ids
                for child, key in _children_of(parent):
                    found = self._present.find(child, (key,), [(id_,) for id_ in sorted(ids)])
                    following[child].update(id_ for of_parent in found for id_ in of_parent)
            level = {child: ids - seen[child] for child, ids in following.items()}
            for child, ids in level.items():
                self._present.load(child, sorted(ids), _LOGS)

    def follow(self, draft: Draft) -> Sequence[Intent]:
        copies: list[Intent] = []
        for code, entry in _new_entries(draft, _LOGS):
            copy, passed = self._round(entry)
            passed.add(draft.id)
            for child, key in _children_of(draft.cls.name):
                copies += [
                    Update(child, id_, {code: copy})
                    for id_ in self._present.matching(child, {key: draft.id})
                    if id_ not in passed
                ]
        return copies

    def _round(self, entry: NewEntry) -> tuple[NewEntry, set[int]]:
        """Return the round that an entry belongs to; one that is no copy made here begins its own."""
        if id(entry) in self._rounds:
            return self._rounds[id(entry)]
        copy = replace(entry)
        return self._rounds.setdefault(id(copy), (copy, set()))


def _children_of(cls: str) -> Iterable[tuple[str, str]]:
    return _PARENTS.get(cls, {}).items()


class WorkOrderLog:
    """What is written into the log of a work order is written into the private log of its ticket."""

    classes = frozenset({_WORK_ORDER})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Load the tickets."""
        tickets = {draft.value("ticket_id") for draft in drafts if any(True for _ in _new_entries(draft, ("log",)))}
        present.load(_TICKET, sorted(tickets - {0}), ("private_log",))
        return _ToTicket()


class _ToTicket(Hooks):
    def follow(self, draft: Draft) -> Sequence[Intent]:
        ticket = draft.value("ticket_id")
        return [Update(_TICKET, ticket, {"private_log": entry}) for _, entry in _new_entries(draft, ("log",)) if ticket]


def _new_entries(draft: Draft, codes: Sequence[str]) -> Iterator[tuple[str, NewEntry]]:
    """Yield the entries that an update adds to these logs: what an object is created with is copied nowhere."""
    for code in () if draft.new else codes:
        entry = draft.given.get(code)
        if isinstance(entry, NewEntry):
            yield code, entry
