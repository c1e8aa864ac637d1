"""PHP's native serialization of plain values, on bytes (``email.md`` §3).

Only data passes: null, booleans, integers, floats, strings and arrays. Objects, references and enumerations are
refused, so nothing in a payload can make anything happen. Lengths count bytes of the UTF-8 text; bytes that are not
UTF-8 come out as lone surrogates and go back as the same bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from itopd.errors import InputError

PhpValue: TypeAlias = "bool | int | float | str | dict[str | int, PhpValue] | None"
"""What :func:`unserialize` returns; arrays and lists alike are dictionaries in the order of the text."""

MAX_DEPTH = 100
"""Deepest nesting of arrays that is read or written; mails need four."""

_INT_RANGE = range(-(2**63), 2**63)
_INTEGER = re.compile(rb"[+-]?[0-9]{1,20};")
_FLOAT = re.compile(rb"(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|-?INF|NAN);")
_LENGTH = re.compile(rb"([0-9]{1,10}):")
_INTEGER_KEY = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_REFUSED = {
    b"O": "an object",
    b"C": "an object",
    b"R": "a reference",
    b"r": "a reference",
    b"E": "an enumeration",
}


class PhpError(InputError):
    """Serialized data is damaged or holds what is refused; ``position`` is the 0-based byte offset."""

    kind = "bad_payload"

    def __init__(self, problem: str, position: int = 0) -> None:
        super().__init__(f"PHP data: {problem}, at byte {position}")
        self.position = position


def unserialize(data: bytes) -> PhpValue:
    """Return the one value that ``data`` holds; raise :class:`PhpError` for anything else."""
    value, end = _read(data, 0, 0)
    if end != len(data):
        raise PhpError(f"{len(data) - end} bytes follow the value", end)
    return value


def property_array(data: bytes, name: str) -> dict[str | int, PhpValue] | None:
    """Return the array that is the value of property ``name`` somewhere in a serialized object, if there is one.

    Nothing else of the object is looked at. A name may carry PHP's mark of protected or private properties.
    """
    pattern = rb's:([0-9]{1,4}):"((?:\0[^\0"]*\0)?' + re.escape(name.encode("utf-8")) + rb')";(?=a:)'
    for found in re.finditer(pattern, data):
        if int(found[1]) == len(found[2]):
            value, _ = _read(data, found.end(), 0)
            if isinstance(value, dict):
                return value
    return None


def serialize(value: object) -> bytes:
    """Return PHP's serialization of a plain value; sequences become arrays with keys 0, 1, ...

    As in PHP, a key that is the text of an integer becomes that integer. Raises :class:`PhpError` for what PHP could
    not hold: other types, integers over 64 bits, nesting beyond :data:`MAX_DEPTH`.
    """
    parts: list[bytes] = []
    _write(value, parts, 0)
    return b"".join(parts)


def _read(data: bytes, at: int, depth: int) -> tuple[PhpValue, int]:
    """Read the value that starts at ``at``; return it and where it ends."""
    token = data[at : at + 2]
    match token:
        case b"s:":
            return _read_string(data, at)
        case b"i:":
            return _read_integer(data, at)
        case b"a:":
            return _read_array(data, at, depth)
        case b"N;":
            return None, at + 2
        case b"b:" if data[at + 2 : at + 4] in {b"0;", b"1;"}:
            return data[at + 2 : at + 3] == b"1", at + 4
        case b"d:":
            return _read_float(data, at)
    refused = _REFUSED.get(token[:1]) if token[1:] == b":" else None
    raise PhpError(f"{refused} is refused" if refused else "no value", at)


def _read_string(data: bytes, at: int) -> tuple[str, int]:
    length, start = _read_length(data, at)
    end = start + 1 + length
    if data[start : start + 1] != b'"' or data[end : end + 2] != b'";':
        raise PhpError(f"a string does not have its stated {length} bytes", at)
    return data[start + 1 : end].decode("utf-8", "surrogateescape"), end + 2


def _read_integer(data: bytes, at: int) -> tuple[int, int]:
    found = _INTEGER.match(data, at + 2)
    if found is None or int(found[0][:-1]) not in _INT_RANGE:
        raise PhpError("a wrong integer", at)
    return int(found[0][:-1]), found.end()


def _read_float(data: bytes, at: int) -> tuple[float, int]:
    found = _FLOAT.match(data, at + 2)
    if found is None:
        raise PhpError("a wrong float", at)
    return float(found[0][:-1]), found.end()


def _read_array(data: bytes, at: int, depth: int) -> tuple[dict[str | int, PhpValue], int]:
    if depth >= MAX_DEPTH:
        raise PhpError(f"arrays are nested deeper than {MAX_DEPTH}", at)
    count, position = _read_length(data, at)
    if data[position : position + 1] != b"{":
        raise PhpError("an array without '{'", at)
    position += 1
    array: dict[str | int, PhpValue] = {}
    for _ in range(count):
        key, position = _read_key(data, position)
        array[key], position = _read(data, position, depth + 1)
    if data[position : position + 1] != b"}":
        raise PhpError(f"an array does not end after its stated {count} items", position)
    return array, position + 1


def _read_key(data: bytes, at: int) -> tuple[str | int, int]:
    match data[at : at + 2]:
        case b"s:":
            text, end = _read_string(data, at)
            return _array_key(text), end
        case b"i:":
            return _read_integer(data, at)
    raise PhpError("a key that is neither string nor integer", at)


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    found = _LENGTH.match(data, at + 2)
    if found is None:
        raise PhpError("a wrong length", at)
    return int(found[1]), found.end()


def _array_key(text: str) -> str | int:
    """Return the key as PHP's arrays hold it: the text of a 64-bit integer is that integer."""
    if _INTEGER_KEY.fullmatch(text) and int(text) in _INT_RANGE:
        return int(text)
    return text


def _write(value: object, parts: list[bytes], depth: int) -> None:
    match value:
        case None:
            parts.append(b"N;")
        case bool():
            parts.append(b"b:1;" if value else b"b:0;")
        case int():
            if value not in _INT_RANGE:
                raise PhpError(f"integer {value} needs more than 64 bits")
            parts.append(b"i:%d;" % value)
        case float():
            parts.append(b"d:%b;" % _float_text(value).encode("ascii"))
        case str():
            parts.append(_string(value))
        case Mapping():
            _write_array({_checked_key(key): item for key, item in value.items()}, parts, depth)
        case Sequence() if not isinstance(value, (bytes, bytearray, memoryview)):
            _write_array(dict(enumerate(value)), parts, depth)
        case _:
            raise PhpError(f"a value of type {type(value).__name__} cannot be written")


def _write_array(array: Mapping[str | int, object], parts: list[bytes], depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise PhpError(f"arrays are nested deeper than {MAX_DEPTH}")
    parts.append(b"a:%d:{" % len(array))
    for key, item in array.items():
        parts.append(b"i:%d;" % key if isinstance(key, int) else _string(key))
        _write(item, parts, depth + 1)
    parts.append(b"}")


def _checked_key(key: object) -> str | int:
    if isinstance(key, str):
        return _array_key(key)
    if isinstance(key, int) and not isinstance(key, bool) and key in _INT_RANGE:
        return key
    raise PhpError(f"{key!r} cannot be a key of an array")


def _string(text: str) -> bytes:
    try:
        content = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise PhpError(f"a text cannot be written as UTF-8 ({error.reason})") from None
    return b's:%d:"%b";' % (len(content), content)


def _float_text(value: float) -> str:
    """Return the shortest text that PHP reads back as the same float."""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    return repr(value).removesuffix(".0")
