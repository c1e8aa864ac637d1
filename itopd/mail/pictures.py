"""Pictures of objects inside a mail: found in the HTML, read from ``inline_image``, shown by ``cid:``.

iTop marks such an ``img`` tag with ``data-img-id`` and ``data-img-secret`` (``spec/email.md`` §3). They are resolved
when the mail is sent, so the queue does not hold them.
"""

from __future__ import annotations

import hmac
import html
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from itopd.database import Database
from itopd.mail.message import Attachment

_IMG = re.compile(r"""<img\b(?:[^<>"']|"[^"]*"|'[^']*')*+>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")


@dataclass(frozen=True, slots=True)
class Picture:
    """One row of ``inline_image``."""

    secret: str
    file: Attachment


def picture_ids(body: str) -> frozenset[int]:
    """Return the ids of the pictures that an HTML body asks for."""
    if "data-img-id" not in body:
        return frozenset()
    marks = (_mark(_attributes(tag)) for tag in _IMG.findall(body))
    return frozenset(mark[0] for mark in marks if mark)


def fetch_pictures(database: Database, connection: sa.Connection, ids: Collection[int]) -> dict[int, Picture]:
    """Return the pictures that exist, by id."""
    if not ids:
        return {}
    table = database.table("InlineImage")
    columns = (table.c.id, table.c.secret, table.c.contents_data, table.c.contents_mimetype, table.c.contents_filename)
    rows = connection.execute(sa.select(*columns).where(table.c.id.in_(sorted(ids))))
    return {
        row.id: Picture(
            row.secret or "",
            Attachment(bytes(row.contents_data), row.contents_filename or "", row.contents_mimetype or ""),
        )
        for row in rows
        if row.contents_data is not None
    }


def embed(body: str, pictures: Mapping[int, Picture], content_ids: Mapping[int, str]) -> tuple[str, list[int]]:
    """Return the HTML with each picture's ``src`` pointing to its content id, and the ids of those it shows, in order.

    A tag whose secret is not the row's is left alone, as is everything else in the text.
    """
    shown: dict[int, None] = {}

    def replace(match: re.Match[str]) -> str:
        tag = match[0]
        attributes = _attributes(tag)
        mark = _mark(attributes)
        picture = pictures.get(mark[0]) if mark else None
        source = attributes.get("src")
        if mark is None or picture is None or source is None:
            return tag
        if not hmac.compare_digest(picture.secret.encode("utf-8"), mark[1].encode("utf-8")):
            return tag
        shown[mark[0]] = None
        start, end = source.span(2)
        return f'{tag[:start]}"cid:{content_ids[mark[0]]}"{tag[end:]}'

    return _IMG.sub(replace, body), list(shown)


def _attributes(tag: str) -> dict[str, re.Match[str]]:
    """Return the attributes of a tag that have a value, by lower-case name; the first of a name counts."""
    found: dict[str, re.Match[str]] = {}
    for match in _ATTRIBUTE.finditer(tag, len("<img")):
        if match[2] is not None:
            found.setdefault(match[1].lower(), match)
    return found


def _mark(attributes: Mapping[str, re.Match[str]]) -> tuple[int, str] | None:
    identifier, secret = _value(attributes, "data-img-id"), _value(attributes, "data-img-secret")
    if not secret or not identifier.isascii() or not identifier.isdigit() or len(identifier) > 10:
        return None
    return int(identifier), secret


def _value(attributes: Mapping[str, re.Match[str]], name: str) -> str:
    match = attributes.get(name)
    text = match[2] if match else ""
    return html.unescape(text[1:-1] if text[:1] in ("'", '"') else text)
