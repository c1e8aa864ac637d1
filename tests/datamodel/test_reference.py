"""Both ways to a model lead to iTop's own: every fact of ../shared's reference model, and no unexplained difference."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any

import pytest

from itopd.datamodel import Attribute, Class, Model, OnTargetDelete, Redundancy, bundled_model, load_model
from tests.datamodel.reference import DATAMODEL_XML, FOLDER, Facts, expected, found, load

pytestmark = pytest.mark.shared

METHODS_REMOVED = "the reference copy of iTop's XML has its <methods> removed; a real one has them"

EXPLAINED: dict[str, dict[str, str]] = {
    "bundled": {},
    "itop": {"php behaviour": METHODS_REMOVED},
}
"""Per way, kinds of facts that may differ, and why. Everything else is equal, fact by fact."""

IN_OTHER_PLACE = {"UserLDAP", "URP_Profiles", "URP_UserProfile", "URP_UserOrg"}
"""Classes that stand elsewhere among the classes than in iTop; nothing depends on it."""

KINDS = (
    "root", "parent", "abstract", "table", "key column", "key type", "category", "final class column",
    "attribute order", "reconciliation", "state attribute", "initial state", "name attributes", "name format",
    "default order", "owner organization", "obsolescence", "php behaviour", "uniqueness rules", "names in conditions",
    "states", "flags", "transitions",
    "type", "sort", "origin", "writable", "nullable", "sql", "columns", "default", "size", "pattern", "target",
    "on target delete", "filter", "dependencies", "key", "target attribute", "link", "duplicates", "values",
    "about class", "object key class", "tracked", "set size", "has format column", "text format", "number",
    "stop watch", "sub-item", "redundancy",
)  # fmt: skip


@cache
def model_of(way: str) -> Model:
    load("model.json")  # skips without ../shared
    return bundled_model() if way == "bundled" else load_model(DATAMODEL_XML)


@cache
def facts_of(way: str) -> Facts:
    return expected() if way == "reference" else found(model_of(way))


def test_every_kind_of_fact_is_compared() -> None:
    assert set(KINDS) == set(facts_of("reference"))


NOT_COMPARED = {
    "class": "the key of the entry",
    "label": "compared in tests/dictionary",
    "labels": "compared in tests/dictionary",
    "null_label": "compared in tests/dictionary",
    "allowed_labels": "compared in tests/dictionary",
    "lists": "columns and search forms of iTop's pages",
    "edit_mode": "how iTop's pages edit link sets",
    "always_load": "which attributes iTop's pages load beforehand",
    "scalar": "everything but link sets and dashboards",
    "thresholds": "in the facts about stop watches",
}
"""What the reference files say and no test here compares, and why not."""

COMPARED = {
    "parent", "abstract", "root", "table", "key", "finalclass_field", "category", "state_attcode", "reconc_keys",
    "key_type", "attributes", "obsolescence", "uniqueness_rules", "php_overrides", "states", "default_state",
    "code", "type", "origin", "writable", "nullable", "external_key", "external_field", "linkset", "sql_columns",
    "default", "filter", "depends_on", "target_attcode", "max_size", "linked_class", "ext_key_to_me", "tracking_level",
    "validation_pattern", "target", "on_target_delete", "ext_key_to_remote", "allowed_values", "name_format",
    "name_attributes", "order_by_default", "owner_org_attribute", "filter_codes_extra", "not_filterable", "format",
    "item",
}  # fmt: skip


def test_every_fact_of_the_reference_is_compared_or_left_out_with_a_reason() -> None:
    keys: set[str] = set()
    for name in ("model.json", "model-extra.json"):
        for about in load(name).values():
            keys.update(about, *about["attributes"].values())
    assert keys == COMPARED | set(NOT_COMPARED)


@pytest.mark.parametrize("way", ["bundled", "itop"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_fact_differs_from_itop(way: str, kind: str) -> None:
    theirs, ours = facts_of("reference")[kind], facts_of(way)[kind]
    different = {w: (ours.get(w), theirs.get(w)) for w in {*theirs, *ours} if ours.get(w) != theirs.get(w)}
    if kind in EXPLAINED[way]:
        assert different, f"no longer true: {EXPLAINED[way][kind]}"
    else:
        assert different == {}, "where: (itopd, iTop)"


UNSEEN = {
    "Attribute.mapped_attribute": "of one attribute, see below",
    "Attribute.mapping": "of one attribute, see below",
    "Class.lineage": "follows from the parents",
    "Class.subclasses": "follows from the parents",
    "Class.indexes": "the indexes that they make are compared with the sample's, in tests/database",
    "Class.stimuli": "both models are compared with each other, below",
    "Class.is_link": "both models are compared with each other, below",
    "Class.left_out": "of databases that lack something",
}
"""Facts of a model that the comparison does not look at, and where they are looked at."""


def another(value: Any) -> Any:
    """Return a value of the same kind that is wrong."""
    match value:
        case bool():
            return not value
        case OnTargetDelete():
            return OnTargetDelete.MANUAL if value is OnTargetDelete.AUTO else OnTargetDelete.AUTO
        case int():
            return value + 1
        case str():
            return value + "x"
        case tuple():
            return value[:-1]
        case Redundancy():
            return replace(value, min_up=value.min_up + 1)
        case Mapping():
            return dict(list(value.items())[:-1])
        case _:
            raise TypeError(type(value))


def is_seen(cls: Class, wrong: Class) -> bool:
    return found(Model({cls.name: cls})) != found(Model({cls.name: wrong}))


@pytest.mark.parametrize("name", [f"Attribute.{f.name}" for f in fields(Attribute) if f.name != "code"])
def test_a_wrong_fact_of_an_attribute_is_seen(name: str) -> None:
    """Whatever the loader might get wrong: the comparison above looks at it."""
    field = name.partition(".")[2]
    cls, attribute = next(
        (cls, attribute)
        for cls in model_of("bundled").values()
        for attribute in cls.attributes.values()
        if getattr(attribute, field)
        and (field != "on_target_delete" or attribute.is_external_key)
        and (field != "default" or isinstance(attribute.default, bool))  # others must be what their column takes
    )
    value: Any = "AttributeLongText" if field == "type" else another(getattr(attribute, field))
    wrong = replace(attribute, **{field: value})
    seen = is_seen(cls, replace(cls, attributes={**cls.attributes, attribute.code: wrong}))
    assert seen is (name not in UNSEEN)


@pytest.mark.parametrize("name", [f"Class.{f.name}" for f in fields(Class) if f.name not in {"name", "attributes"}])
def test_a_wrong_fact_of_a_class_is_seen(name: str) -> None:
    field = name.partition(".")[2]
    if field == "left_out":
        assert name in UNSEEN
        return
    cls = next(
        cls
        for cls in model_of("bundled").values()
        if getattr(cls, field)
        and (field != "lineage" or cls.parent is not None)
        and (field != "uniqueness_rules" or cls.uniqueness_rules[-1].root_class == cls.name)
    )
    value: Any = another(getattr(cls, field))
    assert is_seen(cls, replace(cls, **{field: value})) is (name not in UNSEEN)


@pytest.mark.parametrize(
    "wrong",
    [{"attributes": ("name",)}, {"filter": "x = 1"}, {"disabled": True}, {"blocking": False}, {"id": "y"}],
)
def test_a_wrong_uniqueness_rule_is_seen(wrong: dict[str, Any]) -> None:
    person = model_of("bundled")["Person"]
    rule = next(rule for rule in person.uniqueness_rules if rule.id == "employee_number")
    others = tuple(other for other in person.uniqueness_rules if other is not rule)
    assert is_seen(person, replace(person, uniqueness_rules=(*others, replace(rule, **wrong))))


@pytest.mark.parametrize("field", ["flags", "transitions"])
def test_a_wrong_state_is_seen(field: str) -> None:
    request = model_of("bundled")["UserRequest"]
    state = next(state for state in request.states.values() if getattr(state, field))
    wrong = replace(state, **{field: another(getattr(state, field))})
    assert is_seen(request, replace(request, states={**request.states, state.code: wrong}))


def test_another_order_of_a_default_order_is_seen() -> None:
    organization = model_of("bundled")["Organization"]
    one = replace(organization, order_by=(("name", True), ("code", False)))
    assert is_seen(one, replace(one, order_by=(("code", False), ("name", True))))


def test_links_are_the_same_classes_in_both_models() -> None:
    links, theirs = (
        {name for name, cls in model.items() if cls.is_link} for model in map(model_of, ("bundled", "itop"))
    )
    assert links == theirs
    assert {"lnkPersonToTeam", "lnkContactToTicket"} <= links


def test_hooks_of_core_classes_are_known_beside_an_itops_xml() -> None:
    theirs, ours = facts_of("reference")["php behaviour"], facts_of("itop")["php behaviour"]
    assert all(ours[name] <= theirs[name] for name in theirs)
    assert ours["User"] == theirs["User"] != set()


@pytest.mark.parametrize("way", ["bundled", "itop"])
def test_all_classes_are_there(way: str) -> None:
    assert set(model_of(way)) == set(load("model.json"))


def test_bundled_classes_stand_in_itops_order() -> None:
    def rest(names: list[str]) -> list[str]:
        return [name for name in names if name not in IN_OTHER_PLACE]

    assert rest(list(bundled_model())) == rest(list(load("model.json")))


def test_tables_and_columns_of_the_sample_are_those_of_the_model() -> None:
    load("model.json")
    dump = gzip.decompress((FOLDER / "sample.sql.gz").read_bytes())
    tables = {table.decode() for table in re.findall(rb"CREATE TABLE `([^`]+)`", dump)}
    assert {cls.table for cls in bundled_model().values() if cls.table} == tables


def test_life_cycles_do_the_same_in_both_models() -> None:
    for name, cls in bundled_model().items():
        other = model_of("itop")[name]
        assert cls.stimuli == other.stimuli, name
        for code, state in cls.states.items():
            assert state.actions == other.states[code].actions, (name, code)
            assert state.transition_flags == other.states[code].transition_flags, (name, code)


def test_meta_enum_follows_the_status_in_both_models() -> None:
    for model in (bundled_model(), model_of("itop")):
        attribute = model["UserRequest"].attribute("operational_status")
        assert attribute.mapped_attribute == "status"
        assert attribute.mapping == {"resolved": "resolved", "closed": "closed", "rejected": "closed"}
        assert attribute.default == "ongoing"


@pytest.mark.parametrize("code", ["Problem", "MailInboxOAuth"])
def test_fields_leading_to_modules_not_installed_are_dropped(code: str) -> None:
    model = model_of("itop")
    leading = [a for cls in model.values() for a in cls.attributes.values() if code in {a.target, a.linked_class}]
    assert leading == []
    assert "parent_problem_ref" not in model["UserRequest"].attributes
