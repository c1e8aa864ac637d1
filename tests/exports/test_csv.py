"""CSV: what is written can be read back, in any shape that a caller asks for."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.datamodel import Attribute
from itopd.exports.columns import Column, Field
from itopd.exports.errors import BadCharset
from itopd.exports.formats import FORMATS, Options
from itopd.exports.formats.options import Words
from itopd.exports.kinds import Kind
from itopd.exports.transliterate import codec_of, transliterator

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"))


def options(**changes: object) -> Options:
    chosen: dict[str, object] = {
        "localize": True,
        "words": Words("Yes", "No"),
        "format_date": str,
        "format_datetime": str,
        "application_url": "https://itop.example.com/",
    }
    return Options(**(chosen | changes))  # type: ignore[arg-type]


def column(header: str = "Name", kind: Kind = Kind.TEXT, position: int = 0, **labels: str) -> Column:
    attribute = Attribute("name", "AttributeString", "Person", sql="name")
    return Column(
        field=Field("name", "Person", ("name",), "Person", attribute),
        header=header,
        kind=kind,
        attribute=attribute,
        cls="Person",
        read=lambda row: row[position],
        owner=lambda row: row[0],
        absent=lambda row: row[position] is None and kind is not Kind.TEXT,
        labels=labels,
    )


def written(rows: list[tuple[object, ...]], columns: list[Column], form: str = "csv", **changes: object) -> bytes:
    return b"".join(FORMATS[form].write(columns, [rows], options(**changes)))


@given(st.lists(TEXT, min_size=1, max_size=5), st.sampled_from([",", ";", "\t", "|"]))
def test_any_text_is_read_back_by_a_csv_reader(texts: list[str], separator: str) -> None:
    data = written([tuple(texts)], [column(f"c{n}", position=n) for n in range(len(texts))], separator=separator)
    rows = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator))
    assert rows[1] == texts


def test_windows_line_breaks_inside_a_cell_become_line_feeds() -> None:
    assert written([("a\r\nb",)], [column()]) == b'"Name"\n"a\nb"\n'


def test_no_row_gives_the_header_alone() -> None:
    assert b"".join(FORMATS["csv"].write([column()], [], options())) == b'"Name"\n'


def test_without_a_qualifier_nothing_is_quoted_nor_doubled() -> None:
    assert written([('say "hi"',)], [column()], qualifier="") == b'Name\nsay "hi"\n'


def test_enums_show_labels_and_unknown_codes_themselves() -> None:
    states = column(kind=Kind.ENUM, active="Active")
    assert written([("active",), ("gone",), (None,)], [states]).decode().splitlines()[1:] == ['"Active"', '"gone"', ""]
    assert written([("active",)], [states], localize=False).decode().splitlines()[1] == '"active"'


def test_formulas_are_guarded_on_request_only() -> None:
    rows: list[tuple[object, ...]] = [("=1+1",), ("@sum",), ("plain",)]
    assert written(rows, [column()]).decode().splitlines()[1] == '"=1+1"'
    assert written(rows, [column()], guard_formulas=True).decode().splitlines()[1:] == [
        '"\'=1+1"',
        '"\'@sum"',
        '"plain"',
    ]


def test_a_byte_order_mark_comes_first_and_once() -> None:
    assert written([("é",)], [column()], byte_order_mark=True) == '\ufeff"Name"\n"é"\n'.encode()


@given(TEXT)
def test_a_narrow_charset_never_fails_and_never_holds_what_it_cannot(text: str) -> None:
    codec = codec_of("ISO-8859-1")
    assert len(transliterator(codec)(text).encode("iso-8859-1")) >= 0
    assert "\ufffd" not in transliterator(codec)(text)


def test_characters_are_replaced_by_what_comes_nearest() -> None:
    replace = transliterator(codec_of("ISO-8859-1"))
    assert replace("Łukasz “naïve” 100 € 𝒳 日") == 'Lukasz "naïve" 100 EUR X ?'


@pytest.mark.parametrize("charset", ["nope", "", "base64"])
def test_an_unknown_charset_is_refused(charset: str) -> None:
    with pytest.raises(BadCharset):
        codec_of(charset)


def test_secrets_are_stars_and_their_absence_shows() -> None:
    rows: list[tuple[object, ...]] = [("hunter2",), ("",)]
    assert written(rows, [column(kind=Kind.SECRET)]).decode().splitlines()[1:] == ['"*****"', '""']
    assert b"hunter2" not in written(rows, [column(kind=Kind.SECRET)], form="jsonl")
