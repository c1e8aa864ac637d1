"""The loader reads iTop's XML: inheritance, what iTop adds by itself, and errors that name file, class and field."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from itopd.datamodel import NOW, Action, Flag, LinkTracking, Model, OnTargetDelete, load_model
from itopd.datamodel.loading import build_model
from itopd.datamodel.source import parse_source
from itopd.errors import MissingFile, ModelError

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def document(classes: str, before: str = "", root: str = "itop_design") -> bytes:
    return f"<{root} {XSI}>{before}<classes>{classes}</classes></{root}>".encode()


def field(code: str, kind: str, parts: str = "") -> str:
    return f'<field id="{code}" xsi:type="Attribute{kind}">{parts}</field>'


def a_class(name: str, *fields: str, parent: str = "cmdbAbstractObject", properties: str = "", more: str = "") -> str:
    table = f"<db_table>{name.lower()}</db_table>"
    return (
        f'<class id="{name}"><parent>{parent}</parent><properties>{table}{properties}</properties>'
        f"<fields>{''.join(fields)}</fields>{more}</class>"
    )


def model_of(*classes: str, before: str = "") -> Model:
    return build_model([parse_source(document("".join(classes), before), "some.xml")])


NAME = field("name", "String", "<is_null_allowed>false</is_null_allowed>")


def key(code: str, target: str, parts: str = "") -> str:
    return field(code, "ExternalKey", f"<target_class>{target}</target_class>{parts}")


def shown(code: str, through: str, target: str) -> str:
    return field(
        code, "ExternalField", f"<extkey_attcode>{through}</extkey_attcode><target_attcode>{target}</target_attcode>"
    )


# --- inheritance and order ------------------------------------------------------------------------------------------


def test_inherited_attributes_come_first_then_own_ones_then_what_itop_makes() -> None:
    model = model_of(
        a_class("Site", NAME),
        a_class("Thing", NAME, key("site_id", "Site")),
        a_class("Box", field("size", "Integer"), parent="Thing"),
    )
    assert list(model["Box"].attributes) == [
        "name", "site_id", "size", "finalclass", "friendlyname", "site_id_friendlyname",
    ]  # fmt: skip
    assert model["Box"].attribute("name").origin == "Thing"
    assert model["Box"].attribute("name") is model["Thing"].attribute("name")


def test_classes_may_be_declared_before_their_parent() -> None:
    model = model_of(a_class("Box", parent="Thing"), a_class("Thing", NAME))
    assert list(model) == ["Box", "Thing"]
    assert model["Box"].lineage == ("Thing", "Box")
    assert model["Thing"].subclasses == ("Thing", "Box")


def test_a_field_declared_again_keeps_its_place() -> None:
    model = model_of(
        a_class("Thing", NAME, field("size", "Integer")), a_class("Box", field("name", "Text"), parent="Thing")
    )
    assert list(model["Box"].attributes)[:2] == ["name", "size"]
    assert model["Box"].attribute("name").type == "AttributeText"
    assert model["Box"].attribute("name").origin == "Box"


def test_a_php_parent_that_is_a_class_is_the_parent() -> None:
    php = "<php_parent><name>Thing</name></php_parent>"
    program = "<php_parent><name>_Program</name></php_parent>"
    model = model_of(a_class("Thing", NAME), a_class("Box", more=php), a_class("Can", more=program))
    assert model["Box"].parent == "Thing"
    assert model["Can"].parent is None


def test_every_table_but_a_leafs_has_a_final_class_column() -> None:
    model = model_of(
        a_class("Thing", NAME, properties="<db_final_class_field>kind</db_final_class_field>"),
        a_class("Box", parent="Thing"),
        a_class("Carton", parent="Box"),
        a_class("Alone", NAME),
    )
    columns = {name: cls.final_class_column for name, cls in model.items()}
    assert columns == {"Thing": "kind", "Box": "kind", "Carton": None, "Alone": None}
    assert model["Carton"].attribute("finalclass").sql == "kind"
    assert model["Carton"].attribute("finalclass").default == "Carton"
    assert "finalclass" not in model["Alone"].attributes


# --- what iTop makes ------------------------------------------------------------------------------------------------


def test_a_key_brings_name_class_and_obsolescence_of_its_target() -> None:
    rule = "<obsolescence><condition>name = 'old'</condition></obsolescence>"
    model = model_of(
        a_class("Thing", NAME),
        a_class("Box", parent="Thing", properties=rule),
        a_class("Can", parent="Thing"),
        a_class("Use", key("thing_id", "Thing")),
    )
    made = [a for a in model["Use"].attributes.values() if a.key == "thing_id"]
    assert [(a.code, a.target_attcode) for a in made] == [
        ("thing_id_friendlyname", "friendlyname"),
        ("thing_id_finalclass_recall", "finalclass"),
        ("thing_id_obsolescence_flag", "obsolescence_flag"),
    ]
    assert model["Thing"].obsolescence is None
    assert model["Box"].obsolescence == "name = 'old'"
    assert "obsolescence_flag" in model["Can"].attributes, "beside a class with a rule"
    assert model["Box"].attribute("obsolescence_date").origin == "Thing"


def test_an_external_field_showing_a_key_brings_the_name_too() -> None:
    model = model_of(
        a_class("Site", NAME),
        a_class("Room", NAME, key("site_id", "Site", "<is_null_allowed>false</is_null_allowed>")),
        a_class("Box", key("room_id", "Room"), shown("site_id", "room_id", "site_id")),
    )
    made = model["Box"].attribute("site_id_friendlyname")
    assert (made.key, made.target_attcode) == ("room_id", "site_id_friendlyname")
    assert model["Box"].attribute("site_id").nullable is False


def test_a_tag_set_brings_the_class_of_its_tags() -> None:
    model = load_model()
    tags = model["TagSetFieldDataFor_FAQ__domains"]
    assert (tags.parent, tags.table, tags.final_class_column) == ("TagSetFieldData", None, None)
    assert list(tags.attributes) == list(model["TagSetFieldData"].attributes)


def test_uniqueness_rules_hold_below_and_can_be_disabled_there() -> None:
    rule = '<uniqueness_rules><rule id="name"><attributes><attribute id="name"/></attributes></rule></uniqueness_rules>'
    off = '<uniqueness_rules><rule id="name"><disabled>true</disabled></rule></uniqueness_rules>'
    model = model_of(
        a_class("Thing", NAME, properties=rule),
        a_class("Box", parent="Thing"),
        a_class("Can", parent="Thing", properties=off),
    )
    assert [(r.root_class, r.disabled, r.blocking) for r in model["Box"].uniqueness_rules] == [("Thing", False, True)]
    assert [(r.root_class, r.disabled) for r in model["Can"].uniqueness_rules] == [("Thing", True)]


def test_the_friendly_name_follows_the_dictionary_if_the_format_fits() -> None:
    def named(*codes: str) -> str:
        return f"<naming><attributes>{''.join(f'<attribute id={code!r}/>' for code in codes)}</attributes></naming>"

    entry = '<entry id="Class:{}/Name">{}</entry>'
    texts = f'<dictionaries><dictionary id="EN US"><entries>{entry}</entries></dictionary></dictionaries>'
    two = named("name", "size")
    classes = a_class("Fit", NAME, field("size", "Text"), properties=two)
    fitting = build_model([parse_source(document(classes, texts.format("Fit", "%2$s of %1$s")), "some.xml")])
    assert fitting["Fit"].name_format == "%2$s of %1$s"
    other = build_model([parse_source(document(classes, texts.format("Fit", "%3$s")), "some.xml")])
    assert other["Fit"].name_format == "%1$s %2$s"
    assert model_of(a_class("Bare", NAME))["Bare"].name_format == "Bare"


# --- fields ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "parts", "default"),
    [
        ("String", "", ""),
        ("String", "<default_value> a </default_value>", " a "),
        ("Integer", "<default_value>5</default_value>", 5),
        ("Integer", "", None),
        ("Decimal", "<digits>6</digits><decimals>2</decimals><default_value>0.50</default_value>", "0.50"),
        ("Boolean", "<default_value>1</default_value>", True),
        ("Boolean", "<default_value>true</default_value>", False),
        ("Boolean", "", None),
        ("DateTime", "", None),
        ("DateTime", "<is_null_allowed>false</is_null_allowed>", NOW),
        ("Date", "<is_null_allowed>false</is_null_allowed>", None),
        ("CaseLog", "", None),
        ("EnumSet", '<values><value id="a"/></values><default_value>a</default_value>', None),
    ],
)
def test_default_values(kind: str, parts: str, default: object) -> None:
    attribute = model_of(a_class("Thing", field("it", kind, parts)))["Thing"].attribute("it")
    assert attribute.default == default
    assert type(attribute.default) is type(default)


def test_enum_values_stand_by_rank_or_else_by_code() -> None:
    ranked = '<value id="a"><rank>20</rank></value><value id="b"><rank>10</rank></value>'
    plain = '<value id="b"/><value id="a"/>'
    thing = model_of(
        a_class(
            "Thing",
            field("ranked", "Enum", f"<sort_type>rank</sort_type><values>{ranked}</values>"),
            field("plain", "Enum", f"<sort_type>label</sort_type><values>{plain}</values>"),
        )
    )["Thing"]
    assert thing.attribute("ranked").values == ("b", "a")
    assert thing.attribute("plain").values == ("a", "b")


@pytest.mark.parametrize(
    ("option", "meaning"),
    [
        ("", OnTargetDelete.AUTO),
        ("DEL_SILENT", OnTargetDelete.AUTO),
        ("DEL_MANUAL", OnTargetDelete.MANUAL),
        ("DEL_MOVEUP", OnTargetDelete.MOVEUP),
        ("DEL_NONE", OnTargetDelete.NONE),
    ],
)
def test_delete_options(option: str, meaning: OnTargetDelete) -> None:
    parts = f"<on_target_delete>{option}</on_target_delete>"
    model = model_of(a_class("Thing", NAME, key("other_id", "Thing", parts)))
    assert model["Thing"].attribute("other_id").on_target_delete is meaning


def test_a_hierarchical_key_points_to_its_own_class() -> None:
    model = model_of(a_class("Thing", NAME, field("parent_id", "HierarchicalKey")))
    assert model["Thing"].attribute("parent_id").target == "Thing"


@pytest.mark.parametrize(
    ("parts", "default", "writable"),
    [
        ("<enabled>true</enabled><min_up>1</min_up><min_up_type>count</min_up_type>", "1", True),
        ("<enabled>true</enabled><min_up>60</min_up><min_up_type>percent</min_up_type>", "60%", True),
        ("<enabled>false</enabled><min_up>1</min_up><min_up_type>count</min_up_type>", "disabled", True),
        (
            "<enabled>true</enabled><enabled_mode>fixed</enabled_mode><min_up>1</min_up><min_up_mode>fixed</min_up_mode>",
            "1",
            False,
        ),
    ],
)
def test_redundancy_settings(parts: str, default: str, writable: bool) -> None:
    attribute = model_of(a_class("Thing", field("it", "RedundancySettings", parts)))["Thing"].attribute("it")
    assert (attribute.default, attribute.writable, attribute.nullable) == (default, writable, False)


def test_link_sets_without_level_follow_the_settings() -> None:
    links = field("boxes", "LinkedSet", "<linked_class>Thing</linked_class><ext_key_to_me>other_id</ext_key_to_me>")
    source = parse_source(document(a_class("Thing", NAME, key("other_id", "Thing"), links)), "some.xml")
    assert build_model([source])["Thing"].attribute("boxes").tracking_level == 0
    tracking = LinkTracking(direct=1, indirect=2)
    assert build_model([source], tracking)["Thing"].attribute("boxes").tracking_level == 1


def test_class_attributes_accept_the_classes_of_their_categories() -> None:
    def of(category: str) -> str:
        return f"<category>{category}</category>"

    listed = "<class_category>cmdb</class_category><more_values>Extra,Gone</more_values>"
    model = model_of(
        a_class("Thing", NAME, properties=of("cmdb, searchable")),
        a_class("Extra", NAME, properties=of("core")),
        a_class("Other", field("it", "Class", listed), field("any", "Class"), properties=of("core")),
    )
    assert model["Other"].attribute("it").values == ("Extra", "Thing")
    assert model["Other"].attribute("any").values == ("Extra", "Other", "Thing")


# --- life cycles ----------------------------------------------------------------------------------------------------

LIFECYCLE = """
<lifecycle><attribute>status</attribute>
 <stimuli><stimulus id="ev_go" xsi:type="StimulusUserAction"/></stimuli>
 <states>
  <state id="new"><flags>
    <attribute id="name"><mandatory/><must_prompt/></attribute><attribute id="gone_id"><hidden/></attribute></flags>
   <transitions><transition id="ev_go"><target>done</target><actions><action><verb>Reset</verb><params>
     <param xsi:type="attcode">name</param></params></action></actions>
     <flags><attribute id="name"><must_change/></attribute></flags></transition></transitions></state>
  <state id="done"><inherit_flags_from>new</inherit_flags_from>
   <flags><attribute id="status"><read_only/></attribute></flags></state>
 </states></lifecycle>"""
STATUS = field(
    "status", "Enum", '<values><value id="new"/><value id="done"/></values><default_value>new</default_value>'
)


def test_a_state_takes_over_flags_except_what_is_asked_on_entering() -> None:
    thing = model_of(a_class("Thing", NAME, STATUS, more=LIFECYCLE))["Thing"]
    assert thing.state_attribute == "status"
    assert thing.initial_state == "new"
    assert thing.states["new"].flags == {"name": Flag.MANDATORY | Flag.MUSTPROMPT}
    assert thing.states["done"].flags == {"name": Flag.MANDATORY, "status": Flag.READONLY}


def test_transitions_have_targets_actions_and_flags() -> None:
    thing = model_of(a_class("Thing", NAME, STATUS, more=LIFECYCLE))["Thing"]
    new = thing.states["new"]
    assert new.transitions == {"ev_go": "done"}
    assert new.actions == {"ev_go": (Action("Reset", (("attcode", "name"),)),)}
    assert new.transition_flags == {"ev_go": {"name": Flag.MUSTCHANGE}}
    assert thing.stimuli == {"ev_go": "StimulusUserAction"}


def test_a_state_attribute_without_life_cycle_gives_states_that_lead_nowhere() -> None:
    semantic = "<fields_semantic><state_attribute>status</state_attribute></fields_semantic>"
    thing = model_of(a_class("Thing", NAME, STATUS, properties=semantic))["Thing"]
    assert {code: dict(state.transitions) for code, state in thing.states.items()} == {"new": {}, "done": {}}


# --- an iTop's own XML ----------------------------------------------------------------------------------------------


def test_the_classes_of_an_itop_stand_over_the_core_classes(tmp_path: Path) -> None:
    path = tmp_path / "datamodel-production.xml"
    modules = '<loaded_modules><module id="authent-local/3.2.0"/></loaded_modules>'
    contact = a_class("Contact", NAME, field("email", "EmailAddress"), key("org_id", "Organization"))
    person = a_class("Person", field("first_name", "String"), parent="Contact")
    path.write_bytes(document(contact + person + a_class("Organization", NAME), modules))
    model = load_model(path)
    assert {"Person", "CMDBChange", "UserLocal"} <= set(model)
    assert "Server" not in model, "a bundled default class that this iTop lacks"
    assert "URP_Profiles" not in model, "its module is not installed"


def test_methods_and_listeners_of_an_itop_are_php_behaviour() -> None:
    methods = '<methods><method id="OnInsert"/><method id="GetColour"/></methods>'
    listeners = '<event_listeners><event_listener id="x"/></event_listeners>'
    model = model_of(a_class("Thing", NAME, more=methods + listeners), a_class("Box", parent="Thing"))
    assert model["Thing"].php_behaviour == {"OnInsert": "Thing", "RegisterEventListeners": "Thing"}
    assert model["Box"].php_behaviour == model["Thing"].php_behaviour


def test_what_leads_to_a_missing_module_is_dropped() -> None:
    links = field("x_list", "LinkedSet", "<linked_class>Gone</linked_class><ext_key_to_me>thing_id</ext_key_to_me>")
    flags = LIFECYCLE.replace("gone_id", "other_id")
    model = model_of(
        a_class(
            "Thing", NAME, STATUS, key("other_id", "Gone"), shown("other_name", "other_id", "name"), links, more=flags
        )
    )
    assert list(model["Thing"].attributes) == ["name", "status", "friendlyname"]
    assert "other_id" not in model["Thing"].states["new"].flags


# --- errors ---------------------------------------------------------------------------------------------------------


def decimal(digits: str, decimals: str) -> str:
    return field("it", "Decimal", f"<digits>{digits}</digits><decimals>{decimals}</decimals>")


def watch_item(item: str, watch: str = "StopWatch") -> str:
    thresholds = '<thresholds><threshold id="100"/></thresholds>'
    shown = f"<target_attcode>sw</target_attcode><item_code>{item}</item_code>"
    return field("sw", watch, thresholds) + field("it", "SubItem", shown)


def inheriting(count: int) -> str:
    first = (f'<state id="s{i}"><inherit_flags_from>s{i + 1}</inherit_flags_from></state>' for i in range(count))
    return "".join(first) + f'<state id="s{count}"/>'


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ([a_class("Box", parent="Thing")], ["class Box", "'Thing'"]),
        ([a_class("Box", parent="Can"), a_class("Can", parent="Box")], ["Box < Can < Box"]),
        ([a_class("Box", field("it", "Fancy"))], ["class Box", "field it", "AttributeFancy"]),
        ([a_class("Box", field("it", "ExternalKey"))], ["field it", "<target_class>"]),
        ([a_class("Box", shown("it", "box_id", "name"))], ["field it", "'box_id'"]),
        ([a_class("Box", NAME, shown("it", "name", "name"))], ["field it", "no external key"]),
        ([a_class("Box", key("box_id", "Box"), shown("it", "box_id", "nam"))], ["field it", "no attribute 'nam'"]),
        ([a_class("Box", key("box_id", "Box"), shown("it", "box_id", "it"))], ["field it", "circle"]),
        ([a_class("Box", NAME, NAME)], ["field name", "twice"]),
        ([a_class("Box"), a_class("Box")], ["class Box", "twice"]),
        ([a_class("Box", field("it", "Integer", "<default_value>x</default_value>"))], ["field it", "'x'"]),
        ([a_class("Box", field("it", "Decimal", "<digits>a</digits>"))], ["field it", "<digits>"]),
        ([a_class("Box", key("it", "Box", "<on_target_delete>DEL</on_target_delete>"))], ["field it", "'DEL'"]),
        (
            [a_class("Box", field("it", "Enum", '<sort_type>rank</sort_type><values><value id="a"/></values>'))],
            ["<rank>"],
        ),
        ([a_class("Box", field("it", "MetaEnum"))], ["field it", "<mapping>"]),
        ([a_class("Box", properties='<naming><attributes><attribute id="nam"/></attributes></naming>')], ["'nam'"]),
        (
            [
                a_class(
                    "Box", field("it", "SubItem", "<target_attcode>sw</target_attcode><item_code>started</item_code>")
                )
            ],
            ["field it", "'sw'"],
        ),
        (
            [
                a_class(
                    "Box", field("it", "LinkedSet", "<linked_class>Box</linked_class><ext_key_to_me>k</ext_key_to_me>")
                )
            ],
            ["field it", "'k'"],
        ),
        ([a_class("Box", STATUS, more=LIFECYCLE.replace(">done</target>", ">gone</target>"))], ["state new", "'gone'"]),
        (
            [a_class("Box", STATUS, more=LIFECYCLE.replace(">new</inherit", ">done</inherit"))],
            ["state done", "inherits flags from 'done'"],
        ),
        ([a_class("Box", STATUS, more=LIFECYCLE.replace("<read_only/>", "<odd/>"))], ["state done", "<odd>"]),
        (['<class id="Box"><fields/></class>'], ["class Box", "<parent>"]),
        ([a_class("Box", decimal("2", "2"))], ["field it", "fewer than the digits"]),
        ([a_class("Box", decimal("66", "2"))], ["field it", "66 digits"]),
        ([a_class("Box", decimal("9" * 5000, "2"))], ["field it", "<digits> must be a number"]),
        ([a_class("Box", watch_item("started", watch="String"))], ["field it", "'sw' is no stop watch"]),
        ([a_class("Box", watch_item("stopwatch"))], ["field it", "an item 'stopwatch'"]),
        ([a_class("Box", watch_item("75_passed"))], ["field it", "an item '75_passed'"]),
        (
            [a_class("Box", field("it", "StopWatch", f'<thresholds><threshold id="{"9" * 5000}"/></thresholds>'))],
            ["it"],
        ),
        (
            [a_class(f"C{i}", parent=f"C{i + 1}" if i < 3000 else "cmdbAbstractObject") for i in range(3001)],
            ["class C100:", "more than 100 classes"],
        ),
        (
            [a_class(f"C{i}", key("k", f"C{i + 1}"), shown("it", "k", "it")) for i in range(1500)]
            + [a_class("C1500", field("it", "String"))],
            ["field it", "more than 100 keys"],
        ),
        (
            [
                a_class(
                    "Box",
                    STATUS,
                    more=f"<lifecycle><attribute>status</attribute><states>{inheriting(1500)}</states></lifecycle>",
                )
            ],
            ["state s100", "more than 100 states"],
        ),
        (['<class id="Box" _delta="redefine"><parent>cmdbAbstractObject</parent></class>'], ["compiled"]),
    ],
)
def test_an_error_names_file_class_and_field(classes: list[str], words: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        model_of(*classes)
    assert "some.xml" in caught.value.message
    for word in words:
        assert word in caught.value.message


@pytest.mark.parametrize("content", [b"", b"<itop_design>", b"<other/>", b"\xff\xfe\x00", b"not xml"])
def test_what_is_no_data_model_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"some\.xml"):
        parse_source(content, "some.xml")


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("Secret")
    attack = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>'.encode() + document(
        a_class("Thing", NAME, properties="<category>&e;</category>")
    )
    try:
        model = build_model([parse_source(attack, "some.xml")])
    except ModelError:
        return
    assert "Secret" not in model["Thing"].category


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"nowhere\.xml"):
        load_model(tmp_path / "nowhere.xml")


def test_numbers_that_are_none_give_no_error_of_their_own() -> None:
    huge = "9" * 5000
    naming = f"<naming><format>%{huge}$s</format><attributes><attribute id='name'/></attributes></naming>"
    flag = field("flag", "Boolean", f"<default_value>{huge}</default_value>")
    model = model_of(a_class("Box", NAME, flag, properties=naming))
    assert (model["Box"].name_format, model["Box"].attributes["flag"].default) == ("%1$s", True)


def test_a_name_nearly_right_is_suggested() -> None:
    model = load_model()
    with pytest.raises(ModelError, match="did you mean 'Person'"):
        model.get_class("Persn")
    with pytest.raises(ModelError, match="did you mean 'org_id'"):
        model["Person"].attribute("orgid")


def test_loading_needs_neither_database_nor_command_line() -> None:
    unwanted = "{'sqlalchemy', 'click', 'pydantic'}"
    code = f"import sys, itopd.datamodel as d; d.bundled_model(); print({unwanted} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
