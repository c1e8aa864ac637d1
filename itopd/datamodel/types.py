"""What iTop's attribute types imply before any field is read: sizes, patterns, what is stored or writable."""

from __future__ import annotations

from collections.abc import Mapping

TEXT = 65_535
LONG_TEXT = 67_107_840

MAX_SIZES: Mapping[str, int] = {
    "AttributeString": 255,
    "AttributeEmailAddress": 255,
    "AttributePhoneNumber": 255,
    "AttributeIPAddress": 255,
    "AttributeTemplateString": 255,
    "AttributeEncryptedString": 255,
    "AttributeClass": 255,
    "AttributeClassState": 255,
    "AttributeFinalClass": 255,
    "AttributeApplicationLanguage": 255,
    "AttributeEnumSet": 255,
    "AttributeTagSet": 255,
    "AttributeClassAttCodeSet": 255,
    "AttributeQueryAttCodeSet": 255,
    "AttributePassword": 64,
    "AttributeRedundancySettings": 20,
    "AttributeURL": 2048,
    "AttributeText": TEXT,
    "AttributeOQL": TEXT,
    "AttributeTemplateText": TEXT,
    "AttributeTemplateHTML": TEXT,
    "AttributeLongText": LONG_TEXT,
    "AttributeHTML": LONG_TEXT,
    "AttributeCaseLog": LONG_TEXT,
}
"""Greatest length in characters."""

_BYTE = r"(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])"

PATTERNS: Mapping[str, str] = {
    "AttributeEmailAddress": r"^[a-zA-Z0-9._&'-]+@[a-zA-Z0-9.-]+\.[a-zA-Z0-9-]{2,}$",
    "AttributePhoneNumber": r"^[0-9.\-\ \+\(\)]+$",
    "AttributeIPAddress": rf"^({_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE})$",
    "AttributeURL": (
        r"^(https?|ftp)\://([a-zA-Z0-9+!*(),;?&=\$_.-]+(\:[a-zA-Z0-9+!*(),;?&=\$_.-]+)?@)?([a-zA-Z0-9-.]{3,})"
        r"(\:[0-9]{2,5})?(/([a-zA-Z0-9:%+\$_-]\.?)+)*/?"
        r"(\?[a-zA-Z+&\$_.-][a-zA-Z0-9;:[\]@&%=+/\$_.,-]*)?(#[a-zA-Z0-9_.-][a-zA-Z0-9+\$_.-]*)?$"
    ),
    "AttributeRedundancySettings": r"^[0-9]{1,3}|[0-9]{1,2}%|disabled$",
}
"""Formats that iTop's default settings demand of a type, unless the field brings its own pattern."""

TEXTS = frozenset(
    {
        "AttributeString", "AttributeEmailAddress", "AttributePhoneNumber", "AttributeIPAddress",
        "AttributeTemplateString", "AttributeEncryptedString", "AttributeClass", "AttributeClassState",
        "AttributeApplicationLanguage", "AttributePassword", "AttributeOneWayPassword", "AttributeURL", "AttributeText",
        "AttributeOQL", "AttributeTemplateText", "AttributeTemplateHTML", "AttributeLongText", "AttributeHTML",
    }
)  # fmt: skip
"""Types whose unset value is the empty text."""

WHOLE_NUMBERS = frozenset({"AttributeInteger", "AttributePercentage", "AttributeDuration"})
ENUMS = frozenset({"AttributeEnum", "AttributeMetaEnum"})
KEYS = frozenset({"AttributeExternalKey", "AttributeHierarchicalKey"})
LINK_SETS = frozenset({"AttributeLinkedSet", "AttributeLinkedSetIndirect"})
CODE_SETS = frozenset({"AttributeClassAttCodeSet", "AttributeQueryAttCodeSet"})

MANDATORY = frozenset({"AttributeMetaEnum", "AttributeRedundancySettings", "AttributeBlob"})
"""Types whose fields may not be empty unless they say so."""

MAX_ITEMS = 12
"""Greatest number of elements of a set that names none."""

STORED_ELSEWHERE = frozenset({"AttributeExternalField", "AttributeSubItem", "AttributeDashboard", *LINK_SETS})
"""Types without columns of their own."""

READ_ONLY = frozenset({"AttributeExternalField", "AttributeSubItem", "AttributeDashboard", "AttributeMetaEnum"})
"""Types nobody writes: their values follow from something else."""

DECLARABLE = (
    frozenset(MAX_SIZES)
    | TEXTS
    | WHOLE_NUMBERS
    | ENUMS
    | KEYS
    | STORED_ELSEWHERE
    | {
        "AttributeDecimal", "AttributeBoolean", "AttributeDate", "AttributeDateTime", "AttributeDeadline",
        "AttributeObjectKey", "AttributeBlob", "AttributeImage", "AttributeStopWatch", "AttributeTable",
        "AttributePropertySet",
    }
) - {"AttributeFinalClass"}  # fmt: skip
"""Types a field may have; final class, friendly name and obsolescence are never declared but made."""
