"""What was seen, as data for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import pytest

from itopd.heartbeat import plain


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Thing:
    colour: Colour
    at: datetime
    parts: tuple[object, ...]


def test_everything_becomes_what_json_takes() -> None:
    at = datetime(2027, 2, 10, 10, 0, 0, 250_000, tzinfo=ZoneInfo("Europe/Paris"))
    thing = Thing(Colour.RED, at, (1, None, True, 1.5, Decimal("0.100"), {"a": Colour.RED}, [Thing]))
    with pytest.raises(TypeError, match="type is no plain data"):
        plain(thing)
    assert json.loads(json.dumps(plain(Thing(Colour.RED, at, thing.parts[:-1])))) == {
        "colour": "red",
        "at": "2027-02-10T09:00:00.250000Z",
        "parts": [1, None, True, 1.5, "0.100", {"a": "red"}],
    }
