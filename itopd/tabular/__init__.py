"""Reading rows from files: iTop's CSV as a stream, charsets by their iconv names, dates in PHP's format letters.

``read_csv`` is charset and CSV in one: bytes in, rows with their line numbers out, in constant memory.
"""

from collections.abc import Iterator
from typing import BinaryIO

from itopd.tabular.charset import BadByte, decode_stream, find_codec
from itopd.tabular.csv_rows import LONGEST_ROW, NULL, TRIMMED, Dialect, Row, read_rows
from itopd.tabular.date_formats import (
    DateFormat,
    date_part,
    format_php_date,
    modern_format,
    read_format,
    stored_writer,
    time_part,
)
from itopd.tabular.published import published

__all__ = [
    "LONGEST_ROW",
    "NULL",
    "TRIMMED",
    "BadByte",
    "DateFormat",
    "Dialect",
    "Row",
    "date_part",
    "decode_stream",
    "find_codec",
    "format_php_date",
    "modern_format",
    "published",
    "read_csv",
    "read_format",
    "read_rows",
    "stored_writer",
    "time_part",
]


def read_csv(
    stream: BinaryIO,
    dialect: Dialect,
    *,
    charset: str = "UTF-8",
    bad_byte: BadByte = "refuse",
    keep_bom: bool = False,
    skip: int = 0,
    longest_row: int = LONGEST_ROW,
) -> Iterator[Row]:
    """Yield the rows of a CSV file; see :func:`decode_stream` and :func:`read_rows` for the arguments and errors."""
    pieces = decode_stream(stream, charset, bad_byte=bad_byte, keep_bom=keep_bom)
    return read_rows(pieces, dialect, skip=skip, longest_row=longest_row)
