"""Tree -> resolved tree: the checks of ``spec/oql.md`` §3, in the order given there; the first failure is reported.

The resolved tree is the same tree with every attribute qualified. A query that passes never yields an SQL error: what
iTop leaves to the database (arity of functions, several columns in a nested query, full-text search of a column
without words) is found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NoReturn

from itopd.datamodel import Attribute, Class, Model
from itopd.errors import OqlError
from itopd.oql.functions import FUNCTIONS
from itopd.oql.names import ID, names_below, nearest, usable_names
from itopd.oql.parser import KEPT_LENGTH
from itopd.oql.places import locating
from itopd.oql.regexps import check_pattern
from itopd.oql.tree import (
    Binary,
    Expression,
    Field,
    Function,
    In,
    InQuery,
    Interval,
    Join,
    Logical,
    Matches,
    Name,
    Number,
    Parameter,
    Query,
    Text,
    Union,
    members,
    walk,
)

_MAGIC_OBJECTS = {"current_contact": "Contact", "current_user": "User"}
MAGIC = frozenset({"current_contact_id", "current_contact", "current_user"})
"""Parameters that come from the connected account, never from the caller (§5)."""

_COMPARISONS = frozenset({"=", "!=", "<", ">", "<=", ">=", "LIKE", "NOT LIKE", "REGEXP"})
_SETS = frozenset({"AttributeTagSet", "AttributeEnumSet", "AttributeClassAttCodeSet", "AttributeQueryAttCodeSet"})
_TEXTS = frozenset(
    {
        "AttributeString",
        "AttributeText",
        "AttributeLongText",
        "AttributeHTML",
        "AttributeCaseLog",
        "AttributeTemplateString",
        "AttributeTemplateText",
        "AttributeTemplateHTML",
        "AttributeOQL",
    }
)


@dataclass(frozen=True, slots=True)
class Selected:
    """A selected alias and the class of its objects; for a union the lowest common ancestor."""

    alias: str
    cls: str


@dataclass(frozen=True, slots=True)
class Hint:
    """Something legal that is probably not what the author meant."""

    kind: str
    """``arithmetic_after_comparison`` or ``outer_join``."""
    message: str
    position: int


@dataclass(frozen=True)
class ResolvedQuery:
    """A query whose every name is known."""

    tree: Query | Union
    """With every attribute qualified."""
    model: Model
    selected: tuple[Selected, ...]
    parameters: tuple[str, ...]
    """What the caller must supply, each once: ``name`` or ``name->attribute``, without the magic ones (§5)."""
    hints: tuple[Hint, ...]
    depth: int
    """How many levels of expressions are nested."""
    size: int
    """How many nodes all its expressions have."""


def resolve(tree: Query | Union, model: Model) -> ResolvedQuery:
    """Check a query against a model and qualify its attributes; raise :class:`OqlError` at the first failure."""
    asked = _Asked(tree, model)
    return _recent(asked) if len(tree.source) <= KEPT_LENGTH else _resolve(asked)


@dataclass(frozen=True, eq=False, slots=True)
class _Asked:
    """The very same tree and model: the parser gives one tree for one text."""

    tree: Query | Union
    model: Model

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self.tree is other.tree and self.model is other.model

    def __hash__(self) -> int:
        return hash((id(self.tree), id(self.model)))


def _resolve(asked: _Asked) -> ResolvedQuery:
    tree, model = asked.tree, asked.model
    with locating(tree.source or None):
        resolved = _Resolver(model).tree(tree, {})
    nodes = list(walk(resolved))
    used = [node for node, _depth in nodes if isinstance(node, Parameter)]
    return ResolvedQuery(
        resolved,
        model,
        _selected(resolved, model),
        tuple(dict.fromkeys(p.text for p in used if p.name not in MAGIC)),
        tuple(_hints(resolved, model)),
        max((depth for _node, depth in nodes), default=0),
        len(nodes),
    )


_recent = lru_cache(maxsize=512)(_resolve)


@dataclass(frozen=True)
class _Resolver:
    model: Model

    def tree(self, tree: Query | Union, outer: Mapping[str, str]) -> Query | Union:
        """Resolve a query or union; ``outer`` are the aliases of the enclosing queries with their classes."""
        if isinstance(tree, Query):
            return self.query(tree, outer)
        union = replace(tree, members=tuple(self.query(member, outer) for member in tree.members))
        _selected(union, self.model)
        return union

    def query(self, query: Query, outer: Mapping[str, str]) -> Query:
        """Resolve one member."""
        self.cls(query.cls)
        scope = {query.alias.text: query.cls.text}
        for join in query.joins:
            self.join(join, scope, outer)
        for alias in query.selected:
            if alias.text not in scope:
                _fail_alias(alias, scope, "in the list of selected aliases")
        if query.where is None:
            return query
        return replace(query, where=self.expression(query.where, {**outer, **scope}))

    def cls(self, name: Name) -> Class:
        """Return a class that exists."""
        if name.text not in self.model:
            _fail("unknown_class", f"unknown class '{name}'", name.text, name.position, self.model)
        return self.model[name.text]

    def join(self, join: Join, scope: dict[str, str], outer: Mapping[str, str]) -> None:
        """Check one join and add its alias to ``scope``."""
        cls = self.cls(join.cls)
        alias = join.alias.text
        if alias in scope or alias in outer:
            what = "alias" if join.alias.position != join.cls.position else "class name (give it an alias with AS)"
            _fail("duplicate_alias", f"'{alias}' is already used: duplicate {what}", alias, join.alias.position)
        if join.right.name.text != ID:
            _fail_join(join.right.name, "the right-hand side of ON must be <alias>.id")
        scope[alias] = cls.name
        for side, words in ((join.left, "left"), (join.right, "right")):
            name = side.alias or Name("")  # iTop reports an alias that is not there at 0
            if name.text not in scope:
                what = f"unknown alias '{name}'" if side.alias else f"'{side.name}' needs an alias"
                _fail("bad_join", f"{what} on the {words} of ON", name.text, name.position, scope)
        left, right = _alias(join.left), _alias(join.right)
        if alias not in {left, right}:
            _fail_join(join.left.alias or join.left.name, f"ON must tie the new alias '{alias}' to an earlier one")
        self.key(join, self.model[scope[left]], scope[right])

    def key(self, join: Join, holder: Class, joined: str) -> None:
        """Check the key on the left of ON against the class on its right."""
        name = join.left.name
        key = holder.attributes.get(name.text)
        if key is None or not (key.is_external_key or key.type == "AttributeObjectKey"):
            keys = [a.code for a in holder.attributes.values() if a.is_external_key or a.type == "AttributeObjectKey"]
            _fail("bad_join", f"'{name}' is no key of class {holder.name}", name.text, name.position, keys)
        if key.target is not None:
            related = self.model.is_a(joined, key.target) or self.model.is_a(key.target, joined)
            if not related:
                _fail_join(name, f"class {joined} is not compatible with key '{name}', which points to {key.target}")
        if join.operator != "=" and key.type != "AttributeHierarchicalKey":
            _fail_join(name, f"{join.operator} needs a hierarchical key, and '{name}' is none")
        if join.operator != "=" and name.text not in self.model[joined].attributes:
            _fail_join(name, f"class {joined} has no hierarchy '{name}' of its own")

    def expression(self, node: Expression, scope: Mapping[str, str]) -> Expression:
        """Qualify the attributes of an expression, left to right."""
        match node:
            case Field():
                return self.field(node, scope)
            case Binary():
                if node.operator == "REGEXP" and isinstance(node.right, Text):
                    check_pattern(node.right.value, node.right.position)
                left = self.expression(node.left, scope)
                return replace(node, left=left, right=self.expression(node.right, scope))
            case Logical():
                return replace(node, operands=tuple([self.expression(n, scope) for n in node.operands]))
            case In():
                operand = self.expression(node.operand, scope)
                return replace(node, operand=operand, items=tuple([self.expression(n, scope) for n in node.items]))
            case InQuery():
                operand = self.expression(node.operand, scope)
                return replace(node, operand=operand, query=self.nested(node, scope))
            case Matches():
                return self.matches(node, scope)
            case Function():
                _check_call(node)
                return replace(node, arguments=tuple([self.expression(n, scope) for n in node.arguments]))
            case Interval():
                return replace(node, amount=self.expression(node.amount, scope))
            case Parameter():
                return self.parameter(node)
            case _:
                return node

    def parameter(self, node: Parameter) -> Parameter:
        """Check the attribute of the connected account or of its contact."""
        cls = _MAGIC_OBJECTS.get(node.name)
        if node.attribute is not None and cls is not None and cls in self.model:
            names = names_below(self.model[cls], self.model)
            if node.attribute not in names:
                _fail_attribute(Name(node.attribute, node.position), f"of class {cls}", names)
        return node

    def nested(self, node: InQuery, scope: Mapping[str, str]) -> Query | Union:
        """Resolve a nested query, which must select one alias."""
        query = self.tree(node.query, scope)
        first = members(query)[0]
        if len(first.selected) != 1:
            second = first.selected[1]
            _fail("bad_nested", "a nested query must select one alias", second.text, second.position)
        return query

    def field(self, node: Field, scope: Mapping[str, str]) -> Field:
        """Return the attribute with its alias."""
        name = node.name
        if node.alias is not None:
            if node.alias.text not in scope:
                _fail_alias(node.alias, scope, "in the condition")
            cls = self.model[scope[node.alias.text]]
            names = usable_names(cls)
            if name.text not in names:
                _fail_attribute(name, f"of class {cls.name}", names)
            return node
        holders = [alias for alias, cls in scope.items() if name.text in usable_names(self.model[cls])]
        if len(holders) > 1:
            known = ", ".join(f"{alias}.{name}" for alias in holders)
            _fail("ambiguous_attribute", f"'{name}' is ambiguous: write one of {known}", name.text, name.position)
        if not holders:
            known_names = [code for cls in scope.values() for code in usable_names(self.model[cls])]
            _fail_attribute(name, f"of {', '.join(dict.fromkeys(scope.values()))}", known_names)
        return Field(Name(holders[0], name.position), name)

    def matches(self, node: Matches, scope: Mapping[str, str]) -> Matches:
        """Check a full-text search: a set or a text on the left, a literal or a parameter on the right."""
        field = self.field(node.field, scope)
        if not isinstance(node.words, Text | Number | Parameter):
            word = node.words.name.text if isinstance(node.words, Field) else None
            _fail("bad_matches", "MATCHES needs a literal or a parameter on its right", word, node.words.position)
        attribute = self.searched(field, scope)
        if attribute is None or attribute.type not in _SETS | _TEXTS:
            name = field.name
            _fail("bad_matches", f"MATCHES searches words, and '{name}' holds none", name.text, name.position)
        return replace(node, field=field)

    def searched(self, field: Field, scope: Mapping[str, str]) -> Attribute | None:
        """Return the stored attribute behind a field, through external fields."""
        cls = self.model[scope[_alias(field)]]
        attribute = usable_names(cls)[field.name.text]
        while attribute is not None and attribute.is_external_field:
            target = self.model[cls.attributes[attribute.key or ""].target or ""]
            cls, attribute = target, target.attributes[attribute.target_attcode or ""]
        return attribute


def _check_call(node: Function) -> None:
    signature = FUNCTIONS[node.name]
    count = len(node.arguments)
    if count < signature.least or (signature.most is not None and count > signature.most):
        if signature.most is None:
            wanted = f"at least {signature.least}"
        elif signature.most == signature.least:
            wanted = str(signature.least)
        else:
            wanted = f"{signature.least} to {signature.most}"
        _fail("bad_function", f"{node.name} takes {wanted} arguments, not {count}", node.name, node.position)
    for index, argument in enumerate(node.arguments):
        if isinstance(argument, Interval) != (signature.interval and index == 1):
            what = (
                "needs INTERVAL <number> <unit> as its second argument"
                if signature.interval
                else "takes no INTERVAL; only DATE_ADD and DATE_SUB do"
            )
            _fail("bad_function", f"{node.name} {what}", node.name, node.position)


def _selected(tree: Query | Union, model: Model) -> tuple[Selected, ...]:
    """Return the selected aliases with the classes of their objects; check the members of a union (§3.3)."""
    first, *others = members(tree)
    classes = [first.classes()[alias.text] for alias in first.selected]
    for member in others:
        if len(member.selected) != len(classes):
            what = "few" if len(member.selected) < len(classes) else "many"
            _fail(
                "union_mismatch",
                f"too {what} selected aliases in this member of the union: {len(member.selected)}, not {len(classes)}",
                member.cls.text,
                member.cls.position,
            )
        own = member.classes()
        for index, alias in enumerate(member.selected):
            common = common_ancestor(model, classes[index], own[alias.text])
            if common is None:
                _fail(
                    "union_mismatch",
                    f"classes {classes[index]} and {own[alias.text]} have no common ancestor",
                    member.cls.text,
                    member.cls.position,
                )
            classes[index] = common
    return tuple(Selected(alias.text, cls) for alias, cls in zip(first.selected, classes, strict=True))


def common_ancestor(model: Model, left: str, right: str) -> str | None:
    """Return the lowest class that both classes are or descend from, or ``None``."""
    shared = [a for a, b in zip(model[left].lineage, model[right].lineage, strict=False) if a == b]
    return shared[-1] if shared else None


def _hints(tree: Query | Union, model: Model) -> Iterator[Hint]:
    for node, _depth in walk(tree):
        if isinstance(node, Binary) and node.operator in {"+", "-"} and _is_bare_comparison(node.left):
            yield Hint(
                "arithmetic_after_comparison",
                f"'{node.operator}' after a comparison adds to its result; put the sum between parentheses",
                node.position,
            )
    for query in (*members(tree), *_nested_queries(tree)):
        classes = query.classes()
        for join in query.joins:
            if is_outer(join, model[classes[_alias(join.left)]]):
                yield Hint(
                    "outer_join",
                    f"'{join.left.name}' may be unset: objects without it are kept, with no '{join.alias}'",
                    join.cls.position,
                )


def is_outer(join: Join, holder: Class) -> bool:
    """Return whether a join keeps rows without a partner: an optional key of an earlier alias (§6.2)."""
    key = holder.attributes[join.left.name.text]
    return (
        join.operator == "="
        and key.type != "AttributeObjectKey"
        and key.nullable
        and _alias(join.right) == join.alias.text
    )


def _is_bare_comparison(node: Expression) -> bool:
    return isinstance(node, Binary) and node.operator in _COMPARISONS and not node.parenthesised


def _nested_queries(tree: Query | Union) -> Iterator[Query]:
    for node, _depth in walk(tree):
        if isinstance(node, InQuery):
            yield from members(node.query)


def _alias(field: Field) -> str:
    return field.alias.text if field.alias else ""


def _fail_alias(alias: Name, scope: Mapping[str, str], where: str) -> NoReturn:
    _fail("unknown_alias", f"unknown alias '{alias}' {where}", alias.text, alias.position, scope)


def _fail_attribute(name: Name, of: str, known: Iterable[str]) -> NoReturn:
    _fail(
        "unknown_attribute", f"'{name}' is no attribute {of} that a condition can use", name.text, name.position, known
    )


def _fail_join(name: Name, message: str) -> NoReturn:
    _fail("bad_join", message, name.text, name.position)


def _fail(problem: str, message: str, word: str | None, position: int, known: Iterable[str] = ()) -> NoReturn:
    suggestion = nearest(word or "", known)
    if suggestion is not None:
        message += f"; did you mean '{suggestion}'?"
    raise OqlError(problem, message, word=word, position=position, suggestion=suggestion)
