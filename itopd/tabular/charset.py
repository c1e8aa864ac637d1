"""Character sets of files: iTop names them as iconv does (``spec/import.md`` §3)."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO, Final, Literal

from itopd.errors import InputError, SettingsError

BadByte = Literal["refuse", "drop"]

BOM: Final = "\ufeff"
CHUNK_BYTES: Final = 1 << 18

_ICONV_NAMES: Final = {
    "ansix3.41968": "ascii",
    "ansix3.41986": "ascii",
    "macintosh": "mac_roman",
    "mac": "mac_roman",
    "maccentraleurope": "mac_latin2",
    "ucs2": "utf-16",
    "ucs2le": "utf-16-le",
    "ucs2be": "utf-16-be",
    "ucs4": "utf-32-be",
    "ucs4le": "utf-32-le",
    "ucs4be": "utf-32-be",
    "eucjpms": "euc_jp",
    "eucjpwin": "euc_jp",
    "sjiswin": "cp932",
    "windows31j": "cp932",
    "windows936": "gbk",
    "tis620": "iso8859_11",
}
"""Names that iconv knows and Python does not, without blanks, hyphens and underscores."""

_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
)
"""Python codecs that turn text into text: a file is never written in them."""


def find_codec(charset: str) -> codecs.CodecInfo:
    """Return Python's codec for an iconv charset name in any letter case.

    Raises :class:`SettingsError` when nobody knows the name.
    """
    name = charset.strip().split("//", 1)[0]  # iconv's //TRANSLIT and //IGNORE say what to do with what does not fit
    plain = name.lower().replace("-", "").replace("_", "").replace(" ", "")
    name = _ICONV_NAMES.get(plain, name)
    codec = _text_codec(name)
    if codec is None or codec.name.replace("-", "_") in _NO_CHARSETS:
        raise SettingsError(f"unknown charset {charset[:60]!r}: give one like UTF-8, ISO-8859-1 or WINDOWS-1252")
    return codec


def _text_codec(name: str) -> codecs.CodecInfo | None:
    if not name.isascii():
        return None
    try:
        b"\0".decode(name)  # knows charsets from other transformations of bytes (base64, zlib)
    except UnicodeError:
        pass
    except (LookupError, ValueError):
        return None
    return codecs.lookup(name)


def decode_stream(
    stream: BinaryIO, charset: str, *, bad_byte: BadByte = "refuse", keep_bom: bool = False
) -> Iterator[str]:
    """Yield the text of ``stream`` in pieces, without the byte order mark it may begin with.

    Raises :class:`SettingsError` for an unknown charset and, unless bad bytes are dropped, :class:`InputError` naming
    the line and the byte that the charset cannot decode.
    """
    codec = find_codec(charset)
    decoder = codec.incrementaldecoder("strict" if bad_byte == "refuse" else "ignore")
    line, offset, first = 1, 0, True
    while True:
        data = stream.read(CHUNK_BYTES)
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            good = codec.decode(error.object[: error.start], "ignore")[0]
            bad = error.object[error.start : error.start + 1].hex().upper()
            at = line + good.count("\n")
            raise InputError(
                f"line {at}: byte 0x{bad} at offset {offset - held + error.start} is not {charset}: "
                "give the file's real charset, or repair the file",
                line=at,
            ) from None
        except UnicodeError as error:  # of decoders that find nothing to begin with
            raise InputError(
                f"line {line}: the text is not {charset} ({error}): give the file's real charset, such as UTF-16LE",
                line=line,
            ) from None
        offset += len(data)
        if first and text:
            first = False
            if not keep_bom:
                text = text.removeprefix(BOM)
        if text:
            line += text.count("\n")
            yield text
        if not data:
            return
