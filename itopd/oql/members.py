"""One ``SELECT`` -> FROM, WHERE and the sources of its aliases (``spec/oql.md`` §6.2, §6.3, §7.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from itopd.database import Database
from itopd.datamodel import Class
from itopd.errors import OqlError
from itopd.oql.arguments import Argument, Arguments, ObjectReference
from itopd.oql.attributes import AttributeReader
from itopd.oql.dialect import Dialect
from itopd.oql.expressions import Expressions
from itopd.oql.joins import Branch, Joined, cut, determined, merged
from itopd.oql.names import names_below, nearest
from itopd.oql.reader import Reader
from itopd.oql.resolve import is_outer
from itopd.oql.sources import Source, Tables
from itopd.oql.tree import Expression, Field, Join, Logical, Number, Parameter, Query, Union, members, walk
from itopd.oql.values import Sql, Statement, Value, all_of, any_of, certain, infix, number

_EQUALS = "="
_TREE = {
    "BELOW": (("left", ">=", "left"), ("left", "<=", "right")),
    "BELOW STRICT": (("left", ">", "left"), ("left", "<", "right")),
    "ABOVE": (("left", "<=", "left"), ("right", ">=", "right")),
    "ABOVE STRICT": (("left", "<", "left"), ("right", ">", "right")),
}
"""Tests between the nested-set numbers of the left and of the right object; all must hold (§6.3)."""
_OPPOSITE = {">=": "<", "<=": ">", ">": "<=", "<": ">="}


@dataclass(frozen=True)
class Member:
    """A compiled ``SELECT``, to which more columns may still be asked for before it is rendered."""

    query: Query
    sources: Mapping[str, Source]
    """Own aliases only."""
    conditions: tuple[Sql, ...]
    _root: Joined
    is_distinct: bool
    """Whether its rows are distinct on the selected ids without ``DISTINCT``."""

    def selected(self) -> list[Source]:
        """Return the sources of the selected aliases."""
        return [self.sources[alias.text] for alias in self.query.selected]

    def select(self, *columns: Sql) -> Statement:
        """Return the statement, once all columns have been asked for."""
        tables = self._root.alone()
        restriction = self._root.source.restriction()
        conditions = [*self.conditions, *([restriction] if restriction is not None else [])]
        statement = sa.select(*columns).select_from(tables)
        return statement.where(all_of(conditions)) if conditions else statement

    def tables(self) -> list[sa.FromClause]:
        """Return all its own tables; other tables in its expressions belong to enclosing queries."""
        return [table for source in self.sources.values() for table in source.all_tables()]


class MemberCompiler:
    """Compiles members and nested queries for one database, one reader and one set of arguments."""

    def __init__(
        self, database: Database, dialect: Dialect, given: Mapping[str, Argument], reader: Reader, now: str
    ) -> None:
        self.tables = Tables(database)
        self.dialect = dialect
        self._reader = reader
        self._now = now
        self._arguments = Arguments(given, self._read_reference, reader.arguments())
        self.attributes = AttributeReader(dialect, self._rule)

    def compile(
        self, query: Query, outer: Mapping[str, Source], *, nested: bool = False, filtered: bool = True
    ) -> Member:
        """Compile a resolved ``SELECT``; ``outer`` are the aliases of the enclosing queries.

        Unless ``filtered``, it sees everything.
        """
        strict = filtered and self._reader.strict
        root = Joined(query.alias.text, self.source(query.cls.text, optional=False, strict=strict))
        joined = {query.alias.text: root}
        for join in query.joins:
            self._join(join, joined, strict=strict)
        sources = {alias: node.source for alias, node in joined.items()}
        scope = {**outer, **sources}

        def lookup(field: Field) -> Value:
            return self.attributes.read(scope[field.alias.text if field.alias else ""], field.name.text)

        def nested_ids(tree: Query | Union) -> sa.SelectBase:
            return self._ids(tree, scope, filtered=filtered)

        expressions = Expressions(self.dialect, self._arguments, self._now, lookup, nested_ids)
        kept = determined(query)
        is_distinct = kept >= set(sources)
        branches: list[Branch] = []
        if not is_distinct and not nested and (split := cut(root, kept)):
            is_distinct, (root, branches) = True, split
        placed = _Placed([], branches)
        for node in _conjuncts(query.where):
            placed.add(expressions.condition(node), _aliases(node) & set(sources) if branches else set())
        selected = {alias.text for alias in query.selected}
        for alias, source in sources.items() if filtered else ():
            filters: Iterator[Expression] = iter(())
            if alias in selected:
                filters = self._reader.filters(source.cls, nested=nested)
            elif strict and not source.optional:
                filters = self._reader.rights(source.cls)
            for condition in filters:
                placed.add(self.dialect.as_truth(self._rule(source, condition)), {alias})
        return Member(query, sources, tuple(placed.conditions()), root, is_distinct)

    def source(self, cls: str, *, optional: bool, strict: bool | None = None) -> Source:
        """Return a new source of objects of a class; ``strict`` rights hold where its keys lead, or the reader's do."""
        sight = self._sight if (self._reader.strict if strict is None else strict) else None
        return Source(self.tables, self.tables.model[cls], optional=optional, sight=sight)

    def _sight(self, cls: Class, id_: Sql) -> Sql | None:
        """Return the condition under which the reader may see the object of a class that has an id."""
        rights = list(self._reader.rights(cls))
        if not rights:
            return None
        if Number(0) in rights:
            return certain(False)
        source = self.source(cls.name, optional=False, strict=False)
        conditions = [self.dialect.as_truth(self._rule(source, condition)) for condition in rights]
        visible = sa.select(source.id).select_from(source.joined()).where(all_of(conditions))
        return infix(id_, "IN", visible.correlate(None).scalar_subquery())

    def _rule(self, source: Source, condition: Expression) -> Value:
        """Return what a condition with unqualified names is worth for one object; rules see every object."""
        source = source.unfiltered()

        def lookup(field: Field) -> Value:
            return self.attributes.read(source, field.name.text)

        def nested_ids(tree: Query | Union) -> sa.SelectBase:
            return self._ids(tree, {}, filtered=False)

        return Expressions(self.dialect, self._arguments, self._now, lookup, nested_ids).value(condition)

    def _read_reference(self, reference: ObjectReference, parameter: Parameter) -> Value:
        """Return an attribute of a referenced object, which may be of a subclass: a scalar subquery."""
        source, code = self.source(reference.cls, optional=False, strict=False), parameter.attribute or ""
        names = names_below(source.cls, self.tables.model)
        if code not in names:
            raise OqlError(
                "unknown_attribute",
                f"class {reference.cls} has no attribute '{code}' that a query can use",
                word=code,
                position=parameter.position,
                suggestion=nearest(code, names),
            )
        value = self.attributes.read(source.narrowed(names[code]), code)
        statement = sa.select(value.sql).select_from(source.joined()).where(source.id == number(reference.id).sql)
        return Value(
            statement.correlate(None).scalar_subquery(), value.kind, codes=value.codes, unsigned=value.unsigned
        )

    def _ids(self, tree: Query | Union, outer: Mapping[str, Source], *, filtered: bool) -> sa.SelectBase:
        """Return the ids that a nested query selects, without nulls."""
        selects = []
        for query in members(tree):
            member = self.compile(query, outer, nested=True, filtered=filtered)
            source = member.selected()[0]
            statement = member.select(source.id)
            if source.optional:
                statement = statement.where(source.id.is_not(None))
            selects.append(statement.correlate_except(*member.tables()))
        return selects[0] if len(selects) == 1 else sa.union_all(*selects)

    def _join(self, join: Join, joined: dict[str, Joined], *, strict: bool) -> None:
        """Add a join to the tree of joins."""
        left, right = (side.alias.text if side.alias else "" for side in (join.left, join.right))
        parent = joined[right if left == join.alias.text else left]
        # Whether it is outer depends on the class that holds the key: when the joined class does, it never is.
        outer = left != join.alias.text and is_outer(join, joined[left].source.cls)
        source = self.source(join.cls.text, optional=outer or parent.source.optional, strict=strict)
        node = Joined(join.alias.text, source, outer=outer)
        joined[join.alias.text] = node
        key = joined[left].source.cls.attributes[join.left.name.text]
        if left == join.alias.text or join.operator != _EQUALS:
            node.anchor = key.origin
        node.condition = self._condition(join, joined[left].source, joined[right].source)
        if join.operator == _EQUALS and key.type != "AttributeObjectKey":
            sides = joined[left].source.column(key.origin, key.sql), joined[right].source.id
            node.equal = sides if parent is joined[left] else (sides[1], sides[0])
        if strict and source.optional:
            # What may be missing is missing when it is not to be seen; else the condition of the whole query hides it.
            seen = self._sight(source.cls, source.id_at(node.anchor) if node.anchor else source.id)
            node.condition = node.condition if seen is None else all_of([node.condition, seen])
        parent.children.append(node)

    def _condition(self, join: Join, left: Source, right: Source) -> Sql:
        key = left.cls.attributes[join.left.name.text]
        if join.operator == _EQUALS:
            same = left.column(key.origin, key.sql) == right.id
            if key.type != "AttributeObjectKey":
                return same
            holder = left.cls.attributes[key.class_attribute or ""]
            return all_of([same, left.column(holder.origin, holder.sql).in_(right.cls.subclasses)])
        negated = join.operator.startswith("NOT ")
        tests = []
        for own, operator, other in _TREE[join.operator.removeprefix("NOT ")]:
            sides = (left.column(key.origin, f"{key.sql}_{own}"), right.column(key.origin, f"{key.sql}_{other}"))
            tests.append(infix(sides[0], _OPPOSITE[operator] if negated else operator, sides[1]))
        return any_of(tests) if negated else all_of(tests)


@dataclass(slots=True)
class _Placed:
    """Conditions, each where its aliases are: at the top, or in the branch that is cut off."""

    top: list[Sql]
    branches: list[Branch]

    def add(self, condition: Sql, aliases: set[str]) -> None:
        """Put a condition on these aliases where it belongs; branches that it brings together become one."""
        touched = [branch for branch in self.branches if not aliases.isdisjoint(branch.aliases())]
        if not touched:
            self.top.append(condition)
            return
        self.branches = [branch for branch in self.branches if branch not in touched]
        branch = merged(touched)
        self.branches.append(branch)
        branch.conditions.append(condition)
        branch.independent = branch.independent and aliases <= branch.aliases()

    def conditions(self) -> list[Sql]:
        """Return what holds for the rows at the top."""
        return [*self.top, *(branch.exists() for branch in self.branches)]


def _conjuncts(where: Expression | None) -> Sequence[Expression]:
    """Return conditions that must all hold."""
    if where is None:
        return ()
    return where.operands if isinstance(where, Logical) and where.operator == "AND" else (where,)


def _aliases(node: Expression) -> set[str]:
    """Return the aliases that a condition is about, those of nested queries included."""
    return {n.alias.text for n, _depth in walk(node) if isinstance(n, Field) and n.alias}
