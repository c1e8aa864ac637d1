"""Facts only: iTop's XML becomes an immutable :class:`Model` of classes, attributes and life cycles."""

from itopd.datamodel.model import (
    NOW,
    Attribute,
    Class,
    Flag,
    Model,
    OnTargetDelete,
    State,
    Threshold,
    UniquenessRule,
)

__all__ = ["NOW", "Attribute", "Class", "Flag", "Model", "OnTargetDelete", "State", "Threshold", "UniquenessRule"]
