"""Random queries that pass the check, over the classes of which the sample has objects.

They stay where all engines must agree: texts meet texts, numbers meet numbers, dates meet ISO dates. One seed gives one
query, whoever asks::

    text = random_query(random.Random(7), bundled_model())
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from itopd.datamodel import Attribute, Class, Model
from itopd.oql.names import usable_names
from itopd.oql.values import Kind, kind_of, kind_of_stop_watch_item

NOW = "2024-05-06 07:08:09"
"""The instant to run them at."""

CLASSES = (
    "Organization", "Location", "Contact", "Person", "Team", "FunctionalCI", "PhysicalDevice", "ConnectableCI",
    "Server", "NetworkDevice", "Rack", "VirtualDevice", "VirtualMachine", "Hypervisor", "Farm", "SoftwareInstance",
    "DBServer", "DatabaseSchema", "WebApplication", "ApplicationSolution", "lnkPersonToTeam", "Service",
    "ServiceSubcategory", "ServiceFamily", "Typology", "Brand", "Model", "OSVersion", "User", "URP_UserProfile",
    "URP_Profiles", "CMDBChange", "CMDBChangeOp", "lnkApplicationSolutionToFunctionalCI", "Ticket", "UserRequest",
    "DeliveryModel", "CustomerContract", "SLA", "Trigger", "Action", "QueryOQL",
)  # fmt: skip

_HOLDERS = tuple(name for name in CLASSES if not name.startswith("CMDBChange"))
"""Joined by the key that they hold; one change holds hundreds of operations, whose squares would take minutes."""

_WORDS = ("Demo", "e", "SERVER1", "é", "production", "Hardware support", "1", "", " ", "a%", "Paris", "x'y", "straße")
_PATTERNS = ("%", "%e%", "S%", "_erver%", "%1", "%É%", "", "a\\\\%", "demo")
_EXPRESSIONS = ("e", "^s", "[0-9]", "er.*1$", "a|o")
_DATES = ("2024-05-06", "2024-05-06 07:08:09", "2020-01-01", "2030-12-31 23:59:59", "2023-03-01 00:00:00")
_COMPARISONS = ("=", "!=", "<", ">", "<=", ">=")
_TREE = tuple(f"{negation}{side}{strict}" for negation in ("", "NOT ") for side in ("BELOW", "ABOVE")
              for strict in ("", " STRICT"))  # fmt: skip
_MOST_JOINS, _MOST_DEPTH = 3, 3


def random_query(source: random.Random, model: Model) -> str:
    """Return the text of a query."""
    writer = _Writer(source, model)
    query = writer.query(source.choice(CLASSES), {}, _MOST_DEPTH)
    if len(query.selected) == 1 and source.random() < 0.2:
        other = writer.query(source.choice(model[query.cls].subclasses), {}, 1, alone=True)
        return f"{query.text} UNION {other.text}"
    return query.text


def random_condition(source: random.Random, model: Model, cls: str) -> str:
    """Return a condition on the objects of a class, whose attributes are qualified with the class."""
    return _Writer(source, model).condition({cls: cls}, _MOST_DEPTH)


@dataclass(frozen=True, slots=True)
class _Written:
    text: str
    cls: str
    """Class of the first selected alias."""
    selected: Sequence[str]


@dataclass(slots=True)
class _Writer:
    source: random.Random
    model: Model
    count: int = field(default=0)

    def query(self, cls: str, outer: dict[str, str], depth: int, *, alone: bool = False) -> _Written:
        """Return a query on a class, which may use ``outer`` aliases; ``alone``, it selects objects of that class."""
        first = self._alias()
        scope, joins = {first: cls}, []
        for _ in range(self.source.choice((0, 0, 0, 1, 1, _MOST_JOINS))):
            join = self._join(scope)
            if join is not None:
                joins.append(join)
        many = self.source.choice((1, 1, 1, 2))
        selected = [first] if alone else self.source.sample(list(scope), min(many, len(scope)))
        where = f" WHERE {self.condition({**outer, **scope}, depth)}" if self.source.random() < 0.85 else ""
        start = f"SELECT {', '.join(selected)} FROM {cls} AS {first}"
        return _Written("".join((start, *joins, where)), scope[selected[0]], selected)

    def condition(self, scope: dict[str, str], depth: int) -> str:
        """Return something that is true, false or unknown for each tuple of objects."""
        if depth > 0 and self.source.random() < 0.5:
            return self._combined(scope, depth)
        alias = self.source.choice(list(scope))
        code = self.source.choice(list(usable_names(self.model[scope[alias]])))
        if self.source.random() < 0.3:
            code = self.source.choice(("id", "friendlyname"))
        return self._test(f"{alias}.`{code}`", _kind(self.model[scope[alias]], code, self.model), scope)

    def _combined(self, scope: dict[str, str], depth: int) -> str:
        def smaller() -> str:
            return self.condition(scope, depth - 1)

        def nested() -> str:
            cls = self.source.choice(CLASSES)
            negation = self.source.choice(("", "NOT "))
            alias = self.source.choice(list(scope))
            return f"{alias}.id {negation}IN ({self.query(cls, scope, depth - 2, alone=True).text})"

        shapes: Sequence[Callable[[], str]] = (
            lambda: f"({smaller()}) AND ({smaller()})",
            lambda: f"({smaller()}) OR ({smaller()}) OR ({smaller()})",
            lambda: f"({smaller()}) = 0",
            lambda: f"IF({smaller()}, {smaller()}, {smaller()})",
            lambda: f"COALESCE(({smaller()}), {smaller()})",
            lambda: f"(({smaller()}) + ({smaller()})) > 1",
            nested,
        )
        return self.source.choice(shapes)()

    def _test(self, operand: str, kind: Kind, scope: dict[str, str]) -> str:
        if self.source.random() < 0.15:
            return f"ISNULL({operand})"
        match kind:
            case Kind.NUMBER:
                return self._number_test(operand)
            case Kind.DATE | Kind.DATETIME:
                return self._date_test(operand)
            case Kind.ENUM:
                return self._enum_test(operand, scope)
            case _:
                return self._text_test(operand)

    def _number_test(self, operand: str) -> str:
        number = self.source.choice((0, 1, 2, 3, 5, 8, 20, 39, 100))
        return self.source.choice(
            (
                f"{operand} {self.source.choice(_COMPARISONS)} {number}",
                f"{operand} IN ({number}, {number + 1}, 0x3)",
                f"{operand} NOT IN ({number}, {number + 2})",
                f"({operand} + {number}) > 5",
                f"{operand} * 2 = {number}",
                f"({operand} & {number}) = {number}",
                f"ROUND({operand} / 3) = {number}",
                f"{operand} < {number} < 1",
            )
        )

    def _text_test(self, operand: str) -> str:
        word = self._text(_WORDS)
        return self.source.choice(
            (
                f"{operand} {self.source.choice(_COMPARISONS)} {word}",
                f"{operand} IN ({word}, {self._text(_WORDS)})",
                f"{operand} NOT IN ({word}, 'Demo')",
                f"{operand} {self.source.choice(('LIKE', 'NOT LIKE'))} '{self.source.choice(_PATTERNS)}'",
                f"{operand} REGEXP '{self.source.choice(_EXPRESSIONS)}'",
                f"CONCAT({operand}, '-', {word}) LIKE '%e%'",
                f"SUBSTR({operand}, {self.source.choice(('1', '-3', '2'))}, 2) > {word}",
                f"TRIM({operand}) = {word}",
                f"COALESCE({operand}, {word}) = {word}",
            )
        )

    def _date_test(self, operand: str) -> str:
        date = f"'{self.source.choice(_DATES)}'"
        unit = self.source.choice(("DAY", "MONTH", "YEAR", "HOUR"))
        return self.source.choice(
            (
                f"{operand} {self.source.choice(_COMPARISONS)} {date}",
                f"{operand} {self.source.choice(_COMPARISONS)} DATE_SUB(NOW(), INTERVAL 18 {unit})",
                f"DATE_ADD({operand}, INTERVAL 1 {unit}) < NOW()",
                f"YEAR({operand}) {self.source.choice(_COMPARISONS)} 2024",
                f"DATE_FORMAT({operand}, '%Y-%m') = '2024-05'",
                f"DATE({operand}) = DATE({date})",
                f"TO_DAYS({operand}) > 738000",
            )
        )

    def _enum_test(self, operand: str, scope: dict[str, str]) -> str:
        alias, code = operand.replace("`", "").split(".")
        attribute = _behind(self.model[scope[alias]], code, self.model)
        codes = attribute.values if attribute is not None and attribute.values else ("active",)
        written = f"'{self.source.choice(codes)}'"
        return self.source.choice(
            (
                f"{operand} = {written}",
                f"{operand} != {written}",
                f"{operand} IN ({written}, 'unheard of')",
                f"{operand} NOT IN ({written})",
                f"{operand} > {written}",
                f"{operand} LIKE '%{written[1]}%'",
            )
        )

    def _join(self, scope: dict[str, str]) -> str | None:
        """Add a class to the scope: one that a key leads to, one whose key leads here, or one of the same hierarchy."""
        near = self.source.choice(list(scope))
        alias, cls = self._alias(), self.model[scope[near]]
        keys = [a for a in cls.attributes.values() if a.is_external_key and a.target]
        ways: list[tuple[str, str]] = [(self._related(a.target or ""), f"{near}.`{a.code}` = {alias}.id") for a in keys]
        ways += [
            (holder, f"{alias}.`{a.code}` = {near}.id")
            for holder in _HOLDERS
            for a in self.model[holder].attributes.values()
            if a.is_external_key and a.target == cls.name
        ]
        ways += [
            (cls.name, f"{near}.`{a.code}` {self.source.choice(_TREE)} {alias}.id")
            for a in keys
            if a.type == "AttributeHierarchicalKey"
        ] * 3
        if not ways:
            return None
        joined, condition = self.source.choice(ways)
        scope[alias] = joined
        return f" JOIN `{joined}` AS {alias} ON {condition}"

    def _related(self, target: str) -> str:
        cls = self.model[target]
        return self.source.choice((target, target, target, *cls.subclasses[:4], *cls.lineage))

    def _alias(self) -> str:
        self.count += 1
        return f"a{self.count}"

    def _text(self, words: Sequence[str]) -> str:
        return '"' + self.source.choice(words) + '"'


def _behind(cls: Class, code: str, model: Model) -> Attribute | None:
    """Return the stored attribute behind a name, through external fields."""
    attribute = cls.attributes.get(code)
    while attribute is not None and attribute.is_external_field:
        cls = model[cls.attributes[attribute.key or ""].target or ""]
        attribute = cls.attributes.get(attribute.target_attcode or "")
    return attribute


def _kind(cls: Class, code: str, model: Model) -> Kind:
    if code == "id":
        return Kind.NUMBER
    attribute = _behind(cls, code, model)
    if attribute is None:
        return kind_of_stop_watch_item(code.removeprefix(f"{(usable_names(cls)[code] or cls.attributes[code]).code}_"))
    if attribute.type == "AttributeSubItem":
        return kind_of_stop_watch_item(attribute.item or "")
    return kind_of(attribute)
