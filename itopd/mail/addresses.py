"""E-mail addresses: which are valid, and how a stored list is read (``spec/email.md`` §3)."""

from __future__ import annotations

import re
from functools import lru_cache

from itopd.mail.message import Address

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAMED = re.compile(r"(?P<label>[^<>]*)<(?P<address>[^<>]*)>")


def split_list(text: str) -> list[str]:
    """Return the items of a stored list: split at commas, trimmed, empty ones dropped."""
    return [item for item in (piece.strip() for piece in text.split(",")) if item]


@lru_cache(maxsize=4096)
def valid_address(text: str) -> str | None:
    """Return the address as SMTP wants it, or ``None`` when it is none.

    Names of domains outside ASCII become their IDNA form. Such a name before the ``@`` would need SMTPUTF8, which
    many servers lack: it is refused here, where the reason can be told.
    """
    local, at, domain = text.strip().rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    address = f"{local}@{domain}"
    well_formed = at and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)
    if not well_formed or len(local) > 64 or len(address) > 254 or any(len(part) > 63 for part in domain.split(".")):
        return None
    return address


def mailbox(text: str) -> Address | None:
    """Return one item of a list, ``address`` or ``name <address>``, or ``None`` when its address is not valid."""
    named = _NAMED.fullmatch(text.strip())
    address = valid_address(named["address"] if named else text)
    if address is None:
        return None
    label = named["label"].strip() if named else ""
    if len(label) > 1 and label[0] == label[-1] == '"':
        label = re.sub(r"\\(.)", r"\1", label[1:-1])
    return Address(address, label)
