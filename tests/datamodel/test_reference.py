"""Both ways to a model lead to iTop's own: every fact of ../shared's reference model, and no unexplained difference."""

from __future__ import annotations

import gzip
import re
from functools import cache

import pytest

from itopd.datamodel import Model, bundled_model, load_model
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
