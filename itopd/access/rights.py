"""What an account may do with each class, computed from its profiles (``spec/http.md`` §3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

from itopd.datamodel import ALL_CLASSES, Class, Model, OnTargetDelete

ADMINISTRATOR: Final = 1
"""Id of the profile that is never checked any further (``http.md`` §3.1); the model says nothing of it."""
PORTAL_USER: Final = 2
"""Id of the profile that keeps an account out of everything but the portal, whatever else it has."""
REST_SERVICES_USER: Final = 1024
"""Id of the profile that REST asks for."""


class Action(StrEnum):
    """What can be done with the objects of a class; creating them is writing."""

    READ = "read"
    BULK_READ = "bulk read"
    WRITE = "write"
    BULK_WRITE = "bulk write"
    DELETE = "delete"
    BULK_DELETE = "bulk delete"

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self in {Action.READ, Action.BULK_READ}


_BUSINESS = "bizmodel"
_GRANTABLE = frozenset({_BUSINESS, "grant_by_profile"})
"""Categories of the classes that profiles speak of."""
_VISIBLE = "view_in_gui"
_SILOS = frozenset({_BUSINESS, "silo"})
"""Categories of the classes whose queries give nothing to an account that may not read them (``oql.md`` §9)."""
_PREDEFINED = frozenset({"URP_Profiles"})
"""Classes whose objects are constants: nobody makes or deletes any."""
_LINKING = frozenset({OnTargetDelete.AUTO, OnTargetDelete.NONE})
"""Deletion rules of the keys of a link that lead to what it links."""


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of all accounts that have the same profiles. Nothing here queries; answers are kept."""

    model: Model
    profiles: frozenset[int]
    """Ids; those that the model does not know grant nothing."""
    may_write: bool = True
    """``False``: the database is read-only for these accounts (setting ``access_mode``)."""
    legacy: bool = False
    """An allowance on the class itself wins over a denial elsewhere in the same profile (``user_rights_legacy``)."""
    _known: dict[tuple[str, str], bool] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_administrator(self) -> bool:
        """Whether no right is looked at."""
        return ADMINISTRATOR in self.profiles

    def allows(self, action: Action, cls: str) -> bool:
        """Return whether the action is allowed on the class; ModelError when there is no such class."""
        known = self._known.get((action, cls))
        if known is None:
            known = self._known[action, cls] = self._allows(action, self.model.get_class(cls))
        return known

    def allows_creation(self, cls: str) -> bool:
        """Return whether objects of the class may be made: writing it, unless its objects are constants."""
        return cls not in _PREDEFINED and self.allows(Action.WRITE, cls)

    def allows_stimulus(self, stimulus: str, cls: str) -> bool:
        """Return whether the stimulus may be applied; only grants on the class itself and on all classes count."""
        word = f"stimulus:{stimulus}"
        known = self._known.get((word, cls))
        if known is None:
            known = self._known[word, cls] = self._allows_stimulus(word, self.model.get_class(cls))
        return known

    def unreadable(self) -> frozenset[str]:
        """Return the classes whose queries give nothing."""
        return frozenset(
            cls.name
            for cls in self.model.values()
            if not _SILOS.isdisjoint(_categories(cls)) and not self.allows(Action.READ, cls.name)
        )

    def _allows(self, action: Action, cls: Class) -> bool:
        if not action.reads and not self.may_write:
            return False
        if cls.name in _PREDEFINED and action in {Action.DELETE, Action.BULK_DELETE}:
            return False
        if self.is_administrator:
            return True
        categories = _categories(cls)
        if _GRANTABLE.isdisjoint(categories):
            return action is Action.READ and _VISIBLE in categories
        grants = _grants(self.model)
        return _combined(grants.on(profile, cls, f"action:{action}", self.legacy) for profile in self.profiles)

    def _allows_stimulus(self, word: str, cls: Class) -> bool:
        if not self.may_write:
            return False
        if self.is_administrator:
            return True
        grants = _grants(self.model)
        return _combined(grants.of_stimulus(profile, cls, word) for profile in self.profiles)


@lru_cache(maxsize=128)
def rights_of(model: Model, profiles: frozenset[int], *, may_write: bool = True, legacy: bool = False) -> Rights:
    """Return the rights of a set of profiles; the same object for the same set, so that its answers are shared."""
    return Rights(model, profiles, may_write, legacy)


def _combined(grants: Iterable[bool | None]) -> bool:
    """Return whether several profiles together allow: one denial denies, otherwise one allowance allows."""
    found = set(grants)
    return False not in found and True in found


def _categories(cls: Class) -> frozenset[str]:
    return frozenset(cls.category.split(","))


@dataclass(frozen=True, slots=True)
class _Grants:
    """What each profile says of each class itself, its groups resolved."""

    model: Model
    direct: Mapping[int, Mapping[tuple[str, str], bool]]
    """Profile -> (class or ``*``, action) -> grant; where several groups of a profile differ, the denial."""

    def on(self, profile: int, cls: Class, action: str, legacy: bool, *, links: bool = True) -> bool | None:
        """Return what a profile says of an action; ``None`` when it says nothing. Denials win."""
        direct = self.direct.get(profile, {})
        own = direct.get((cls.name, action))
        if own and legacy:
            return True
        found = {own, *(direct.get((name, action)) for name in cls.lineage[:-1])}
        if cls.is_link and links:
            found.add(self._of_linked(profile, cls, action, legacy))
        if _BUSINESS in _categories(cls):
            found.add(direct.get((ALL_CLASSES, action)))
        return _strictest(found)

    def _of_linked(self, profile: int, cls: Class, action: str, legacy: bool) -> bool | None:
        """Return what a profile says of what a link links: allowed as soon as it is on one of them."""
        keys = (code for code in cls.attributes.values() if code.is_external_key and code.on_target_delete in _LINKING)
        linked = (self.model[key.target] for key in keys if key.target is not None)
        found = {self.on(profile, other, action, legacy, links=False) for other in linked}
        return True if True in found else _strictest(found)

    def of_stimulus(self, profile: int, cls: Class, word: str) -> bool | None:
        """Return what a profile says of a stimulus."""
        direct = self.direct.get(profile, {})
        everywhere = direct.get((ALL_CLASSES, word)) if _BUSINESS in _categories(cls) else None
        return _strictest({direct.get((cls.name, word)), everywhere})


def _strictest(grants: set[bool | None]) -> bool | None:
    if False in grants:
        return False
    return True if True in grants else None


@lru_cache(maxsize=8)
def _grants(model: Model) -> _Grants:
    declared = model.user_rights
    direct: dict[int, dict[tuple[str, str], bool]] = {}
    for profile in declared.profiles.values():
        of_profile = direct[profile.id] = {}
        for group, actions in profile.grants.items():
            for name in (ALL_CLASSES,) if group == ALL_CLASSES else declared.groups[group]:
                for action, granted in actions.items():
                    of_profile[name, action] = granted and of_profile.get((name, action), True)
    return _Grants(model, direct)
