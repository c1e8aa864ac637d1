"""Profiles (``spec/objects.md`` §9.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from itopd.access import ADMINISTRATOR
from itopd.datamodel import Class
from itopd.writing import Doom, Issue, Present

_PROFILES: Final = "URP_Profiles"


class FixedProfile:
    """The profile Administrator cannot be deleted."""

    classes = frozenset({_PROFILES})
    minds_deletions = False

    def judge(self, present: Present, cls: Class, ids: Sequence[int]) -> Mapping[int, Doom]:
        """Name the one profile."""
        del present, cls
        issue = Issue(None, "fixed_profile", "the profile Administrator cannot be deleted")
        return {id_: Doom(issues=(issue,)) for id_ in ids if id_ == ADMINISTRATOR}
