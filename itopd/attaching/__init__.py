"""From a running iTop to an itopd beside it: what its folder says, what itopd may do there, who runs which process."""

from itopd.attaching.findings import (
    Finding,
    look_at_php,
    look_at_processes,
    look_at_rights,
    look_at_state,
    look_at_tables,
)
from itopd.attaching.folder import ItopFolder, find_itop, sockets
from itopd.attaching.grants import account_of, current_account, grants
from itopd.attaching.hand_over import Outcome, give_back, take_over
from itopd.attaching.parameters import parameters_text, write_parameters

__all__ = [
    "Finding",
    "ItopFolder",
    "Outcome",
    "account_of",
    "current_account",
    "find_itop",
    "give_back",
    "grants",
    "look_at_php",
    "look_at_processes",
    "look_at_rights",
    "look_at_state",
    "look_at_tables",
    "parameters_text",
    "sockets",
    "take_over",
    "write_parameters",
]
