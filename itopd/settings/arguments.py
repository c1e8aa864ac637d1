"""What callers write: ``--name=value`` words of a command line, and the fields of a request (``params.md`` §1)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from itopd.settings.filters import Value

_ARGUMENT = re.compile(r"--([^=]+)=(.*)", re.DOTALL)


def parse_arguments(
    arguments: Sequence[str], multiline: Collection[str] = frozenset()
) -> tuple[dict[str, Value], list[str]]:
    """Return the values of ``--name=value`` words, the last of a name winning, and what is wrong with other words.

    Values are kept as they arrive. iTop overlooks the other words silently: no ``=``, one hyphen or none, a line feed
    in the value; the rules tell whether that is an error. A lone ``--`` is harmless. Only the parameters named in
    ``multiline`` may hold line feeds.
    """
    values: dict[str, Value] = {}
    problems: list[str] = []
    for argument in arguments:
        found = _ARGUMENT.fullmatch(argument)
        if found is None and argument != "--":
            problems.append(f"argument '{_name_only(argument)}' is not understood: write --name=value")
        elif found is not None and "\n" in found[2] and found[1] not in multiline:
            problems.append(f"argument '--{found[1]}' holds a line feed: write its value on one line")
        elif found is not None:
            values[found[1]] = found[2]
    return values, problems


def request_values(query: Iterable[tuple[str, str]], body: Iterable[tuple[str, str]] = ()) -> Mapping[str, Value]:
    """Return the values of a request: the body beats the query, ``name[]`` fields make a list."""
    return {**_fields(query), **_fields(body)}


def _fields(pairs: Iterable[tuple[str, str]]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, value in pairs:
        if not name.endswith("[]"):
            values[name] = value
            continue
        items = values.get(name[:-2])
        values[name[:-2]] = [*items, value] if isinstance(items, list) else [value]
    return values


def _name_only(argument: str) -> str:
    """Return an argument without its value: it may be a password written with one hyphen."""
    name, equals, _ = argument.partition("=")
    return f"{name}=..." if equals else name
