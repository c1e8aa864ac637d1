"""What the reader of a query may see (``spec/oql.md`` §9): filters of selected classes, written in OQL itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from itopd.datamodel import Class
from itopd.oql.parser import parse_condition
from itopd.oql.tree import Expression, Field, In, InQuery, Join, Name, Number, Parameter, Query

_SILOS = frozenset({"bizmodel", "silo", "filter"})
_ORGANIZATIONS = "reader's organizations"
"""Name of the argument that holds the allowed organizations; no query can write it."""
_ABOUT_ADMINISTRATORS = {
    "User": "id NOT IN (SELECT u FROM URP_UserProfile AS p JOIN User AS u ON p.userid = u.id WHERE p.profileid = 1)",
    "URP_Profiles": "id != 1",
    "URP_UserProfile": "profileid != 1",
}
"""Root class -> what its objects are that have nothing to do with administrators (``http.md`` §3.4)."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What rights and preferences filter; by default nothing."""

    allowed_orgs: frozenset[int] | None = None
    """Organizations whose objects (and their descendants') are seen; ``None`` or none at all = all. Administrators
    have none."""
    hide_obsolete: bool = False
    """Obsolete objects of the selected classes are left out."""
    classes_denied: frozenset[str] = frozenset()
    """Classes that no profile lets read: their queries give nothing."""
    hide_administrators: bool = False
    """Accounts of administrators, their profile and its links are left out: whoever is none does not see them."""
    strict: bool = False
    """Rights hold for joined objects and for those behind keys, too, and not for the selected ones only (§10): an
    invisible object is as one that is not there, for conditions and for columns."""

    def arguments(self) -> dict[str, list[int]]:
        """Return the arguments that :meth:`filters` uses."""
        return {_ORGANIZATIONS: sorted(self.allowed_orgs or ())}

    def filters(self, cls: Class, *, nested: bool) -> Iterator[Expression]:
        """Yield the conditions on a selected class, with unqualified names; nested queries show obsolete objects."""
        if self.hide_obsolete and not nested and "obsolescence_flag" in cls.attributes:
            yield parse_condition("obsolescence_flag = 0")
        yield from self.rights(cls)

    def rights(self, cls: Class) -> Iterator[Expression]:
        """Yield the conditions under which objects of a class may be seen at all, with unqualified names."""
        if cls.name in self.classes_denied:
            yield Number(0)
        if self.hide_administrators and cls.root in _ABOUT_ADMINISTRATORS:
            yield parse_condition(_ABOUT_ADMINISTRATORS[cls.root])
        owner = cls.owner_org_attribute
        if self.allowed_orgs and owner is not None and not _SILOS.isdisjoint(cls.category.split(",")):
            yield InQuery(Field(None, Name(owner)), False, _allowed())


def _allowed() -> Query:
    """Return the query of the allowed organizations and their descendants."""
    own, root, organization = Name("o"), Name("r"), Name("Organization")
    below = Join(organization, root, Field(own, Name("parent_id")), "BELOW", Field(root, Name("id")))
    allowed = In(Field(root, Name("id")), False, (Parameter(_ORGANIZATIONS),))
    return Query((own,), organization, own, (below,), allowed)
