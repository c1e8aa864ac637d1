"""Replays the recorded facts of ``../shared/golden`` and judges them.

A *replayer* takes one vector and returns nothing when itopd does what the vector says, or raises :class:`Difference`
with the first thing that differs. What a deviating vector (``must_differ``, ``weakness``, ``parity: improve``,
``quirk``, ``deviation``) asks for instead stands in :data:`INSTEAD`, written out once per vector; a deviating vector
that has no entry there is *not judged*. Vectors that later issues close are named in ``known_gaps.txt``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER = ROOT.parent / "shared" / "golden"
KNOWN_GAPS = Path(__file__).with_name("known_gaps.txt")
AREAS = ("csv", "export", "synchro", "cron", "rest")


class Outcome(StrEnum):
    """How a vector ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_YET = "not-yet"
    NOT_JUDGED = "not-judged"


class Difference(Exception):
    """The first thing in which itopd differs from the vector."""


class NotJudged(Exception):
    """The vector deviates and nobody has written down what itopd does instead."""


@dataclass(frozen=True, slots=True)
class Vector:
    """One recorded fact."""

    area: str
    id: str
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """Return the id without its area: the file name."""
        return self.id.split("/", 1)[1]

    @property
    def deviates(self) -> bool:
        """Return whether itopd is meant to differ from what was recorded."""
        data = self.data
        return (
            data.get("itopd") == "must_differ"
            or data.get("parity") == "improve"
            or any(data.get(key) for key in ("weakness", "quirk", "deviation"))
        )


Replayer = Callable[[Vector], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """Which vectors a replayer judges."""

    area: str
    accepts: Callable[[Vector], bool]
    replay: Replayer
    module: str


RULES: list[Rule] = []
INSTEAD: dict[str, Replayer] = {}


def replays(area: str, accepts: Callable[[Vector], bool]) -> Callable[[Replayer], Replayer]:
    """Register a replayer for the vectors of ``area`` that ``accepts`` takes."""

    def register(replay: Replayer) -> Replayer:
        RULES.append(Rule(area, accepts, replay, replay.__module__))
        return replay

    return register


def instead(*ids: str) -> Callable[[Replayer], Replayer]:
    """Register what itopd does instead for deviating vectors, by id (``csv/import-...``)."""

    def register(replay: Replayer) -> Replayer:
        for vector_id in ids:
            INSTEAD[vector_id] = replay
        return replay

    return register


def check_equal(what: str, actual: object, expected: object) -> None:
    """Raise :class:`Difference` naming ``what`` when the two differ."""
    if actual != expected:
        raise Difference(f"{what}: got {_short(actual)}, recorded {_short(expected)}")


def vectors(folder: Path) -> Iterator[Vector]:
    """Yield all vectors of a folder of areas, or of a single area's folder, sorted by id."""
    areas = [folder / area for area in AREAS if (folder / area).is_dir()] or [folder]
    for area in areas:
        for path in sorted(area.glob("*.json")):
            data = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(data, dict) and isinstance(data.get("id"), str) and "/" in data["id"]:
                yield Vector(data["id"].split("/", 1)[0], data["id"], data)


def known_gaps() -> frozenset[str]:
    """Return the ids that later issues close."""
    lines = KNOWN_GAPS.read_text(encoding="utf-8").splitlines() if KNOWN_GAPS.exists() else []
    return frozenset(line.split("#", 1)[0].strip() for line in lines) - {""}


def judge(vector: Vector) -> tuple[Outcome, str]:
    """Replay one vector; return its outcome and, when it did not pass, why."""
    rule = next((r for r in RULES if r.area == vector.area and r.accepts(vector)), None)
    if rule is None and vector.id not in INSTEAD:
        return Outcome.NOT_YET, "no replayer"
    replay = INSTEAD.get(vector.id)
    if replay is None:
        if vector.deviates or rule is None:
            return Outcome.NOT_JUDGED, "deviates, and nothing is written down instead"
        replay = rule.replay
    try:
        replay(vector)
    except NotJudged as reason:
        return Outcome.NOT_JUDGED, str(reason)
    except Difference as difference:
        return Outcome.FAILED, str(difference)
    except Exception as error:  # noqa: BLE001 - whatever breaks, the other vectors are still judged
        return Outcome.FAILED, f"{type(error).__name__}: {_short(str(error))}"
    return Outcome.PASSED, ""


def folder_from_environment() -> Path:
    """Return the folder to replay: ``GOLDEN_DIR``, else ``../shared/golden``."""
    return Path(os.environ.get("GOLDEN_DIR") or DEFAULT_FOLDER)


def _short(value: object, limit: int = 300) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
