"""The end of a daemon whose server neither answers nor hangs up.

A thread that waits for such a server cannot be ended, and Python waits for its threads. Leases expire and children end
with their daemon, so nothing is lost by leaving without them.
"""

from __future__ import annotations

import os
import sys
import threading

from structlog.typing import FilteringBoundLogger

from itopd.errors import DatabaseError


class LastResort:
    """Ends the process some time after it was armed."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._timer: threading.Timer | None = None

    def arm(self, seconds: float) -> None:
        """End the process in so many seconds, unless :meth:`disarm` comes first."""
        self._timer = threading.Timer(seconds, self._leave)
        self._timer.daemon = True
        self._timer.start()

    def disarm(self) -> None:
        """Let the process end by itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _leave(self) -> None:
        self._log.error("daemon_hangs", exit_code=DatabaseError.exit_code)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(DatabaseError.exit_code)
