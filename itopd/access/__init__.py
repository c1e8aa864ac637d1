"""Who acts, and what an account may do.

Until the rights of profiles come, every service is open to administrators only: it fails closed.
"""

from itopd.access.accounts import Account, account_of, authenticate, require_administrator
from itopd.access.passwords import hash_password

__all__ = ["Account", "account_of", "authenticate", "hash_password", "require_administrator"]
