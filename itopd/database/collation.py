"""iTop's equality and order outside MariaDB: the key of a text under ``utf8mb4_unicode_ci`` (``spec/model.md``).

Two texts are equal for iTop exactly when their keys are equal, and keys sort as MariaDB sorts the texts: case and
accents do not count, trailing blanks do not, control characters do not, ``œ`` = ``oe``, and all characters beyond the
BMP are the same. The weights come from MariaDB itself: ``tests/support/collation_weights.py`` made ``weights.bin``.

A key is not the row of 16-bit weights but an order-preserving code of it: a weight that some ASCII character has takes
one byte, any other a lead byte that stands between those, and two digits. So an ASCII text costs one
``bytes.translate``, and an index of keys is as small as the texts.

SQLite and PostgreSQL index keys: a change of this module or of the weights asks for ``REINDEX`` of existing databases.
PostgreSQL has the same function in SQL, which :mod:`itopd.database.collation_sql` writes from these codes.

The collation pads: the shorter text compares as if blanks followed. Hence three codes around the blank, in this order:
a blank before something lower than a blank, the end of the text, any other blank.
"""

from __future__ import annotations

import re
import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

_BLANK: Final = 0x0209
_BEYOND_BMP: Final = 0xFFFD
IMPLICIT: Final = 0x8000
"""Weights from here on are parts of those computed from a character's number."""
IMPLICIT_BASES: Final = ((0x4E00, 0x9FA5, 0xFB40), (0x3400, 0x4DB5, 0xFB80))
"""Ideographs (first, last) and the weight that theirs are counted from; ``IMPLICIT_BASE`` is for all others."""
IMPLICIT_BASE: Final = 0xFBC0
DIGIT: Final = 224
LOWEST_DIGIT: Final = 32
"""Digits are bytes above every code of a blank, so no digit is ever taken for one."""


class _Weights:
    """The codes of weights and characters, made once from the weights that MariaDB gave."""

    def __init__(self) -> None:
        characters = dict(_read_weights())
        of_ascii = [characters.get(number, ()) for number in range(128)]
        self._single = sorted({weights[0] for weights in of_ascii if weights})
        self._code_of_single: dict[int, bytes] = {}
        self._leads: list[int] = []
        code = 0
        for weight in self._single:
            code += 1
            self._leads.append(code)
            if weight == _BLANK:
                self.low_blank, self.end = bytes([code + 1]), bytes([code + 2])
                code += 2
            code += 1
            self._code_of_single[weight] = bytes([code])
        self._leads.append(code + 1)
        self.implicit_lead = code + 2
        self.blank = self._code_of_single[_BLANK]
        self.blanks_before_lower = re.compile(b"%b+(?=[%b-%b])" % (self.blank, b"\x01", bytes([self.low_blank[0] - 1])))
        self.character = {chr(number): self._code(weights) for number, weights in characters.items()}
        self.ascii_table = bytes(self.character[chr(i)][0] if of_ascii[i] else 0 for i in range(128)) + bytes(128)
        self.ascii_ignored = bytes(i for i in range(128) if not of_ascii[i])

    def remember(self, character: str) -> bytes:
        """Return the code of a character whose weights are computed, and keep it."""
        number = ord(character)
        code = self._code((_BEYOND_BMP,) if number > 0xFFFF else implicit_weights(number))
        self.character[character] = code
        return code

    def _code(self, weights: tuple[int, ...]) -> bytes:
        return b"".join([self._code_of_single.get(weight) or self._long_code(weight) for weight in weights])

    def _long_code(self, weight: int) -> bytes:
        if weight >= IMPLICIT:
            lead, rest = self.implicit_lead, weight - IMPLICIT
        else:
            lead, rest = self._leads[bisect_left(self._single, weight)], weight
        high, low = divmod(rest, DIGIT)
        return bytes((lead, LOWEST_DIGIT + high, LOWEST_DIGIT + low))


def collation_key(text: str) -> bytes:
    """Return the key of a text: equal keys mean equal texts for iTop, and keys sort like the texts."""
    weights = _weights()
    if text.isascii():
        key = text.encode("ascii").translate(weights.ascii_table, weights.ascii_ignored)
    else:
        known = weights.character
        try:
            key = b"".join([known[character] for character in text])
        except KeyError:
            key = b"".join([known[c] if c in known else weights.remember(c) for c in text])
    key = key.rstrip(weights.blank) + weights.end
    if weights.blanks_before_lower.search(key):
        key = weights.blanks_before_lower.sub(lambda run: weights.low_blank * len(run.group()), key)
    return key


@dataclass(frozen=True, slots=True)
class Codes:
    """What a key is made of, for those who write the same function in another language."""

    characters: Mapping[str, bytes]
    """Every character that has weights of its own; the others' are computed (:func:`implicit_weights`)."""
    beyond_bmp: bytes
    implicit_lead: int
    blank: bytes
    low_blank: bytes
    end: bytes


def codes() -> Codes:
    """Return the codes that :func:`collation_key` puts together."""
    known = {chr(number): weights for number, weights in _read_weights()}
    weights = _weights()
    return Codes(
        characters={character: weights.character[character] for character in known},
        beyond_bmp=weights.remember(chr(0x10000)),
        implicit_lead=weights.implicit_lead,
        blank=weights.blank,
        low_blank=weights.low_blank,
        end=weights.end,
    )


def like_characters(character: str) -> str:
    """Return all characters that ``LIKE`` takes for one, itself among them, in their order.

    MariaDB compares one character with one: alike are those with the same weights of their own, all blanks among
    themselves, and all that count for nothing. What has computed weights (ideographs, everything beyond the BMP) is
    like itself only, although ``=`` finds all characters beyond the BMP equal.
    """
    return _alike().get(character, character)


@cache
def _alike() -> Mapping[str, str]:
    by_code: dict[bytes, list[str]] = {}
    characters = codes().characters
    for character, code in characters.items():
        by_code.setdefault(code, []).append(character)
    groups = {code: "".join(sorted(same)) for code, same in by_code.items()}
    return {character: groups[code] for character, code in characters.items()}


@cache
def _weights() -> _Weights:
    return _Weights()


def _read_weights() -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield the characters of ``weights.bin`` with their weights: step from the last character, count, weights."""
    data = zlib.decompress(files(__package__).joinpath("weights.bin").read_bytes())
    position, number = 0, 0
    while position < len(data):
        step, count = struct.unpack_from(">HB", data, position)
        number += step
        yield number, struct.unpack_from(f">{count}H", data, position + 3)
        position += 3 + 2 * count


def implicit_weights(number: int) -> tuple[int, ...]:
    """Return the weights that the algorithm computes for a character of the BMP without weights of its own."""
    base = next((base for first, last, base in IMPLICIT_BASES if first <= number <= last), IMPLICIT_BASE)
    return base + (number >> 15), (number & 0x7FFF) | IMPLICIT
