"""The few kinds of values that formats tell apart (``spec/export.md`` §4.1).

A format has one rule per kind, not one per attribute type.
"""

from __future__ import annotations

from enum import Enum, auto

from itopd.datamodel import Attribute


class Kind(Enum):
    """How a value is shown."""

    TEXT = auto()
    MARKUP = auto()
    """A text that may be HTML: a plain text is made of it unless ``formatted_text`` is set."""
    ENUM = auto()
    CLASS = auto()
    BOOLEAN = auto()
    NUMBER = auto()
    KEY = auto()
    DATE = auto()
    DATETIME = auto()
    DEADLINE = auto()
    """Sub-item of a stop watch: a date-time that is quoted even when empty."""
    PASSED = auto()
    OVERRUN = auto()
    SET = auto()
    DOCUMENT = auto()
    LOG = auto()
    SECRET = auto()
    PROPERTIES = auto()
    """Names and values of a property set."""
    EMPTY = auto()
    """Never holds anything in a cell (a dashboard, a table)."""
    UNWRITABLE = auto()
    """Has no text form here: link sets."""


_BY_TYPE = {
    "AttributeBlob": Kind.DOCUMENT,
    "AttributeBoolean": Kind.BOOLEAN,
    "AttributeCaseLog": Kind.LOG,
    "AttributeClassAttCodeSet": Kind.SET,
    "AttributeDashboard": Kind.EMPTY,
    "AttributeDate": Kind.DATE,
    "AttributeDateTime": Kind.DATETIME,
    "AttributeDeadline": Kind.DATETIME,
    "AttributeDecimal": Kind.NUMBER,
    "AttributeDuration": Kind.NUMBER,
    "AttributeEncryptedString": Kind.SECRET,
    "AttributeEnum": Kind.ENUM,
    "AttributeEnumSet": Kind.SET,
    "AttributeExternalKey": Kind.KEY,
    "AttributeFinalClass": Kind.CLASS,
    "AttributeHierarchicalKey": Kind.KEY,
    "AttributeHTML": Kind.MARKUP,
    "AttributeImage": Kind.DOCUMENT,
    "AttributeInteger": Kind.NUMBER,
    "AttributeLinkedSet": Kind.UNWRITABLE,
    "AttributeLinkedSetIndirect": Kind.UNWRITABLE,
    "AttributeMetaEnum": Kind.ENUM,
    "AttributeObjectKey": Kind.NUMBER,
    "AttributeObsolescenceDate": Kind.DATE,
    "AttributeObsolescenceFlag": Kind.BOOLEAN,
    "AttributeOneWayPassword": Kind.EMPTY,
    "AttributePassword": Kind.SECRET,
    "AttributePercentage": Kind.NUMBER,
    "AttributePropertySet": Kind.PROPERTIES,
    "AttributeQueryAttCodeSet": Kind.SET,
    "AttributeStopWatch": Kind.NUMBER,
    "AttributeTable": Kind.EMPTY,
    "AttributeTagSet": Kind.SET,
    "AttributeTemplateHTML": Kind.MARKUP,
}

_BY_ITEM = {"deadline": Kind.DEADLINE, "passed": Kind.PASSED, "overrun": Kind.OVERRUN}


def kind_of(attribute: Attribute) -> Kind:
    """Return the kind of an attribute's values; external fields are asked for their target's."""
    if attribute.type == "AttributeSubItem":
        return _BY_ITEM.get((attribute.item or "").rsplit("_", 1)[-1], Kind.NUMBER)
    if attribute.format is not None and attribute.type in {"AttributeText", "AttributeLongText"}:
        return Kind.MARKUP
    return _BY_TYPE.get(attribute.type, Kind.TEXT)
