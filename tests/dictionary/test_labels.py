"""Labels are found class by class, language by language, and made up where nothing is said."""

from __future__ import annotations

import pytest

from itopd.datamodel import bundled_model
from itopd.dictionary import Dictionary, bundled_dictionary
from itopd.errors import ModelError

FRENCH = {
    "Class:Person": "Personne",
    "Class:Contact/Attribute:status": "Etat",
    "Class:Contact/Attribute:org_id": "Organisation",
    "Class:Contact/Attribute:status/Value:active": "Actif",
    "Class:Person/Attribute:location_id": "Site",
    "Word:obsolescence_flag": "Obsolète",
    "Word:boolean/yes": "Mais oui",
}


@pytest.fixture
def english() -> Dictionary:
    return bundled_dictionary(bundled_model())


@pytest.fixture
def french(english: Dictionary) -> Dictionary:
    return english.with_texts({"FR FR": FRENCH}).in_language("FR FR")


def test_a_label_of_the_parent_holds_unless_the_class_has_its_own(english: Dictionary) -> None:
    assert english.attribute_label("Contact", "name") == "Name"
    assert english.attribute_label("Team", "name") == "Name"
    assert english.attribute_label("Person", "name") == "Last Name"


def test_a_french_entry_of_the_parent_comes_before_an_english_one_of_the_class(english: Dictionary) -> None:
    texts = {"FR FR": {"Class:Contact/Attribute:name": "Nom"}}
    assert english.with_texts(texts).in_language("FR FR").attribute_label("Person", "name") == "Nom"


def test_what_the_language_lacks_is_read_in_the_default_one_then_in_english(french: Dictionary) -> None:
    german = {"DE DE": {"Class:Contact/Attribute:email": "E-Mail"}}
    dictionary = french.with_texts(german).in_language("FR FR", default_language="DE DE")
    assert dictionary.attribute_label("Person", "status") == "Etat"
    assert dictionary.attribute_label("Person", "email") == "E-Mail"
    assert dictionary.attribute_label("Person", "phone") == "Phone"


def test_an_empty_language_is_the_default_one(english: Dictionary) -> None:
    assert english.in_language("", default_language="FR FR").language == "FR FR"


def test_external_fields_without_entry_show_the_way(french: Dictionary) -> None:
    assert french.attribute_label("Person", "location_id_friendlyname") == "Site"
    assert french.attribute_label("Person", "location_id_obsolescence_flag") == "Site->Obsolète"
    assert french.attribute_label("PhysicalInterface", "org_id_friendlyname") == "Device->Organization"


def test_the_name_through_a_key_without_label_is_its_own_code(english: Dictionary) -> None:
    assert english.attribute_label("Shortcut", "user_id") == "user id"
    assert english.attribute_label("Shortcut", "user_id_friendlyname") == "user_id_friendlyname"
    assert english.attribute_label("Shortcut", "user_id_finalclass_recall") == "user_id->Type of account"


def test_class_labels(english: Dictionary, french: Dictionary) -> None:
    assert english.class_label("Person") == "Person"
    assert french.class_label("Person") == "Personne"
    assert french.class_label("Person", "EN US") == "Person"
    assert english.class_label("Nothing") == "Nothing"
    assert english.class_label("TagSetFieldDataFor_FAQ__domains") == "Domains for class FAQ"


def test_value_labels(english: Dictionary, french: Dictionary) -> None:
    assert french.value_label("Person", "status", "active") == "Actif"
    assert french.value_label("Person", "status", "inactive") == "Inactive"
    assert french.value_label("Person", "status", "unheard of") == "unheard of"
    assert english.value_label("Person", "status", None) == "Undefined"
    assert english.value_label("Trigger", "context", "CRON") == "cron"


def test_booleans_say_yes_and_no(english: Dictionary, french: Dictionary) -> None:
    assert english.value_label("Person", "obsolescence_flag", "yes") == "Yes"
    assert french.value_label("Person", "obsolescence_flag", "yes") == "Mais oui"
    assert french.value_label("Person", "obsolescence_flag", "no") == "Non"
    assert french.in_language("NL NL").value_label("Person", "obsolescence_flag", "no") == "No"


def test_a_word_without_text_is_its_key(english: Dictionary) -> None:
    assert english.word("undefined_object") == "undefined"
    assert english.word("no such word") == "no such word"


def test_an_unknown_attribute_is_an_error(english: Dictionary) -> None:
    with pytest.raises(ModelError, match="did you mean"):
        english.attribute_label("Person", "nam")


def test_other_languages_leave_a_dictionary_as_it_is(english: Dictionary) -> None:
    english.with_texts({"FR FR": FRENCH}).in_language("FR FR").attribute_label("Person", "status")
    assert english.attribute_label("Person", "status") == "Status"
    assert "Class:Person" not in english.texts["FR FR"]
