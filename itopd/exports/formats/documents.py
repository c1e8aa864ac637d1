"""Files and images in a text format: the URL under which iTop serves them (``spec/export.md`` §4.1)."""

from __future__ import annotations

import hashlib

from itopd.attributes import Document
from itopd.exports.columns import Column, Row
from itopd.exports.formats.options import Options


def document_url(column: Column, row: Row, options: Options) -> str | None:
    """Return the URL of the document in a row, ``None`` when there is none; it names the object that holds it."""
    document = column.read(row)
    if not isinstance(document, Document) or not document.data or column.attribute is None:
        return None
    digest = hashlib.md5(document.data, usedforsecurity=False).hexdigest()
    return (
        f"{options.application_url}pages/ajax.document.php?operation=download_document&class={column.cls}"
        f"&id={column.owner(row)}&field={column.attribute.code}&s={digest}&cache=86400"
    )
