"""Replays of recorded facts."""

from __future__ import annotations

import importlib
import pkgutil


def load_replayers() -> None:
    """Import every ``replay_*`` module of this package, which registers its replayers."""
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        if module.startswith("replay_"):
            importlib.import_module(f"{__name__}.{module}")
