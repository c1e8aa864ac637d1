"""Every English label is iTop's; French and German ones are composed the way iTop composes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from itopd.datamodel import Model, bundled_model
from itopd.dictionary import bundled_dictionary
from tests.datamodel.reference import load

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


def test_words_are_itops() -> None:
    dictionary = bundled_dictionary(bundled_model())
    words = load("labels.json")["EN US"]["words"]
    flat = {
        f"{key}/{part}" if part else key: text
        for key, value in words.items()
        for part, text in (value.items() if isinstance(value, dict) else [("", value)])
    }
    flat["id"] = flat.pop("id_header")
    assert {key: dictionary.word(key) for key in flat} == flat


@pytest.mark.parametrize("language", ["FR FR", "DE DE"])
def test_labels_through_keys_are_composed_as_itop_does(language: str) -> None:
    """Given the labels of plain attributes, those that iTop composed come out again."""
    model = bundled_model()
    classes = load("labels.json")[language]["classes"]
    entries = dict(_entries(classes, model))
    for word in ("friendlyname", "obsolescence_flag", "obsolescence_date"):
        entries[f"Word:{word}"] = classes["Contact"]["attributes"][word]
    dictionary = bundled_dictionary(model).with_texts({language: entries}).in_language(language)
    compared = 0
    for name, data in classes.items():
        for code, label in data.get("attributes", {}).items():
            attribute = model[name].attributes[code]
            if not attribute.is_external_field or not label.endswith(("->Obsolète", "->Obsolet")):
                continue
            compared += 1
            assert dictionary.attribute_label(name, code) == label, (name, code)
    assert compared > 90


def _entries(classes: dict[str, Any], model: Model) -> Iterator[tuple[str, str]]:
    for name, data in classes.items():
        for code, about in data.get("attributes", {}).items():
            if not model[name].attributes[code].is_external_field:
                yield f"Class:{name}/Attribute:{code}", about if isinstance(about, str) else about.get("label", "")
