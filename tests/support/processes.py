"""Processes that tests need to be there, or to be gone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from itopd.state import Owner, this_process


def dead_process() -> Owner:
    """Return an owner of this host whose process has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return replace(this_process(), pid=ended.pid)
