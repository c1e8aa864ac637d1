"""Whatever stands in a file: it is read, or refused with an error of ours, in bounded time. Nothing else happens."""

from __future__ import annotations

import io
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from encodings.aliases import aliases
from functools import partial
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itopd.datamodel import Model
from itopd.datamodel.loading import build_model
from itopd.datamodel.source import parse_source
from itopd.errors import InputError, ItopdError, ModelError, SettingsError
from itopd.php import property_array, read_config, serialize, unserialize
from itopd.php.dictionaries import read_dictionary
from itopd.php.literals import parse_literals, parse_readable
from itopd.rules import ITOP, ITOPD
from itopd.settings import load_settings, parse_parameters
from itopd.tabular import Dialect, Row, format_php_date, read_csv, read_format, read_rows, stored_writer

PARIS = ZoneInfo("Europe/Paris")
SECONDS = 20.0
"""Far more than anything here takes (a second), far less than anything that does not end."""
MEGABYTES = 200

T = TypeVar("T")

few = settings(max_examples=80, derandomize=True)


@contextmanager
def bounded() -> Iterator[None]:
    """Let what happens within take little time and memory."""
    tracemalloc.start()
    started = time.process_time()
    try:
        yield
        seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seconds < SECONDS
    assert peak < MEGABYTES * 2**20


def refused_or(read: Callable[[], T], *errors: type[ItopdError]) -> T | None:
    try:
        return read()
    except errors as error:
        error.message.encode()  # it can be printed
        return None


PARAMETER_BYTES = st.one_of(
    st.binary(max_size=80),
    st.text('ab_=:"#\\u{}[] \t\n\r\x00\x0bé0', max_size=60).map(str.encode),
    st.builds(lambda text: b"key := " + text.encode(), st.text('"\\udc0ab [{#', max_size=20)),
)


@few
@given(PARAMETER_BYTES)
def test_a_parameters_file(data: bytes) -> None:
    for rules in (ITOP, ITOPD):
        read = refused_or(partial(parse_parameters, data, "f.params", rules), SettingsError)
        for key, value in (read.values if read else {}).items():
            (key + value).encode()


@few
@given(
    st.dictionaries(
        st.sampled_from(
            ["timezone", "log_level", "database_url", "access_mode", "email_transport_smtp.port", "state_url"]
        )
        | st.text(max_size=8),
        st.text(max_size=30) | st.integers().map(str) | st.sampled_from(["../../etc/passwd", "9" * 5000, "sqlite:///"]),
        max_size=4,
    )
)
def test_values_of_settings(values: dict[str, str]) -> None:
    refused_or(lambda: load_settings([], values, {}), SettingsError)


PHP_PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "array(",
                "[",
                "]",
                ")",
                ",",
                "=>",
                "'a'",
                '"b"',
                "'",
                '"',
                "\\",
                "$x",
                "=",
                ";",
                "1",
                "0x",
                "1e999",
                "-",
                "/*",
                "*/",
                "//",
                "#",
                "<<<A\n",
                "\nA",
                "?>",
                "<?php ",
                '"\\u{d800}"',
                '"\\u{110000}"',
                "9" * 400,
                "null",
                "X::y(",
            ]
        ),
        st.text(max_size=3),
    ),
    max_size=25,
).map("".join)


@few
@given(PHP_PIECES)
def test_a_configuration_or_dictionary_of_itop(text: str) -> None:
    whole = f"<?php\n$MySettings = array('a' => 1);\n$MyModules = array('addons' => array());\n{text}"
    for php in (text, whole, f"<?php\n$x = array({text});", f"<?php\nDict::Add('EN US', 'a', 'b', array({text}));"):
        for read in (parse_literals, parse_readable, read_config, read_dictionary):
            refused_or(partial(read, php, "f.php"), SettingsError)


@few
@given(
    st.lists(
        st.sampled_from(
            [b"a:", b"s:", b"i:", b"d:", b"b:", b"N;", b"O:", b"1", b"2", b":", b'"', b";", b"{", b"}", b"-", b"e"]
        )
        | st.binary(max_size=4),
        max_size=30,
    ).map(b"".join)
)
def test_a_payload_of_php(data: bytes) -> None:
    if (value := refused_or(lambda: unserialize(data), InputError)) is not None:
        assert unserialize(serialize(value)) == value or value != value  # noqa: PLR0124 - NaN
    refused_or(lambda: property_array(b's:7:"m_aData";a:' + data, "m_aData"), InputError)


HOSTILE_PHP = {
    "arrays in arrays": "<?php $x = " + "[" * 20_000,
    "an unclosed string with quotes in it": "<?php f('" + "\\'" * 50_000,
    "an unclosed string": "<?php f('" + "x" * 500_000,
    "unclosed comments": "<?php f(" + "/*" * 50_000,
    "unclosed heredocs": "<?php f('FR FR', array('a' => " + "<<<X\n" * 20_000,
    "calls in calls": "<?php " + "f(" * 20_000,
    "entries that are none": "<?php f('FR FR', array(" + "'a' => " * 10_000,
    "backslashes": '<?php $x = "' + "\\\\" * 50_000 + '";',
    "a number of many digits": "<?php $x = " + "9" * 100_000 + ";",
    "a hexadecimal number of many digits": "<?php $x = 0x" + "f" * 100_000 + ";",
}


@pytest.mark.parametrize("case", HOSTILE_PHP)
def test_hostile_php_takes_little_time(case: str) -> None:
    with bounded():
        for read in (parse_literals, parse_readable, read_config, read_dictionary):
            refused_or(partial(read, HOSTILE_PHP[case], "f.php"), SettingsError)


@pytest.mark.parametrize(
    "data", [b"a:1:{i:0;" * 100_000, b"d:" + b"9" * 100_000 + b";", b"a:999999999:{" + b"i:1;N;" * 9999]
)
def test_hostile_payloads_take_little_time(data: bytes) -> None:
    with bounded():
        refused_or(lambda: unserialize(data), InputError)


@pytest.mark.parametrize(
    "value", [b"[" * 200_000, b'{"a":' * 100_000, b'"\\ud800"', b"9" * 10_000, b'"' + b"x" * 1_000_000]
)
def test_hostile_values_of_parameters_are_refused(value: bytes) -> None:
    with bounded(), pytest.raises(SettingsError, match="a JSON string is expected"):
        parse_parameters(b"key := " + value, "f.params", ITOPD)


def laughs(use: str) -> str:
    levels = "".join(f"<!ENTITY l{i} '{f'&l{i - 1};' * 10}'>" for i in range(1, 12))
    return f"<!DOCTYPE a [<!ENTITY l0 'ha'>{levels}]>{use}"


HOSTILE_XML = {
    "a billion laughs": laughs("<itop_design><classes>&l11;</classes></itop_design>"),
    "a billion laughs in an attribute": laughs("<itop_design version='&l11;'/>"),
    "a file as an entity": "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><itop_design>&x;</itop_design>",
    "a document type of another machine": "<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/x.dtd'><itop_design/>",
    "a parameter entity": "<!DOCTYPE a [<!ENTITY % x SYSTEM 'file:///etc/passwd'> %x;]><itop_design/>",
    "an entity where a module should be": "<!DOCTYPE a [<!ENTITY x 'y'>]>"
    "<itop_design><loaded_modules>&x;</loaded_modules></itop_design>",
    "an unknown entity": "<itop_design>&x;</itop_design>",
    "elements in elements": "<itop_design>" + "<a>" * 100_000,
    "a huge attribute": f"<itop_design version='{'x' * 20_000_000}'/>",
    "a huge text": f"<itop_design>{'x' * 20_000_000}</itop_design>",
    "an unknown encoding": "<?xml version='1.0' encoding='none'?><itop_design/>",
    "nothing": "",
    "no XML": "x" * 1000,
    "another root": "<html/>",
}


@pytest.mark.parametrize("case", HOSTILE_XML)
def test_hostile_xml_is_refused_and_takes_little(case: str) -> None:
    with bounded(), pytest.raises(ModelError, match=r"data model f\.xml: "):
        parse_source(HOSTILE_XML[case].encode(), "f.xml")


def test_what_xml_includes_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("geheim")
    include = f"<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='{tmp_path}/secret' parse='text'/>"
    source = parse_source(f"<itop_design><dictionaries>{include}</dictionaries></itop_design>".encode(), "f.xml")
    assert source.classes == ()
    assert source.texts == {}


XML_NAMES = st.sampled_from(
    [
        "itop_design",
        "classes",
        "class",
        "fields",
        "field",
        "properties",
        "parent",
        "lifecycle",
        "states",
        "state",
        "values",
        "value",
        "dictionaries",
        "dictionary",
        "entries",
        "entry",
        "user_rights",
        "profiles",
        "profile",
        "groups",
        "x",
    ]
)


def xml(name: str, attributes: dict[str, str], inner: list[str]) -> str:
    written = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{name}{written}>{''.join(inner)}</{name}>"


XML_WORDS = st.text(st.sampled_from("aZ0_/:- .,é"), max_size=8)
XML_TREES = st.recursive(
    XML_WORDS,
    lambda inner: st.builds(
        xml,
        XML_NAMES,
        st.dictionaries(st.sampled_from(["id", "_delta", "xsi:type"]), XML_WORDS, max_size=2),
        st.lists(inner, max_size=3),
    ),
    max_leaves=20,
)


def model_of(text: str) -> Model:
    return build_model([parse_source(text.encode(), "f.xml")])


@few
@given(st.lists(XML_TREES, max_size=4))
def test_any_elements_of_a_data_model(trees: list[str]) -> None:
    xsi = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
    for text in (
        f"<itop_design {xsi}>{''.join(trees)}</itop_design>",
        f"<itop_design {xsi}><classes>{''.join(trees)}</classes></itop_design>",
    ):
        refused_or(partial(model_of, text), ModelError)


CSV_TEXT = st.text(st.sampled_from("ab\",;'\t\n\r \0é\ufeff<NULL>"), max_size=60)


@few
@given(CSV_TEXT, st.sampled_from([",", ";", "\t", "", '"']), st.sampled_from(['"', "'", "", ","]), st.integers(1, 5))
def test_csv_does_not_depend_on_how_it_is_cut_into_pieces(text: str, separator: str, qualifier: str, size: int) -> None:
    dialect = Dialect(separator, qualifier)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert list(read_rows(pieces, dialect)) == list(read_rows([text], dialect))


@few
@given(st.binary(max_size=60), st.sampled_from(sorted(set(aliases.values()))) | st.text(max_size=10), st.booleans())
def test_any_bytes_in_any_charset(data: bytes, charset: str, drop: bool) -> None:
    def read() -> list[Row]:
        return list(read_csv(io.BytesIO(data), Dialect(), charset=charset, bad_byte="drop" if drop else "refuse"))

    refused_or(read, InputError, SettingsError)


def test_a_quote_that_is_never_closed_does_not_fill_the_memory() -> None:
    with bounded(), pytest.raises(InputError, match="longer than 1000000 characters"):
        list(read_csv(io.BytesIO(b'a,"b\n' + b"x,y\n" * 2_000_000), Dialect(), longest_row=1_000_000))


FORMATS = st.text(st.sampled_from("dDjlNSwzWFMmntLoYyaABgGhHisuveIOPpTZcrU\\ -/:.()[]+*"), max_size=12)


@few
@given(FORMATS, st.text(max_size=25) | st.datetimes().map(str), st.datetimes(), st.booleans())
def test_any_date_in_any_format(layout: str, text: str, moment: datetime, lenient: bool) -> None:
    known = refused_or(lambda: read_format(layout), SettingsError)
    if known is not None:
        for given_text in (text, format_php_date(layout, moment)):
            found = known.read_datetime(given_text, now=moment if lenient else None)
            assert found is None or len(found) == 19
    assert isinstance(stored_writer(layout, PARIS)(text), str)
    written = stored_writer(layout, PARIS)(moment.isoformat(" ", "seconds")[:19])
    assert isinstance(written, str)
