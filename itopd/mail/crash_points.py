"""Named points at which the crash tests kill the process (``tests/crash``).

Without the environment variable ``ITOPD_CRASH_AT`` they do nothing. Its value is ``name`` or ``name:n``: the n-th time
that the point is passed.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_passed: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """End this process without any clean-up when ``ITOPD_CRASH_AT`` names this point."""
    wanted = os.environ.get("ITOPD_CRASH_AT")
    if wanted is None:
        return
    point, _, number = wanted.partition(":")
    if point == name:
        _passed[name] += 1
        if _passed[name] >= int(number or 1):
            os.kill(os.getpid(), signal.SIGKILL)
