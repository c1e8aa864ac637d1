"""The log of each run, gathered while it is under way and kept in the state store with the run.

Everything that is logged with the id of a run of ours belongs to it, whether the heartbeat says it or the child, whose
lines come through its pipe; so the last words of a child that was killed are kept, too. Memory is bounded: the newest
lines of each run, each cut to a length that people read.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from itopd.state.run_logs import LINES

_LONGEST: Final = 2000
"""Characters of a line."""


class RunLogs:
    """The logs of the runs of this process; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, deque[str]] = {}

    def open(self, run_id: str) -> None:
        """Begin to gather for a run."""
        with self._lock:
            self._open[run_id] = deque(maxlen=LINES)

    def add(self, run_id: str, line: str) -> None:
        """Keep a line, if the run is one of those we gather for."""
        with self._lock:
            lines = self._open.get(run_id)
            if lines is not None:
                lines.extend(part if len(part) <= _LONGEST else f"{part[:_LONGEST]} ..." for part in line.split("\n"))

    def close(self, run_id: str) -> list[str]:
        """Return what was gathered for a run, and forget it."""
        with self._lock:
            return list(self._open.pop(run_id, ()))


LOGS: Final = RunLogs()
"""Of this process: logging is one per process, too."""
