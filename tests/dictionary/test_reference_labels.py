"""Every English label is iTop's; French and German ones are composed the way iTop composes them."""

from __future__ import annotations

from collections import Counter

import pytest

from itopd.datamodel import Class, Model, bundled_model
from itopd.dictionary import Dictionary, bundled_dictionary
from tests.datamodel.reference import load
from tests.support.dictionaries import LANGUAGES, reference_entries

pytestmark = pytest.mark.shared


def test_english_labels_of_all_classes_and_attributes_are_itops() -> None:
    dictionary = bundled_dictionary(bundled_model())
    classes = load("model.json")
    ours = {name: dictionary.class_label(name) for name in classes}
    assert ours == {name: data["label"] for name, data in classes.items()}
    labels = {(n, c): a["label"] for n, data in classes.items() for c, a in data["attributes"].items()}
    assert {(n, c): dictionary.attribute_label(n, c) for n, c in labels} == labels


def test_english_labels_of_all_values_are_itops() -> None:
    dictionary = bundled_dictionary(bundled_model())
    classes, extra = load("model.json"), load("model-extra.json")
    for name, data in classes.items():
        for code, attribute in data["attributes"].items():
            about = extra[name]["attributes"].get(code, {})
            labels = {**about.get("labels", {}), **attribute.get("allowed_labels", {})}
            assert {value: dictionary.value_label(name, code, value) for value in labels} == labels, (name, code)
            if "null_label" in about:
                assert dictionary.value_label(name, code, None) == about["null_label"]


def test_rules_that_have_a_sentence_in_itop_have_one_here() -> None:
    """The sentences are our own; which rules have one is iTop's."""
    mark = "/UniquenessRule:"
    texts = bundled_model().texts["EN US"].items()
    ours = {key.removeprefix("Class:").replace(mark, "/"): text for key, text in texts if mark in key}
    theirs = load("model-more.json")["uniqueness_texts"]["EN US"]
    assert set(ours) == set(theirs)
    assert all(ours[rule] != theirs[rule] for rule in theirs)


@pytest.mark.parametrize("language", ["EN US", "FR FR", "DE DE"])
def test_words_are_itops(language: str) -> None:
    dictionary = bundled_dictionary(bundled_model()).in_language(language)
    words = load("labels.json")[language]["words"]
    flat = {
        f"{key}/{part}" if part else key: text
        for key, value in words.items()
        for part, text in (value.items() if isinstance(value, dict) else [("", value)])
    }
    flat["id"] = flat.pop("id_header")
    assert {key: dictionary.word(key) for key in flat} == flat


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_of_all_classes_attributes_and_values_are_those_of_the_attached_dictionary(language: str) -> None:
    """An entry holds for the subclasses too; without one on the class and its parents the English label holds."""
    model = bundled_model()
    entries = reference_entries(language)
    english = bundled_dictionary(model)
    dictionary = english.with_texts({language: entries}).in_language(language)
    counts = Counter[str]()
    for name, cls in model.items():
        assert dictionary.class_label(name) == entries.get(f"Class:{name}", english.class_label(name)), name
        for code, attribute in cls.attributes.items():
            if attribute.is_external_field and _said(entries, cls, code) is None:
                continue  # composed: see below
            counts["labels"] += 1
            said = _said(entries, cls, code) or _word(dictionary, code) or english.attribute_label(name, code)
            assert dictionary.attribute_label(name, code) == said, (name, code)
            for value in attribute.values:
                counts["values"] += 1
                said = _said(entries, cls, code, f"/Value:{value}") or english.value_label(name, code, value)
                assert dictionary.value_label(name, code, value) == said, (name, code, value)
    assert counts["labels"] > 3000
    assert counts["values"] > 1000


def _said(entries: dict[str, str], cls: Class, code: str, suffix: str = "") -> str | None:
    """Return the entry of the nearest class that has one."""
    keys = (f"Class:{name}/Attribute:{code}{suffix}" for name in reversed(cls.lineage))
    return next((entries[key] for key in keys if key in entries), None)


def _word(dictionary: Dictionary, code: str) -> str | None:
    general = {"friendlyname", "obsolescence_flag", "obsolescence_date"}
    return dictionary.word(code) if code in general else None


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_through_keys_are_composed_as_itop_does(language: str) -> None:
    """Without the labels of the fields that iTop makes for each key, the same labels come out again."""
    model = bundled_model()
    entries = reference_entries(language)
    made = {key: label for key, label in entries.items() if _is_made(model, key) and key not in WITH_ENTRY}
    kept = {key: text for key, text in entries.items() if key not in made}
    # The reference holds business classes only; this label of an account's class shows in that of an attachment.
    kept["Class:User/Attribute:finalclass"] = entries[OF_ACCOUNTS].partition("->")[2]
    dictionary = bundled_dictionary(model).with_texts({language: kept}).in_language(language)
    assert {key: dictionary.attribute_label(*_place(key)) for key in made} == made
    assert len(made) > 270


_MADE = ("_friendlyname", "_obsolescence_flag", "_finalclass_recall")
OF_ACCOUNTS = "Class:Attachment/Attribute:user_id_finalclass_recall"
WITH_ENTRY = {
    "Class:Organization/Attribute:parent_id_friendlyname",
    "Class:Person/Attribute:manager_id_friendlyname",
    "Class:Group/Attribute:parent_id_friendlyname",
    "Class:Incident/Attribute:parent_incident_id_friendlyname",
    "Class:UserRequest/Attribute:parent_request_id_friendlyname",
    "Class:Change/Attribute:parent_id_friendlyname",
    "Class:Change/Attribute:parent_id_finalclass_recall",
}
"""Fields made for a key that have entries of their own in iTop's dictionaries: their labels are no composed ones."""


def _place(key: str) -> tuple[str, str]:
    cls, code = key.removeprefix("Class:").split("/Attribute:")
    return cls, code


def _is_made(model: Model, key: str) -> bool:
    if "/Attribute:" not in key or "/Value:" in key:
        return False
    cls, code = _place(key)
    return model[cls].attributes[code].is_external_field and code.endswith(_MADE)
