"""From the type name of an attribute to its behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from itopd.attributes.base import AttributeType
from itopd.attributes.choices import Enum, EnumSet, ListedString, MetaEnum, TagSet
from itopd.attributes.computed import Computed, FriendlyName, ObsolescenceFlag
from itopd.attributes.dates import Date, DateTime, ObsolescenceDate
from itopd.attributes.documents import Blob, CaseLog, Image, StopWatch
from itopd.attributes.keys import ExternalKey, HierarchicalKey
from itopd.attributes.numbers import Boolean, DecimalNumber, Duration, Integer
from itopd.attributes.secrets import EncryptedString, OneWayPassword
from itopd.attributes.structures import RedundancySettings, Serialized
from itopd.attributes.texts import Html, LongText, Password, String, TemplateHtml, Text, Url
from itopd.datamodel import Attribute
from itopd.errors import ModelError

_TYPES: Final[Mapping[str, Callable[[Attribute], AttributeType]]] = {
    "AttributeString": String,
    "AttributeEmailAddress": String,
    "AttributePhoneNumber": String,
    "AttributeIPAddress": String,
    "AttributeTemplateString": String,
    "AttributeFinalClass": String,
    "AttributeURL": Url,
    "AttributePassword": Password,
    "AttributeText": Text,
    "AttributeOQL": Text,
    "AttributeTemplateText": Text,
    "AttributeLongText": LongText,
    "AttributeHTML": Html,
    "AttributeTemplateHTML": TemplateHtml,
    "AttributeEnum": Enum,
    "AttributeMetaEnum": MetaEnum,
    "AttributeClass": ListedString,
    "AttributeClassState": ListedString,
    "AttributeApplicationLanguage": ListedString,
    "AttributeEnumSet": EnumSet,
    "AttributeClassAttCodeSet": EnumSet,
    "AttributeQueryAttCodeSet": EnumSet,
    "AttributeTagSet": TagSet,
    "AttributeInteger": Integer,
    "AttributePercentage": Integer,
    "AttributeDuration": Duration,
    "AttributeDecimal": DecimalNumber,
    "AttributeBoolean": Boolean,
    "AttributeArchiveFlag": Boolean,
    "AttributeDate": Date,
    "AttributeObsolescenceDate": ObsolescenceDate,
    "AttributeArchiveDate": ObsolescenceDate,
    "AttributeDateTime": DateTime,
    "AttributeDeadline": DateTime,
    "AttributeExternalKey": ExternalKey,
    "AttributeHierarchicalKey": HierarchicalKey,
    "AttributeObjectKey": ExternalKey,
    "AttributeBlob": Blob,
    "AttributeImage": Image,
    "AttributeCaseLog": CaseLog,
    "AttributeStopWatch": StopWatch,
    "AttributeOneWayPassword": OneWayPassword,
    "AttributeEncryptedString": EncryptedString,
    "AttributeRedundancySettings": RedundancySettings,
    "AttributePropertySet": Serialized,
    "AttributeTable": Serialized,
    "AttributeFriendlyName": FriendlyName,
    "AttributeObsolescenceFlag": ObsolescenceFlag,
    "AttributeExternalField": Computed,
    "AttributeSubItem": Computed,
    "AttributeDashboard": Computed,
    "AttributeLinkedSet": Computed,
    "AttributeLinkedSetIndirect": Computed,
}

TYPE_NAMES: Final = tuple(_TYPES)
"""The types that :func:`bind` knows."""

_bound: dict[int, tuple[Attribute, AttributeType]] = {}


def bind(attribute: Attribute) -> AttributeType:
    """Return the behaviour of an attribute, made once per attribute.

    Raises :class:`ModelError` when the type is none of iTop's that itopd knows.
    """
    known = _bound.get(id(attribute))
    if known is not None:
        return known[1]
    kind = _TYPES.get(attribute.type)
    if kind is None:
        raise ModelError(
            f"attribute {attribute.origin}.{attribute.code} has the type '{attribute.type}', which itopd does not know"
        )
    bound = kind(attribute)
    _bound[id(attribute)] = (attribute, bound)
    return bound
