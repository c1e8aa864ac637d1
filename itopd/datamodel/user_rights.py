"""Profiles and what they grant, as the ``<user_rights>`` of a data model says it (``spec/http.md`` §3.1).

Facts only: what an account may do with them is computed in ``itopd.access``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from itopd.datamodel.source import Element, Place, SourceFile, children, ids_of, text_of, whole_number

ALL_CLASSES: Final = "*"
"""The group of all classes that are about the business (category ``bizmodel``)."""

Grants = Mapping[str, bool]
"""Action -> whether it is allowed; actions are iTop's words: ``action:bulk read``, ``stimulus:ev_assign``."""

_ALLOWED = {"allow": True, "deny": False}


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile; ids and names are constants of the model, not rows that somebody may number anew."""

    id: int
    name: str
    description: str
    grants: Mapping[str, Grants] = field(default_factory=dict)
    """Group, or :data:`ALL_CLASSES`, -> what is granted on its classes."""


@dataclass(frozen=True, slots=True)
class UserRights:
    """All profiles of a model and the groups of classes that they speak of."""

    profiles: Mapping[int, Profile] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Group -> names of classes; some may be of modules that are not installed."""


def read_user_rights(source: SourceFile) -> UserRights | None:
    """Return the rights that a file declares, ``None`` when it declares none; ModelError for what makes no sense."""
    if source.user_rights is None:
        return None
    place = Place(source.name, part="user_rights")
    groups = {
        name: ids_of(group, "classes/class") for name, group in children(source.user_rights, "groups/group", place)
    }
    profiles = {profile.id: profile for profile in _profiles(source.user_rights, groups, place)}
    return UserRights(MappingProxyType(profiles), MappingProxyType(groups))


def _profiles(element: Element, groups: Mapping[str, tuple[str, ...]], place: Place) -> Iterator[Profile]:
    for id_, profile in children(element, "profiles/profile", place):
        number = whole_number(id_)
        if number is None:
            place.refuse(f"the profile '{id_}' has no number as its id")
        within = Place(place.file, part=f"profile {id_}")
        grants: dict[str, Grants] = {}
        for group, granted in children(profile, "groups/group", within):
            if group != ALL_CLASSES and group not in groups:
                within.refuse(f"it grants rights on the group '{group}', which is not declared")
            grants[group] = MappingProxyType(dict(_grants(granted, group, within)))
        yield Profile(number, text_of(profile, "name"), text_of(profile, "description"), MappingProxyType(grants))


def _grants(group: Element, name: str, place: Place) -> Iterator[tuple[str, bool]]:
    for action, granted in children(group, "actions/action", place):
        word = (granted.text or "").strip()
        if word not in _ALLOWED:
            place.refuse(f"'{word}' for {action} on the group {name} is neither allow nor deny")
        yield action, _ALLOWED[word]
