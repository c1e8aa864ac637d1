"""The dictionaries of an attached iTop: read when needed, told about when they cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from itopd.datamodel import bundled_model
from itopd.dictionary import AttachedTexts, Dictionary, bundled_dictionary
from tests.support.dictionaries import dictionary_text

FRENCH = {"Class:Person": "Personne", "Class:Contact/Attribute:name": "Nom", "UI:Button:Ok": "D'accord"}


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def texts(tmp_path: Path, told: list[str]) -> AttachedTexts:
    (tmp_path / "fr-fr.dict.php").write_text(dictionary_text("FR FR", FRENCH), encoding="utf-8")
    return AttachedTexts(tmp_path, told.append)


def _attached(texts: AttachedTexts, language: str) -> Dictionary:
    return bundled_dictionary(bundled_model()).with_texts(texts).in_language(language)


def test_labels_are_those_of_the_file_then_the_bundled_ones(texts: AttachedTexts, told: list[str]) -> None:
    french = _attached(texts, "FR FR")
    assert french.class_label("Person") == "Personne"
    assert french.attribute_label("Team", "name") == "Nom"
    assert french.attribute_label("Person", "phone") == "Phone"
    assert french.value_label("Person", "obsolescence_flag", "yes") == "Oui"
    assert french.in_language("EN US").class_label("Person") == "Person"
    assert told == []


def test_an_english_file_comes_before_the_bundled_labels(texts: AttachedTexts) -> None:
    english = dictionary_text("EN US", {"Class:Person": "Human being"})
    (texts.folder / "en-us.dict.php").write_text(english, encoding="utf-8")
    assert _attached(texts, "EN US").class_label("Person") == "Human being"
    assert _attached(texts, "EN US").class_label("Team") == "Team"
    assert _attached(texts, "ES CR").class_label("Person") == "Human being"


def test_only_what_labels_need_is_kept(texts: AttachedTexts) -> None:
    assert set(texts["FR FR"]) == {"Class:Person", "Class:Contact/Attribute:name"}


def test_languages_are_those_with_a_file(texts: AttachedTexts) -> None:
    (texts.folder / "pt-br.dict.php").touch()
    assert list(texts) == ["FR FR", "PT BR"]
    assert len(texts) == 2
    assert "DE DE" not in texts


def test_no_file_is_read_before_its_language_is_asked_for(texts: AttachedTexts, told: list[str]) -> None:
    (texts.folder / "de-de.dict.php").write_text("nothing")
    french = _attached(texts, "FR FR")
    assert french.class_label("Person") == "Personne"
    assert told == []
    assert french.in_language("DE DE").class_label("Person") == "Person"
    assert len(told) == 1
    assert told[0].startswith(f"dictionary {texts.folder}/de-de.dict.php: it holds no call")


def test_what_is_passed_over_in_a_file_is_told_once(texts: AttachedTexts, told: list[str]) -> None:
    text = "<?php\nA('DE DE', array(\n'Class:Person' => NAME,\n'Class:Team' => 'Mannschaft'));"
    (texts.folder / "de-de.dict.php").write_text(text)
    for _ in range(2):
        german = _attached(AttachedTexts(texts.folder, told.append), "DE DE")
        assert german.class_label("Team") == "Mannschaft"
        assert german.class_label("Person") == "Person"
    assert len(told) == 1
    assert "1 parts are no plain texts" in told[0]
    assert "line 3: entry 'Class:Person' is no plain text" in told[0]


def test_the_language_of_an_account_is_no_path(texts: AttachedTexts, told: list[str]) -> None:
    (texts.folder / "apart").mkdir()
    outside = AttachedTexts(texts.folder / "apart", told.append)
    assert _attached(outside, "../fr-fr").class_label("Person") == "Person"
    assert _attached(outside, "FR\0FR").class_label("Person") == "Person"
    assert told == []


def test_a_changed_file_is_read_again(texts: AttachedTexts) -> None:
    assert _attached(texts, "FR FR").class_label("Team") == "Team"
    path = texts.folder / "fr-fr.dict.php"
    path.write_text(dictionary_text("FR FR", {"Class:Team": "Équipe"}), encoding="utf-8")
    assert _attached(AttachedTexts(texts.folder, texts.report), "FR FR").class_label("Team") == "Équipe"


@pytest.mark.parametrize("content", [b"<?php A('DE DE', array('a' => '\xff'));", None])
def test_an_unreadable_file_is_told_and_counts_as_empty(
    texts: AttachedTexts, told: list[str], content: bytes | None
) -> None:
    path = texts.folder / "de-de.dict.php"
    path.mkdir() if content is None else path.write_bytes(content)
    assert _attached(texts, "DE DE").class_label("Person") == "Person"
    assert [message.startswith(f"dictionary {path} cannot be read") for message in told] == [True]
