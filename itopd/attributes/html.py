"""Foreign HTML made harmless: iTop's list of allowed tags, attributes and styles (``spec/import.md`` §6.6).

A tag that is not on the list goes with all its content, an attribute that is not goes alone. The parser is libxml2's,
as in iTop, so the text that comes out is the one iTop stores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from lxml import etree

_BLOCK: Final = frozenset({"style", "class"})
_INLINE: Final = frozenset({"class"})
_CELL: Final = frozenset({"style", "class", "colspan", "rowspan"})
_NONE: Final[frozenset[str]] = frozenset()

_ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "a": frozenset(
        {"href", "name", "style", "class", "target", "title", "data-role", "data-object-class", "data-object-id"}
    ),
    **dict.fromkeys(("p", "blockquote", "span", "div", "ul", "h1", "h2", "h3", "h4", "nav", "section"), _BLOCK),
    **dict.fromkeys(("code", "thead", "tbody", "fieldset", "legend", "hr", "figure"), _BLOCK),
    **dict.fromkeys(("b", "i", "u", "em", "strong", "pre", "figcaption", "mark"), _INLINE),
    "img": frozenset({"src", "style", "class", "alt", "title", "width", "height"}),
    "ol": frozenset({"reversed", "start", "style", "class", "type"}),
    "li": frozenset({"style", "class", "value"}),
    "table": frozenset({"style", "class", "width", "summary", "align", "border", "cellpadding", "cellspacing"}),
    "col": frozenset({"style"}),
    **dict.fromkeys(("tr", "td", "th"), _CELL),
    "font": frozenset({"face", "color", "style", "class", "size"}),
    **dict.fromkeys(("br", "colgroup", "big", "small", "tt", "kbd", "samp", "var", "del", "s", "ins"), _NONE),
    **dict.fromkeys(("cite", "q", "center"), _NONE),
}

# fmt: off
_STYLES: Final = frozenset({
    "aspect-ratio", "background-color", "border", "border-collapse", "bordercolor", "cellpadding", "cellspacing",
    "color", "float", "font", "font-family", "font-size", "font-style", "height", "margin", "padding", "text-align",
    "vertical-align", "width", "white-space",
})
# fmt: on

_EMAIL: Final = r"[a-z0-9._&'-]+@[a-z0-9.-]+\.[a-z0-9-]{2,}"
_WEB: Final = r"(?:https?|ftp)://(?:[a-z0-9+!*(),;?&=$_.:-]+@)?[a-z0-9.-]{3,}"
_LINK: Final = re.compile(
    rf"{_WEB}.*|mailto:{_EMAIL}(?:\?(?:subject|body)=[^\s]*)?|\$[\w>()-]+\$\S*", re.IGNORECASE | re.DOTALL
)
"""iTop only looks whether a link contains such a text; here it begins with it, so that its scheme is a harmless one."""
_SOURCE: Final = re.compile(r"(?:https?|data):", re.IGNORECASE)
_HEAD: Final = re.compile(r"(?:\s|<!--.*?-->|<(script|style|title)\b[^>]*>.*?</\1\s*>)*", re.DOTALL | re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-zA-Z]|<[!?]")
_WORD_PARAGRAPH: Final = re.compile(r"<o:p>\s*</o:p>", re.IGNORECASE)
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def sanitise_html(text: str) -> str:
    """Return ``text`` with nothing left that is not allowed; text that stands in no block becomes a paragraph.

    When nothing survives the result is empty, where iTop stores the shell of a document.
    """
    source = _WORD_PARAGRAPH.sub("<br>", _FORBIDDEN.sub("", text))
    head = _HEAD.match(source)
    source = source[head.end() :] if head else source
    if not source:
        return ""
    if not _TAG.match(source):
        source = f"<p>{source}"
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    root = etree.fromstring(f"<html><body>{source}".encode(), parser)
    body = root.find("body") if root is not None else None
    if body is None:
        return ""
    _clean(body)
    whole = etree.tostring(body, method="html", encoding="unicode", with_tail=False)
    return whole.removeprefix("<body>").removesuffix("</body>")


def _clean(body: etree._Element) -> None:
    """Drop what is not allowed below ``body``, without recursion: nesting may be deep."""
    for name in list(body.attrib):
        del body.attrib[name]
    pending = [body]
    while pending:
        parent = pending.pop()
        kept = []
        for child in parent:
            allowed = _ALLOWED.get(str(child.tag).lower())
            if allowed is not None:
                _clean_attributes(child, allowed)
                kept.append(child)
        if len(kept) < len(parent):
            _keep_only(parent, kept)
        pending += kept


def _keep_only(parent: etree._Element, kept: Sequence[etree._Element]) -> None:
    """Remove the other children with their content, but not the texts between them.

    Every text is set once: growing one with each child that goes would take for ever where many go.
    """
    text = [parent.text or ""]
    texts = [text]
    staying = iter(kept)
    following = next(staying, None)
    for child in parent:
        if child is following:
            text = []
            texts.append(text)
            following = next(staying, None)
        text.append(child.tail or "")
    for child in kept:
        child.tail = None
    parent[:] = kept
    parent.text = "".join(texts[0]) or None
    for child, text in zip(kept, texts[1:], strict=True):
        child.tail = "".join(text) or None


def _clean_attributes(element: etree._Element, allowed: frozenset[str]) -> None:
    given = {str(name): str(value) for name, value in element.attrib.items()}
    cleaned = {name: _attribute(name, value) for name, value in given.items() if name in allowed}
    kept = {name: value for name, value in cleaned.items() if value is not None}
    if kept != given:
        element.attrib.clear()  # all at once: taking one away looks through all of them
        element.attrib.update(list(kept.items()))


def _attribute(name: str, value: str) -> str | None:
    """Return the value that an allowed attribute keeps, or ``None`` when it goes."""
    match name:
        case "href":
            return value if _LINK.fullmatch(value.strip()) else None
        case "src":
            return value if _SOURCE.match(value) else None
        case "style":
            declarations = [d for d in value.split(";") if d.partition(":")[0].strip().lower() in _STYLES]
            return ";".join(declarations) or None
        case _:
            return value
