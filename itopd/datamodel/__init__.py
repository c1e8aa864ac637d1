"""The data model: XML files -> immutable classes, attributes and life cycles. Facts only: no database, no values.

``bundled_model()`` is what itopd brings; ``load_model(path)`` reads the compiled XML of an iTop over it.
"""

from itopd.datamodel.declaration import Declaration
from itopd.datamodel.fields import LinkTracking
from itopd.datamodel.fitting import Lacks
from itopd.datamodel.loading import bundled_model, load_model
from itopd.datamodel.model import (
    NOW,
    Action,
    Attribute,
    Class,
    Flag,
    LeftOut,
    Model,
    OnTargetDelete,
    Redundancy,
    State,
    Threshold,
    UniquenessRule,
)
from itopd.datamodel.user_rights import ALL_CLASSES, Profile, UserRights

__all__ = [
    "ALL_CLASSES",
    "NOW",
    "Action",
    "Attribute",
    "Class",
    "Declaration",
    "Flag",
    "Lacks",
    "LeftOut",
    "LinkTracking",
    "Model",
    "OnTargetDelete",
    "Profile",
    "Redundancy",
    "State",
    "Threshold",
    "UniquenessRule",
    "UserRights",
    "bundled_model",
    "load_model",
]
