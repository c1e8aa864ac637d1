"""Every vector that is no known gap passes, and no known gap passes unnoticed."""

from __future__ import annotations

import os

import pytest

from tests.golden import load_replayers
from tests.golden.harness import DEFAULT_FOLDER, Outcome, Vector, judge, known_gaps, vectors
from tests.support.engines import marked

load_replayers()
VECTORS = list(vectors(DEFAULT_FOLDER)) if DEFAULT_FOLDER.is_dir() else []
GAPS = known_gaps()


def test_the_recorded_facts_are_there() -> None:
    if not VECTORS:
        message = f"no golden vectors in {DEFAULT_FOLDER}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@pytest.mark.shared
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.id)
def test_itopd_does_what_was_recorded(vector: Vector) -> None:
    outcome, why = judge(vector)
    if vector.id in GAPS:
        assert outcome is not Outcome.PASSED, "it passes now: remove it from known_gaps.txt"
    else:
        assert outcome in {Outcome.PASSED, Outcome.NOT_JUDGED}, why


@pytest.mark.shared
@pytest.mark.parametrize("engine", [marked("mariadb"), marked("postgresql")])
def test_queries_give_on_the_other_engines_what_was_recorded(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDEN_ENGINE", engine)
    queries = [vector for vector in VECTORS if vector.id.startswith("export/oql-") and vector.id not in GAPS]
    outcomes = {vector.id: judge(vector) for vector in queries}
    wrong = {name: why for name, (outcome, why) in outcomes.items() if outcome is Outcome.FAILED}
    assert wrong == {}
    assert not VECTORS or outcomes


def test_known_gaps_name_real_vectors_only() -> None:
    if VECTORS:
        assert not GAPS - {vector.id for vector in VECTORS}
