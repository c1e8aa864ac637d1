"""The data model as immutable facts: classes, attributes, life cycles (``spec/objects.md`` §1-§3, ``spec/model.md``).

Names are iTop's: class and attribute codes, ``AttributeString``-like types, ``org_id``. A :class:`Class` holds *all*
its attributes, inherited and synthetic ones included, in iTop's own order. Nothing here knows databases or values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import IntFlag, StrEnum

from itopd.datamodel.user_rights import UserRights
from itopd.errors import ModelError


class OnTargetDelete(StrEnum):
    """What happens to the object holding a key when the key's target is deleted (``objects.md`` §7.1)."""

    MANUAL = "manual"
    AUTO = "auto"
    MOVEUP = "moveup"
    NONE = "none"


class Flag(IntFlag):
    """Flags of an attribute in a state (``objects.md`` §5.4)."""

    HIDDEN = 1
    READONLY = 2
    MANDATORY = 4
    MUSTCHANGE = 8
    MUSTPROMPT = 16
    SLAVE = 32


NOW = "$now$"
"""Default of a mandatory date-time: the instant of the creation."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a transition does (``objects.md`` §6.4): a verb and its parameters, each ``(kind, text)``.

    Kinds are iTop's: ``attcode`` (the text is an attribute code), ``string``, ``int``, ...
    """

    verb: str
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Threshold:
    """One threshold of a stop watch: its percentage, and the actions ``(verb, parameters)`` it fires."""

    percent: int
    actions: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Redundancy:
    """What redundancy settings are about: how many of the neighbours on which an object depends must work."""

    relation_code: str
    from_class: str
    neighbour_id: str
    """With the class it makes the name of the arrow of the relation."""
    enabled: bool
    """Whether a new object has redundancy, and ``min_up`` neighbours must work."""
    min_up: int
    min_up_type: str
    """``count`` or ``percent``."""
    enabled_mode: str
    """Who may change whether there is redundancy: ``fixed`` = nobody, ``user``."""
    min_up_mode: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a class. Fields that make no sense for its type keep their defaults."""

    code: str
    type: str
    """iTop's type name, ``AttributeString``, ``AttributeExternalKey``, ..."""
    origin: str
    """The class that declares it, in whose table its columns lie."""
    sql: str = ""
    """Base name of its columns; empty when nothing is stored."""
    nullable: bool = True
    default: str | int | None = None
    """Default as the model says it; :data:`NOW` for "the instant of creation"; ``bool`` for booleans."""
    writable: bool = True
    values: tuple[str, ...] = ()
    """Codes of an enum, in the order of the column's ENUM; allowed values of a set or class attribute."""
    max_size: int | None = None
    """Greatest length of a text in characters."""
    pattern: str | None = None
    """Regular expression that a value must match."""
    digits: int = 0
    decimals: int = 0
    format: str | None = None
    """``html`` or ``text`` where the model declares the format of a text (it then has a ``_format`` column)."""
    depends_on: tuple[str, ...] = ()
    tracked: bool = True
    """Changes are recorded in the history."""
    filter: str | None = None
    """OQL naming the acceptable targets of a key; for information, writes do not enforce it."""
    # keys
    target: str | None = None
    """Class an external key points to."""
    on_target_delete: OnTargetDelete = OnTargetDelete.AUTO
    class_attribute: str | None = None
    """For an object key: the attribute that holds the class of its target. For a class state or a set of attribute
    codes: the attribute that holds the class whose states or attributes are meant."""
    types_only: tuple[str, ...] = ()
    """For a set of attribute codes: the only types of attributes it may name; empty = any."""
    types_excluded: tuple[str, ...] = ()
    """For a set of attribute codes: types of attributes it may not name."""
    # external fields
    key: str | None = None
    target_attcode: str | None = None
    # link sets
    linked_class: str | None = None
    ext_key_to_me: str | None = None
    ext_key_to_remote: str | None = None
    tracking_level: int = 0
    duplicates: bool = False
    # meta enums: value of the mapped attribute -> own value
    mapped_attribute: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict, hash=False)
    # stop watches and their sub-items
    running_states: tuple[str, ...] = ()
    """States in which a stop watch runs."""
    goal: str | None = None
    """Name of what computes a stop watch's goal in seconds; ``None`` = no goal."""
    thresholds: tuple[Threshold, ...] = ()
    stop_watch: str | None = None
    item: str | None = None
    max_items: int | None = None
    redundancy: Redundancy | None = None

    @property
    def is_external_key(self) -> bool:
        """Whether it is a key to an object of a fixed class (hierarchical keys included, object keys not)."""
        return self.type in {"AttributeExternalKey", "AttributeHierarchicalKey"}

    @property
    def is_external_field(self) -> bool:
        """Whether its value is read through an external key."""
        return self.type == "AttributeExternalField"

    @property
    def is_link_set(self) -> bool:
        """Whether it is a set of link objects or of objects pointing here."""
        return self.type in {"AttributeLinkedSet", "AttributeLinkedSetIndirect"}

    @property
    def is_stored(self) -> bool:
        """Whether it has columns."""
        return bool(self.sql)


@dataclass(frozen=True, slots=True)
class UniquenessRule:
    """Objects of ``root_class`` may not share the values of ``attributes`` (``objects.md`` §5.1)."""

    id: str
    root_class: str
    attributes: tuple[str, ...]
    filter: str | None = None
    disabled: bool = False
    blocking: bool = True


@dataclass(frozen=True, slots=True)
class State:
    """A state of a life cycle: flags per attribute, and what each stimulus leads to."""

    code: str
    flags: Mapping[str, Flag]
    transitions: Mapping[str, str]
    """Stimulus -> target state."""
    actions: Mapping[str, tuple[Action, ...]] = field(default_factory=dict)
    """Stimulus -> what its transition does, in order; a stimulus without actions is absent."""
    transition_flags: Mapping[str, Mapping[str, Flag]] = field(default_factory=dict)
    """Stimulus -> flags of attributes while its transition is entered, over those of the target state."""


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    """One class with everything it inherits; the same only if it is one object, so that it can be a cache key."""

    name: str
    parent: str | None
    lineage: tuple[str, ...]
    """From the root class down to this one."""
    subclasses: tuple[str, ...]
    """This class and all its descendants."""
    abstract: bool
    category: str
    table: str | None
    """Its own table; ``None`` when it declares no stored attribute."""
    key_column: str
    key_type: str
    """``autoincrement`` when the table numbers its rows itself, else ``other``. Ids of subclasses are always those of
    the root row, whatever their own table could do."""
    final_class_column: str | None
    """Column of its own table holding the final class; ``None`` on leaves."""
    attributes: Mapping[str, Attribute]
    name_attributes: tuple[str, ...]
    name_format: str
    """Friendly name, ``%1$s`` being the first of ``name_attributes``: in English, or as an attached iTop writes it."""
    order_by: tuple[tuple[str, bool], ...]
    """Default order: attribute and whether ascending."""
    reconciliation: tuple[str, ...]
    uniqueness_rules: tuple[UniquenessRule, ...]
    """Own and inherited ones, as they hold for this class."""
    obsolescence: str | None
    """OQL condition under which an object is obsolete."""
    state_attribute: str | None
    initial_state: str | None
    states: Mapping[str, State]
    owner_org_attribute: str | None
    """Attribute holding the organization that owns an object (``id`` for organizations); ``None`` = nobody's."""
    stimuli: Mapping[str, str] = field(default_factory=dict)
    """Stimuli of the life cycle and their kinds, ``StimulusUserAction`` or ``StimulusInternal``."""
    indexes: tuple[tuple[str, ...], ...] = ()
    """Attributes that are indexed together, beyond the keys, names and sets that always are."""
    php_behaviour: Mapping[str, str] = field(default_factory=dict)
    """Life-cycle hooks that iTop has in PHP for this class, each with the nearest class that has it."""
    is_link: bool = False
    """Whether its objects are links between others, whose rights then hold for them."""

    left_out: Mapping[str, str] = field(default_factory=dict)
    """Attributes that the database at hand lacks, an older iTop's, with the reason."""

    @property
    def root(self) -> str:
        """Return the root class of its hierarchy."""
        return self.lineage[0]

    def attribute(self, code: str) -> Attribute:
        """Return an attribute; raise :class:`ModelError` naming the nearest one when there is none."""
        try:
            return self.attributes[code]
        except KeyError:
            if code in self.left_out:
                raise ModelError(
                    f"attribute '{code}' of {self.name} is left out, the database has no room for it: "
                    f"{self.left_out[code]} "
                    "(an older iTop's, or this account may not see it)"
                ) from None
            raise ModelError(f"class {self.name} has no attribute '{code}'{_hint(code, self.attributes)}") from None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A core class, or one attribute of it, that the database at hand has no room for."""

    class_name: str
    attribute: str
    """Empty: the class itself."""
    reason: str

    def __str__(self) -> str:
        return f"{self.class_name}{'.' if self.attribute else ''}{self.attribute} ({self.reason})"


@dataclass(frozen=True, eq=False)
class Model(Mapping[str, Class]):
    """All classes by name. Two models are the same only if they are one object, so that a model can be a cache key."""

    classes: Mapping[str, Class]
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Dictionary entries of the model's files, language -> key -> text; for the dictionary package."""
    user_rights: UserRights = field(default_factory=UserRights)
    """Profiles and what they grant; for the access package."""
    core: frozenset[str] = frozenset()
    """Beside an iTop's own XML: the classes that it does not hold, which itopd brought along."""
    left_out: tuple[LeftOut, ...] = ()
    """What of them the database at hand lacks."""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __getitem__(self, name: str) -> Class:
        return self.classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.classes)

    def __len__(self) -> int:
        return len(self.classes)

    def get_class(self, name: str) -> Class:
        """Return a class; raise :class:`ModelError` naming the nearest one when there is none."""
        try:
            return self.classes[name]
        except KeyError:
            for one in self.left_out:
                if one.class_name == name:
                    raise ModelError(
                        f"class {name} is left out, the database has no room for it: {one.reason} "
                        "(an older iTop's, or this account may not see it)"
                    ) from None
            raise ModelError(f"unknown class '{name}'{_hint(name, self.classes)}") from None

    def is_a(self, name: str, ancestor: str) -> bool:
        """Return whether class ``name`` is ``ancestor`` or descends from it."""
        return ancestor in self.classes[name].lineage

    def table_classes(self, name: str) -> tuple[Class, ...]:
        """Return the classes of the lineage that have a table, root first: where an object's rows lie."""
        return tuple(c for c in (self.classes[n] for n in self.classes[name].lineage) if c.table)


def _hint(word: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""
