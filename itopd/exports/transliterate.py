"""The nearest text in a narrow character set (``spec/export.md`` §3.1): ``Ł`` becomes ``L``, ``€`` ``EUR``."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Callable

from itopd.exports.errors import BadCharset

_REPLACEMENTS = {
    "€": "EUR", "£": "GBP", "¥": "JPY", "©": "(C)", "®": "(R)", "™": "TM", "…": "...", "•": "o", "·": ".",
    "“": '"', "”": '"', "„": '"', "‟": '"', "«": "<<", "»": ">>", "‘": "'", "’": "'", "‚": ",", "‛": "'",
    "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "ß": "ss", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe",
    "Ø": "O", "ø": "o", "Đ": "D", "đ": "d", "Ł": "L", "ł": "l", "Þ": "TH", "þ": "th", "Ð": "D", "ð": "d", "ı": "i",
    "\N{NO-BREAK SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " ", "\N{THIN SPACE}": " ",
}  # fmt: skip


def codec_of(charset: str) -> codecs.CodecInfo:
    """Return the codec of a character set by its iconv or Python name, in any case.

    Raises :class:`BadCharset` when it is unknown or encodes something else than text.
    """
    try:
        codec = codecs.lookup(charset)
        "".encode(codec.name)
    except LookupError:
        raise BadCharset(
            f"unknown character set '{charset}': give a name such as UTF-8, ISO-8859-1 or WINDOWS-1252"
        ) from None
    return codec


def is_universal(codec: codecs.CodecInfo) -> bool:
    """Return whether the character set holds every character, so that nothing needs replacing."""
    return codec.name.startswith("utf")


def transliterator(codec: codecs.CodecInfo) -> Callable[[str], str]:
    """Return a function that leaves what ``codec`` can hold and replaces the rest by what comes nearest."""
    known: dict[str, str] = {}

    def holds(text: str) -> bool:
        try:
            codec.encode(text)
        except UnicodeEncodeError:
            return False
        return True

    def nearest(character: str) -> str:
        if holds(character):
            return character
        candidates = (
            _REPLACEMENTS.get(character, ""),
            unicodedata.normalize("NFKC", character),
            "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)),
        )
        return next((candidate for candidate in candidates if candidate and holds(candidate)), "?")

    def transliterate(text: str) -> str:
        if holds(text):
            return text
        for character in set(text) - known.keys():
            known[character] = nearest(character)
        return "".join([known[character] for character in text])

    return transliterate
