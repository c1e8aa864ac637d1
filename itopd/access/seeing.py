"""What an account sees: the reader of its queries (``spec/oql.md`` §9, ``http.md`` §3.3 and §3.4)."""

from __future__ import annotations

from itopd.access.accounts import Account
from itopd.access.rights import Rights
from itopd.oql import Reader


def reader_of(account: Account, rights: Rights, *, hide_administrators: bool, strict: bool) -> Reader:
    """Return what filters every query of an account; of an administrator nothing.

    ``hide_administrators`` is the setting ``security.hide_administrators``; ``strict`` extends the filters to joined
    classes and external fields (``rules.strict_rights``). Obsolete objects are the caller's choice.
    """
    if account.is_administrator:
        return Reader()
    return Reader(
        allowed_orgs=account.assigned_orgs,
        classes_denied=rights.unreadable(),
        hide_administrators=hide_administrators,
        strict=strict,
    )
