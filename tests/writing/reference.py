"""What writing means, one object and one statement at a time: slow and obvious, to hold the bulk writer against.

It knows the plain part of ``spec/objects.md`` (defaults, checks, uniqueness, nested sets, history, links, deletions);
it takes nothing from ``itopd.writing`` but the words for questions and answers. Every look-up reads whole tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from itopd.attributes import TEXT_KINDS, HistoryKind, bind
from itopd.database import Database, collation_key
from itopd.datamodel import Attribute, Class, OnTargetDelete, UniquenessRule
from itopd.objects import friendly_names
from itopd.writing import Change, Create, Delete, Intent, LinkSet, Pending, Update

Answer = tuple[str, int, tuple[str, ...], tuple[str, ...]]
"""Status, id, kinds of issues, kinds of warnings."""

Node = tuple[str, int]
"""Final class and id of an object."""

CONDITIONS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "employee_number != ''": lambda values: collation_key(values["employee_number"]) != collation_key("")
}
"""Conditions of the rules that the tests meet."""


class Reference:
    """Writes intents one by one.

    ``ids`` are the ids that the creations are to take, 0 for those to be refused; ``link_ids`` those of the links that
    link sets make.
    """

    def __init__(
        self, database: Database, connection: sa.Connection, now: str, ids: Iterator[int], link_ids: Iterator[int]
    ) -> None:
        self.database = database
        self.model = database.model
        self.connection = connection
        self.now = now
        self.ids = ids
        self.link_ids = link_ids
        self.tags: dict[Any, int] = {}

    def write(self, intents: Sequence[Intent], change: Change) -> list[Answer]:
        answers: list[Answer] = []
        for intent in intents:
            id_ = next(self.ids)
            match intent:
                case Create():
                    answer = self._create(intent, id_, change)
                case Update():
                    answer = self._change(intent, change)
                case Delete():
                    answer = self._delete(intent, change)
            answers.append(answer)
            if isinstance(intent, Create) and intent.tag is not None:
                self.tags[intent.tag] = answer[1]
        return answers

    def _create(self, intent: Create, id_: int, change: Change) -> Answer:
        cls = self.model[intent.cls]
        if refused := self._refused_references(intent.values.values()):
            return ("refused", 0, ("pending_refused",) * refused, ())
        given = self._resolve(intent.values)
        values = {code: bind(cls.attributes[code]).default(self.now) for code in self._codes(cls)} | given
        issues, warnings = self._check(cls, 0, values, set(values))
        if issues:
            return ("refused", 0, tuple(issues), tuple(warnings))
        savepoint, change_id = self.connection.begin_nested(), change.id
        id_ = id_ or 10**7  # to be refused, but its links must be looked at first
        for part in self.model.table_classes(cls.name):
            row: dict[str, Any] = {part.key_column: id_}
            if part.final_class_column:
                row[part.final_class_column] = cls.name
            for code in self._codes(cls):
                if cls.attributes[code].origin == part.name:
                    kind = bind(cls.attributes[code])
                    row |= dict(zip((c.name for c in kind.columns), kind.encode(values[code]), strict=True))
            self._insert(part.name, row)
        for code in self._trees(cls):
            self._insert_node(cls.attributes[code].origin, code, id_, values[code])
        self._record_links(cls, id_, None, values, set(), change)
        _, problems = self._write_links(cls, id_, intent.values, change)
        if problems:
            savepoint.rollback()
            change.id = change_id
            return ("refused", 0, problems, ())
        savepoint.commit()
        self._purge(cls, id_)
        self._operation(change, "CMDBChangeOpCreate", cls.name, id_, {})
        return ("created", id_, (), tuple(warnings))

    def _change(self, intent: Update, change: Change) -> Answer:
        if refused := self._refused_references([intent.id, *intent.values.values()]):
            return ("refused", 0, ("pending_refused",) * refused, ())
        id_ = self.tags[intent.id.tag] if isinstance(intent.id, Pending) else intent.id
        given = self._resolve(intent.values)
        found = self._final_class(intent.cls, id_)
        if found is None:
            return ("refused", id_, ("not_found",), ())
        cls = self.model[found]
        old = self._values(cls, id_)
        changed = {code for code, value in given.items() if not bind(cls.attributes[code]).equal(old[code], value)}
        new = old | given
        issues, warnings = self._check(cls, id_, new, changed) if changed else ([], [])
        if issues:
            return ("refused", id_, tuple(issues), tuple(warnings))
        savepoint, change_id = self.connection.begin_nested(), change.id
        written, problems = self._store(cls, id_, old, new, changed, change, intent.values)
        if problems:
            savepoint.rollback()
            change.id = change_id
            return ("refused", id_, problems, ())
        savepoint.commit()
        return ("updated" if changed or written else "unchanged", id_, (), tuple(warnings))

    def _store(
        self,
        cls: Class,
        id_: int,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        changed: set[str],
        change: Change,
        given: Mapping[str, Any],
    ) -> tuple[bool, tuple[str, ...]]:
        """Store an update, its links and its history; return as :meth:`_write_links`."""
        for code in self._codes(cls):
            if code in changed:
                attribute = cls.attributes[code]
                kind = bind(attribute)
                table = self.database.table(attribute.origin)
                row = dict(zip((c.name for c in kind.columns), kind.encode(new[code]), strict=True))
                self.connection.execute(table.update().where(self._key(attribute.origin) == id_).values(row))
                if code in self._trees(cls):
                    self._move_node(attribute.origin, code, id_, new[code])
        if changed:
            self._record_links(cls, id_, old, new, changed, change)
        answer = self._write_links(cls, id_, given, change)
        for code in self._codes(cls):
            if code in changed:
                self._record_value(cls, id_, code, old[code], new[code], change)
        return answer

    # -- links

    def _write_links(
        self, cls: Class, host: int, given: Mapping[str, Any], change: Change
    ) -> tuple[bool, tuple[str, ...]]:
        """Write n:n links one by one; return whether there was anything to do, and the kinds of what is wrong."""
        done, early, late = False, list[str](), list[tuple[str, ...]]()
        for code, links in given.items():
            if not isinstance(links, LinkSet):
                continue
            link_set = cls.attributes[code]
            name, me = link_set.linked_class or "", link_set.ext_key_to_me or ""
            remote = link_set.ext_key_to_remote or ""
            link = self.model[name]
            for id_ in links.remove:
                ours = id_ in self._ids(link) and self._values(link, id_)[me] == host
                kinds = self._delete(Delete(name, id_), change)[2] if ours else ("not_found",)
                early += kinds
                done = done or not kinds
            for values in links.add:
                other = self._resolve(values)[remote]
                if other and any(self._ends(link, one, me, remote) == (host, other) for one in self._ids(link)):
                    continue
                answer = self._create(Create(name, {**values, me: host}), next(self.link_ids, 10**6), change)
                if links.remove and answer[2]:
                    late.append(answer[2])
                elif not links.remove:
                    early += answer[2]
                done = done or not answer[2]
            for id_, values in links.modify.items():
                ours = id_ in self._ids(link) and self._values(link, id_)[me] == host
                answer = self._change(Update(name, id_, values), change) if ours else ("", 0, ("not_found",), ())
                early += answer[2]
                done = done or answer[0] == "updated"
        return done, tuple(sorted(early)) if early else next(iter(late), ())

    def _ends(self, link: Class, id_: int, me: str, remote: str) -> tuple[int, int]:
        values = self._values(link, id_)
        return values[me], values[remote]

    # -- deletions

    def _delete(self, intent: Delete, change: Change) -> Answer:
        if refused := self._refused_references([intent.id]):
            return ("refused", 0, ("pending_refused",) * refused, ())
        id_ = self.tags[intent.id.tag] if isinstance(intent.id, Pending) else intent.id
        found = self._final_class(intent.cls, id_)
        if found is None:
            return ("refused", id_, ("not_found",), ())
        goes: list[Node] = [(found, id_)]
        manual: list[Node] = []
        resets: dict[Node, set[str]] = {}
        self._plan((found, id_), goes, manual, resets)
        resets = {node: codes for node, codes in resets.items() if node not in goes and node not in manual}
        issues = ["manual" for node in manual if node not in goes]
        for (name, other), codes in resets.items():
            cls = self.model[name]
            issues += self._check(cls, other, self._values(cls, other) | dict.fromkeys(codes, 0), codes)[0]
        if issues:
            return ("refused", id_, tuple(sorted(issues)), ())
        names = {node: friendly_names(self.database, self.connection, node[0], [node[1]])[node[1]] for node in goes}
        for name in dict.fromkeys(name for name, _ in goes):
            for node in goes:
                if node[0] == name:
                    self._remove(node, names[node], change)
        for (name, other), codes in resets.items():
            cls = self.model[name]
            old = self._values(cls, other)
            self._store(cls, other, old, old | dict.fromkeys(codes, 0), codes, change, {})
        return ("deleted", id_, (), ())

    def _plan(self, node: Node, goes: list[Node], manual: list[Node], resets: dict[Node, set[str]]) -> None:
        for key in self._keys_to(self.model[node[0]]):
            for other in self._pointing(key, node[1]):
                if key.nullable:
                    resets.setdefault(other, set()).add(key.code)
                elif key.on_target_delete is OnTargetDelete.MANUAL:
                    if other not in manual:
                        manual.append(other)
                elif other not in goes:
                    goes.append(other)
                    self._plan(other, goes, manual, resets)

    def _keys_to(self, cls: Class) -> Iterator[Attribute]:
        for name in cls.lineage:
            for owner in self.model.values():
                for key in owner.attributes.values():
                    own = key.is_external_key and key.is_stored and key.origin == owner.name and key.target == name
                    if own and key.on_target_delete is not OnTargetDelete.NONE:
                        yield key

    def _pointing(self, key: Attribute, id_: int) -> list[Node]:
        """Return the objects that point to one with a key, by name."""
        column = self.database.table(key.origin).c[key.sql]
        ids = self.connection.execute(sa.select(self._key(key.origin)).where(column == id_)).scalars().all()
        names = friendly_names(self.database, self.connection, self.model[key.origin].root, ids)
        by_name = sorted(ids, key=lambda other: (collation_key(names[other]), other))
        return [(self._final_class(key.origin, other) or "", other) for other in by_name]

    def _remove(self, node: Node, friendly_name: str, change: Change) -> None:
        name, id_ = node
        cls = self.model[name]
        values = self._values(cls, id_)
        for code in self._trees(cls):
            self._move_node(cls.attributes[code].origin, code, id_, 0)
        for part in self.model.table_classes(name):
            self.connection.execute(self.database.table(part.name).delete().where(self._key(part.name) == id_))
        self._purge(cls, id_)
        self._record_links(cls, id_, values, values, set(), change, removed=True)
        self._operation(change, "CMDBChangeOpDelete", cls.root, id_, {"fclass": name, "fname": friendly_name[:255]})

    def _purge(self, cls: Class, id_: int) -> None:
        head = self.database.table("CMDBChangeOp")
        query = sa.select(head.c.id, head.c.optype, head.c.objclass).where(head.c.objkey == id_)
        for operation_id, kind, of in self.connection.execute(query).all():
            if of == cls.name or (of == cls.root and kind == "CMDBChangeOpDelete"):
                for part in self.model.table_classes(kind):
                    table = self.database.table(part.name)
                    self.connection.execute(table.delete().where(self._key(part.name) == operation_id))

    # -- checks

    def _check(self, cls: Class, id_: int, values: Mapping[str, Any], codes: set[str]) -> tuple[list[str], list[str]]:
        issues: list[str] = []
        warnings: list[str] = []
        for rule in cls.uniqueness_rules:
            if self._is_taken(rule, id_, values):
                (issues if rule.blocking else warnings).append("not_unique")
        for code in codes:
            attribute, value = cls.attributes[code], values[code]
            kind = bind(attribute)
            if kind.is_null(value):
                if not attribute.nullable:
                    issues.append("null")
            elif refused := kind.check(value):
                issues.append(refused.kind.value)
            elif (
                attribute.is_external_key and self._final_class(self.model[attribute.target or ""].root, value) is None
            ):
                issues.append("target_not_found")
            elif attribute.type == "AttributeHierarchicalKey" and id_ in self._with_ancestors(
                attribute.origin, code, value
            ):
                issues.append("value_not_allowed")
        return sorted(issues), sorted(warnings)

    def _is_taken(self, rule: UniquenessRule, id_: int, values: Mapping[str, Any]) -> bool:
        cls = self.model[rule.root_class]
        holds = CONDITIONS[rule.filter] if rule.filter else lambda _: True
        for other in self._ids(cls):
            theirs = self._values(cls, other)
            same = all(self._same(cls, code, values[code], theirs[code]) for code in rule.attributes)
            if same and other != id_ and holds(theirs):
                return True
        return False

    def _same(self, cls: Class, code: str, one: Any, other: Any) -> bool:
        if bind(cls.attributes[code]).columns[0].kind in TEXT_KINDS:
            return collation_key(one) == collation_key(other)
        return bool(one == other)

    # -- nested sets, by iTop's arithmetic on the rows

    def _insert_node(self, cls: str, code: str, id_: int, parent: int) -> None:
        left, right = self._sides(cls, code)
        if parent:
            place = self._number(cls, right, parent)
            self._shift(cls, right, right >= place, 2)
            self._shift(cls, left, left > place, 2)
        else:
            place = self._highest(right) + 1
        self._set_node(cls, id_, {left.name: place, right.name: place + 1})

    def _move_node(self, cls: str, code: str, id_: int, parent: int) -> None:
        left, right = self._sides(cls, code)
        first, last = self._number(cls, left, id_), self._number(cls, right, id_)
        size = last - first + 1
        key = self._key(cls)
        branch = list(self.connection.execute(sa.select(key).where(left >= first, left <= last)).scalars())
        outside = key.not_in(branch)
        for side in (left, right):
            self._shift(cls, side, sa.and_(outside, side > last), -size)
        if parent:
            target = self._number(cls, right, parent)
            for side in (left, right):
                self._shift(cls, side, sa.and_(outside, side >= target), size)
        else:
            others = self.connection.execute(sa.select(sa.func.max(right)).where(outside)).scalar() or 0
            target = max(others, last) + 1
        for side in (left, right):
            self._shift(cls, side, key.in_(branch), target - first)

    def _with_ancestors(self, cls: str, code: str, id_: int) -> set[int]:
        table, found = self.database.table(cls), set[int]()
        while id_ and id_ not in found:
            found.add(id_)
            id_ = self.connection.execute(sa.select(table.c[code]).where(self._key(cls) == id_)).scalar() or 0
        return found

    def _sides(self, cls: str, code: str) -> tuple[sa.Column[int], sa.Column[int]]:
        table = self.database.table(cls)
        return table.c[f"{code}_left"], table.c[f"{code}_right"]

    def _number(self, cls: str, side: sa.Column[int], id_: int) -> int:
        return int(self.connection.execute(sa.select(side).where(self._key(cls) == id_)).scalar_one())

    def _highest(self, right: sa.Column[int]) -> int:
        return int(self.connection.execute(sa.select(sa.func.max(right))).scalar() or 0)

    def _shift(self, cls: str, side: sa.Column[int], where: sa.ColumnElement[bool], by: int) -> None:
        self.connection.execute(self.database.table(cls).update().where(where).values({side.name: side + by}))

    def _set_node(self, cls: str, id_: int, numbers: Mapping[str, int]) -> None:
        self.connection.execute(self.database.table(cls).update().where(self._key(cls) == id_).values(numbers))

    # -- history

    def _record_value(self, cls: Class, id_: int, code: str, old: Any, new: Any, change: Change) -> None:
        kind = bind(cls.attributes[code])
        if not cls.attributes[code].tracked:
            return
        operation = f"CMDBChangeOpSetAttribute{kind.history.value}"
        if kind.history in {HistoryKind.SCALAR, HistoryKind.URL}:
            columns = {"oldvalue": kind.history_text(old)[:255], "newvalue": kind.history_text(new)[:255]}
        else:
            columns = {"prevdata": kind.history_text(old)}
        self._operation(change, operation, cls.name, id_, {"attcode": code, **columns})

    def _record_links(
        self,
        cls: Class,
        id_: int,
        old: Mapping[str, Any] | None,
        new: Mapping[str, Any],
        changed: set[str],
        change: Change,
        *,
        removed: bool = False,
    ) -> None:
        for code, key in cls.attributes.items():
            link_sets = self.model[key.target].attributes.values() if key.is_external_key and key.target else ()
            for link_set in link_sets:
                if link_set.linked_class not in cls.lineage or link_set.ext_key_to_me != code:
                    continue
                remote = link_set.ext_key_to_remote
                item = (cls.attributes[remote].target, new[remote]) if remote else (cls.name, id_)
                details = {"attcode": link_set.code, "item_class": item[0], "item_id": item[1]}
                events: list[tuple[str, int, dict[str, Any]]] = []
                if removed:
                    if link_set.tracking_level & 1:
                        events.append(("AddRemove", new[code], {"type": "removed"}))
                elif link_set.tracking_level & 1 and (old is None or code in changed):
                    events.append(("AddRemove", new[code], {"type": "added"}))
                    if old is not None:
                        events.append(("AddRemove", old[code], {"type": "removed"}))
                elif link_set.tracking_level & 2 and old is not None and code not in changed:
                    events.append(("Tune", new[code], {"link_id": id_}))
                for event, host, more in events:
                    final = self._target_class(cls, code, host) if host else None
                    if final is not None:
                        name = f"CMDBChangeOpSetAttributeLinks{event}"
                        self._operation(change, name, final, host, {**details, **more})

    def _operation(self, change: Change, operation: str, cls: str, id_: int, columns: Mapping[str, Any]) -> None:
        if change.id is None:
            row = {"date": self.now, "userinfo": change.userinfo, "user_id": change.user_id, "origin": change.origin}
            change.id = self._insert("CMDBChange", row)
        values: dict[str, Any] = {"changeid": change.id, "objclass": cls, "objkey": id_, "optype": operation, **columns}
        operation_id: int | None = None
        for part in self.model.table_classes(operation):
            table = self.database.table(part.name)
            names = [column.name for column in table.columns]
            row = {name: value for name, value in values.items() if name in names}
            operation_id = self._insert(part.name, row if operation_id is None else row | {"id": operation_id})

    # -- rows

    def _codes(self, cls: Class) -> list[str]:
        return [code for code, a in cls.attributes.items() if a.is_stored and code != "finalclass"]

    def _trees(self, cls: Class) -> list[str]:
        return [code for code in self._codes(cls) if cls.attributes[code].type == "AttributeHierarchicalKey"]

    def _key(self, cls: str) -> sa.Column[int]:
        return self.database.table(cls).c[self.model[cls].key_column]

    def _ids(self, cls: Class) -> list[int]:
        return list(self.connection.execute(sa.select(self._key(cls.name))).scalars())

    def _insert(self, cls: str, row: Mapping[str, Any]) -> int:
        result = self.connection.execute(self.database.table(cls).insert().values(row))
        (key,) = result.inserted_primary_key or (0,)
        return int(key)

    def _final_class(self, cls: str, id_: int) -> str | None:
        root = self.model[self.model[cls].root]
        table = self.database.table(root.name)
        column = table.c[root.final_class_column] if root.final_class_column else sa.literal(root.name)
        found = self.connection.execute(sa.select(column).where(self._key(root.name) == id_)).scalar()
        return found if found is not None and cls in self.model[found].lineage else None

    def _target_class(self, cls: Class, code: str, id_: int) -> str | None:
        """Return the final class of the target of a key: any row of the target's root table will do."""
        return self._final_class(self.model[cls.attributes[code].target or ""].root, id_)

    def _values(self, cls: Class, id_: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for part in self.model.table_classes(cls.name):
            table = self.database.table(part.name)
            row = self.connection.execute(table.select().where(self._key(part.name) == id_)).mappings().one()
            for code in self._codes(cls):
                if cls.attributes[code].origin == part.name:
                    kind = bind(cls.attributes[code])
                    values[code] = kind.decode([row[column.name] for column in kind.columns])
        return values

    def _refused_references(self, values: Iterable[Any]) -> int:
        return sum(isinstance(value, Pending) and not self.tags[value.tag] for value in values)

    def _resolve(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            code: self.tags[v.tag] if isinstance(v, Pending) else v
            for code, v in given.items()
            if not isinstance(v, LinkSet)
        }
