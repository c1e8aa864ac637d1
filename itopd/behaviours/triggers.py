"""Triggers on objects know what they are about (``spec/objects.md`` §8.5, §9.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from itopd.attributes import codes_of_class
from itopd.datamodel import Model
from itopd.errors import OqlError
from itopd.oql import parse, resolve
from itopd.writing import Draft, Hooks, Issue, Present

_TRIGGER: Final = "TriggerOnObject"
_ATTRIBUTES: Final = "target_attcodes"
_FILTERS: Final = ("filter", "mentioned_filter")


class TriggerTarget:
    """A trigger names its class in its complement; its filter gives objects of it, its attributes are those it has."""

    classes = frozenset({_TRIGGER})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Return what to do for each trigger; nothing has to be looked up."""
        del drafts
        return _Target(present.database.model)


class _Target(Hooks):
    def __init__(self, model: Model) -> None:
        self._model = model

    def compute(self, draft: Draft) -> None:
        target = draft.value("target_class")
        draft.set("complement", f"class restriction: {target}")
        if _ATTRIBUTES in draft.cls.attributes and target in self._model:
            known = frozenset(codes_of_class(draft.cls.attributes[_ATTRIBUTES], target, self._model))
            wanted = draft.value(_ATTRIBUTES)
            if not known.issuperset(wanted):
                draft.set(_ATTRIBUTES, tuple(code for code in wanted if code in known))

    def check(self, draft: Draft) -> Sequence[Issue]:
        issues: list[Issue] = []
        for code in _FILTERS:
            if code not in draft.cls.attributes or not draft.value(code):
                continue
            if draft.new or draft.changed(code) or draft.changed("target_class"):
                issues += self._of_filter(draft, code)
        return issues

    def _of_filter(self, draft: Draft, code: str) -> list[Issue]:
        target = draft.value("target_class")
        try:
            (selected, *_) = resolve(parse(draft.value(code)), self._model).selected
        except OqlError as error:
            return [Issue(code, "bad_filter", f"{code}: {error.message}")]
        if code == "filter" and target in self._model and not self._model.is_a(selected.cls, target):
            text = f"filter: it gives objects of class {selected.cls}, where those of {target} are expected"
            return [Issue(code, "bad_filter", text)]
        return []
