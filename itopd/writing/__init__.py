"""Writing objects as iTop does, in bulk (``spec/objects.md``).

``Writer.write(connection, intents, change)`` leaves the rows and the history that writing the intents one by one, in
order, would leave. The caller owns the transaction: what it rolls back never happened.
"""

from itopd.writing.forest import TreeReport, check_trees, rebuild_trees
from itopd.writing.intents import (
    Change,
    ChangedValue,
    Create,
    Delete,
    Effect,
    Intent,
    Issue,
    LinkSet,
    NewEntry,
    NewPassword,
    Outcome,
    Pending,
    Update,
)
from itopd.writing.protocols import Behaviour, DeletionRule, Doom, Draft, Guard, Hooks, Present, Reaction, Veto, Written
from itopd.writing.rights import NOT_ALLOWED, RightsGuard
from itopd.writing.writer import Writer

__all__ = [
    "NOT_ALLOWED",
    "Behaviour",
    "Change",
    "ChangedValue",
    "Create",
    "Delete",
    "DeletionRule",
    "Doom",
    "Draft",
    "Effect",
    "Guard",
    "Hooks",
    "Intent",
    "Issue",
    "LinkSet",
    "NewEntry",
    "NewPassword",
    "Outcome",
    "Pending",
    "Present",
    "Reaction",
    "RightsGuard",
    "TreeReport",
    "Update",
    "Veto",
    "Writer",
    "Written",
    "check_trees",
    "rebuild_trees",
]
