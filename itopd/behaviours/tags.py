"""Tags are objects of a class per tag attribute (``spec/objects.md`` §9.3)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from itopd.datamodel import Class
from itopd.writing import Doom, Draft, Hooks, Issue, Present

_CODE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9]{2,19}")
_CLASS: Final = re.compile(r"TagSetFieldDataFor_(?P<cls>.+)__(?P<code>.+)")
_ROOT: Final = "TagSetFieldData"
_UNIQUE: Final = ("code", "label")


class TagRules:
    """A tag knows its class and attribute from its own class; its code is a word, and code and label are its alone."""

    classes = frozenset({_ROOT})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Load the tags that have a code or a label of the drafts; read which are in use where a code changes."""
        tags = _Tags(present)
        tags.look_up(drafts)
        return tags


class TagInUse:
    """A tag that an object has cannot be deleted."""

    classes = frozenset({_ROOT})
    minds_deletions = True

    def judge(self, present: Present, cls: Class, ids: Sequence[int]) -> Mapping[int, Doom]:
        """Read which tags are in use: one statement for each tag set that deleted tags are of."""
        del cls
        by_set: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for id_ in ids:
            owner, attribute, code = (present.value(_ROOT, id_, of) for of in ("obj_class", "obj_attcode", "code"))
            by_set[owner, attribute][code] = id_
        found: dict[int, Doom] = {}
        for (owner, attribute), tags in by_set.items():
            for code in _in_use(present, owner, attribute).intersection(tags):
                text = f"the tag '{code}' is in use in {attribute} of objects of class {owner}: take it off them first"
                found[tags[code]] = Doom(issues=(Issue(None, "tag_in_use", text),))
        return found


def _in_use(present: Present, owner: str, attribute: str) -> frozenset[str]:
    """Return the codes of the tags that objects have."""
    model = present.database.model
    if owner not in model or attribute not in model[owner].attributes:
        return frozenset()
    declared = model[owner].attributes[attribute]
    column = present.database.table(declared.origin).c[declared.sql]
    texts = present.connection.execute(sa.select(column).where(column != "").distinct()).scalars()
    return frozenset(code for text in texts for code in text.split(" "))


class _Tags(Hooks):
    def __init__(self, present: Present) -> None:
        self._present = present
        self._used: dict[tuple[str, str], frozenset[str]] = {}

    def look_up(self, drafts: Sequence[Draft]) -> None:
        present = self._present
        for code in _UNIQUE:
            values = sorted({draft.value(code) for draft in drafts})
            present.load(_ROOT, [id_ for ids in present.find(_ROOT, (code,), [(v,) for v in values]) for id_ in ids])
        for draft in drafts:
            if not draft.new and draft.changed("code"):
                place = (draft.before("obj_class"), draft.before("obj_attcode"))
                if place not in self._used:
                    self._used[place] = _in_use(present, *place)

    def compute(self, draft: Draft) -> None:
        named = _CLASS.fullmatch(draft.cls.name)
        if named is not None:
            draft.set("obj_class", named["cls"])
            draft.set("obj_attcode", named["code"])

    def check(self, draft: Draft) -> Sequence[Issue]:
        issues: list[Issue] = []
        code, label = draft.value("code"), draft.value("label")
        if not _CODE.fullmatch(code):
            text = f"code: [{code}] must have 3 to 20 letters and digits, a letter first"
            issues.append(Issue("code", "tag_code", text))
        if not label or "|" in label:
            issues.append(Issue("label", "tag_label", f"label: [{label}] must not be empty nor hold '|'"))
        if not draft.new and draft.changed("code"):
            place, before = (draft.before("obj_class"), draft.before("obj_attcode")), draft.before("code")
            if before in self._used.get(place, ()):
                text = f"code: the tag '{before}' is in use in {place[1]} of objects of class {place[0]}"
                issues.append(Issue("code", "tag_in_use", text))
        same_set = {attribute: draft.value(attribute) for attribute in ("obj_class", "obj_attcode")}
        for attribute in _UNIQUE:
            value = draft.value(attribute)
            others = self._present.matching(_ROOT, {**same_set, attribute: value})
            if any(id_ != draft.id for id_ in others):
                issues.append(Issue(attribute, "tag_not_unique", f"{attribute}: another tag already has [{value}]"))
                break
        return issues
