"""Core classes beside an iTop's XML lose what the database has no room for, and what leads through it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from itopd.datamodel import Attribute, Declaration, Model, load_model
from itopd.errors import ModelError
from tests.support.sample import REFERENCE, require_shared

pytestmark = pytest.mark.shared
XML = REFERENCE / "datamodel.xml"


@pytest.fixture(autouse=True)
def _shared() -> None:
    require_shared()


def model_without(*places: str, xml: Path = XML) -> Model:
    """Return the model of a database that lacks ``Class`` (its table) or ``Class.attribute`` (its columns)."""
    return load_model(xml, lacks=lambda declared, attribute: _reason(declared, attribute, places))


def _reason(declared: Declaration, attribute: Attribute | None, places: Collection[str]) -> str:
    place = declared.name if attribute is None else f"{declared.name}.{attribute.code}"
    return f"{place} is not there" if place in places else ""


def test_nothing_is_left_out_of_a_database_that_has_all() -> None:
    assert model_without() is load_model(XML)
    assert model_without().left_out == ()
    assert {"BackgroundTask", "UserLocal"} <= model_without().core
    assert {"Person", "Ticket"}.isdisjoint(model_without().core)


def test_an_attribute_without_columns_is_left_out_of_its_class_and_all_below() -> None:
    model = model_without("Action.description")
    assert "description" not in model["Action"].attributes
    assert "description" not in model["ActionEmail"].attributes
    assert [str(one) for one in model.left_out] == ["Action.description (Action.description is not there)"]
    with pytest.raises(ModelError, match=r"'description' of ActionEmail is left out.*not there.*older iTop"):
        model["ActionEmail"].attribute("description")
    assert set(load_model(XML)) == set(model)


def test_what_leads_through_a_left_out_key_goes_with_it() -> None:
    model = model_without("CMDBChange.user_id", "URP_UserProfile.profileid")
    left_out = {(one.class_name, one.attribute) for one in model.left_out}
    assert ("CMDBChange", "user_id") in left_out
    fields = load_model(XML)["URP_UserProfile"].attributes
    for code, attribute in fields.items():
        if attribute.key == "profileid" or code == "profileid":
            assert code not in model["URP_UserProfile"].attributes
    assert "profile_list" not in model["User"].attributes, "a link set that leads to profiles through that key"


def test_a_class_without_its_table_is_left_out_with_all_that_descends_from_it_or_leads_to_it() -> None:
    model = model_without("Trigger")
    assert not [name for name in model if name.startswith("Trigger")]
    assert "TriggerOnObjectCreate" in {one.class_name for one in model.left_out}
    with pytest.raises(ModelError, match=r"class TriggerOnObjectCreate is left out.*older iTop"):
        model.get_class("TriggerOnObjectCreate")
    with pytest.raises(ModelError, match="unknown class 'Triggr'"):
        model.get_class("Triggr")
    for cls in model.values():
        for attribute in cls.attributes.values():
            assert {attribute.target, attribute.linked_class} - {None} <= set(model)


def test_classes_of_itops_own_xml_are_never_left_out() -> None:
    model = model_without("Person", "Person.first_name", "Ticket")
    assert model.left_out == ()
    assert "first_name" in model["Person"].attributes


def test_a_core_class_that_itops_own_classes_descend_from_stays(tmp_path: Path) -> None:
    text = XML.read_text().replace(
        '<class id="Brand"', '<class id="MyEvent"><parent>Event</parent></class><class id="Brand"', 1
    )
    xml = tmp_path / "datamodel-production.xml"
    xml.write_text(text)
    model = model_without("Event", xml=xml)
    assert "MyEvent" in model
    assert "Event" in model


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_missing_the_model_that_is_left_makes_sense(seed: int) -> None:
    """Every seventh stored attribute of a core class and every ninth table away: all references lead somewhere."""
    full = load_model(XML)
    stored = [
        f"{name}.{attribute.code}"
        for name in sorted(full.core)
        for attribute in full[name].attributes.values()
        if attribute.is_stored and attribute.origin == name and attribute.code != "finalclass"
    ]
    tables = [name for name in sorted(full.core) if full[name].table]
    model = model_without(*stored[seed::7], *tables[seed::9])
    assert model.left_out
    assert {name for name in set(full) - full.core if not name.startswith("TagSet")} <= set(model)
