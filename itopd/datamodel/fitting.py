"""Core classes fitted to the database that is there: they are those of iTop 3.2, and an older iTop lacks some columns.

What an attached iTop has in code is in no compiled XML, so itopd brings it along, and iTop 3.0, 3.1 and 3.2 differ
there in a few columns and tables. A core attribute without its columns, a core class without its table, and what leads
through them, are left out. Classes of iTop's own XML are never fitted: where they differ from the database, something
is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from itopd.datamodel.declaration import Declaration, parent_of
from itopd.datamodel.model import Attribute, LeftOut

Lacks = Callable[[Declaration, Attribute | None], str]
"""Tells what the database lacks of an attribute, or without one of a class's own table; empty: nothing."""


def fitted(
    declarations: Mapping[str, Declaration], core: Collection[str], lacks: Lacks
) -> tuple[Mapping[str, Declaration], tuple[LeftOut, ...]]:
    """Return the declarations that the database has room for, and what was left out of the ``core`` classes."""
    fitting = _Fitting(declarations)
    fitting.leave_out_classes(core, lacks)
    fitting.leave_out_columns(core, lacks)
    fitting.leave_out_dependents()
    if not fitting.classes and not fitting.attributes:
        return declarations, ()
    left_out = [LeftOut(name, "", reason) for name, reason in fitting.classes.items()]
    left_out += [LeftOut(name, code, reason) for (name, code), reason in fitting.attributes.items()]
    return fitting.rest(), tuple(sorted(left_out, key=lambda one: (one.class_name, one.attribute)))


@dataclass(slots=True)
class _Fitting:
    """What is left out so far, each with the reason."""

    declarations: Mapping[str, Declaration]
    classes: dict[str, str] = field(default_factory=dict)
    attributes: dict[tuple[str, str], str] = field(default_factory=dict)

    def leave_out_classes(self, core: Collection[str], lacks: Lacks) -> None:
        """Leave out core classes without their table, with all that descends from them, if that is core too."""
        missing = {name: lacks(self.declarations[name], None) for name in core if self.declarations[name].table}
        needed = {ancestor for name in self.declarations if name not in core for ancestor in self.lineage(name)}
        for name in core:
            reason = next(filter(None, (missing.get(ancestor, "") for ancestor in self.lineage(name))), "")
            if reason and name not in needed:
                self.classes[name] = reason

    def leave_out_columns(self, core: Collection[str], lacks: Lacks) -> None:
        """Leave out core attributes without their columns."""
        for name in core:
            declared = self.declarations[name]
            if name in self.classes or lacks(declared, None):
                continue
            for attribute in declared.attributes:
                reason = lacks(declared, attribute) if attribute.is_stored else ""
                if reason:
                    self.attributes[name, attribute.code] = reason

    def leave_out_dependents(self) -> None:
        """Leave out what leads through something left out, then what leads through that, until nothing does."""
        while found := self.dependents():
            self.attributes |= found

    def dependents(self) -> dict[tuple[str, str], str]:
        """Return the attributes that lead through what is left out so far and are not left out yet."""
        return {
            (name, attribute.code): reason
            for name, declared in self.declarations.items()
            if name not in self.classes
            for attribute in declared.attributes
            if (name, attribute.code) not in self.attributes
            for reason in self.broken_ways(name, attribute)
        }

    def broken_ways(self, name: str, attribute: Attribute) -> Iterator[str]:
        """Yield why an attribute leads nowhere."""
        for other in (attribute.target, attribute.linked_class):
            if other in self.classes:
                yield f"it leads to {other}, which is left out"
        for code in filter(None, (attribute.key, attribute.class_attribute, attribute.stop_watch)):
            if self.is_left_out(name, code):
                yield f"it goes through {code}, which is left out"
        target = self.target(name, attribute.key) if attribute.key else None
        if target and attribute.target_attcode and self.is_left_out(target, attribute.target_attcode):
            yield f"it shows {target}.{attribute.target_attcode}, which is left out"
        for code in filter(None, (attribute.ext_key_to_me, attribute.ext_key_to_remote)):
            linked = attribute.linked_class
            if linked is not None and self.is_left_out(linked, code):
                yield f"it goes through {linked}.{code}, which is left out"

    def is_left_out(self, name: str, code: str) -> bool:
        return any((ancestor, code) in self.attributes for ancestor in self.lineage(name))

    def target(self, name: str, key: str) -> str | None:
        """Return the class that a key leads to, when it is one of the model's."""
        for ancestor in self.lineage(name):
            for attribute in self.declarations[ancestor].attributes:
                if attribute.code == key and attribute.target in self.declarations:
                    return attribute.target
        return None

    def lineage(self, name: str) -> Iterator[str]:
        """Yield a class and its ancestors; a circle, which the assembly reports, ends it."""
        seen: set[str] = set()
        at: str | None = name
        while at is not None and at in self.declarations and at not in seen:
            seen.add(at)
            yield at
            at = parent_of(self.declarations[at], self.declarations)

    def rest(self) -> dict[str, Declaration]:
        return {name: self.fit(declared) for name, declared in self.declarations.items() if name not in self.classes}

    def fit(self, declared: Declaration) -> Declaration:
        own = {code: reason for (name, code), reason in self.attributes.items() if name == declared.name}
        gone = {code for name, code in self.attributes if name in set(self.lineage(declared.name))}
        if not gone:
            return declared
        return replace(
            declared,
            attributes=tuple(attribute for attribute in declared.attributes if attribute.code not in own),
            name_attributes=tuple(code for code in declared.name_attributes if code not in gone),
            order_by=tuple(column for column in declared.order_by if column[0] not in gone),
            rules=tuple(rule for rule in declared.rules if gone.isdisjoint(rule.attributes)),
            left_out=own,
        )
