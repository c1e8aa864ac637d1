"""Which settings files hold, for the processes that carry out runs: these get the settings, not where they are from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_VARIABLE: Final = "_ITOPD_CONFIG_FILES"


def tell_children(paths: Sequence[str]) -> list[str]:
    """Let the processes started from now on know the settings files; return them as absolute paths."""
    files = [str(Path(path).absolute()) for path in paths]
    os.environ[_VARIABLE] = ",".join(files)
    return files


def config_files() -> list[str]:
    """Return the settings files that the process was told of that started this one, or that it told of itself."""
    return [path for path in os.environ.get(_VARIABLE, "").split(",") if path]
