"""What an object lacks when a hook that iTop has in PHP does not run for it: for people who decide on doing without.

Of iTop's own classes it is known what their hooks do (``spec/objects.md`` §9); of others a model tells only the name of
the hook, and with it when it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from itopd.datamodel import Class

_ACCOUNT: Final = "the refusal of any change while demo_mode is on (for single accounts 'itopd user' does that)"
_TICKET: Final = "the links of the impact analysis; its stop watches do not run"

_BY_CLASS: Final[Mapping[str, str]] = {
    # class that has the hooks in iTop -> what they do
    "EventIssue": "page, arguments and user of the web request",
    "Person": "the refusal of another organization for the person of a portal user who does not see that one",
    "Query": "the protection of its counters of exports",
    "SynchroDataSource": "its attribute definitions, its table of replicas, the check of its rules",
    "Ticket": _TICKET,
    "URP_Profiles": "the protection of its read-only attributes",
    "User": _ACCOUNT,
}
_BY_HOOK: Final[Mapping[str, str]] = {
    "OnInsert": "values that it completes before a creation",
    "OnUpdate": "values that it completes before an update",
    "ComputeValues": "values that it computes",
    "DoCheckToWrite": "rules by which it refuses values",
    "CheckToWrite": "rules by which it refuses values",
    "AfterInsert": "what follows a creation, such as writes to other objects",
    "AfterUpdate": "what follows an update, such as writes to other objects",
    "DBInsert": "what is done around the storing of a new object",
    "DBInsertNoReload": "what is done around the storing of a new object",
    "DBUpdate": "what is done around the storing of an update",
    "GetAttributeFlags": "attributes that are mandatory or read-only by circumstances",
    "GetInitialStateAttributeFlags": "attributes that are mandatory or read-only at a creation",
    "RegisterEventListeners": "rules and consequences that hang on its events",
}


def what_is_lost(cls: Class, hooks: Sequence[str]) -> str:
    """Return what these hooks of a class do, each time with their names and the class that has them."""
    by_owner: dict[str, list[str]] = {}
    for hook in hooks:
        by_owner.setdefault(cls.php_behaviour[hook], []).append(hook)
    by_loss: dict[str, list[str]] = {}
    for owner, own in by_owner.items():
        loss = _BY_CLASS.get(owner) or ", ".join(dict.fromkeys(_BY_HOOK[hook] for hook in own))
        by_loss.setdefault(loss, []).append(f"{', '.join(own)} of {owner}")
    return "; ".join(f"{loss} ({' and '.join(who)})" for loss, who in by_loss.items())
