"""One ``<field>`` of a class -> one :class:`Attribute` (``spec/model.md``, Columns)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from itopd.datamodel import types
from itopd.datamodel.model import NOW, Attribute, OnTargetDelete, Redundancy, Threshold
from itopd.datamodel.source import XSI_TYPE, Element, Place, children, ids_of, text_of, truth_of, whole_number, words_of

_ON_TARGET_DELETE: Mapping[str, OnTargetDelete] = {
    "": OnTargetDelete.AUTO,
    "DEL_AUTO": OnTargetDelete.AUTO,
    "DEL_SILENT": OnTargetDelete.AUTO,
    "DEL_MANUAL": OnTargetDelete.MANUAL,
    "DEL_MOVEUP": OnTargetDelete.MOVEUP,
    "DEL_NONE": OnTargetDelete.NONE,
}

_TRACKING_LEVELS: Mapping[str, int] = {"none": 0, "list": 1, "details": 2, "all": 3}


@dataclass(frozen=True, slots=True)
class LinkTracking:
    """Levels of history for link sets that declare none: iTop's settings ``tracking_level_linked_set_default`` and
    ``tracking_level_linked_set_indirect_default`` (0 none, 1 list, 2 details, 3 all) as installed.
    """

    direct: int = 0
    indirect: int = 3


def read_field(element: Element, class_name: str, place: Place, tracking: LinkTracking) -> Attribute:
    """Read a field; raise ModelError naming it for an unknown type or a value that makes no sense.

    What needs other classes (nullability of external fields, allowed classes) is settled when classes are assembled.
    """
    code = element.get("id", "")
    place = place.within(f"field {code or '(without id)'}")
    kind = element.get(XSI_TYPE) or ""
    if not code:
        place.refuse("it has no id")
    if kind not in types.DECLARABLE:
        place.refuse(f"unknown attribute type '{kind}'")
    child = {part.tag: part for part in element}
    read = _READERS.get(kind)
    details: dict[str, Any] = {} if read is None else read(child, element, place)
    if kind in types.LINK_SETS:
        details["tracking_level"] = _tracking_level(element, kind, place, tracking)
    facts: dict[str, Any] = {
        "sql": "" if kind in types.STORED_ELSEWHERE else text_of(element, "sql") or code,
        "nullable": truth_of(element, "is_null_allowed", default=kind not in types.MANDATORY),
        "writable": kind not in types.READ_ONLY,
        "max_size": types.MAX_SIZES.get(kind),
        "pattern": text_of(element, "validation_pattern") or types.PATTERNS.get(kind),
        "depends_on": ids_of(child.get("dependencies"), "attribute"),
        "tracked": kind in types.LINK_SETS or text_of(element, "tracking_level") != "none",
    } | details
    if "default" not in facts:
        facts["default"] = _default(kind, element, nullable=facts["nullable"], place=place)
    return Attribute(code=code, type=kind, origin=class_name, **facts)


def _default(kind: str, element: Element, *, nullable: bool, place: Place) -> str | int | None:
    """Return the default value; a date is born empty, except a mandatory date-time, born now (``objects.md`` §2)."""
    text = element.findtext("default_value") or ""
    if kind in types.TEXTS:
        return text
    text = text.strip()
    if kind == "AttributeDateTime":
        return None if nullable else NOW
    if kind == "AttributeBoolean":
        return _boolean(text, nullable=nullable)
    if kind in types.WHOLE_NUMBERS and text:
        try:
            return int(text)
        except ValueError:
            place.refuse(f"default '{text}' is no whole number")
    if kind in types.ENUMS or kind == "AttributeDecimal":
        return text or None
    return 0 if kind in types.KEYS or kind == "AttributeObjectKey" else None


def _boolean(text: str, *, nullable: bool) -> bool | None:
    # iTop takes the text for a number, so a default of "true" is 0 in its database (model.md, Columns).
    if not text:
        return None if nullable else False
    return text.isascii() and text.isdecimal() and text.strip("0") != ""


def _tracking_level(element: Element, kind: str, place: Place, tracking: LinkTracking) -> int:
    text = text_of(element, "tracking_level")
    if not text:
        return tracking.indirect if kind == "AttributeLinkedSetIndirect" else tracking.direct
    try:
        return _TRACKING_LEVELS[text]
    except KeyError:
        place.refuse(f"unknown tracking level '{text}'; known are {', '.join(_TRACKING_LEVELS)}")


Children = Mapping[str, Element]


def _required(element: Element, tag: str, place: Place) -> str:
    return text_of(element, tag) or place.refuse(f"<{tag}> is missing or empty")


def _number(element: Element, tag: str, place: Place) -> int:
    text = text_of(element, tag)
    number = whole_number(text)
    if number is None:
        place.refuse(f"<{tag}> must be a number, not '{text}'")
    return number


def _key(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    option = text_of(element, "on_target_delete")
    if option not in _ON_TARGET_DELETE:
        place.refuse(f"unknown option '{option}' in <on_target_delete>")
    return {
        "target": None
        if element.get(XSI_TYPE) == "AttributeHierarchicalKey"
        else _required(element, "target_class", place),
        "on_target_delete": _ON_TARGET_DELETE[option],
        "filter": text_of(element, "filter") or None,
    }


def _external_field(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    key = _required(element, "extkey_attcode", place)
    return {"key": key, "target_attcode": _required(element, "target_attcode", place), "depends_on": (key,)}


def _object_key(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    return {"class_attribute": _required(element, "class_attcode", place)}


def _link_set(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    return {
        "linked_class": _required(element, "linked_class", place),
        "ext_key_to_me": _required(element, "ext_key_to_me", place),
        "ext_key_to_remote": text_of(element, "ext_key_to_remote") or None,
        "duplicates": truth_of(element, "duplicates", default=False),
        "filter": text_of(element, "filter") or None,
    }


def _values(element: Element, place: Place) -> tuple[str, ...]:
    """Return the codes by rank where the field says so, else by code: the order of the ENUM column."""
    codes = ids_of(element, "values/value")
    if text_of(element, "sort_type") != "rank":
        return tuple(sorted(codes))
    ranks = {value.get("id", ""): _number(value, "rank", place) for value in element.iterfind("values/value")}
    return tuple(sorted(codes, key=ranks.__getitem__))


def _enum(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    return {"values": _values(element, place)}


def _enum_set(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    return {"values": ids_of(element, "values/value"), "max_items": _max_items(element, place), "default": None}


def _meta_enum(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    mapping = element.find("mappings/mapping")
    if mapping is None:
        place.refuse("a meta enum needs a <mapping>")
    mapped = _required(mapping, "attcode", place)
    return {
        "values": _values(element, place),
        "mapped_attribute": mapped,
        "mapping": {
            value.get("id", ""): meta.get("id", "")
            for meta in mapping.iterfind("metavalues/metavalue")
            for value in meta.iterfind("values/value")
        },
        "depends_on": (mapped,),
    }


def _max_items(element: Element, place: Place) -> int:
    return _number(element, "max_items", place) if text_of(element, "max_items") else types.MAX_ITEMS


def _tag_set(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    return {"max_items": _max_items(element, place), "default": None}


def _of_class(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    class_attribute = _required(element, "class_field", place)
    return {"class_attribute": class_attribute, "depends_on": (class_attribute,)}


def _code_set(child: Children, element: Element, place: Place) -> dict[str, Any]:
    items = _max_items(element, place)
    return _of_class(child, element, place) | {
        "max_items": items,
        # 15 characters are set aside for each code (300 for the 20 fields of a trigger on update).
        "max_size": max(types.MAX_SIZES["AttributeClassAttCodeSet"], 15 * items),
        "types_only": words_of(element, "attribute_definition_list"),
        "types_excluded": words_of(element, "attribute_definition_exclusion_list"),
        "default": None,
    }


_MOST_DIGITS, _MOST_DECIMALS = 65, 38
"""What a DECIMAL column of MariaDB holds."""


def _decimal(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    digits, decimals = _number(element, "digits", place), _number(element, "decimals", place)
    if not decimals < digits <= _MOST_DIGITS or decimals > _MOST_DECIMALS:
        place.refuse(
            f"a number of {digits} digits with {decimals} decimals cannot be stored: decimals must be fewer than the "
            f"digits, of which there may be {_MOST_DIGITS}, {_MOST_DECIMALS} of them decimals"
        )
    pattern = rf"^[\-\+]?\d{{1,{digits - decimals}}}(\.\d{{0,{decimals}}})?$"
    return {"digits": digits, "decimals": decimals, "pattern": pattern}


def _text(_child: Children, element: Element, _place: Place) -> dict[str, Any]:
    return {"format": text_of(element, "format") or None}


def _case_log(_child: Children, _element: Element, _place: Place) -> dict[str, Any]:
    return {"default": None}


def _stop_watch(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    thresholds = []
    for id_, threshold in children(element, "thresholds/threshold", place):
        percent = whole_number(id_)
        if percent is None:
            place.refuse(f"threshold '{id_}' is no percentage")
        actions = tuple(
            (_required(action, "verb", place), tuple((p.text or "").strip() for p in action.iterfind("params/param")))
            for action in threshold.iterfind("actions/action")
        )
        thresholds.append(Threshold(percent, actions))
    return {
        "running_states": ids_of(element, "states/state"),
        "goal": text_of(element, "goal") or None,
        "thresholds": tuple(thresholds),
    }


def _sub_item(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    item = _required(element, "item_code", place)
    return {
        "stop_watch": _required(element, "target_attcode", place),
        "item": item,
        "nullable": not item.endswith(("_passed", "_triggered")),
    }


def _redundancy(_child: Children, element: Element, place: Place) -> dict[str, Any]:
    about = Redundancy(
        relation_code=text_of(element, "relation_code"),
        from_class=text_of(element, "from_class"),
        neighbour_id=text_of(element, "neighbour_id"),
        enabled=truth_of(element, "enabled", default=False),
        min_up=_number(element, "min_up", place),
        min_up_type=text_of(element, "min_up_type"),
        enabled_mode=text_of(element, "enabled_mode"),
        min_up_mode=text_of(element, "min_up_mode"),
    )
    percent = "%" if about.min_up_type == "percent" else ""
    return {
        "redundancy": about,
        "default": f"{about.min_up}{percent}" if about.enabled else "disabled",
        "writable": {about.enabled_mode, about.min_up_mode} != {"fixed"},
    }


_READERS: Mapping[str, Callable[[Children, Element, Place], dict[str, Any]]] = {
    "AttributeExternalKey": _key,
    "AttributeHierarchicalKey": _key,
    "AttributeExternalField": _external_field,
    "AttributeObjectKey": _object_key,
    "AttributeLinkedSet": _link_set,
    "AttributeLinkedSetIndirect": _link_set,
    "AttributeEnum": _enum,
    "AttributeMetaEnum": _meta_enum,
    "AttributeEnumSet": _enum_set,
    "AttributeTagSet": _tag_set,
    "AttributeClassState": _of_class,
    "AttributeClassAttCodeSet": _code_set,
    "AttributeQueryAttCodeSet": _code_set,
    "AttributeDecimal": _decimal,
    "AttributeText": _text,
    "AttributeLongText": _text,
    "AttributeCaseLog": _case_log,
    "AttributeStopWatch": _stop_watch,
    "AttributeSubItem": _sub_item,
    "AttributeRedundancySettings": _redundancy,
}
