"""Profiles and grants of a model: the bundled ones are iTop's own."""

from __future__ import annotations

import pytest

from itopd.datamodel import UserRights, bundled_model, load_model
from itopd.datamodel.loading import build_model
from itopd.datamodel.source import parse_source
from itopd.errors import ModelError
from tests.datamodel.reference import DATAMODEL_XML, load

RIGHTS = """<itop_design xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="3.2"><classes/>
<user_rights><groups>{groups}</groups><profiles>{profiles}</profiles></user_rights></itop_design>"""
GROUP = '<group id="Things"><classes><class id="Thing"/></classes></group>'


def rights_of(profiles: str) -> UserRights:
    content = RIGHTS.format(groups=GROUP, profiles=profiles)
    return build_model([parse_source(content.encode(), "some.xml")]).user_rights


def profile(actions: str, *, id_: str = "50", group: str = "Things") -> str:
    granted = f'<groups><group id="{group}"><actions>{actions}</actions></group></groups>'
    return f'<profile id="{id_}"><name>Some</name><description>Any</description>{granted}</profile>'


@pytest.mark.shared
def test_the_bundled_rights_are_those_of_itop() -> None:
    load("model.json")  # skips without ../shared
    ours, theirs = bundled_model(), load_model(DATAMODEL_XML)
    assert ours.user_rights.groups == theirs.user_rights.groups
    assert ours.user_rights.profiles.keys() == theirs.user_rights.profiles.keys()
    for id_, one in ours.user_rights.profiles.items():
        assert (one.name, one.grants) == (
            theirs.user_rights.profiles[id_].name,
            theirs.user_rights.profiles[id_].grants,
        )
    assert {c.name for c in ours.values() if c.is_link} == {c.name for c in theirs.values() if c.is_link}


def test_grants_are_read() -> None:
    actions = '<action id="action:write">allow</action><action id="stimulus:ev_go"> deny </action>'
    rights = rights_of(profile(actions))
    assert rights.groups == {"Things": ("Thing",)}
    assert rights.profiles[50].name == "Some"
    assert rights.profiles[50].grants == {"Things": {"action:write": True, "stimulus:ev_go": False}}


def test_a_model_without_profiles_grants_nothing() -> None:
    source = parse_source(b'<itop_design version="3.2"><classes/></itop_design>', "some.xml")
    assert build_model([source]).user_rights.profiles == {}


@pytest.mark.parametrize(
    ("profiles", "word"),
    [
        (profile('<action id="action:write">perhaps</action>'), "perhaps"),
        (profile("", group="Nowhere"), "Nowhere"),
        (profile("", id_="five"), "five"),
        (profile("<action>allow</action>"), "no id"),
    ],
)
def test_what_makes_no_sense_is_refused(profiles: str, word: str) -> None:
    with pytest.raises(ModelError, match=word):
        rights_of(profiles)
