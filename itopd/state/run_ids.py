"""Run ids: 26 characters that sort by time (the ULID form: 48 bits of milliseconds, 80 random bits)."""

from __future__ import annotations

import secrets
from datetime import datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80


def new_run_id(now: datetime) -> str:
    """Return a fresh id that sorts after all ids of earlier milliseconds."""
    return _text((_milliseconds(now) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS))


def lowest_run_id(instant: datetime) -> str:
    """Return the smallest id that a run of ``instant`` can have: a bound for "older than"."""
    return _text(_milliseconds(instant) << _RANDOM_BITS)


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _text(number: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
