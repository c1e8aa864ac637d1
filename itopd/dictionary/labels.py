"""Looking labels up as iTop does: class by class, language by language (``spec/params.md`` §4, *Labels*)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from itopd.datamodel import Attribute, Model

ENGLISH = "EN US"
"""The language everything falls back to."""

_TAG_CLASS_PREFIX = "TagSetFieldDataFor_"


@dataclass(frozen=True, eq=False)
class Dictionary:
    """Texts of a model in several languages, read in one of them.

    Keys are iTop's: ``Class:<C>``, ``Class:<C>/Attribute:<att>``, ``Class:<C>/Attribute:<att>/Value:<code>``; words
    of itopd's own are ``Word:<key>``. A label is looked for in ``language``, then also in ``default_language``, then
    also in English; what has none is called by its code.
    """

    model: Model
    texts: Mapping[str, Mapping[str, str]]
    """Language -> key -> text; a language may be read only when it is asked for."""
    language: str = ENGLISH
    default_language: str = ENGLISH
    _known: dict[tuple[str, ...], str] = field(default_factory=dict, init=False, repr=False)

    def in_language(self, language: str, default_language: str | None = None) -> Dictionary:
        """Return the same texts read in another language, such as that of an account (empty = the default one)."""
        default = default_language or self.default_language
        return replace(self, language=language or default, default_language=default)

    def with_texts(self, texts: Mapping[str, Mapping[str, str]]) -> Dictionary:
        """Return a dictionary where ``texts`` come before those already there."""
        return replace(self, texts=_Layered(texts, self.texts))

    def class_label(self, cls: str, language: str | None = None) -> str:
        """Return the label of a class; for the tags of a tag set one made of the labels of attribute and class."""
        if language is not None and language != self.language:
            return self.in_language(language).class_label(cls)
        return self._first(f"Class:{cls}") or self._tag_class_label(cls) or cls

    def attribute_label(self, cls: str, code: str) -> str:
        """Return the label of an attribute as the class or its nearest parent names it."""
        known = self._known.get((cls, code))
        if known is None:
            known = self._known[cls, code] = self._attribute_label(cls, code)
        return known

    def value_label(self, cls: str, code: str, value: str | None) -> str:
        """Return the label of an enum's or set's code, of ``yes`` and ``no`` for a boolean; no value is *undefined*."""
        if not value:
            return self.word("undefined_enum")
        known = self._known.get((cls, code, value))
        if known is None:
            known = self._known[cls, code, value] = self._value_label(cls, code, value)
        return known

    def word(self, key: str) -> str:
        """Return a word, or a pattern with ``{names}`` to fill in: ``boolean/yes``, ``undefined_enum``, ``id``, ..."""
        return self._first(f"Word:{key}") or key

    # --- look-up ----------------------------------------------------------------------------------------------------

    def _languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.language, self.default_language, ENGLISH)))

    def _first(self, *keys: str) -> str | None:
        """Return the text of the first key that has one in any acceptable language."""
        for key in keys:
            for language in self._languages():
                if text := self.texts.get(language, {}).get(key):
                    return text
        return None

    def _entry(self, cls: str, code: str, suffix: str = "") -> str | None:
        """Return an attribute's own entry: from the class upwards, first in the reader's language alone."""
        keys = tuple(f"Class:{name}/Attribute:{code}{suffix}" for name in self._declaring(cls, code))
        own = self.texts.get(self.language, {})
        return next((own[key] for key in keys if own.get(key)), None) or self._first(*keys)

    def _declaring(self, cls: str, code: str) -> Iterator[str]:
        """Yield the class and those of its parents that have the attribute."""
        for name in reversed(self.model.get_class(cls).lineage):
            if code in self.model[name].attributes:
                yield name

    def _attribute_label(self, cls: str, code: str) -> str:
        attribute = self.model.get_class(cls).attribute(code)
        own = self._entry(cls, code)
        if own is not None:
            return own
        if attribute.is_external_field:
            return self._external_field_label(cls, attribute)
        return self.word(code) if code in _GENERAL else code.replace("_", " ")

    def _external_field_label(self, cls: str, attribute: Attribute) -> str:
        """Compose a label of the key's and the target's; a key without label is shown as its bare code (observed)."""
        key = attribute.key or ""
        key_label = self._entry(cls, key)
        if attribute.code == f"{key}_friendlyname":
            return key_label or attribute.code
        target = self.model[cls].attribute(key).target or ""
        return f"{key_label or key}->{self.attribute_label(target, attribute.target_attcode or '')}"

    def _value_label(self, cls: str, code: str, value: str) -> str:
        own = self._entry(cls, code, f"/Value:{value}")
        if own is None and self.model[cls].attribute(code).type in _BOOLEANS:
            own = self.word(f"boolean/{value}") if value in {"yes", "no"} else None
        return own or value

    def _tag_class_label(self, cls: str) -> str | None:
        owner, found, code = cls.removeprefix(_TAG_CLASS_PREFIX).rpartition("__")
        if not found or not cls.startswith(_TAG_CLASS_PREFIX) or owner not in self.model:
            return None
        labels = {"attribute": self.attribute_label(owner, code), "class": self.class_label(owner)}
        return self.word("tag_class").format_map(labels)


@dataclass(frozen=True, eq=False)
class _Layered(Mapping[str, Mapping[str, str]]):
    """Texts by language, those of ``upper`` before those of ``lower``; each language is put together when needed."""

    upper: Mapping[str, Mapping[str, str]]
    lower: Mapping[str, Mapping[str, str]]
    _known: dict[str, Mapping[str, str]] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, language: str) -> Mapping[str, str]:
        known = self._known.get(language)
        if known is None:
            both = (self.lower.get(language, {}), self.upper.get(language, {}))
            known = self._known[language] = {**both[0], **both[1]}
        if not known:
            raise KeyError(language)
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self.upper, *self.lower)))

    def __len__(self) -> int:
        return sum(1 for _ in self)


_GENERAL = frozenset({"friendlyname", "finalclass", "obsolescence_flag", "obsolescence_date"})
"""Attributes of every class, whose labels are words."""

_BOOLEANS = frozenset({"AttributeBoolean", "AttributeObsolescenceFlag"})


@cache
def bundled_dictionary(model: Model) -> Dictionary:
    """Return the dictionary of the texts that came with a model, in English."""
    return Dictionary(model, model.texts)
