"""Cells to values, and values to the cells of the report."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from itopd.attributes import Refused
from itopd.datamodel import bundled_model
from itopd.dictionary import bundled_dictionary
from itopd.errors import SettingsError
from itopd.imports.cells import Cell, cell_of, date_rules
from itopd.rules import ITOP, ITOPD, Rules

MODEL = bundled_model()
PARIS = ZoneInfo("Europe/Paris")
NOW = datetime.fromisoformat("2024-05-06 07:08:09")


def cell(cls: str, code: str, *, rules: Rules = ITOPD, localized: bool = False, date_format: str = "") -> Cell:
    dictionary = bundled_dictionary(MODEL) if localized else None
    dates = date_rules(date_format, rules, PARIS, NOW)
    return cell_of(MODEL[cls], MODEL[cls].attributes[code], rules, dates, PARIS, dictionary)


@pytest.mark.parametrize(
    ("cls", "code", "localized", "text", "value"),
    [
        ("Person", "status", False, "active", "active"),
        ("Person", "status", True, "Active", "active"),
        ("Person", "status", False, "", None),
        ("Person", "phone", False, None, ""),
        ("Rack", "nb_u", False, "42", 42),
        ("Rack", "purchase_date", False, "2024-2-9", "2024-02-09"),
        ("TriggerOnObjectCreate", "description", False, "x", "x"),
        ("TriggerOnObjectCreate", "context", False, "CRON|REST/JSON", ("CRON", "REST/JSON")),
        ("TriggerOnObjectCreate", "context", True, "cron, Console|cron", ("CRON", "GUI:Console")),
    ],
)
def test_texts_become_values(cls: str, code: str, localized: bool, text: str | None, value: object) -> None:
    assert cell(cls, code, localized=localized).value(text) == value


@pytest.mark.parametrize(
    ("cls", "code", "localized", "text", "reason"),
    [
        ("Person", "status", False, "Active", "not allowed"),
        ("Person", "status", True, "active", "one of the labels Active, Inactive"),
        ("TriggerOnObjectCreate", "context", True, "cron|CRON", r"no match for \[CRON\], use the labels"),
        ("Person", "first_name", False, "", "must not be empty"),
        ("Person", "first_name", False, None, "must not be empty"),
        ("Person", "name", False, "x" * 256, "too long"),
        ("Rack", "nb_u", False, "abc", "whole number"),
        ("Rack", "purchase_date", False, "20240229", "wrong date"),
        ("Person", "obsolescence_flag", False, "1", "computed"),
        ("Person", "obsolescence_flag", False, "", "computed"),
    ],
)
def test_texts_are_refused(cls: str, code: str, localized: bool, text: str | None, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        cell(cls, code, localized=localized).value(text)


def test_labels_of_booleans_are_taken_in_any_case_or_as_itop_does() -> None:
    code = next(
        (c.name, a.code)
        for c in MODEL.values()
        for a in c.attributes.values()
        if a.type == "AttributeBoolean" and a.sql
    )
    assert [cell(*code, localized=True).value(text) for text in ("Yes", " no", "1", "0")] == [True, False, True, False]
    assert cell(*code, localized=True, rules=ITOP).value("NO") is False
    with pytest.raises(Refused, match="no match"):
        cell(*code, localized=True, rules=ITOP).value("Yes")
    assert cell(*code, rules=ITOP).value("YES") is True


def test_values_are_shown_quoted_or_bare() -> None:
    assert cell("Person", "name").written('a"b', "") == '"a""b"'
    assert cell("Person", "status").written(None, "") == '""'
    assert cell("Rack", "nb_u").written(None, "") == ""
    assert cell("Rack", "nb_u").written(3, "") == "3"
    assert cell("Rack", "purchase_date").written(None, "") == ""
    assert cell("Rack", "purchase_date").written("2024-02-09", "2024-2-9") == '"2024-2-9"'
    assert cell("Rack", "purchase_date", date_format="d/m/Y H:i").written("2024-02-09", "2024-02-09") == '"09/02/2024"'


def test_dates_follow_the_date_part_of_the_format() -> None:
    read = cell("Rack", "purchase_date", date_format="%d/%m/%Y %H:%i").read_date
    assert read is not None
    assert [read(text) for text in ("29/02/2024", "30/02/2024", "29/02/2024 10:00")] == ["2024-02-29", None, None]
    lenient = cell("Rack", "purchase_date", date_format="d/m/Y", rules=ITOP).read_date
    assert lenient is not None
    assert lenient("30/02/2024") == "2024-03-01"


def test_a_format_without_a_day_is_refused_or_takes_it_from_today() -> None:
    with pytest.raises(SettingsError, match="has no day"):
        date_rules("m/Y", ITOPD, PARIS, NOW)
    read = cell("Rack", "purchase_date", date_format="m/Y", rules=ITOP).read_date
    assert read is not None
    assert read("02/2023") == "2023-02-06"


def test_itop_leaves_a_number_that_is_too_great_to_the_write() -> None:
    with pytest.raises(Refused, match="out of range"):
        cell("Rack", "nb_u").value("99999999999")
    assert cell("Rack", "nb_u", rules=ITOP).value("99999999999") == 99999999999


@pytest.mark.parametrize("rules", [ITOP, ITOPD])
def test_redundancy_settings_are_not_matched_against_the_pattern_of_the_model(rules: Rules) -> None:
    assert cell("ApplicationSolution", "redundancy", rules=rules).value("foo") == "foo"
