"""Header lines: RFC 5322 folding, RFC 2047 words, RFC 2231 parameters.

Whatever a value holds, one call gives one header: control characters become blanks, so nothing can start a line of its
own. Everything written is ASCII and no line passes 78 characters unless a single address or id does.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from itopd.mail.message import Address

FOLD = "\r\n "
_WIDTH = 76
_WORD = 75
"""Longest encoded word (RFC 2047)."""
_FIRST_WORD = 60
"""Longest encoded word after a header's name, in a list of mailboxes."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_PRINTABLE = re.compile(r"[ -~]*")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_NOT_IN_IDS = re.compile(r"[^!-;=?-~]")
_TOKEN = re.compile(r"[!-9;-~]+")


def clean(text: str) -> str:
    """Return ``text`` fit for one line: control characters and lone surrogates become a blank, the ends are trimmed."""
    return _CONTROLS.sub(" ", text).strip()


def is_header_name(name: str) -> bool:
    """Return whether ``name`` may stand before the colon."""
    return len(name) <= 70 and _TOKEN.fullmatch(name) is not None


def text_header(name: str, text: str) -> str:
    """Return a header of free text."""
    value = clean(text)
    if _PRINTABLE.fullmatch(value) and "=?" not in value and len(name) + 2 + len(value) <= _WIDTH:
        return f"{name}: {value}"
    return f"{name}: {encoded_words(value, _WIDTH - len(name) - 2)}"


def address_header(name: str, addresses: Iterable[Address]) -> str:
    """Return a header that lists mailboxes, whose addresses are valid."""
    line, used = f"{name}:", len(name) + 1
    for position, address in enumerate(addresses):
        item = _mailbox(address)
        first, last = item.split("\r\n", 1)[0], item.rsplit("\r\n", 1)[-1]
        comma = "," if position else ""
        if position and used + len(first) + 3 > _WIDTH:
            line += comma + FOLD + item
            used = 1 + len(last)
        else:
            line += f"{comma} {item}"
            used = len(last) if "\r\n" in item else used + len(comma) + 1 + len(item)
    return line


def id_header(name: str, ids: Sequence[str]) -> str:
    """Return a header of message ids, which are given without angle brackets."""
    line = f"{name}:"
    for position, identifier in enumerate(ids):
        fold = position and len(line.rsplit("\r\n", 1)[-1]) + len(identifier) + 3 > _WIDTH
        line += (FOLD if fold else " ") + f"<{identifier}>"
    return line


def bare_id(text: str) -> str:
    """Return a message id without angle brackets, blanks and anything else that an id cannot hold."""
    return _NOT_IN_IDS.sub("", text)


def bare_ids(text: str) -> list[str]:
    """Return the message ids of a stored ``References`` or ``In-Reply-To``."""
    pieces = re.findall(r"<([^<>]*)>", text) or re.split(r"[\s,]+", text)
    return [identifier for identifier in map(bare_id, pieces) if identifier]


def parameter(name: str, value: str) -> str:
    """Return one parameter of a content header, folded onto a line of its own (RFC 2231 where ASCII will not do)."""
    value = clean(value)
    if _PRINTABLE.fullmatch(value) and "=?" not in value and len(value) + value.count('"') + value.count("\\") <= 60:
        return f';{FOLD}{name}="{_quoted(value)}"'
    pieces, piece = [], "utf-8''"
    for character in value:
        octets = quote(character, safe="!#$&+-.^_`|~")
        if len(piece) + len(octets) > 60:
            pieces.append(piece)
            piece = ""
        piece += octets
    pieces.append(piece)
    if len(pieces) == 1:
        return f";{FOLD}{name}*={pieces[0]}"
    return "".join(f";{FOLD}{name}*{number}*={text}" for number, text in enumerate(pieces))


def encoded_words(text: str, first: int) -> str:
    """Return ``text`` as encoded words on folded lines; ``first`` characters are left on the first line."""
    octets = text.encode("utf-8")
    quoted = 2 * sum(octet not in _Q_SAFE and octet != 0x20 for octet in octets) <= len(octets) / 3
    letter, encode = ("q", _q) if quoted else ("b", _b)
    words: list[str] = []
    start = used = 0
    room = _room(max(first, 30), quoted=quoted)
    for position, character in enumerate(text):
        size = len(_q(character)) if quoted else len(character.encode("utf-8"))
        if used + size > room:
            words.append(f"=?utf-8?{letter}?{encode(text[start:position])}?=")
            start, used, room = position, 0, _room(_WORD, quoted=quoted)
        used += size
    words.append(f"=?utf-8?{letter}?{encode(text[start:])}?=")
    return FOLD.join(words)


def _room(width: int, *, quoted: bool) -> int:
    """Return how much fits in an encoded word of ``width``: characters of Q, octets under base64."""
    inner = min(width, _WORD) - len("=?utf-8?q??=")
    return inner if quoted else inner // 4 * 3


def _mailbox(address: Address) -> str:
    label = clean(address.label)
    if not label:
        return address.address
    if not _PRINTABLE.fullmatch(label) or "=?" in label or len(label) > 50:
        return f"{encoded_words(label, _FIRST_WORD)}{FOLD}<{address.address}>"
    if not _PLAIN_PHRASE.fullmatch(label):
        label = f'"{_quoted(label)}"'
    return f"{label} <{address.address}>"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _q(text: str) -> str:
    return "".join(
        chr(octet) if octet in _Q_SAFE else "_" if octet == 0x20 else f"={octet:02X}" for octet in text.encode("utf-8")
    )


def _b(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")
