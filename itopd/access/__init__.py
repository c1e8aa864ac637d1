"""Who acts, and what an account may do."""

from itopd.access.accounts import (
    Account,
    account_of,
    authenticate,
    named_profiles,
    require_administrator,
    require_more_than_portal,
)
from itopd.access.passwords import hash_password, policy_problem
from itopd.access.rights import ADMINISTRATOR, Action, Rights, rights_of
from itopd.access.seeing import reader_of

__all__ = [
    "ADMINISTRATOR",
    "Account",
    "Action",
    "Rights",
    "account_of",
    "authenticate",
    "hash_password",
    "named_profiles",
    "policy_problem",
    "reader_of",
    "require_administrator",
    "require_more_than_portal",
    "rights_of",
]
