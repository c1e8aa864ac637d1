"""The rights of profiles, computed the slow and obvious way: rule by rule of ``spec/http.md`` §3.2, nothing kept."""

from __future__ import annotations

from collections.abc import Iterable

from itopd.datamodel import Class, Model, OnTargetDelete

ACTIONS = ("read", "bulk read", "write", "bulk write", "delete", "bulk delete")


def allowed(model: Model, profiles: Iterable[int], action: str, name: str, *, legacy: bool = False) -> bool:
    """Whether an account with these profiles may do the action."""
    cls = model[name]
    categories = [word.strip() for word in cls.category.split(",")]
    if name == "URP_Profiles" and "delete" in action:
        return False
    if 1 in profiles:
        return True
    if "bizmodel" not in categories and "grant_by_profile" not in categories:
        return action == "read" and "view_in_gui" in categories
    answers = [says(model, profile, f"action:{action}", cls, legacy) for profile in profiles]
    if "no" in answers:
        return False
    return "yes" in answers


def says(model: Model, profile: int, action: str, cls: Class, legacy: bool) -> str:
    """What one profile says: yes, no or nothing."""
    answer = without_links(model, profile, action, cls, legacy)
    if legacy and grant(model, profile, action, cls.name) == "yes":
        return "yes"
    if cls.is_link:
        linked = [
            without_links(model, profile, action, model[key.target], legacy)
            for key in cls.attributes.values()
            if key.type in {"AttributeExternalKey", "AttributeHierarchicalKey"}
            and key.target
            and key.on_target_delete not in {OnTargetDelete.MANUAL, OnTargetDelete.MOVEUP}
        ]
        both = {answer, "yes" if "yes" in linked else "no" if "no" in linked else "nothing"}
        return "no" if "no" in both else "yes" if "yes" in both else "nothing"
    return answer


def without_links(model: Model, profile: int, action: str, cls: Class, legacy: bool) -> str:
    """What a profile says of the class itself, what is above it, and all classes."""
    if legacy and grant(model, profile, action, cls.name) == "yes":
        return "yes"
    answers = []
    above: str | None = cls.name
    while above is not None:
        answers.append(grant(model, profile, action, above))
        above = model[above].parent
    if "bizmodel" in cls.category.split(","):
        answers.append(grant(model, profile, action, "*"))
    return "no" if "no" in answers else "yes" if "yes" in answers else "nothing"


def grant(model: Model, profile: int, action: str, name: str) -> str:
    """What a profile says of exactly this class, through whichever groups hold it."""
    declared = model.user_rights.profiles.get(profile)
    answers = [
        actions[action]
        for group, actions in (declared.grants.items() if declared else ())
        if action in actions and (name == "*" if group == "*" else name in model.user_rights.groups[group])
    ]
    return "nothing" if not answers else "yes" if all(answers) else "no"
