"""Declarations -> :class:`Model`: inheritance, what iTop adds to every class, and the order of attributes.

Attributes stand in iTop's own order: inherited ones, own ones, then those that iTop makes itself (``spec/model.md``,
*synthetic attributes*): final class, friendly name, obsolescence, and what is read through each key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from itopd.datamodel import types
from itopd.datamodel.consistency import check_references
from itopd.datamodel.declaration import Declaration, DeclaredRule, parent_of
from itopd.datamodel.lifecycle import LifeCycle, states_of_enum
from itopd.datamodel.model import Attribute, Class, Model, UniquenessRule
from itopd.datamodel.source import DEEPEST
from itopd.datamodel.user_rights import UserRights

Attributes = dict[str, Attribute]

TAG_CLASS = "TagSetFieldData"
"""Parent of the classes ``TagSetFieldDataFor_<class>__<attribute>`` that hold the tags of each tag set."""

_ORGANIZATION = "Organization"
_ITEM_OWNERS = ("org_id", "item_org_id")
"""Attributes that say which organization owns an object."""


def assemble(
    declarations: Mapping[str, Declaration],
    texts: Mapping[str, Mapping[str, str]],
    user_rights: UserRights,
    name_formats: Mapping[str, str],
) -> Model:
    """Build the model of all ``declarations``; ModelError names the class and attribute that does not fit.

    ``name_formats``, class -> format of its friendly name, come before those of the ``texts``.
    """
    assembly = _Assembly(declarations, texts, user_rights, name_formats)
    model = assembly.model()
    check_references(model, {name: declared.place for name, declared in assembly.declared.items()})
    return model


class _Assembly:
    """The tables one assembly works with. Each is filled for parents before children."""

    def __init__(
        self,
        declarations: Mapping[str, Declaration],
        texts: Mapping[str, Mapping[str, str]],
        user_rights: UserRights,
        name_formats: Mapping[str, str],
    ) -> None:
        self.texts = texts
        self.user_rights = user_rights
        self.name_formats = name_formats
        self.declared = _with_tag_classes(declarations)
        self.lineages = _lineages(self.declared)
        self.subclasses = _subclasses(self.lineages)
        self.plain: dict[str, Attributes] = {}
        """Attributes of each class without the synthetic ones."""
        for name in sorted(self.declared, key=lambda name: len(self.lineages[name])):
            self.plain[name] = self._plain_attributes(self.declared[name])
        self._resolve_external_fields()
        self.obsolescent = self._obsolescent_classes()
        self.final_columns: dict[str, str | None] = {}
        self.through_keys: dict[tuple[str, str], tuple[Attribute, ...]] = {}

    def model(self) -> Model:
        built: dict[str, Class] = {}
        for name in sorted(self.declared, key=lambda name: len(self.lineages[name])):
            parent = self.lineages[name][-2] if len(self.lineages[name]) > 1 else None
            built[name] = self._class(self.declared[name], built[parent] if parent else None)
        return Model(MappingProxyType({name: built[name] for name in self.declared}), self.texts, self.user_rights)

    # --- attributes -------------------------------------------------------------------------------------------------

    def _plain_attributes(self, declared: Declaration) -> Attributes:
        lineage = self.lineages[declared.name]
        inherited = self.plain[lineage[-2]] if len(lineage) > 1 else {}
        own: Attributes = {}
        for attribute in declared.attributes:
            if attribute.code in own:
                declared.place.within(f"field {attribute.code}").refuse("it is declared twice")
            if self._is_installed(attribute, declared, inherited | own):
                own[attribute.code] = self._completed(attribute, declared)
        return own | {k: v for k, v in inherited.items() if k not in own} if declared.own_first else inherited | own

    def _is_installed(self, attribute: Attribute, declared: Declaration, known: Attributes) -> bool:
        """Return whether what the attribute leads to exists; a module that is not installed takes its fields along."""
        if attribute.target is not None:
            return attribute.target in self.declared
        if attribute.linked_class is not None:
            return attribute.linked_class in self.declared
        if attribute.key is None or attribute.key in known:
            return True
        if attribute.key not in {other.code for other in declared.attributes}:
            declared.place.within(f"field {attribute.code}").refuse(
                f"it goes through '{attribute.key}', which is no field"
            )
        return False

    def _completed(self, attribute: Attribute, declared: Declaration) -> Attribute:
        """Return the attribute with what only the whole model tells."""
        if attribute.type == "AttributeHierarchicalKey":
            return replace(attribute, target=declared.name)
        if attribute.type == "AttributeClass":
            return replace(attribute, values=self._allowed(declared, attribute.code))
        return attribute

    def _allowed(self, declared: Declaration, code: str) -> tuple[str, ...]:
        allowed = declared.allowed_classes.get(code)
        if allowed is None or not allowed.categories:
            return tuple(sorted(self.declared))
        named = {
            name for name, other in self.declared.items() if allowed.categories.intersection(other.category.split(","))
        }
        return tuple(sorted(named.union(name for name in allowed.added if name in self.declared)))

    def _resolve_external_fields(self) -> None:
        """Give each external field the nullability of the attribute it shows."""
        resolved: dict[tuple[str, str], Attribute] = {}
        for name, attributes in self.plain.items():
            for code, attribute in attributes.items():
                if not attribute.is_external_field:
                    continue
                place = (attribute.origin, code)
                if place not in resolved:
                    resolved[place] = replace(attribute, nullable=self._shown(name, attribute, ()).nullable)
                attributes[code] = resolved[place]

    def _shown(self, name: str, field: Attribute, via: tuple[tuple[str, str], ...]) -> Attribute:
        """Return the attribute at the end of an external field's chain."""
        step = (name, field.code)
        place = self.declared[field.origin].place.within(f"field {field.code}")
        if step in via:
            place.refuse("external fields lead round in a circle")
        if len(via) == DEEPEST:
            place.refuse(f"it leads through more than {DEEPEST} keys")
        key = self.plain[name].get(field.key or "")
        if key is None or key.target is None:
            place.refuse(f"it goes through '{field.key}', which is no external key")
        shown = self.plain[key.target].get(field.target_attcode or "")
        if shown is None:
            if field.target_attcode not in _SYNTHETIC:
                place.refuse(f"class {key.target} has no attribute '{field.target_attcode}'")
            return replace(field, nullable=False)
        return self._shown(key.target, shown, (*via, step)) if shown.is_external_field else shown

    def _obsolescent_classes(self) -> frozenset[str]:
        """Return the classes with obsolescence: those with a rule, what is below them, and what is above them."""
        ruled = {name for name, declared in self.declared.items() if declared.obsolescence}
        touched = {name for name in self.declared if ruled.intersection(self.subclasses[name])}
        return frozenset(name for name in self.declared if touched.intersection(self.lineages[name]))

    def _attributes(self, declared: Declaration, final_column: str | None) -> Attributes:
        name = declared.name
        plain = self.plain[name]
        made = [*self._own_synthetic(declared, final_column)]
        for attribute in plain.values():
            made.extend(self._through_key(name, attribute))
        return plain | {attribute.code: attribute for attribute in made if attribute.code not in plain}

    def _own_synthetic(self, declared: Declaration, final_column: str | None) -> Iterator[Attribute]:
        name, root = declared.name, self.lineages[declared.name][0]
        if len(self.subclasses[root]) > 1:
            yield Attribute(
                code="finalclass",
                type="AttributeFinalClass",
                origin=root,
                sql=final_column or "",
                nullable=False,
                default=name,
                writable=False,
                max_size=types.MAX_SIZES["AttributeFinalClass"],
            )
        yield Attribute(
            code="friendlyname",
            type="AttributeFriendlyName",
            origin=name,
            nullable=False,
            default="",
            writable=False,
            depends_on=declared.name_attributes,
        )
        if name in self.obsolescent:
            yield Attribute(
                code="obsolescence_flag",
                type="AttributeObsolescenceFlag",
                origin=name,
                nullable=False,
                default=False,
                writable=False,
            )
            yield Attribute(
                code="obsolescence_date",
                type="AttributeObsolescenceDate",
                origin=root,
                sql="obsolescence_date",
                writable=False,
            )

    def _through_key(self, name: str, attribute: Attribute) -> tuple[Attribute, ...]:
        """Return the external fields that iTop makes for a key, or for an external field that shows a key."""
        place = (attribute.origin, attribute.code)
        if place not in self.through_keys:
            self.through_keys[place] = tuple(self._make_through_key(name, attribute))
        return self.through_keys[place]

    def _make_through_key(self, name: str, attribute: Attribute) -> Iterator[Attribute]:
        if attribute.is_external_key and attribute.target is not None:
            yield _external_field(attribute, "_friendlyname", attribute.code, "friendlyname")
            if len(self.subclasses[attribute.target]) > 1:
                yield _external_field(attribute, "_finalclass_recall", attribute.code, "finalclass")
            if attribute.target in self.obsolescent:
                yield _external_field(attribute, "_obsolescence_flag", attribute.code, "obsolescence_flag")
        elif attribute.is_external_field and attribute.key is not None:
            shown = self._shown(name, attribute, ())
            if shown.target is not None:
                near = attribute.target_attcode
                yield _external_field(attribute, "_friendlyname", attribute.key, f"{near}_friendlyname")
                if shown.target in self.obsolescent:
                    yield _external_field(attribute, "_obsolescence_flag", attribute.key, f"{near}_obsolescence_flag")

    # --- classes ----------------------------------------------------------------------------------------------------

    def _class(self, declared: Declaration, parent: Class | None) -> Class:
        name = declared.name
        table = declared.table or None
        final_column = self._final_column(declared, parent)
        root_column = final_column if parent is None else self.final_columns[self.lineages[name][0]]
        attributes = self._attributes(declared, root_column)
        state_attribute = declared.state_attribute or (parent.state_attribute if parent else None)
        if state_attribute not in attributes:
            state_attribute = None
        lifecycle = self._lifecycle(declared, parent, attributes, state_attribute)
        initial = attributes[state_attribute].default if state_attribute else None
        return Class(
            name=name,
            parent=parent.name if parent else None,
            lineage=self.lineages[name],
            subclasses=self.subclasses[name],
            abstract=declared.abstract,
            category=declared.category,
            is_link=declared.is_link,
            table=table,
            key_column=declared.key_column,
            key_type=declared.key_type,
            final_class_column=final_column if table else None,
            attributes=MappingProxyType(attributes),
            name_attributes=declared.name_attributes,
            name_format=self._name_format(declared),
            order_by=declared.order_by or (("friendlyname", True),),
            reconciliation=tuple(code for code in declared.reconciliation if code in attributes),
            uniqueness_rules=_uniqueness_rules(declared, parent),
            obsolescence=declared.obsolescence or (parent.obsolescence if parent else None),
            state_attribute=state_attribute,
            initial_state=initial if isinstance(initial, str) else None,
            states=MappingProxyType(lifecycle.states),
            owner_org_attribute=_owner_org_attribute(self.lineages[name], attributes),
            stimuli=MappingProxyType(lifecycle.stimuli),
            indexes=tuple(index for index in declared.indexes if self._are_own(index, name)),
            php_behaviour=MappingProxyType(
                {**(parent.php_behaviour if parent else {}), **dict.fromkeys(declared.hooks, name)}
            ),
            left_out=MappingProxyType({**(parent.left_out if parent else {}), **declared.left_out}),
        )

    def _are_own(self, codes: tuple[str, ...], name: str) -> bool:
        """Return whether all attributes have columns in the class's own table."""
        known = self.plain[name]
        return all(code in known and known[code].origin == name and known[code].is_stored for code in codes)

    def _final_column(self, declared: Declaration, parent: Class | None) -> str | None:
        """Return the column for the final class: every table but a leaf's has one (``objects.md`` §1)."""
        name = declared.name
        inherited = self.final_columns[parent.name] if parent else None
        leaf = len(self.subclasses[name]) == 1
        self.final_columns[name] = None if leaf else declared.final_class_column or inherited or "finalclass"
        return self.final_columns[name]

    def _lifecycle(
        self, declared: Declaration, parent: Class | None, attributes: Attributes, state_attribute: str | None
    ) -> LifeCycle:
        if declared.lifecycle is not None and declared.lifecycle.states:
            return declared.lifecycle.restricted_to(attributes.keys())
        if parent is not None and parent.state_attribute == state_attribute and parent.stimuli:
            return LifeCycle(parent.stimuli, parent.states)
        return LifeCycle({}, states_of_enum(attributes[state_attribute]) if state_attribute else {})

    def _name_format(self, declared: Declaration) -> str:
        """Return the format of the friendly name; a class without name attributes is called by its own name.

        A format that asks for more attributes than the class has was written for another version of it.
        """
        count = len(declared.name_attributes)
        if not count:
            return declared.name
        entry = self.texts.get("EN US", {}).get(f"Class:{declared.name}/Name", "")
        numbers = [str(number) for number in range(1, count + 1)]
        for text in (self.name_formats.get(declared.name), entry, declared.name_format):
            if text and set(_PLACEHOLDER.findall(text)) <= set(numbers):
                return text
        return " ".join(f"%{number}$s" for number in numbers)


_PLACEHOLDER = re.compile(r"%(\d+)\$s", re.ASCII)

_SYNTHETIC = frozenset({"friendlyname", "finalclass", "obsolescence_flag", "obsolescence_date", "id"})


def _external_field(key: Attribute, suffix: str, through: str, target_attcode: str) -> Attribute:
    return Attribute(
        code=key.code + suffix,
        type="AttributeExternalField",
        origin=key.origin,
        nullable=False,
        writable=False,
        key=through,
        target_attcode=target_attcode,
        depends_on=(through,),
    )


def _uniqueness_rules(declared: Declaration, parent: Class | None) -> tuple[UniquenessRule, ...]:
    rules = {rule.id: rule for rule in (parent.uniqueness_rules if parent else ())}
    for rule in declared.rules:
        rules[rule.id] = _rule(rule, rules.get(rule.id), declared)
    return tuple(rules.values())


def _rule(rule: DeclaredRule, inherited: UniquenessRule | None, declared: Declaration) -> UniquenessRule:
    if inherited is not None and not rule.attributes:
        return replace(inherited, disabled=inherited.disabled if rule.disabled is None else rule.disabled)
    if not rule.attributes:
        declared.place.within(f"uniqueness rule '{rule.id}'").refuse(
            "it names no attributes, and no parent has that rule"
        )
    return UniquenessRule(
        rule.id, declared.name, rule.attributes, rule.filter, bool(rule.disabled), rule.blocking is not False
    )


def _owner_org_attribute(lineage: tuple[str, ...], attributes: Attributes) -> str | None:
    if _ORGANIZATION in lineage:
        return "id"
    return next((code for code in _ITEM_OWNERS if code in attributes), None)


def _with_tag_classes(declarations: Mapping[str, Declaration]) -> dict[str, Declaration]:
    """Return the declarations and, after each class with tag sets, the classes that iTop makes for their tags."""
    base = declarations.get(TAG_CLASS)
    result: dict[str, Declaration] = {}
    for name, declared in declarations.items():
        result[name] = declared
        for attribute in declared.attributes if base else ():
            if attribute.type == "AttributeTagSet" and base is not None:
                tags = f"{TAG_CLASS}For_{name}__{attribute.code}"
                result[tags] = replace(
                    base, name=tags, parent=TAG_CLASS, abstract=False, table="", attributes=(), hooks=()
                )
    return result


def _lineages(declared: Mapping[str, Declaration]) -> dict[str, tuple[str, ...]]:
    lineages: dict[str, tuple[str, ...]] = {}

    def lineage(name: str, heirs: tuple[str, ...]) -> tuple[str, ...]:
        if name not in lineages:
            declaration = declared[name]
            if name in heirs:
                declaration.place.refuse(f"it descends from itself: {' < '.join((*heirs, name))}")
            if len(heirs) == DEEPEST:
                declaration.place.refuse(f"more than {DEEPEST} classes descend from each other here")
            parent = parent_of(declaration, declared)
            if parent is not None and parent not in declared:
                declaration.place.refuse(f"its parent '{parent}' is no class of the data model")
            lineages[name] = (*(lineage(parent, (*heirs, name)) if parent else ()), name)
        return lineages[name]

    for name in declared:
        lineage(name, ())
    return lineages


def _subclasses(lineages: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {name: [name] for name in lineages}
    for name, lineage in lineages.items():
        for ancestor in lineage[:-1]:
            found[ancestor].append(name)
    return {name: tuple(names) for name, names in found.items()}
