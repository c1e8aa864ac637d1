"""What writing a class takes, worked out once: its tables, defaults, keys, rules (``spec/objects.md`` §1-§5)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from itopd.attributes import AttributeType, Stored, bind
from itopd.database import Database
from itopd.datamodel import Class, UniquenessRule
from itopd.objects import equality, stored_codes
from itopd.writing.conditions import Condition, parse_condition
from itopd.writing.links import Host, hosts_of

_HEAVY = frozenset(
    {
        "AttributeBlob",
        "AttributeImage",
        "AttributeCaseLog",
        "AttributeLongText",
        "AttributeHTML",
        "AttributeTable",
        "AttributePropertySet",
        "AttributeCustomFields",
    }
)
"""Types whose values are loaded only when somebody names them."""

_ABOUT_CLASSES = frozenset({"AttributeClassState", "AttributeClassAttCodeSet"})

_ANY = "2000-01-01 00:00:00"
_OTHER = "2000-01-02 00:00:00"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an attribute is stored."""

    table: int
    """Index into :attr:`Layout.tables`."""
    start: int
    end: int
    columns: tuple[str, ...]
    kept: tuple[str, ...] = ()
    """Columns after those that hold the nested set of a hierarchical key."""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """One table of a class: every column, the key first."""

    cls: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MetaEnum:
    """An enum computed from another attribute."""

    code: str
    mapped: str
    values: Mapping[str, str]
    default: str | None


@dataclass(frozen=True, slots=True)
class RuleLayout:
    """A uniqueness rule with what evaluating it takes."""

    rule: UniquenessRule
    keys: tuple[Callable[[Any], Hashable], ...]
    """How to compare the values of each attribute of the rule."""
    condition: Condition | None
    """Which objects the rule is about; ``None`` means all."""
    exempt: frozenset[str]
    """Subclasses that disable it."""

    @property
    def codes(self) -> frozenset[str]:
        """Return the attributes that it reads."""
        return frozenset(self.rule.attributes) | (self.condition.codes if self.condition is not None else frozenset())

    def key_of(self, values: Sequence[Any]) -> tuple[Hashable, ...]:
        """Return what an object is unique by; ``values`` in the order of the rule's attributes."""
        return tuple([key(value) for key, value in zip(self.keys, values, strict=True)])


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything about one class."""

    cls: Class
    tables: tuple[TableLayout, ...]
    """In the order of insertion: root, leaf, then those between."""
    types: Mapping[str, AttributeType]
    """Stored attributes, in the order of the class."""
    places: Mapping[str, Place]
    light: tuple[str, ...]
    """Attributes whose values are small."""
    needed: tuple[str, ...]
    """Attributes without which no update can be judged."""
    order: Mapping[str, int]
    """Position of each stored attribute in the class."""
    mandatory: frozenset[str]
    required: tuple[str, ...]
    """Mandatory attributes without a default."""
    keys: Mapping[str, str]
    """External keys -> root class of their target."""
    trees: tuple[str, ...]
    """Hierarchical keys."""
    metas: tuple[MetaEnum, ...]
    about_classes: Mapping[str, str]
    """Attributes that name states or attributes of a class -> the attribute that holds the class."""
    tag_sets: tuple[str, ...]
    rules: tuple[RuleLayout, ...]
    hosts: tuple[Host, ...]
    _blank: tuple[tuple[Stored, ...], ...] = field(repr=False)
    _dynamic: tuple[str, ...] = field(repr=False)
    """Attributes whose default is the instant of creation."""

    def defaults(self, now: str) -> dict[str, Any]:
        """Return the values of a new object, a fresh dictionary."""
        return {code: kind.default(now) for code, kind in self.types.items()}

    def blank_rows(self, now: str) -> list[list[Stored]]:
        """Return a new object's rows with all defaults and key 0, one list per table."""
        rows = [list(row) for row in self._blank]
        for code in self._dynamic:
            place = self.places[code]
            rows[place.table][place.start : place.end] = self.types[code].encode(self.types[code].default(now))
        return rows


def layout_of(database: Database, name: str) -> Layout:
    """Work out the layout of a class; :class:`~itopd.errors.ModelError` when it is unknown."""
    model = database.model
    cls = model.get_class(name)
    lineage = model.table_classes(name)
    ordered = [lineage[0], *([lineage[-1]] if len(lineage) > 1 else []), *lineage[1:-1]]
    codes = stored_codes(cls)
    types = {code: bind(cls.attributes[code]) for code in codes}
    places: dict[str, Place] = {}
    tables: list[TableLayout] = []
    blank: list[tuple[Stored, ...]] = []
    for index, part in enumerate(ordered):
        columns = [part.key_column]
        row: list[Stored] = [0]
        if part.final_class_column:
            columns.append(part.final_class_column)
            row.append(name)
        for code in codes:
            kind = types[code]
            if cls.attributes[code].origin != part.name:
                continue
            names = tuple(column.name for column in kind.columns)
            kept = tuple(column.name for column in kind.kept_columns)
            places[code] = Place(index, len(columns), len(columns) + len(names), names, kept)
            columns += (*names, *kept)
            row += (*kind.encode(kind.default(_ANY)), *(0 for _ in kept))
        tables.append(TableLayout(part.name, tuple(columns)))
        blank.append(tuple(row))
    keys = {code: model[a.target].root for code in codes if (a := cls.attributes[code]).is_external_key and a.target}
    attributes = {code: cls.attributes[code] for code in codes}
    mandatory = frozenset(code for code, a in attributes.items() if not a.nullable)
    rules = tuple(_rule(database, rule) for rule in cls.uniqueness_rules if not rule.disabled)
    metas = tuple(
        MetaEnum(code, a.mapped_attribute or "", a.mapping, types[code].default(_ANY))
        for code, a in attributes.items()
        if a.mapped_attribute in types
    )
    about_classes = {
        code: a.class_attribute
        for code, a in attributes.items()
        if a.type in _ABOUT_CLASSES and a.class_attribute in attributes
    }
    hosts = hosts_of(model, cls)
    needed = {code for rule in rules for code in rule.codes}
    needed |= {code for meta in metas for code in (meta.code, meta.mapped)}
    needed |= {code for host in hosts for code in (host.key, host.remote_key) if code}
    needed |= {code for pair in about_classes.items() for code in pair}
    return Layout(
        cls=cls,
        tables=tuple(tables),
        types=types,
        places=places,
        light=tuple(code for code, a in attributes.items() if a.type not in _HEAVY),
        needed=tuple(code for code in codes if code in needed),
        order={code: position for position, code in enumerate(codes)},
        mandatory=mandatory,
        required=tuple(code for code in codes if code in mandatory and types[code].is_null(types[code].default(_ANY))),
        keys=keys,
        trees=tuple(code for code, a in attributes.items() if a.type == "AttributeHierarchicalKey"),
        metas=metas,
        about_classes=about_classes,
        tag_sets=tuple(code for code, a in attributes.items() if a.type == "AttributeTagSet"),
        rules=rules,
        hosts=hosts,
        _blank=tuple(blank),
        _dynamic=tuple(code for code in codes if types[code].default(_ANY) != types[code].default(_OTHER)),
    )


def _rule(database: Database, rule: UniquenessRule) -> RuleLayout:
    model = database.model
    root = model[rule.root_class]
    exempt = frozenset(
        name for name in root.subclasses for own in model[name].uniqueness_rules if own.id == rule.id and own.disabled
    )
    return RuleLayout(
        rule,
        tuple(equality(root, code) for code in rule.attributes),
        parse_condition(root, rule.filter) if rule.filter else None,
        exempt,
    )
