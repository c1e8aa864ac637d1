"""Uniqueness rules over the stored objects and those of the chunk (``spec/objects.md`` §5.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import sqlalchemy as sa

from itopd.attributes import bind
from itopd.database import Database
from itopd.datamodel import Attribute, Model, UniquenessRule
from itopd.dictionary import ENGLISH
from itopd.objects import fetch, final_classes, find, friendly_names
from itopd.writing.conditions import satisfying
from itopd.writing.draft import Draft
from itopd.writing.intents import Issue
from itopd.writing.layout import Layout, RuleLayout

Key = tuple[Hashable, ...]

_MOST_COMBINATIONS = 64
"""Sets of values looked up in advance for an object that several intents of a chunk change."""


class Uniqueness:
    """One rule: who holds which values, of the objects asked about."""

    def __init__(self, database: Database, connection: sa.Connection, layout: RuleLayout) -> None:
        self.layout = layout
        self._database = database
        self._connection = connection
        self._codes = layout.rule.attributes
        self._name = (layout.rule.root_class, layout.rule.id)
        condition = layout.condition
        self._outside = condition if condition and condition.in_memory and condition.codes <= {*self._codes} else None
        """The rule's condition, when the values that must be unique decide it."""
        self._holders: dict[Key, set[int]] = defaultdict(set)
        self._known: set[Key] = set()
        self._written: set[int] = set()
        """Objects that the chunk has written: what the database says of them is out of date."""

    def key(self, draft: Draft) -> Key | None:
        """Return what a draft must be alone with; ``None`` when nothing can clash with it under this rule."""
        if self._name in draft.unique:
            return draft.unique[self._name]
        values = [draft.value(code) for code in self._codes]
        key = draft.unique[self._name] = self._key_of(values)
        return key

    def _key_of(self, values: Sequence[Any]) -> Key | None:
        key = self.layout.key_of(values)
        if None in key:
            return None
        if self._outside is not None:
            return key if self._outside.holds(dict(zip(self._codes, values, strict=True)).__getitem__) else None
        return key

    def look_up(self, objects: Iterable[Sequence[Draft]]) -> None:
        """Learn which stored objects hold what drafts may have to be alone with.

        ``objects`` gives for each object all its drafts of the chunk. One statement per 1,000 objects.
        """
        rows: dict[Key, tuple[Any, ...]] = {}
        for drafts in objects:
            if len(drafts) == 1:
                draft = drafts[0]
                key = self.key(draft)
                if key is not None and key not in self._known and key not in rows:
                    rows[key] = tuple([draft.value(code) for code in self._codes])
                continue
            for values in _possible(drafts, self._codes):
                key = self._key_of(values)
                if key is not None and key not in self._known:
                    rows[key] = values
        if rows:
            self._learn(rows)

    def others(self, draft: Draft, key: Key) -> list[int]:
        """Return the ids of the other objects with this key, ascending."""
        if key not in self._known:
            self._learn({key: tuple(draft.value(code) for code in self._codes)})
        holders = self._holders.get(key)
        return sorted(holders - {draft.id}) if holders else []

    def written(self, draft: Draft, key: Key | None) -> None:
        """Note that the chunk has written an object."""
        condition = self.layout.condition
        if not draft.new:
            read = {*self._codes, *(condition.codes if condition is not None else ())}
            if read.isdisjoint(draft.changes):
                return
            self._holders[self.layout.key_of([draft.before(code) for code in self._codes])].discard(draft.id)
        self._written.add(draft.id)
        holds = condition is None or not condition.in_memory or condition.holds(draft.value)
        if key is not None and holds and draft.cls.name not in self.layout.exempt:
            self._holders[key].add(draft.id)

    def deleted(self, id_: int, values: Sequence[Any]) -> None:
        """Note that the chunk has deleted an object that had these values."""
        self._holders[self.layout.key_of(values)].discard(id_)
        self._written.add(id_)

    def _learn(self, rows: Mapping[Key, tuple[Any, ...]]) -> None:
        rule, database = self.layout.rule, self._database
        if rule.blocking:
            database.wait_for_turn(self._connection, rule.root_class)
        values = list(rows.values())
        found = find(database, self._connection, rule.root_class, self._codes, values, current=rule.blocking)
        candidates = {id_ for ids in found for id_ in ids} - self._written
        subject = self._subject_to_rule(candidates)
        for key, ids in zip(rows, found, strict=True):
            self._holders[key].update(subject.intersection(ids))
        self._known.update(rows)

    def _subject_to_rule(self, ids: set[int]) -> set[int]:
        """Return those stored objects that the rule's condition and classes include."""
        rule, condition = self.layout.rule, self.layout.condition
        database, connection = self._database, self._connection
        if ids and self.layout.exempt:
            finals = final_classes(database, connection, rule.root_class, ids)
            ids = {id_ for id_ in ids if finals.get(id_) not in self.layout.exempt}
        if ids and condition is not None and self._outside is None:
            if not condition.in_memory:
                return satisfying(database, connection, rule.root_class, condition.text, ids)
            records = fetch(database, connection, rule.root_class, ids, condition.codes, for_update=rule.blocking)
            ids = {id_ for id_, record in records.items() if condition.holds(record.values.__getitem__)}
        return ids


class Rules:
    """The uniqueness rules that the drafts of one chunk are subject to."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        self._database = database
        self._connection = connection
        self._rules: dict[tuple[str, str], Uniqueness] = {}
        self._of: dict[str, list[Uniqueness]] = {}

    def of(self, layout: Layout) -> list[Uniqueness]:
        """Return the rules for the objects of a class."""
        of_class = self._of.get(layout.cls.name)
        if of_class is None:
            of_class = self._of[layout.cls.name] = []
            for rule in layout.rules:
                name = (rule.rule.root_class, rule.rule.id)
                of_class.append(
                    self._rules.setdefault(name, Uniqueness(self._database, self._connection, rule)),
                )
        return of_class

    def look_up(self, objects: Iterable[Sequence[Draft]]) -> None:
        """Learn who holds what must be unique, given for each object all its drafts; one statement per rule."""
        by_rule: dict[Uniqueness, list[Sequence[Draft]]] = defaultdict(list)
        for drafts in objects:
            for rule in self.of(drafts[0].layout):
                by_rule[rule].append(drafts)
        for rule, of_rule in by_rule.items():
            rule.look_up(of_rule)


def _possible(drafts: Sequence[Draft], codes: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the values that an object may have when one of its drafts is judged, whichever were refused before."""
    first = drafts[0]
    choices: list[list[Any]] = []
    for code in codes:
        values = [first.value(code) if first.new else first.before(code)]
        values += [draft.changes[code] for draft in drafts if code in draft.changes]
        choices.append([value for at, value in enumerate(values) if value not in values[:at]])
    if prod(map(len, choices)) <= _MOST_COMBINATIONS:
        yield from product(*choices)
    else:
        for draft in drafts:
            yield tuple(draft.value(code) for code in codes)


@dataclass(frozen=True, slots=True)
class Clash:
    """An object that shares the values of a rule with another one; :func:`describe` makes the issue."""

    rule: RuleLayout
    values: tuple[Any, ...]
    other: int


def describe(database: Database, connection: sa.Connection, clashes: Sequence[Clash]) -> list[Issue]:
    """Return the issues of clashes; the names of the objects they mention cost one look-up per class."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for clash in clashes:
        for attribute, value in _attributes(database, clash):
            if attribute.is_external_key and attribute.target:
                wanted[attribute.target].add(value)
    names = {cls: friendly_names(database, connection, cls, ids) for cls, ids in wanted.items()}
    return [_issue(database, clash, names) for clash in clashes]


def _issue(database: Database, clash: Clash, names: Mapping[str, Mapping[int, str]]) -> Issue:
    parts: list[str] = []
    for attribute, value in _attributes(database, clash):
        if attribute.is_external_key and attribute.target:
            parts.append(f"{attribute.target} '{names[attribute.target].get(value, value)}'")
        else:
            parts.append(f"{attribute.code} '{bind(attribute).to_text(value)}'")
    rule = clash.rule.rule
    found = f"{rule.root_class}::{clash.other} already has {', '.join(parts)}; uniqueness rule '{rule.id}'"
    meaning = _meaning(database.model, rule)
    return Issue(None, "not_unique", f"{meaning}: {found}" if meaning else found)


def _meaning(model: Model, rule: UniquenessRule) -> str | None:
    """Return what a rule means in words, where the model's files say it; of rules by a common name the common words."""
    texts = model.texts.get(ENGLISH, {})
    return texts.get(f"Class:{rule.root_class}/UniquenessRule:{rule.id}") or texts.get(f"Word:rule/{rule.id}")


def _attributes(database: Database, clash: Clash) -> Iterator[tuple[Attribute, Any]]:
    rule = clash.rule.rule
    cls = database.model[rule.root_class]
    for code, value in zip(rule.attributes, clash.values, strict=True):
        yield cls.attributes[code], value
