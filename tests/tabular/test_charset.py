"""Charsets: iconv's names, byte order marks, bytes that cannot be decoded."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.errors import InputError, SettingsError
from itopd.tabular import BadByte, decode_stream, find_codec
from itopd.tabular import charset as charset_module


def decode(data: bytes, charset: str, *, bad_byte: BadByte = "refuse", keep_bom: bool = False) -> str:
    return "".join(decode_stream(io.BytesIO(data), charset, bad_byte=bad_byte, keep_bom=keep_bom))


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("UTF-8", "né€😀".encode(), "né€😀"),
        ("utf8", "é".encode(), "é"),
        ("ISO-8859-1", b"\xe9\x80", "é\x80"),
        ("windows-1252", b"\x80uro", "€uro"),
        ("ISO-8859-15", b"\xa4", "€"),
        ("WINDOWS-1251", b"\xc4", "Д"),
        ("MACINTOSH", b"\x8e", "é"),
        ("UCS-4LE", "é".encode("utf-32-le"), "é"),
        ("UTF-16", "\ufeffé".encode("utf-16-be"), "é"),
        ("UTF-16LE", "\ufeffé".encode("utf-16-le"), "é"),
        ("ASCII//TRANSLIT", b"a", "a"),
        ("UTF-8", b"", ""),
    ],
)
def test_iconv_names_are_known(charset: str, data: bytes, text: str) -> None:
    assert decode(data, charset) == text


@pytest.mark.parametrize("charset", ["KLINGON", "base64", "rot13", "zlib", "idna", "unicode_escape", "", "\0", "hex"])
def test_what_is_no_charset_is_refused(charset: str) -> None:
    with pytest.raises(SettingsError, match="unknown charset"):
        find_codec(charset)


@pytest.mark.parametrize("charset", ["UTF-8", "utf-8"])
def test_a_byte_order_mark_is_removed_once(charset: str) -> None:
    assert decode("\ufeff\ufeffa".encode(), charset) == "\ufeffa"
    assert decode("\ufeffa".encode(), charset, keep_bom=True) == "\ufeffa"


def test_a_bad_byte_is_refused_with_its_line_and_offset() -> None:
    with pytest.raises(InputError, match=r"line 3: byte 0xFF at offset 6 is not UTF-8") as refused:
        decode(b"a\n\xc3\xa9\nx\xff", "UTF-8") and None
    assert refused.value.line == 3


def test_a_bad_byte_is_dropped_when_asked() -> None:
    assert decode(b"Bad\xff\xfebyte", "UTF-8", bad_byte="drop") == "Badbyte"


@given(st.text(), st.integers(1, 5), st.sampled_from(["UTF-8", "UTF-16", "UTF-32", "GB18030"]))
def test_characters_cut_between_two_reads_are_whole(text: str, size: int, charset: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charset_module, "CHUNK_BYTES", size)
        assert decode(text.encode(charset, "ignore"), charset, keep_bom=True).replace("\ufeff", "") == text.encode(
            charset, "ignore"
        ).decode(charset).replace("\ufeff", "")


def test_the_bad_byte_is_found_across_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charset_module, "CHUNK_BYTES", 3)
    with pytest.raises(InputError, match="line 2: byte 0xC3 at offset 5"):
        decode(b"abc\nd\xc3(", "UTF-8")
