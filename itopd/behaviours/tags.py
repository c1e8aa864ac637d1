"""Tags are objects of a class per tag attribute (``spec/objects.md`` §9.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from itopd.writing import Draft, Hooks, Issue, Present

_CODE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9]{2,19}")
_CLASS: Final = re.compile(r"TagSetFieldDataFor_(?P<cls>.+)__(?P<code>.+)")
_ROOT: Final = "TagSetFieldData"
_UNIQUE: Final = ("code", "label")


class TagRules:
    """A tag knows its class and attribute from its own class; its code is a word, and code and label are its alone."""

    classes = frozenset({_ROOT})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Load the tags that have a code or a label of the drafts."""
        for code in _UNIQUE:
            values = sorted({draft.value(code) for draft in drafts})
            present.load(_ROOT, [id_ for ids in present.find(_ROOT, (code,), [(v,) for v in values]) for id_ in ids])
        return _Tags(present)


class _Tags(Hooks):
    def __init__(self, present: Present) -> None:
        self._present = present

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
        same_set = {attribute: draft.value(attribute) for attribute in ("obj_class", "obj_attcode")}
        for attribute in _UNIQUE:
            value = draft.value(attribute)
            others = self._present.matching(_ROOT, {**same_set, attribute: value})
            if any(id_ != draft.id for id_ in others):
                issues.append(Issue(attribute, "tag_not_unique", f"{attribute}: another tag already has [{value}]"))
                break
        return issues
