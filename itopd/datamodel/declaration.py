"""One ``<class>`` element -> what the class itself declares, nothing inherited yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from itopd.datamodel.fields import LinkTracking, read_field
from itopd.datamodel.lifecycle import LifeCycle, read_lifecycle
from itopd.datamodel.model import Attribute
from itopd.datamodel.source import FOREIGN_ROOTS, Element, Place, SourceFile, ids_of, text_of, truth_of, words_of

HOOKS = frozenset(
    {
        "OnInsert", "AfterInsert", "DBInsert", "DBInsertNoReload", "OnUpdate", "AfterUpdate", "DBUpdate",
        "OnDelete", "AfterDelete", "DBDelete", "ComputeValues",
        "DoCheckToWrite", "CheckToWrite", "DoCheckToDelete", "CheckToDelete",
        "RegisterEventListeners", "GetAttributeFlags", "GetInitialStateAttributeFlags", "PrefillCreationForm",
    }
)  # fmt: skip
"""Methods of a class by which iTop's PHP takes part in the life of its objects (``spec/model.md``)."""


@dataclass(frozen=True, slots=True)
class DeclaredRule:
    """A uniqueness rule as one class states it; a subclass may restate an inherited one without attributes."""

    id: str
    attributes: tuple[str, ...]
    filter: str | None
    disabled: bool | None
    blocking: bool | None


@dataclass(frozen=True, slots=True)
class AllowedClasses:
    """What a class attribute accepts: classes of some categories (none named = every class), and some more."""

    categories: frozenset[str]
    added: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What one ``<class>`` says about itself."""

    name: str
    place: Place
    parent: str | None
    php_parent: str | None
    abstract: bool
    category: str
    is_link: bool
    key_type: str
    table: str
    key_column: str
    final_class_column: str
    name_attributes: tuple[str, ...]
    name_format: str
    order_by: tuple[tuple[str, bool], ...]
    reconciliation: tuple[str, ...]
    rules: tuple[DeclaredRule, ...]
    obsolescence: str | None
    state_attribute: str | None
    hooks: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...]
    own_first: bool
    """Its own attributes stand before the inherited ones (one class of the default model)."""
    attributes: tuple[Attribute, ...]
    allowed_classes: dict[str, AllowedClasses]
    lifecycle: LifeCycle | None
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Attributes that the database lacks, with the reason (:mod:`itopd.datamodel.fitting`)."""


def parent_of(declaration: Declaration, declared: Mapping[str, Declaration]) -> str | None:
    """Return the parent among ``declared``: a PHP parent that is no class of the model is program text of the class."""
    return declaration.php_parent if declaration.php_parent in declared else declaration.parent


def read_class(element: Element, source: SourceFile, tracking: LinkTracking) -> Declaration:
    """Read a ``<class>`` with its fields and life cycle; :class:`ModelError` for what makes no sense."""
    name = element.get("id", "")
    place = Place(source.name, name)
    if not name:
        place.refuse("a class has no id")
    parent = text_of(element, "parent") or place.refuse("<parent> is missing")
    properties = element.find("properties")
    fields = element.find("fields")
    lifecycle = element.find("lifecycle")
    state_attribute = text_of(properties, "fields_semantic/state_attribute") or text_of(lifecycle, "attribute")
    attributes = tuple(read_field(part, name, place, tracking) for part in (() if fields is None else fields))
    return Declaration(
        name=name,
        place=place,
        parent=None if parent in FOREIGN_ROOTS else parent,
        php_parent=text_of(element, "php_parent/name") or None,
        abstract=truth_of(properties, "abstract", default=False),
        category=",".join(words_of(properties, "category")),
        is_link=truth_of(properties, "is_link", default=False),
        key_type=text_of(properties, "key_type") or "autoincrement",
        table=text_of(properties, "db_table"),
        key_column=text_of(properties, "db_key_field") or "id",
        final_class_column=text_of(properties, "db_final_class_field"),
        name_attributes=ids_of(properties, "naming/attributes/attribute"),
        name_format=text_of(properties, "naming/format"),
        order_by=_order(properties),
        reconciliation=ids_of(properties, "reconciliation/attributes/attribute"),
        rules=_rules(properties),
        obsolescence=text_of(properties, "obsolescence/condition") or None,
        state_attribute=state_attribute or None,
        hooks=_hooks(element, properties),
        indexes=_indexes(properties),
        own_first=fields is not None and fields.get("before_inherited") == "true",
        attributes=attributes,
        allowed_classes=_allowed_classes(fields),
        lifecycle=None if lifecycle is None else read_lifecycle(lifecycle, place),
    )


def _order(properties: Element | None) -> tuple[tuple[str, bool], ...]:
    columns = () if properties is None else properties.iterfind("order/columns/column")
    return tuple((column.get("id", ""), column.get("ascending") != "false") for column in columns)


def _rules(properties: Element | None) -> tuple[DeclaredRule, ...]:
    return tuple(
        DeclaredRule(
            id=rule.get("id", ""),
            attributes=ids_of(rule, "attributes/attribute"),
            filter=text_of(rule, "filter") or None,
            disabled=_maybe(rule, "disabled"),
            blocking=_maybe(rule, "is_blocking"),
        )
        for rule in (() if properties is None else properties.iterfind("uniqueness_rules/rule"))
    )


def _maybe(element: Element, tag: str) -> bool | None:
    return truth_of(element, tag, default=False) if text_of(element, tag) else None


def _indexes(properties: Element | None) -> tuple[tuple[str, ...], ...]:
    found = () if properties is None else properties.iterfind("indexes/index")
    return tuple(filter(None, (ids_of(index, "attributes/attribute") for index in found)))


def _hooks(element: Element, properties: Element | None) -> tuple[str, ...]:
    """Return the life-cycle hooks that the class has in PHP: named by the bundled files, found in an iTop's."""
    named = ids_of(properties, "php_behaviour/hook")
    overridden = tuple(m for m in ids_of(element, "methods/method") if m in HOOKS)
    listening = ("RegisterEventListeners",) if element.find("event_listeners/event_listener") is not None else ()
    return tuple(dict.fromkeys((*named, *overridden, *listening)))


def _allowed_classes(fields: Element | None) -> dict[str, AllowedClasses]:
    return {
        field.get("id", ""): AllowedClasses(
            frozenset(words_of(field, "class_category")), words_of(field, "more_values")
        )
        for field in (() if fields is None else fields)
        if field.find("class_category") is not None or field.find("more_values") is not None
    }
