"""A mail as iTop describes it: what is queued, and what everything that is sent comes from (``spec/email.md`` §3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HTML = "text/html"
PLAIN = "text/plain"


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox: the address and the name shown beside it; both may be empty."""

    address: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A further version of the body, as callers of iTop's mail API add them."""

    text: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels with the mail."""

    data: bytes
    filename: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class Message:
    """One mail. Lists of recipients are iTop's: addresses separated by commas, the empty text for none."""

    to: str = ""
    subject: str = ""
    body: str = ""
    mime_type: str = HTML
    """Of the body: ``text/html`` or ``text/plain``."""
    sender: Address = Address()
    """From. Without an address, ``to`` stands in for it."""
    cc: str | None = None
    """``None``: never set, and left out of the payload, as iTop leaves out what a caller did not set."""
    bcc: str | None = None
    reply_to: Address | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers, in order; notifications have ``References`` and ``In-Reply-To``."""
    message_id: str = ""
    """With or without angle brackets; empty until the mail is queued or claimed, fixed from then on."""
    parts: tuple[Part, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    only_to: tuple[str, ...] = ()
    """[itopd] When not empty: the recipients still to be reached, after a server took the mail for the others."""
