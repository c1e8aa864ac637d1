"""What must hold between the classes of a model before anything else relies on it."""

from __future__ import annotations

from collections.abc import Mapping

from itopd.datamodel.model import Attribute, Class, Model
from itopd.datamodel.source import Place


def check_references(model: Model, places: Mapping[str, Place]) -> None:
    """Raise ModelError for the first name that leads nowhere; ``places`` says where each class was declared."""
    for cls in model.values():
        for code in cls.name_attributes:
            if code not in cls.attributes:
                places[cls.name].refuse(f"objects are named after '{code}', which is no attribute of the class")
        for attribute in cls.attributes.values():
            if attribute.origin == cls.name and (problem := _problem(attribute, cls, model)):
                places[cls.name].within(f"field {attribute.code}").refuse(problem)


_WATCH_ITEMS = frozenset({"timespent", "started", "laststart", "stopped"})
_THRESHOLD_ITEMS = frozenset({"deadline", "passed", "triggered", "overrun"})


def _problem(attribute: Attribute, cls: Class, model: Model) -> str | None:
    for role, code in (
        ("stop watch", attribute.stop_watch),
        ("class attribute", attribute.class_attribute),
    ):
        if code is not None and code not in cls.attributes:
            return f"its {role} '{code}' is no attribute of the class"
    if attribute.stop_watch is not None and not _has_item(cls.attributes[attribute.stop_watch], attribute.item or ""):
        return f"'{attribute.stop_watch}' is no stop watch with an item '{attribute.item}'"
    if attribute.linked_class is not None:
        linked = model[attribute.linked_class].attributes
        for key in filter(None, (attribute.ext_key_to_me, attribute.ext_key_to_remote)):
            if key not in linked:
                return f"its key '{key}' is no attribute of the linked class {attribute.linked_class}"
    return None


def _has_item(attribute: Attribute, item: str) -> bool:
    if attribute.type != "AttributeStopWatch":
        return False
    percent, _, of_threshold = item.rpartition("_")
    if not percent:
        return item in _WATCH_ITEMS
    return of_threshold in _THRESHOLD_ITEMS and percent in {str(one.percent) for one in attribute.thresholds}
