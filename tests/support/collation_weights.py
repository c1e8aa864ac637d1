"""Reads iTop's collation out of MariaDB: the weights of every character of the BMP, and the file the package keeps.

``python -m tests.support.collation_weights`` writes ``itopd/database/weights.bin`` anew.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pymysql

import itopd.database
from itopd.database.collation import implicit_weights

_AT_ONCE = 1024


def characters() -> list[int]:
    """Return every code point of the BMP but the surrogates."""
    return [number for number in range(0x10000) if not 0xD800 <= number < 0xE000]


def server_weights(cursor: pymysql.cursors.Cursor) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield every character of the BMP with its weights under utf8mb4_unicode_ci."""
    numbers = characters()
    for start in range(0, len(numbers), _AT_ONCE):
        chunk = numbers[start : start + _AT_ONCE]
        rows = ",".join(f"({number})" for number in chunk)
        cursor.execute(
            f"WITH c(n) AS (VALUES {rows}) SELECT n, "
            "WEIGHT_STRING(CONVERT(CONVERT(UNHEX(LPAD(HEX(n), 8, '0')) USING utf32) USING utf8mb4) "
            "COLLATE utf8mb4_unicode_ci) FROM c"
        )
        for number, weights in cursor.fetchall():
            yield number, struct.unpack(f">{len(weights) // 2}H", weights)


def pack(weights: Iterator[tuple[int, tuple[int, ...]]]) -> bytes:
    """Return the file: characters whose weights are not computed from their number, compressed."""
    data, last = bytearray(), 0
    for number, row in weights:
        if row != implicit_weights(number):
            data += struct.pack(f">HB{len(row)}H", number - last, len(row), *row)
            last = number
    return zlib.compress(bytes(data), 9)


def main() -> None:
    connection = pymysql.connect(host="127.0.0.1", user="root", charset="utf8mb4")
    with connection, connection.cursor() as cursor:
        packed = pack(server_weights(cursor))
    target = Path(itopd.database.__path__[0]) / "weights.bin"
    target.write_bytes(packed)
    sys.stdout.write(f"{target}: {len(packed)} bytes\n")


if __name__ == "__main__":
    main()
