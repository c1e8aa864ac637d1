"""What deleting an object would take: what goes with it, which keys are reset, what stands in the way (§7.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from itopd.datamodel import Attribute, Class, OnTargetDelete
from itopd.writing.intents import Effect, Issue

Node = tuple[str, int]
"""Final class and id of an object."""

MANUAL: Final = "manual"


@dataclass(frozen=True, slots=True)
class Link:
    """One reason why an object is touched by the deletion of another one."""

    node: Node
    key: Attribute | None
    """The key that points to the other one; ``None``: a rule of its class says that it goes, too."""
    moves_to: int = 0
    """What a reset puts into the key."""

    @property
    def resets(self) -> bool:
        """Whether the object stays and only its key is reset."""
        return self.key is not None and self.key.nullable

    @property
    def forbids(self) -> bool:
        """Whether the object has to be deleted by hand first."""
        return self.key is not None and not self.resets and self.key.on_target_delete is OnTargetDelete.MANUAL


@dataclass(slots=True)
class Plan:
    """The plan of one deletion."""

    root: Node
    goes: dict[Node, None] = field(default_factory=dict)
    """Everything that is deleted, the object itself first, then as it was found."""
    manual: dict[Node, None] = field(default_factory=dict)
    resets: dict[Node, dict[str, int]] = field(default_factory=dict)
    """Object that stays -> its keys that are reset, with their new values."""

    @property
    def in_order(self) -> Iterator[Node]:
        """Yield what is deleted, class by class as iTop does it, the object itself first."""
        by_class: dict[str, list[Node]] = defaultdict(list)
        for node in self.goes:
            by_class[node[0]].append(node)
        for nodes in by_class.values():
            yield from nodes

    def issues(self) -> list[Issue]:
        """Return what stands in the way."""
        return [Issue(None, MANUAL, f"{cls}::{id_} Must be deleted manually") for cls, id_ in self.manual]

    def effects(self, name_of: Callable[[Node], str]) -> tuple[Effect, ...]:
        """Return what the deletion means for other objects."""
        deleted = [Effect(*node, "deleted", name_of(node)) for node in self.in_order if node != self.root]
        manual = [Effect(*node, "manual", name_of(node)) for node in self.manual]
        reset = [Effect(*node, "reset", name_of(node), values) for node, values in self.resets.items()]
        return (*deleted, *manual, *reset)


def plan_of(root: Node, links: Callable[[Node], Iterable[Link]]) -> Plan:
    """Return the plan for an object; ``links`` gives what the deletion of one more object touches, in iTop's order.

    Reached several ways, deletion wins over deletion by hand, and both over a reset.
    """
    plan = Plan(root, {root: None})
    under_way = [iter(links(root))]
    while under_way:
        link = next(under_way[-1], None)
        if link is None:
            under_way.pop()
        elif link.resets and link.key is not None:
            plan.resets.setdefault(link.node, {})[link.key.code] = link.moves_to
        elif link.node in plan.goes:
            continue
        elif link.forbids:
            plan.manual[link.node] = None
        else:
            plan.goes[link.node] = None
            under_way.append(iter(links(link.node)))
    plan.manual = {node: None for node in plan.manual if node not in plan.goes}
    gone: Mapping[Node, None] = plan.goes | plan.manual
    plan.resets = {node: values for node, values in plan.resets.items() if node not in gone}
    return plan


def moves_up(key: Attribute, cls: Class) -> str | None:
    """Return the key of a deleted object that says where what points to it with ``key`` moves to, if it does."""
    hierarchical = key.type == "AttributeHierarchicalKey" and key.on_target_delete is OnTargetDelete.MOVEUP
    return key.code if hierarchical and key.code in cls.attributes else None
