"""Behaviours of installed packages: the entry points ``itopd.behaviours``."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from itopd.errors import SettingsError
from itopd.writing import Behaviour

GROUP: Final = "itopd.behaviours"


@cache
def installed_behaviours() -> tuple[Behaviour, ...]:
    """Return the behaviours that installed packages name, by the name of their entry point.

    Each entry point names an object that is a :class:`~itopd.writing.Behaviour`. Raises :class:`SettingsError` for one
    that cannot be loaded or is none: writing without the rules that somebody installed would be wrong.
    """
    return tuple(_load(entry) for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name))


def _load(entry: EntryPoint) -> Behaviour:
    package = entry.dist.name if entry.dist else "a package"
    try:
        found = entry.load()
    except Exception as error:
        raise SettingsError(
            f"behaviour '{entry.name}' of {package} cannot be loaded ({error}): mend or remove the package"
        ) from error
    if not isinstance(getattr(found, "classes", None), frozenset) or not callable(getattr(found, "prepare", None)):
        raise SettingsError(
            f"'{entry.value}' of {package} is no behaviour: it needs 'classes', a frozenset of names, and 'prepare'"
        )
    behaviour: Behaviour = found
    return behaviour
