"""Filters: what each accepts, changes and refuses."""

from __future__ import annotations

import string
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.settings.filters import FilterName, Refused, apply_filter, loses_characters

FILTERS: tuple[FilterName, ...] = get_args(FilterName)
LETTERS_AND_DIGITS = string.ascii_letters + string.digits
ALPHABETS: dict[FilterName, str] = {
    "parameter": LETTERS_AND_DIGITS + " _-=",
    "context_param": LETTERS_AND_DIGITS + " _-=%:+",
    "transaction_id": LETTERS_AND_DIGITS + " _-=.",
    "route": LETTERS_AND_DIGITS + "._-",
    "operation": LETTERS_AND_DIGITS + "._-",
}


def accepted(name: FilterName, value: str | list[str]) -> object:
    try:
        return apply_filter(name, value, {"Person"}.__contains__)
    except Refused:
        return None


@pytest.mark.parametrize("name", ALPHABETS)
@given(st.text(max_size=20))
def test_a_restrictive_filter_accepts_exactly_its_alphabet_unchanged(name: FilterName, text: str) -> None:
    assert accepted(name, text) == (text if set(text) <= set(ALPHABETS[name]) else None)


@pytest.mark.parametrize("name", FILTERS)
def test_only_raw_data_and_the_restrictive_default_take_lists(name: FilterName) -> None:
    expected = ["a b", "1"] if name in {"raw_data", "parameter"} else None
    assert accepted(name, ["a b", "1"]) == expected
    assert accepted("parameter", ["ok", "not/ok"]) is None


@given(st.text(max_size=20), st.sampled_from(FILTERS))
def test_filtering_twice_is_filtering_once_but_for_entities(text: str, name: FilterName) -> None:
    once = accepted(name, text)
    if isinstance(once, str) and name != "string":
        assert accepted(name, once) == once


def test_the_class_filter_asks_for_existing_classes_and_takes_none() -> None:
    assert accepted("class", "Person") == "Person"
    assert accepted("class", "") == ""
    assert accepted("class", "person") is None


@pytest.mark.parametrize(
    ("url", "complete"),
    [
        ("http://x.example/z", True),
        ("https://user:pw@host:8443/a?b=c#d", True),
        ("http://[::1]:80/", True),
        ("ftp://host", True),
        ("mailto:joe@example.com", True),
        ("javascript:alert(1)", False),
        ("http://", False),
        ("/path", False),
        ("x.example", False),
        ("http://a b/", False),
        ("http://hôte/", False),
        ("http://-x/", False),
    ],
)
def test_the_url_filter_asks_for_scheme_and_host(url: str, complete: bool) -> None:
    assert (accepted("url", url) == url) is complete


def test_field_names_are_joined_words() -> None:
    assert accepted("field_name", "org_id->name") == "org_id->name"
    assert accepted("field_name", "") is None
    assert accepted("field_name", "a->") is None


def test_the_filters_that_drop_characters_say_so() -> None:
    assert [name for name in FILTERS if loses_characters(name)] == ["integer", "element_identifier", "variable_name"]
    assert accepted("integer", "1.5e3") == "153"
