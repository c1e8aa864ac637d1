"""Who acts, and what an account may do."""

from itopd.access.accounts import Account, account_of, authenticate, require_administrator
from itopd.access.passwords import hash_password
from itopd.access.rights import Action, Rights, rights_of

__all__ = [
    "Account",
    "Action",
    "Rights",
    "account_of",
    "authenticate",
    "hash_password",
    "require_administrator",
    "rights_of",
]
