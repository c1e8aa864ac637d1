"""Texts of imports as values, per type (spec/import.md 6.4), strict and lenient."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.attributes import AttributeType, Refused, RefusedKind, bind
from itopd.datamodel import Attribute, bundled_model
from itopd.rules import ITOP, ITOPD, Rules

PARIS = ZoneInfo("Europe/Paris")


def make(kind: str, **facts: object) -> AttributeType:
    return bind(Attribute("a", kind, "C", **{"sql": "a", **facts}))  # type: ignore[arg-type]


INTEGER = make("AttributeInteger")
DECIMAL = make("AttributeDecimal", digits=6, decimals=2)
BOOLEAN = make("AttributeBoolean")
DATE = make("AttributeDate")
INSTANT = make("AttributeDateTime")
ENUM = make("AttributeEnum", values=("active", "inactive"))
DURATION = make("AttributeDuration")
KEY = make("AttributeExternalKey")
TAGS = make("AttributeTagSet", max_items=2)
SET = make("AttributeEnumSet", values=("red", "green", "blue"), max_items=2)


@pytest.mark.parametrize("rules", [ITOPD, ITOP], ids=lambda rules: rules.name)
@pytest.mark.parametrize(
    ("bound", "text", "value"),
    [
        (INTEGER, "42", 42),
        (INTEGER, "042", 42),
        (INTEGER, "-3", -3),
        (INTEGER, "", None),
        (DECIMAL, "10.567", Decimal("10.57")),
        (DECIMAL, "10", Decimal("10.00")),
        (DECIMAL, "-0.005", Decimal("-0.01")),
        (DECIMAL, "", None),
        (BOOLEAN, " YES ", True),
        (BOOLEAN, "0", False),
        (BOOLEAN, "", None),
        (DATE, "2024-2-9", "2024-02-09"),
        (DATE, "", None),
        (INSTANT, "2024-02-29 1:02:03", "2024-02-29 01:02:03"),
        (ENUM, "active", "active"),
        (ENUM, "", None),
        (DURATION, "60", 60),
        (DURATION, "", None),
        (KEY, "7", 7),
        (KEY, "", 0),
        (TAGS, "syst|netw", ("netw", "syst")),
        (TAGS, "syst netw", ("netw", "syst")),
        (TAGS, "", ()),
        (SET, "red,green", ("green", "red")),
        (SET, "red|black", ("red",)),
        (make("AttributeTable"), "x", 'a:1:{i:0;a:1:{i:0;s:1:"x";}}'),
        (make("AttributeRedundancySettings"), "foo", "foo"),
    ],
)
def test_both_rules_take(bound: AttributeType, text: str, value: object, rules: Rules) -> None:
    assert bound.parse(text, rules) == value


@pytest.mark.parametrize(
    ("bound", "text", "value"),
    [
        (INTEGER, "12.9", 12),
        (INTEGER, "43abc", 43),
        (INTEGER, "1e3", 1000),
        (INTEGER, "abc", 0),
        (DECIMAL, "abc", Decimal("0.00")),
        (DECIMAL, "1,5", Decimal("1.00")),
        (DECIMAL, "1e2", Decimal("100.00")),
        (DATE, "20240229", "1970-08-23"),
        (DATE, "0000-00-00", None),
        (INSTANT, "2024", "1970-01-01 01:33:44"),
    ],
)
def test_only_lenient_rules_take(bound: AttributeType, text: str, value: object) -> None:
    assert bound.parse(text, ITOP, PARIS) == value
    with pytest.raises(Refused):
        bound.parse(text, ITOPD, PARIS)


@pytest.mark.parametrize("rules", [ITOPD, ITOP], ids=lambda rules: rules.name)
@pytest.mark.parametrize(
    ("bound", "text", "kind"),
    [
        (DECIMAL, "12345.6", RefusedKind.WRONG_FORMAT),
        (BOOLEAN, "true", RefusedKind.NO_MATCH),
        (DATE, "2024-02-30", RefusedKind.WRONG_DATE),
        (DATE, "09/02/2024", RefusedKind.WRONG_DATE),
        (INSTANT, "2024-02-29", RefusedKind.WRONG_DATE),
        (INSTANT, "2024-02-29 24:00:00", RefusedKind.WRONG_DATE),
        (ENUM, "Active", RefusedKind.VALUE_NOT_ALLOWED),
        (DURATION, "soon", RefusedKind.NO_MATCH),
        (KEY, "abc", RefusedKind.WRONG_FORMAT),
        (KEY, "1" * 5000, RefusedKind.WRONG_FORMAT),
        (INTEGER, "1" * 5000, RefusedKind.OUT_OF_RANGE),
        (DURATION, "1" * 5000, RefusedKind.OUT_OF_RANGE),
        (DECIMAL, "1" * 5000, RefusedKind.WRONG_FORMAT),
        (TAGS, "aaa bbb ccc", RefusedKind.TOO_MANY),
        (make("AttributeMetaEnum", values=("x",)), "x", RefusedKind.READ_ONLY),
        (make("AttributeFriendlyName", sql=""), "x", RefusedKind.READ_ONLY),
        (make("AttributeBlob"), "x", RefusedKind.NOT_FROM_TEXT),
        (make("AttributeCaseLog"), "x", RefusedKind.NOT_FROM_TEXT),
        (make("AttributeOneWayPassword"), "", RefusedKind.NOT_FROM_TEXT),
        (make("AttributeStopWatch"), "x", RefusedKind.READ_ONLY),
    ],
)
def test_both_rules_refuse(bound: AttributeType, text: str, kind: RefusedKind, rules: Rules) -> None:
    with pytest.raises(Refused) as refusal:
        bound.parse(text, rules)
    assert refusal.value.kind is kind
    assert str(refusal.value)


@pytest.mark.parametrize(
    ("bound", "value", "kind"),
    [
        (make("AttributeString", max_size=255), "x" * 256, RefusedKind.TOO_LONG),
        (make("AttributeString", max_size=255), "é" * 255, None),
        (make("AttributeText"), "é" * 40_000, RefusedKind.TOO_LONG),
        (make("AttributeText"), "e" * 65_535, None),
        (make("AttributeString", pattern="^[0-9.]+$"), "a", RefusedKind.WRONG_FORMAT),
        (make("AttributeString", pattern="^[0-9.]+$"), "", None),
        (make("AttributeString", pattern=r"^\d+$"), "٣", RefusedKind.WRONG_FORMAT),
        (INTEGER, 2**31, RefusedKind.OUT_OF_RANGE),
        (DURATION, -1, RefusedKind.OUT_OF_RANGE),
        (DECIMAL, Decimal(10_000), RefusedKind.WRONG_FORMAT),
        (ENUM, "x", RefusedKind.VALUE_NOT_ALLOWED),
        (SET, ("black",), RefusedKind.UNKNOWN_SET_VALUE),
        (DATE, "2024-2-9", RefusedKind.WRONG_DATE),
        (DATE, "2024-02-09", None),
        (KEY, -1, RefusedKind.OUT_OF_RANGE),
        (make("AttributeClass", values=("Person",)), "Team", RefusedKind.VALUE_NOT_ALLOWED),
        (make("AttributeRedundancySettings"), "x" * 21, RefusedKind.TOO_LONG),
    ],
)
def test_checks(bound: AttributeType, value: object, kind: RefusedKind | None) -> None:
    refusal = bound.check(value)
    assert (refusal.kind if refusal else None) is kind


@pytest.mark.parametrize("text", ["1e999", "1" * 5000 + "x"])
def test_a_number_without_end_is_refused_leniently_too(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        INTEGER.parse(text, ITOP)
    assert refusal.value.kind is RefusedKind.OUT_OF_RANGE


def test_the_size_found_and_the_limit_are_named() -> None:
    refusal = make("AttributeString", max_size=3).check("abcde")
    assert refusal == Refused(RefusedKind.TOO_LONG, "text too long (found 5 characters, limited to 3)")


@pytest.mark.parametrize(
    ("code", "good", "bad"),
    [("email", "a.b@example.org", "a+b@example.org"), ("phone", "+33 (1) 22-3", "12x")],
)
def test_formats_of_the_bundled_model(code: str, good: str, bad: str) -> None:
    bound = bind(bundled_model().get_class("Person").attribute(code))
    assert bound.check(good) is None
    refusal = bound.check(bad)
    assert refusal is not None
    assert refusal.kind is RefusedKind.WRONG_FORMAT


@given(st.sampled_from([INTEGER, DECIMAL, BOOLEAN, DATE, INSTANT, ENUM, DURATION, KEY, TAGS, SET]), st.text())
def test_whatever_is_parsed_without_refusal_can_be_stored_or_is_refused_by_the_check(
    bound: AttributeType, text: str
) -> None:
    for rules in (ITOPD, ITOP):
        try:
            value = bound.parse(text, rules, PARIS)
        except Refused:
            continue
        if bound.check(value) is None:
            assert bound.decode(bound.encode(value)) == value or value is None


@pytest.mark.parametrize("pattern", [r"^\p{L}+$", r"^[[:alpha:]]+$", "^(?<name>a)$", "(", "a{99999999999}"])
def test_a_pattern_that_only_php_reads_stops_writing_and_nothing_else(pattern: str) -> None:
    code = make("AttributeString", pattern=pattern)
    assert code.decode(("abc",)) == "abc"
    assert code.check("") is None
    refused = code.check("abc")
    assert refused is not None
    assert refused.kind is RefusedKind.WRONG_FORMAT
    assert pattern in refused.text
    assert "itopd cannot read" in refused.text
