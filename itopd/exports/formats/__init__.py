"""One module per output format; each turns chunks of rows into bytes, holding no more than one chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from itopd.exports.columns import Column, Row
from itopd.exports.formats import csv, json
from itopd.exports.formats.options import Options

Writer: TypeAlias = Callable[[Sequence[Column], Iterable[Sequence[Row]], Options], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Format:
    """An output format: how it is written, its file extension, and whether iTop knows it."""

    write: Writer
    extension: str
    of_itop: bool


FORMATS: Mapping[str, Format] = {
    "csv": Format(csv.write, "csv", of_itop=True),
    "json": Format(json.write, "json", of_itop=False),
    "jsonl": Format(json.write_lines, "jsonl", of_itop=False),
}

__all__ = ["FORMATS", "Format", "Options", "Writer"]
