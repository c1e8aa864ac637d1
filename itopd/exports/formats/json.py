"""JSON: a list of objects, or one object per line; keys are the fields as written, values are typed codes.

itopd's own formats, for programs: no labels, numbers as numbers, unset values as ``null``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from itopd.exports.columns import Column, Row
from itopd.exports.formats.documents import document_url
from itopd.exports.formats.options import Options
from itopd.exports.kinds import Kind

MASK = "*****"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write(columns: Sequence[Column], chunks: Iterable[Sequence[Row]], options: Options) -> Iterator[bytes]:
    """Yield one JSON list, an object per line."""
    first = True
    for lines in _lines(columns, chunks, options):
        yield (("[\n" if first else ",\n") + ",\n".join(lines)).encode()
        first = False
    yield b"[]\n" if first else b"\n]\n"


def write_lines(columns: Sequence[Column], chunks: Iterable[Sequence[Row]], options: Options) -> Iterator[bytes]:
    """Yield JSON lines."""
    for lines in _lines(columns, chunks, options):
        yield ("\n".join(lines) + "\n").encode()


def _lines(columns: Sequence[Column], chunks: Iterable[Sequence[Row]], options: Options) -> Iterator[list[str]]:
    names = [column.field.item for column in columns]
    values = [_present(column, _value(column, options)) for column in columns]
    for chunk in chunks:
        yield [_encode(dict(zip(names, [value(row) for value in values], strict=True))) for row in chunk]


def _present(column: Column, value: Callable[[Row], Any]) -> Callable[[Row], Any]:
    """Return what gives ``null`` for a missing object, else its value."""
    absent = column.absent
    return value if absent is None else lambda row: None if absent(row) else value(row)


def _value(column: Column, options: Options) -> Callable[[Row], Any]:
    read = column.read
    convert = _CONVERSIONS.get(column.kind)
    if column.kind is Kind.SECRET:
        return lambda row: MASK if read(row) else None
    if column.kind is Kind.EMPTY:
        return lambda _row: None
    if column.kind is Kind.DOCUMENT:
        return lambda row: document_url(column, row, options)
    if convert is None:
        return read
    return lambda row: None if (value := read(row)) is None else convert(value)


def _number(value: int | Decimal) -> int | float:
    return float(value) if isinstance(value, Decimal) else value


_CONVERSIONS: dict[Kind, Callable[[Any], Any]] = {
    Kind.BOOLEAN: bool,
    Kind.PASSED: bool,
    Kind.NUMBER: _number,
    Kind.SET: list,
}
