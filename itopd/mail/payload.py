"""The column ``message`` of ``priv_async_send_email``: PHP's serialization of one array (``spec/email.md`` §3).

Reading is tolerant: every key may be missing, and a value of another plain type is taken for what it says. Writing
gives the keys in the order in which a notification of iTop sets them. Version 1, an object of very old releases, is
never instantiated: the same array is taken out of it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from itopd.errors import InputError
from itopd.mail.addresses import split_list
from itopd.mail.message import HTML, PLAIN, Address, Attachment, Message, Part
from itopd.php import PhpError, PhpValue, property_array, serialize, unserialize

VERSION = 2
"""What is written."""
_ONLY_TO = "itopd_only_to"
"""Our own key of the outer array, see :attr:`Message.only_to`; iTop reads the keys it knows and leaves the others."""

_Array = dict[str | int, PhpValue]


class PayloadError(InputError):
    """A stored payload cannot be read; the text says why."""

    kind = "bad_payload"


def read_payload(text: str, version: int) -> Message:
    """Return the message that a row holds; raise :class:`PayloadError` when it holds none."""
    data = _array(text, version)
    body = data.get("body")
    content, mime_type = (body.get("body"), body.get("mimeType")) if isinstance(body, dict) else (body, None)
    return Message(
        sender=_address(data.get("from")),
        to=_text(data.get("to")),
        cc=_text(data["cc"]) if "cc" in data else None,
        bcc=_text(data["bcc"]) if "bcc" in data else None,
        subject=_text(data.get("subject")),
        body=_text(content),
        mime_type=_text(mime_type) or HTML,
        reply_to=_address(data["reply_to"]) if "reply_to" in data else None,
        headers={str(name): _text(value) for name, value in _items(data.get("headers")).items()},
        message_id=_text(data.get("message_id")),
        parts=tuple(_part(value) for value in _items(data.get("parts")).values()),
        attachments=tuple(_attachment(value) for value in _items(data.get("attachments")).values()),
        only_to=tuple(split_list(_text(data.get(_ONLY_TO)))),
    )


def write_payload(message: Message) -> str:
    """Return the payload (version 2) of ``message``; what is no Unicode text in it is replaced by ``?``."""
    data: dict[str, object] = {
        "from": _pair(message.sender),
        "subject": message.subject,
        "body": {"body": message.body, "mimeType": message.mime_type},
        "to": message.to,
    }
    if message.cc is not None:
        data["cc"] = message.cc
    if message.bcc is not None:
        data["bcc"] = message.bcc
    if message.reply_to is not None:
        data["reply_to"] = _pair(message.reply_to)
    if message.headers:
        data["headers"] = dict(message.headers)
    if message.message_id:
        data["message_id"] = message.message_id
    if message.parts:
        data["parts"] = [{"text": part.text, "mimeType": part.mime_type} for part in message.parts]
    if message.attachments:
        data["attachments"] = [
            {
                "data": base64.b64encode(attachment.data).decode("ascii"),
                "filename": attachment.filename,
                "mimeType": attachment.mime_type,
            }
            for attachment in message.attachments
        ]
    if message.only_to:
        data[_ONLY_TO] = ", ".join(message.only_to)
    return serialize(_unicode(data)).decode("utf-8")


def amend_payload(text: str, version: int, *, message_id: str = "", only_to: Sequence[str] = ()) -> str:
    """Return a readable payload as version 2 with the id and the remaining recipients set; all else stays as it is."""
    data = _array(text, version)
    if message_id:
        data["message_id"] = message_id
    if only_to:
        data[_ONLY_TO] = ", ".join(only_to)
    return serialize(_unicode(data)).decode("utf-8")


def _array(text: str, version: int) -> _Array:
    octets = text.encode("utf-8", "surrogatepass")
    try:
        if version == 1:
            old = property_array(octets, "m_aData")
            if old is None:
                raise PayloadError("Unsupported payload version 1")
            return old
        if version != VERSION:
            raise PayloadError(f"Unknown version of the serialization format: {version}")
        data = unserialize(octets)
    except PhpError as error:
        raise PayloadError(f"The payload cannot be decoded: {error}. Queue the mail again.") from error
    if not isinstance(data, dict):
        raise PayloadError("The payload cannot be decoded: it holds no array. Queue the mail again.")
    return data


def _text(value: PhpValue) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _items(value: PhpValue) -> _Array:
    return value if isinstance(value, dict) else {}


def _address(value: PhpValue) -> Address:
    if isinstance(value, dict):
        return Address(_text(value.get("address")), _text(value.get("label")))
    return Address(_text(value))


def _part(value: PhpValue) -> Part:
    part = _items(value)
    return Part(_text(part.get("text")), _text(part.get("mimeType")) or PLAIN)


def _attachment(value: PhpValue) -> Attachment:
    item = _items(value)
    name = _text(item.get("filename"))
    try:
        content = base64.b64decode(_text(item.get("data")))
    except (binascii.Error, ValueError):  # ValueError: characters outside ASCII
        raise PayloadError(f"The attachment {name!r} is not base64. Queue the mail again.") from None
    return Attachment(content, name, _text(item.get("mimeType")))


def _pair(address: Address) -> dict[str, str]:
    return {"address": address.address, "label": address.label}


def _unicode(value: object) -> object:
    """Return the value with lone surrogates, which no database takes, replaced."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_unicode(key): _unicode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unicode(item) for item in value]
    return value
