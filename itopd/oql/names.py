"""Which names of a class a condition may use, and what each means (``spec/oql.md`` §3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from itopd.datamodel import Attribute, Class, Model

ID = "id"

_UNUSABLE = frozenset(
    {
        "AttributeLinkedSet",
        "AttributeLinkedSetIndirect",
        "AttributeBlob",
        "AttributeImage",
        "AttributeOneWayPassword",
        "AttributeEncryptedString",
        "AttributePassword",
        "AttributeDashboard",
    }
)
_STOP_WATCH_ITEMS = ("started", "laststart", "stopped")
_THRESHOLD_ITEMS = ("deadline", "passed", "triggered", "overrun")


def is_usable(attribute: Attribute) -> bool:
    """Return whether conditions may use an attribute."""
    return attribute.type not in _UNUSABLE


_known: dict[int, tuple[Class, Mapping[str, Attribute | None]]] = {}


def usable_names(cls: Class) -> Mapping[str, Attribute | None]:
    """Return every name that a condition may use, with its attribute; ``id`` has none.

    Columns of stop watches are there under iTop's names (``tto_100_deadline``), with the stop watch as attribute.
    """
    known = _known.get(id(cls))
    if known is not None:
        return known[1]
    names: dict[str, Attribute | None] = {code: a for code, a in cls.attributes.items() if is_usable(a)}
    for attribute in cls.attributes.values():
        if attribute.type == "AttributeStopWatch":
            for item in stop_watch_items(attribute):
                names.setdefault(f"{attribute.code}_{item}", attribute)
    names[ID] = None
    _known[id(cls)] = (cls, names)
    return names


def names_below(cls: Class, model: Model) -> Mapping[str, Class]:
    """Return every name that an object of a class may have, with the class to read it from: its own or a subclass."""
    names: dict[str, Class] = {}
    for name in (cls.name, *cls.subclasses):
        for code in usable_names(model[name]):
            names.setdefault(code, model[name])
    return names


def stop_watch_items(attribute: Attribute) -> list[str]:
    """Return the items of a stop watch that conditions may use besides the time spent."""
    percents = [threshold.percent for threshold in attribute.thresholds]
    return [*_STOP_WATCH_ITEMS, *(f"{percent}_{item}" for percent in percents for item in _THRESHOLD_ITEMS)]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name with the smallest edit distance, at most 3; the last one among equals (§4)."""
    best, least = None, 3
    for name in known:
        if abs(len(name) - len(word)) <= least:
            distance = _distance(word, name)
            if distance <= least:
                best, least = name, distance
    return best


def _distance(left: str, right: str) -> int:
    """Return the Levenshtein distance."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]
