"""Link sets as values of an intent: the writes of links that they stand for (``spec/objects.md`` §6.3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from itopd.datamodel import Attribute, Class, Model
from itopd.errors import ModelError
from itopd.writing.draft import Draft
from itopd.writing.drafting import Drafting
from itopd.writing.intents import Create, Delete, Intent, Issue, LinkSet, Pending, Update
from itopd.writing.working import Working


@dataclass(frozen=True, slots=True)
class LinkWrite:
    """One write of a link object, or of an object of a 1:n link set."""

    code: str
    """The link set."""
    intent: Create | Update | Delete
    refusal: Issue | None = None
    """Why it cannot be done, whatever the checks say."""
    late: bool = False
    """It takes the place of what the same set removes, so it can be judged only once that is gone."""


def link_sets_of(values: Mapping[str, object]) -> dict[str, LinkSet]:
    """Return the link sets among the values of an intent."""
    if LinkSet not in map(type, values.values()):  # most have none, and are asked several times
        return {}
    return {code: value for code, value in values.items() if type(value) is LinkSet}


class LinkSets:
    """Makes writes of the link sets of one chunk."""

    def __init__(self, working: Working, drafting: Drafting) -> None:
        self._working = working
        self._drafting = drafting

    @property
    def _model(self) -> Model:
        return self._working.model

    def load(self, intents: Iterable[Intent]) -> Mapping[str, list[int]]:
        """Load the links that intents name; return those that will be deleted, by class. One statement per class."""
        wanted: dict[str, dict[int, None]] = defaultdict(dict)
        codes: dict[str, dict[str, None]] = defaultdict(dict)
        deleted: dict[str, list[int]] = defaultdict(list)
        for intent in intents:
            for code, links in () if isinstance(intent, Delete) else link_sets_of(intent.values).items():
                attribute = self._attribute(self._model.get_class(intent.cls), code)
                cls = attribute.linked_class or ""
                attached = (self._drafting.id_of(Update(cls, one, {})) for one in links.attach)
                wanted[cls].update(dict.fromkeys([*links.remove, *links.modify, *filter(None, attached)]))
                codes[cls][attribute.ext_key_to_me or ""] = None
                codes[cls].update(dict.fromkeys(code for values in links.modify.values() for code in values))
                if self._deletes(attribute):
                    deleted[cls] += links.remove
        for cls, ids in wanted.items():
            self._working.load(cls, ids, codes[cls])
        return deleted

    def foresee(self, hosts: Iterable[tuple[Draft, Intent]]) -> list[Draft]:
        """Load the links that are there already among those to add; return drafts of all writes of links."""
        asked = [
            (draft, code, links)
            for draft, intent in hosts
            if not isinstance(intent, Delete)
            for code, links in link_sets_of(intent.values).items()
        ]
        pairs: dict[tuple[str, str, str], set[tuple[int, int]]] = defaultdict(set)
        for draft, code, links in asked:
            attribute = self._attribute(draft.layout.cls, code)
            if attribute.ext_key_to_remote and attribute.ext_key_to_me and not draft.new:
                place = (attribute.linked_class or "", attribute.ext_key_to_me, attribute.ext_key_to_remote)
                remotes = (self._remote(attribute, values) for values in links.add)
                pairs[place].update((draft.id, remote) for remote in remotes if remote)
        for (cls, me, remote_key), rows in pairs.items():
            found = self._working.find(cls, (me, remote_key), sorted(rows))
            self._working.load(cls, [id_ for ids in found for id_ in ids], (me, remote_key))
        writes = [write for draft, code, links in asked for write in self._writes(draft, code, links)]
        return [draft for draft in map(self.draft, writes) if draft is not None]

    def writes(self, host: Draft, values: Mapping[str, object]) -> Iterator[LinkWrite]:
        """Yield the writes that the link sets among values stand for, in order; ``host.id`` is known by now."""
        for code, links in link_sets_of(values).items():
            yield from self._writes(host, code, links)

    def draft(self, write: LinkWrite) -> Draft | None:
        """Return the draft of a creation or an update of a link; ``None`` where there is none."""
        intent = write.intent
        if isinstance(intent, Create):
            return self._drafting.creation(intent.cls, intent.values)
        if isinstance(intent, Delete) or (item := self._drafting.item(intent)) is None:
            return None
        return self._drafting.update(item, intent.values)

    def _writes(self, host: Draft, code: str, links: LinkSet) -> Iterator[LinkWrite]:
        attribute = self._attribute(host.layout.cls, code)
        cls, me = attribute.linked_class or "", attribute.ext_key_to_me or ""
        for id_ in links.remove:
            removal: Delete | Update = Delete(cls, id_) if self._deletes(attribute) else Update(cls, id_, {me: 0})
            yield LinkWrite(code, removal, self._foreign(host, attribute, id_))
        there: set[int] = set()
        for values in links.add:
            remote = self._remote(attribute, values)
            if remote and not attribute.duplicates:
                if remote in there or self._links_to(host, attribute, remote) - {*links.remove}:
                    continue
                there.add(remote)
            final = str(values.get("finalclass") or cls)
            given = {of: value for of, value in values.items() if of != "finalclass"}
            yield LinkWrite(code, Create(final, {**given, me: host.id}), late=bool(links.remove))
        for one in links.attach:
            yield LinkWrite(code, Update(cls, one, {me: host.id}), late=bool(links.remove))
        for id_, changed in links.modify.items():
            yield LinkWrite(code, Update(cls, id_, changed), self._foreign(host, attribute, id_))

    def _attribute(self, cls: Class, code: str) -> Attribute:
        attribute = cls.attribute(code)
        if not attribute.is_link_set:
            raise ModelError(f"{cls.name}.{code} is no link set: it takes no links")
        return attribute

    def _deletes(self, attribute: Attribute) -> bool:
        """Return whether what is taken out of a link set is deleted: links, and what cannot be without its host."""
        key = self._model[attribute.linked_class or ""].attributes[attribute.ext_key_to_me or ""]
        return bool(attribute.ext_key_to_remote) or not key.nullable

    def _remote(self, attribute: Attribute, values: Mapping[str, object]) -> int:
        """Return the other end of an n:n link to make; 0 where there is none, or it is not known yet."""
        value = values.get(attribute.ext_key_to_remote or "")
        if isinstance(value, Pending):
            key = self._model[attribute.linked_class or ""].attributes[attribute.ext_key_to_remote or ""]
            return self._drafting.id_of(Update(key.target or "", value, {}))
        return value if isinstance(value, int) else 0

    def _links_to(self, host: Draft, attribute: Attribute, remote: int) -> set[int]:
        ends = {attribute.ext_key_to_me or "": host.id, attribute.ext_key_to_remote or "": remote}
        return {*self._working.matching(attribute.linked_class or "", ends)}

    def _foreign(self, host: Draft, attribute: Attribute, id_: int) -> Issue | None:
        """Return why an object cannot be taken out of or changed in a link set: it is not in it."""
        cls = attribute.linked_class or ""
        item = self._working.item(self._model[cls].root, id_)
        if item is not None and item.values.get(attribute.ext_key_to_me or "") == host.id:
            return None
        return Issue(attribute.code, "not_found", f"{attribute.code}: there is no {cls} with the id {id_} in it")
