"""PHP's serialization: round trips, what is refused, and old payloads."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.php import PhpError, property_array, serialize, unserialize
from itopd.php.codec import MAX_DEPTH
from tests.golden.harness import DEFAULT_FOLDER
from tests.support.sample import require_shared

INTEGERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.binary().map(
    lambda data: data.decode("utf-8", "surrogateescape")
)
KEYS = INTEGERS | TEXTS.filter(lambda text: not text.lstrip("-").isdecimal())
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_a_value_comes_back_as_it_went(value: Any) -> None:
    back = unserialize(serialize(value))
    assert back == value
    assert type(back) is type(value)
    if isinstance(value, dict):
        assert isinstance(back, dict)
        assert list(back) == list(value)


@given(st.binary(max_size=60) | st.text('aOsid:;{}"0123456789NbCRrE', max_size=60).map(str.encode))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    try:
        value = unserialize(data)
    except PhpError as error:
        assert 0 <= error.position <= len(data)  # noqa: PT017 - the bytes may also be fine
    else:
        serialize(value)


@given(VALUES, st.data())
def test_a_value_that_is_cut_or_followed_by_something_is_refused(value: Any, data: st.DataObject) -> None:
    whole = serialize(value)
    with pytest.raises(PhpError):
        unserialize(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(PhpError, match="follow"):
        unserialize(whole + b";")


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b's:2:"\xc3\xa9";', "é"),
        (b's:5:"";}"\n";', '";}"\n'),
        (b"i:-7;", -7),
        (b"i:+7;", 7),
        (b"b:1;", True),
        (b"N;", None),
        (b"d:0.5;", 0.5),
        (b"d:1.0E+25;", 1e25),
        (b"d:-INF;", -math.inf),
        (b"a:0:{}", {}),
        (b'a:2:{i:0;s:1:"a";s:1:"5";i:1;}', {0: "a", 5: 1}),
    ],
)
def test_known_tokens_are_read(data: bytes, value: object) -> None:
    assert unserialize(data) == value


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'O:3:"Foo":0:{}', "an object is refused, at byte 0"),
        (b'C:3:"Foo":0:{}', "an object is refused"),
        (b"R:1;", "a reference is refused"),
        (b"a:1:{i:0;r:1;}", "a reference is refused, at byte 9"),
        (b'E:7:"Foo:Bar";', "an enumeration is refused"),
        (b's:1:"\xc3\xa9";', "does not have its stated 1 bytes"),
        (b's:-1:"";', "a wrong length"),
        (b's:99999999999999:"";', "a wrong length"),
        (b"a:2:{i:0;i:1;}", "neither string nor integer"),
        (b"a:1:{i:0;i:1;i:2;i:3;}", "does not end after its stated 1 items"),
        (b"a:1:{N;i:1;}", "neither string nor integer"),
        (b"a:999999999:{}", "neither string nor integer"),
        (b"i:9223372036854775808;", "a wrong integer"),
        (b"i:1.5;", "a wrong integer"),
        (b"i: 1;", "a wrong integer"),
        (b"d:abc;", "a wrong float"),
        (b"b:2;", "no value"),
        (b"garbage", "no value"),
        (b"", "no value"),
    ],
)
def test_what_is_no_plain_data_is_refused_with_its_place(data: bytes, problem: str) -> None:
    with pytest.raises(PhpError, match=problem):
        unserialize(data)


def test_nesting_has_a_limit_in_both_directions() -> None:
    def nested(depth: int) -> bytes:
        return b"a:1:{i:0;" * depth + b"N;" + b"}" * depth

    value = unserialize(nested(MAX_DEPTH))
    assert serialize(value) == nested(MAX_DEPTH)
    with pytest.raises(PhpError, match="deeper"):
        unserialize(nested(100_000))
    with pytest.raises(PhpError, match="deeper"):
        serialize({0: value})


def test_sequences_become_arrays_and_integer_texts_integer_keys() -> None:
    assert serialize(["a", ("b",)]) == b'a:2:{i:0;s:1:"a";i:1;a:1:{i:0;s:1:"b";}}'
    assert serialize({"7": 1, "07": 2, "-0": 3}) == b'a:3:{i:7;i:1;s:2:"07";i:2;s:2:"-0";i:3;}'
    assert serialize(1.0) == b"d:1;"
    assert serialize(math.nan) == b"d:NAN;"


@pytest.mark.parametrize("value", [b"bytes", object(), {1.5: 1}, {True: 1}, 2**63, {2**63: 1}, "\ud800"])
def test_what_php_cannot_hold_is_not_written(value: object) -> None:
    with pytest.raises(PhpError):
        serialize(value)


def test_the_data_of_an_old_mail_object_is_found_without_making_the_object() -> None:
    array = serialize({"to": "a@example.com", "subject": "é"})
    old = b'O:5:"EMail":2:{s:10:"\0*\0m_aData";' + array + b's:4:"more";N;}'
    assert property_array(old, "m_aData") == {"to": "a@example.com", "subject": "é"}
    assert property_array(b'O:5:"EMail":1:{s:7:"m_aData";N;}', "m_aData") is None
    assert property_array(b's:9:"\0*\0m_aData";' + array, "m_aData") is None  # a length that lies
    with pytest.raises(PhpError, match="an object is refused"):
        property_array(b's:7:"m_aData";a:1:{i:0;O:1:"X":0:{}}', "m_aData")


@pytest.mark.shared
def test_the_recorded_payloads_of_itop_are_read_and_written_back_byte_for_byte() -> None:
    require_shared()
    paths = sorted((DEFAULT_FOLDER / "cron").glob("payload-*.json"))
    assert len(paths) >= 12
    for path in paths:
        expect = json.loads(path.read_text(encoding="utf-8"))["expect"]
        stored = expect["row"]["message"].encode("utf-8")
        assert _with_text_keys(unserialize(stored)) == expect["decoded"], path.name
        assert serialize(unserialize(stored)) == stored, path.name


def _with_text_keys(value: object) -> object:
    """Return arrays as the vectors write them: all keys are texts."""
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return value
