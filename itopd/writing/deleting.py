"""Deletions among the intents of a chunk (``spec/objects.md`` §7).

What deletions of the chunk may touch is read level by level, for all of them together; each is then planned and judged
in memory, at its turn. A plan is made of what is stored, so where the chunk has written what the plan depends on, it
has to be flushed first: :class:`FlushFirst`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from itopd.database import collation_key
from itopd.datamodel import Class
from itopd.objects import friendly_names
from itopd.writing.deletion_plan import Link, Node, Plan, moves_up, plan_of
from itopd.writing.draft import Draft
from itopd.writing.drafting import Drafting
from itopd.writing.intents import Issue
from itopd.writing.participants import Participants
from itopd.writing.protocols import DeletionRule, Doom
from itopd.writing.references import References
from itopd.writing.working import Item, Working

_NO_DOOM = Doom()


class FlushFirst(Exception):
    """What the chunk has decided so far has to be written before a deletion can be planned."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A deletion as planned, with all that is to be said of it but the resets."""

    plan: Plan
    issues: Sequence[Issue]
    resets: Sequence[Draft]


class Deletions:
    """Plans the deletions of one chunk."""

    def __init__(self, participants: Participants, working: Working, drafting: Drafting) -> None:
        self._participants = participants
        self._working = working
        self._drafting = drafting
        self._references = References(participants.pointing, working)
        self._names: dict[tuple[str, int], str] = {}
        """Friendly name by root class and id."""
        self._dooms: dict[Node, Doom] = {}
        self._vetoes: dict[Node, Sequence[Issue]] = {}
        """What guards say of objects that a caller asks to delete."""

    def foresee(self, roots: Mapping[str, Iterable[int]]) -> list[Draft]:
        """Read all that deleting objects may touch, given by their class; return drafts of the keys it may reset."""
        asked = self._look_up(roots)
        seen = {(cls, id_): None for cls, ids in asked.items() for id_ in ids}
        resets: dict[Node, dict[str, int]] = {}
        queue = list(seen)
        for node in queue:
            for link in self._links(node):
                if link.resets and link.key is not None:
                    resets.setdefault(link.node, {})[link.key.code] = link.moves_to
                elif not link.forbids and link.node not in seen:
                    seen[link.node] = None
                    queue.append(link.node)
        return [self._reset(node, values) for node, values in resets.items()]

    def decide(self, root: Node) -> Decided:
        """Plan the deletion of an object that exists. Raises :class:`FlushFirst`."""
        self._look_up({root[0]: [root[1]]})
        plan = plan_of(root, self._links)
        for node in plan.goes:
            self._require_certain(node)
        issues = [*plan.issues(), *self._vetoes.get(root, ())]
        for node in plan.goes:
            issues += self._dooms.get(node, _NO_DOOM).issues
        return Decided(plan, issues, [self._reset(node, values) for node, values in plan.resets.items()])

    def name(self, node: Node) -> str:
        """Return the friendly name of an object that was looked at."""
        cls, id_ = node
        return self._names.get((self._working.model[cls].root, id_), "")

    def _look_up(self, roots: Mapping[str, Iterable[int]]) -> Mapping[str, Sequence[int]]:
        """Read all that deleting objects may touch, given by their class; return those that exist by final class."""
        asked = self._existing(roots)
        for cls, ids in asked.items():
            self._ask_guards(cls, ids, asked=True)
        self._read(asked)
        return asked

    def _existing(self, roots: Mapping[str, Iterable[int]]) -> dict[str, list[int]]:
        """Return the objects that exist, by their final class; they are loaded then."""
        found: dict[str, list[int]] = defaultdict(list)
        for cls, ids in roots.items():
            wanted = list(dict.fromkeys(ids))
            self._working.load(cls, wanted, self._keys(cls))
            for id_ in wanted:
                item = self._working.item(self._working.model[cls].root, id_)
                if item is not None and cls in item.layout.cls.lineage:
                    found[item.layout.cls.name].append(id_)
        return found

    def _keys(self, cls: str) -> Iterable[str]:
        """Return the keys of a class and its subclasses."""
        layouts = (self._participants.layout(name) for name in self._working.model[cls].subclasses)
        return dict.fromkeys(code for layout in layouts for code in layout.keys)

    def _read(self, objects: Mapping[str, Iterable[int]]) -> None:
        """Read what the deletion of objects touches, level by level, until nothing more goes with them."""
        level = {cls: self._unread(cls, ids) for cls, ids in objects.items()}
        while any(level.values()):
            self._references.read(level)
            touched: dict[str, dict[int, None]] = defaultdict(dict)
            going: dict[str, dict[int, None]] = defaultdict(dict)
            for name, ids in level.items():
                cls = self._working.model[name]
                self._ask_rules(cls, ids)
                for code in self._participants.layout(name).trees:
                    self._working.load_tree((cls.attributes[code].origin, code))
                self._learn_names(cls.root, ids)
                for id_ in ids:
                    for key, other in self._references.of(cls, id_):
                        touched[key.origin][other] = None
            for origin, others in touched.items():
                self._load(origin, others)
            for name, ids in level.items():
                for id_ in ids:
                    for link in self._links((name, id_)):
                        if not link.resets and not link.forbids:
                            going[link.node[0]][link.node[1]] = None
            level = {cls: self._unread(cls, ids) for cls, ids in going.items()}

    def _unread(self, cls: str, ids: Iterable[int]) -> list[int]:
        return [id_ for id_ in ids if (cls, id_) not in self._dooms]

    def _load(self, origin: str, ids: Iterable[int]) -> None:
        """Load objects that point to what may be deleted, with all their keys, and learn their names."""
        self._working.load(origin, ids, self._keys(origin))
        self._learn_names(self._working.model[origin].root, ids)

    def _learn_names(self, root: str, ids: Iterable[int]) -> None:
        unknown = [id_ for id_ in ids if (root, id_) not in self._names]
        if unknown:
            found = friendly_names(self._working.database, self._working.connection, root, unknown)
            self._names |= {(root, id_): name for id_, name in found.items()}

    def _ask_guards(self, cls: str, ids: Sequence[int], *, asked: bool) -> None:
        new = [id_ for id_ in ids if (cls, id_) not in self._vetoes] if asked else ids
        if not new:
            return
        for guard in self._participants.guards:
            said = guard.deletions(self._working, self._working.model[cls], new, asked=asked)
            for id_, issues in said.items():
                if asked:
                    self._vetoes[cls, id_] = (*self._vetoes.get((cls, id_), ()), *issues)
                else:
                    self._dooms[cls, id_] = self._dooms[cls, id_].with_issues(issues)
        if asked:
            self._vetoes |= {(cls, id_): () for id_ in new if (cls, id_) not in self._vetoes}

    def _ask_rules(self, cls: Class, ids: Sequence[int]) -> None:
        """Ask who has a say in deletions of a class; an object is asked about once."""
        self._dooms |= {(cls.name, id_): _NO_DOOM for id_ in ids}
        for rule in self._rules_of(cls):
            for id_, doom in rule.judge(self._working, cls, ids).items():
                node = (cls.name, id_)
                self._dooms[node] = self._dooms[node].with_issues(doom.issues).with_more(doom.also)
                for also, more in _by_class(doom.also).items():
                    self._load(also, more)
        self._ask_guards(cls.name, ids, asked=False)

    def _rules_of(self, cls: Class) -> list[DeletionRule]:
        return [rule for rule in self._participants.deletions if not rule.classes.isdisjoint(cls.lineage)]

    def _links(self, node: Node) -> Iterator[Link]:
        """Yield what the deletion of an object touches, as the chunk has left it so far: key by key, by name."""
        name, id_ = node
        cls = self._working.model[name]
        found: dict[str, list[tuple[bytes, int, Link]]] = defaultdict(list)
        for key, other in self._references.of(cls, id_):
            declared = self._working.model[key.origin]
            item = self._working.item(declared.root, other)
            if item is None or (key.code in item.dirty and item.values[key.code] != id_):
                continue
            up = moves_up(key, cls)
            link = Link((item.layout.cls.name, other), key, self._value(cls, id_, up) if up else 0)
            order = collation_key(self._names[declared.root, other])
            found[f"{key.origin}.{key.code}"].append((order, other, link))
        for links in found.values():
            yield from (link for _, _, link in sorted(links, key=lambda one: one[:2]))
        for other_class, other in self._dooms[node].also:
            if self._working.item(self._working.model[other_class].root, other) is not None:
                yield Link((other_class, other), None)

    def _value(self, cls: Class, id_: int, code: str) -> int:
        value = self._working.value(cls.name, id_, code)
        return value if isinstance(value, int) else 0

    def _require_certain(self, node: Node) -> None:
        """Raise :class:`FlushFirst` where what is stored does not tell what the deletion of an object takes."""
        item = self.item(node)
        for rule in self._rules_of(item.layout.cls):
            if self._working.is_written or (rule.minds_deletions and self._working.gone):
                raise FlushFirst
        if item.new or self._working.is_newly_pointed_at(item.layout.cls.root, item.id) or _is_renamed(item):
            raise FlushFirst

    def _reset(self, node: Node, values: Mapping[str, int]) -> Draft:
        draft = self._drafting.update(self.item(node), values)
        draft.asked = False
        return draft

    def item(self, node: Node) -> Item:
        """Return an object of a plan."""
        cls, id_ = node
        item = self._working.item(self._working.model[cls].root, id_)
        if item is None:
            raise AssertionError(f"{cls}::{id_} was loaded, or it would not be in a plan")
        return item


def _is_renamed(item: Item) -> bool:
    """Return whether what the chunk has changed may show in the friendly name."""
    attributes = item.layout.cls.attributes
    return any(code in item.dirty or attributes[code].key in item.dirty for code in item.layout.cls.name_attributes)


def _by_class(nodes: Iterable[Node]) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for cls, id_ in nodes:
        found[cls].append(id_)
    return found
