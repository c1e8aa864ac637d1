"""``make golden [DIR=folder] [STRICT=1] [ENGINE=postgresql]``: print the outcomes per area, then each failure."""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from pathlib import Path

from tests.golden import load_replayers
from tests.golden.harness import Outcome, folder_from_environment, judge, known_gaps, vectors
from tests.golden.sample import golden_engine


def main() -> int:
    """Replay and report; exit status 1 on any failure, 66 when there is nothing to replay."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else folder_from_environment()
    strict = os.environ.get("STRICT", "") not in {"", "0"}
    gaps = frozenset() if strict else known_gaps()
    load_replayers()
    counts: dict[str, Counter[Outcome]] = defaultdict(Counter)
    failures: list[str] = []
    closed: list[str] = []
    for vector in vectors(folder):
        outcome, why = judge(vector)
        if vector.id in gaps:
            if outcome is Outcome.PASSED:
                closed.append(vector.id)
            else:
                outcome = Outcome.NOT_YET
        elif outcome is Outcome.NOT_YET and strict:
            outcome = Outcome.FAILED
        counts[vector.area][outcome] += 1
        if outcome is Outcome.FAILED:
            failures.append(f"FAILED {vector.id}: {why}")
    if not counts:
        print(f"no vectors in {folder}", file=sys.stderr)
        return 66
    print(f"databases of the sample are on {golden_engine()}")
    print(f"{'area':10} {'passed':>7} {'failed':>7} {'not-yet':>8} {'not-judged':>11}")
    for area, count in counts.items():
        print(
            f"{area:10} {count[Outcome.PASSED]:7} {count[Outcome.FAILED]:7} "
            f"{count[Outcome.NOT_YET]:8} {count[Outcome.NOT_JUDGED]:11}"
        )
    print(*failures, sep="\n")
    if closed:
        print("now passing, remove from known_gaps.txt:", *closed, sep="\n  ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
