"""Accounts and what they are granted (``spec/objects.md`` §9.2).

Who writes is the account of the change; a change without one, such as a synchronization's, is bound by no rule about
who may. Passwords that come hashed are past the policy: whoever hashed them has had to look at it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from itopd.access import ADMINISTRATOR, policy_problem
from itopd.datamodel import Class
from itopd.settings import Settings
from itopd.writing import Doom, Draft, Hooks, Issue, LinkSet, NewPassword, Present

_USER, _LOCAL = "User", "UserLocal"
_PROFILE, _ORGANIZATION = "URP_UserProfile", "URP_UserOrg"
_PROFILES, _ORGANIZATIONS = "profile_list", "allowed_org_list"
_POLICY: Final[str] = Settings.model_fields["authent_local_password_validation_pattern"].default


class Accounts:
    """A login is its account's alone; nobody locks itself out, and an account keeps a profile and its contact."""

    classes = frozenset({_USER})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Load the accounts that have the drafts' logins, and what is granted to the drafts' accounts."""
        accounts = _Accounts(present)
        accounts.look_up(drafts)
        return accounts


class _Accounts(Hooks):
    def __init__(self, present: Present) -> None:
        self._present = present
        self._me = present.change.user_id
        self._administers = _administers(present)
        self._parents: dict[int, int] | None = None

    def look_up(self, drafts: Sequence[Draft]) -> None:
        """Load accounts, grants, contacts and where organizations stand: statements whose number is constant."""
        present = self._present
        logins = sorted({draft.value("login") for draft in drafts if draft.new or draft.changed("login")})
        found = present.find(_USER, ("login",), [(login,) for login in logins])
        present.load(_USER, sorted({id_ for ids in found for id_ in ids}))
        stored = [(draft.id,) for draft in drafts if not draft.new]
        for link in (_PROFILE, _ORGANIZATION):
            grants = present.find(link, ("userid",), stored)
            present.load(link, [id_ for ids in grants for id_ in ids])
        limited = [draft for draft in drafts if _limits(draft)]
        if limited:
            present.load("Person", sorted({draft.value("contactid") for draft in limited} - {0}), ("org_id",))
            if self._parents is None:
                self._parents = _parents(present)

    def check(self, draft: Draft) -> Sequence[Issue]:
        issues: list[Issue] = []
        login = draft.value("login")
        others = self._present.matching(_USER, {"login": login})
        if (draft.new or draft.changed("login")) and any(id_ != draft.id for id_ in others):
            text = f'Login must be unique - "{login}" is already being used.'
            issues.append(Issue("login", "login_not_unique", text))
        if _PROFILES in draft.wanted and not self._granted(draft, _PROFILE, _PROFILES, "profileid"):
            text = f"at least one profile must be assigned to the account '{login}'"
            issues.append(Issue(_PROFILES, "no_profile", text))
        if not draft.new:
            issues += self._of_oneself(draft)
        if _limits(draft) and not self._sees_itself(draft):
            text = "the allowed organizations must include that of the contact, or one above it"
            issues.append(Issue(_ORGANIZATIONS, "own_organization", text))
        return issues

    def _sees_itself(self, draft: Draft) -> bool:
        """Return whether an account that is limited to some organizations may see that of its contact."""
        allowed = self._granted(draft, _ORGANIZATION, _ORGANIZATIONS, "allowed_org_id")
        contact = draft.value("contactid")
        if not allowed or not contact or self._present.final_class("Person", contact) is None:
            return True
        if ADMINISTRATOR in self._granted(draft, _PROFILE, _PROFILES, "profileid"):
            return True
        organization, above = self._present.value("Person", contact, "org_id"), set[int]()
        while organization and organization not in above:
            above.add(organization)
            organization = self._parent(organization)
        return not above.isdisjoint(allowed)

    def _parent(self, organization: int) -> int:
        """Return what an organization is below, as the chunk leaves it; 0 for one at the top."""
        try:
            parent: int = self._present.value("Organization", organization, "parent_id")
        except KeyError:  # not of this chunk: as it is stored
            parent = (self._parents or {}).get(organization, 0)
        return parent

    def _of_oneself(self, draft: Draft) -> list[Issue]:
        mine = bool(self._me) and draft.id == self._me
        issues: list[Issue] = []
        if mine and draft.changed("status") and draft.value("status") == "disabled":
            issues.append(Issue("status", "own_account", "status: nobody can disable the own account"))
        clears = draft.changed("contactid") and not draft.value("contactid")
        if clears and (mine or not self._administers):
            issues.append(Issue("contactid", "contact_mandatory", "The Contact is mandatory."))
        return issues

    def warn(self, draft: Draft) -> Sequence[Issue]:
        warnings: list[Issue] = []
        if not draft.value("contactid"):
            text = "the account has no contact: rules and queries about 'the current person' find nobody"
            warnings.append(Issue("contactid", "no_contact", text))
        profiles = self._granted(draft, _PROFILE, _PROFILES, "profileid")
        organizations = self._granted(draft, _ORGANIZATION, _ORGANIZATIONS, "allowed_org_id")
        if ADMINISTRATOR not in profiles and not organizations:
            text = "the account is limited to no organization: its profiles hold for the objects of all"
            warnings.append(Issue(_ORGANIZATIONS, "no_organization", text))
        return warnings

    def _granted(self, draft: Draft, link: str, code: str, remote: str) -> list[object]:
        """Return what the account is linked to once the write is done, without what the link sets' own checks say."""
        change = draft.wanted.get(code)
        change = change if isinstance(change, LinkSet) else LinkSet()
        present = self._present
        links = () if draft.new else present.matching(link, {"userid": draft.id})
        kept = [id_ for id_ in links if id_ not in change.remove]
        linked = [change.modify.get(id_, {}).get(remote, present.value(link, id_, remote)) for id_ in kept]
        return [*linked, *(values.get(remote) for values in change.add)]


class LocalPassword:
    """A password given in clear text keeps to the policy, and the account says when it got its password."""

    classes = frozenset({_LOCAL})

    def __init__(self, pattern: str = _POLICY) -> None:
        self._pattern = pattern

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Return what to do for each account."""
        del drafts
        return _LocalPassword(present.change.user_id, self._pattern)


class _LocalPassword(Hooks):
    def __init__(self, me: int, pattern: str) -> None:
        self._me = me
        self._pattern = pattern

    def compute(self, draft: Draft) -> None:
        if not draft.new and not draft.changed("password"):
            return
        draft.set("password_renewed_date", draft.now[:10])
        if self._is_mine(draft) and draft.value("expiration") == "force_expire":
            draft.set("expiration", "can_expire")

    def check(self, draft: Draft) -> Sequence[Issue]:
        issues: list[Issue] = []
        password = draft.wanted.get("password")
        if isinstance(password, NewPassword) and (problem := policy_problem(password.text, self._pattern)):
            issues.append(Issue("password", "password_policy", problem))
        if self._is_mine(draft) and draft.changed("expiration") and draft.value("expiration") == "otp_expire":
            text = "expiration: nobody can give the own account a one-time password"
            issues.append(Issue("expiration", "own_account", text))
        return issues

    def _is_mine(self, draft: Draft) -> bool:
        return bool(self._me) and not draft.new and draft.id == self._me


class Grants:
    """Who is no administrator does not grant that profile; organizations out of sight are refused by rights."""

    classes = frozenset({_PROFILE})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Look up who writes."""
        del drafts
        return _Grants(_administers(present))


class _Grants(Hooks):
    def __init__(self, administers: bool) -> None:
        self._administers = administers

    def check(self, draft: Draft) -> Sequence[Issue]:
        if self._administers or draft.value("profileid") != ADMINISTRATOR:
            return ()
        text = "profileid: only administrators grant the profile Administrator"
        return (Issue("profileid", "not_grantable", text),)


class OwnAccount:
    """Nobody deletes the own account."""

    classes = frozenset({_USER})
    minds_deletions = False

    def judge(self, present: Present, cls: Class, ids: Sequence[int]) -> Mapping[int, Doom]:
        """Name the one account."""
        del cls
        me = present.change.user_id
        issue = Issue(None, "own_account", "You are not allowed to delete this object")
        return {id_: Doom(issues=(issue,)) for id_ in ids if me and id_ == me}


def _limits(draft: Draft) -> bool:
    """Return whether a write may bring an account out of sight of its own organization."""
    return _ORGANIZATIONS in draft.wanted or _PROFILES in draft.wanted or draft.changed("contactid")


def _parents(present: Present) -> dict[int, int]:
    """Return what each stored organization is below; one statement."""
    table = present.database.table("Organization")
    return {row.id: row.parent_id for row in present.connection.execute(sa.select(table.c.id, table.c.parent_id))}


def _administers(present: Present) -> bool:
    """Return whether the writing account is bound by no rule about who may; one statement."""
    me = present.change.user_id
    return not me or bool(present.find(_PROFILE, ("userid", "profileid"), [(me, ADMINISTRATOR)])[0])
