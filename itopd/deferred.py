"""Functions by their place, imported when they are first wanted: what a process never does, it need not load.

Every minute somebody's timer starts ``itopd tick`` and finds nothing due. So whoever *declares* what can be done
(services, tasks, children) names it ``module:name``; only who *does* it imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def find(place: str) -> Any:  # noqa: ANN401 - whatever stands there; the caller knows
    """Return what ``module:name`` names; raises what the import raises."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def deferred(place: str) -> Callable[..., Any]:
    """Return a function that calls the one at ``module:name``, imported at the first call."""

    def call(*arguments: object, **named: object) -> Any:  # noqa: ANN401
        return find(place)(*arguments, **named)

    return call
