"""From a message to what is handed to a server: envelope and RFC 5322 text, in itopd's form (``spec/email.md`` §4).

    multipart/mixed [ multipart/alternative [ text/plain, multipart/related [ text/html, pictures ] ], attachments ]

reduced where parts are absent. The plain text is made from the HTML unless the caller gave one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from itopd.attributes import html_to_text
from itopd.errors import InputError
from itopd.mail import headers
from itopd.mail.addresses import mailbox, split_list
from itopd.mail.message import HTML, PLAIN, Address, Message
from itopd.mail.mime import Entity, attachment_entity, multipart, picture_entity, text_entity
from itopd.mail.pictures import Picture, embed
from itopd.mail.redirect import ORIGINAL, marked_subject, narrowed, original_headers

_OURS = frozenset(
    {"bcc", "cc", "date", "from", "message-id", "mime-version", "reply-to", "return-path", "sender", "subject", "to"}
)
"""Headers that the message itself decides: a caller's header of such a name is left out, as are those of ``_NEVER``."""
_NEVER = ("content-", "resent-", ORIGINAL.lower())
"""Content is the composer's, ``Resent-To`` would name recipients, and only a redirection tells of original ones."""


class Unsendable(InputError):
    """No server can be asked to take this mail: it names no recipient or no sender that is an address."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is handed to a server."""

    sender: str
    """Envelope sender: the From address."""
    recipients: tuple[str, ...]
    """Envelope recipients of To, Cc, Bcc in this order, each once."""
    invalid: tuple[str, ...]
    """What the lists hold beside addresses; no server is asked about these."""
    message_id: str
    """Without angle brackets."""
    content: bytes
    """ASCII, every line ends with CRLF and has at most 998 characters."""


def compose(
    message: Message,
    now: datetime,
    pictures: Mapping[int, Picture] | None = None,
    redirect_to: Sequence[Address] = (),
) -> Letter:
    """Return the letter for ``message``, whose id is fixed; ``now`` is an aware instant in the zone to show.

    ``redirect_to`` gets it instead of everybody that the message names (:mod:`itopd.mail.redirect`). Raises
    :class:`Unsendable`, redirected or not, when the message itself names no recipient or no sender.
    """
    to, invalid_to = _mailboxes(message.to)
    cc, invalid_cc = _mailboxes(message.cc or "")
    bcc, invalid_bcc = _mailboxes(message.bcc or "")
    invalid = (*invalid_to, *invalid_cc, *invalid_bcc)
    recipients = _each_once(*to, *cc, *bcc)
    if message.only_to and not redirect_to:
        wanted = {address.lower() for address in message.only_to}
        recipients, invalid = tuple(one for one in recipients if one.lower() in wanted), ()
    if not recipients:
        reason = f"none of {', '.join(map(repr, invalid))} is an e-mail address" if invalid else "no recipient is given"
        raise Unsendable(f"The mail cannot be sent: {reason}. Correct To, Cc or Bcc and queue it again.")
    subject, originals = message.subject, list[str]()
    if redirect_to:
        subject = marked_subject(subject, [*to, *cc, *bcc])
        originals = original_headers(to, cc, bcc)
        to, cc, recipients, invalid = list(redirect_to), [], narrowed(redirect_to, message.only_to), ()
    senders = _senders(message, to)
    identifier = headers.bare_id(message.message_id)
    if not identifier:
        raise ValueError("a message must have its id before it is composed")
    lines = [
        f"Date: {format_datetime(now)}",
        headers.id_header("Message-ID", [identifier]),
        headers.address_header("From", senders),
    ]
    if len(senders) > 1:
        lines.append(headers.address_header("Sender", senders[:1]))
    if message.reply_to is not None:
        reply_to = mailbox(message.reply_to.address)
        if reply_to is not None:
            label = message.reply_to.label or reply_to.label
            lines.append(headers.address_header("Reply-To", [Address(reply_to.address, label)]))
    if to:
        lines.append(headers.address_header("To", to))
    if cc:
        lines.append(headers.address_header("Cc", cc))
    if not to and not cc:
        lines.append("To: undisclosed-recipients:;")
    lines.append(headers.text_header("Subject", subject))
    lines += originals
    lines += _further(message.headers)
    lines.append("MIME-Version: 1.0")
    body = _body(message, pictures or {}, hashlib.sha256(identifier.encode()).hexdigest()[:24])
    content = "\r\n".join((*lines, "")).encode("ascii") + body.render()
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    return Letter(senders[0].address, recipients, invalid, identifier, content)


def _mailboxes(text: str) -> tuple[list[Address], list[str]]:
    valid: list[Address] = []
    invalid: list[str] = []
    for item in split_list(text):
        address = mailbox(item)
        if address is None:
            invalid.append(item)
        else:
            valid.append(address)
    return valid, invalid


def _each_once(*mailboxes: Address) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for one in mailboxes:
        first.setdefault(one.address.lower(), one.address)
    return tuple(first.values())


def _senders(message: Message, to: list[Address]) -> list[Address]:
    given = message.sender
    if not given.address.strip():
        if to:
            return to
        raise Unsendable("The mail cannot be sent: it has no From address. Set email_default_sender_address.")
    address = mailbox(given.address)
    if address is None:
        raise Unsendable(f"The mail cannot be sent: its From, {given.address!r}, is not an e-mail address.")
    return [Address(address.address, given.label or address.label)]


def _further(given: Mapping[str, str]) -> Iterable[str]:
    names = {name.lower() for name in given}
    for name, value in given.items():
        if name.lower() in ("references", "in-reply-to"):
            ids = headers.bare_ids(value)
            if ids:
                yield headers.id_header(name, ids)
        elif headers.is_header_name(name) and name.lower() not in _OURS and not name.lower().startswith(_NEVER):
            yield headers.text_header(name, value)
    if "auto-submitted" not in names:
        yield "Auto-Submitted: auto-generated"


def _body(message: Message, pictures: Mapping[int, Picture], seed: str) -> Entity:
    parts = list(message.parts)
    is_html = message.mime_type.lower() == HTML
    other = next((part for part in parts if part.mime_type.lower() == (PLAIN if is_html else HTML)), None)
    if other is not None:
        parts.remove(other)
    if is_html or other is not None:
        html = message.body if is_html or other is None else other.text
        plain = message.body if not is_html else other.text if other is not None else html_to_text(html)
        versions = [text_entity(plain, "plain"), _related(html, pictures, seed)]
        body = multipart("alternative", versions, f"=_2_{seed}")
    else:
        body = text_entity(message.body, _text_subtype(message.mime_type))
    others = [text_entity(part.text, _text_subtype(part.mime_type)) for part in parts]
    files = [attachment_entity(attachment) for attachment in message.attachments]
    return multipart("mixed", [body, *others, *files], f"=_1_{seed}") if others or files else body


def _related(body: str, pictures: Mapping[int, Picture], seed: str) -> Entity:
    content_ids = {identifier: f"picture-{identifier}.{seed}@itopd" for identifier in pictures}
    text, shown = embed(body, pictures, content_ids)
    entity = text_entity(text, "html")
    if not shown:
        return entity
    inline = [picture_entity(pictures[identifier].file, content_ids[identifier]) for identifier in shown]
    return multipart("related", [entity, *inline], f"=_3_{seed}")


def _text_subtype(mime_type: str) -> str:
    kind, _, subtype = mime_type.lower().partition("/")
    return subtype if kind == "text" and subtype.isascii() and subtype.isalnum() else "plain"
