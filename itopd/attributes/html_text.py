"""Plain text made from HTML (``spec/export.md`` §4.2, vectors ``export/html-to-text-*``).

The text is written while the parser runs over the markup; no tree is built, so depth and size cost nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lxml import etree

_BLANKS = re.compile(r"[ \t\r\n\f\v\u00a0]+")
_HIDDEN = frozenset({"script", "style", "title", "template"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre"})
_LINES = frozenset(
    {"address", "article", "aside", "center", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer"}
    | {"form", "header", "li", "main", "nav", "section", "table", "tbody", "tfoot", "thead", "tr"}
)
_RULE = "-" * 63


def html_to_text(html: str) -> str:
    """Return what ``html`` says, as plain text with line feeds; broken markup is read as a browser would."""
    writer = _Writer()
    parser = etree.HTMLParser(target=writer, encoding="utf-8", recover=True)  # type: ignore[arg-type]  # it gives str
    # The opening tags keep the parser from inventing a paragraph around text that stands in none.
    source = "<html><body>" + html.replace("\0", "")
    try:
        parser.feed(source.encode("utf-8", "replace"))
        parser.close()
    except etree.LxmlError:
        # Markup nested beyond the parser's limit: what was read up to there is the best text there is.
        return writer.close()
    return writer.close()


class _Writer:
    """Receives the parser's events and writes text."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._last = "\n"
        """Last character written; a line feed stands for the start."""
        self._breaks = 0
        """Line feeds owed before the next text."""
        self._blank = False
        """Whether a blank is owed before the next text."""
        self._hidden = 0
        self._pre = 0
        self._quotes = 0
        self._written_quotes = 0
        """Quotes around the last text written: an empty line is quoted when the texts on both sides are."""
        self._lists = 0
        self._links: list[tuple[int, str]] = []
        self._cells: list[int] = []
        """Cells seen so far in each open row."""
        self._cell_start = False
        """A cell has begun and has no text yet: blocks inside it start no line."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Receive an opening tag."""
        if tag in _HIDDEN:
            self._hidden += 1
        if self._hidden:
            return
        if tag == "br":
            self._breaks += 1
            self._blank = False
        elif tag == "hr":
            self._break(1)
            self._write(_RULE)
            self._break(1)
        elif tag == "img":
            if attributes.get("alt"):
                self.data(f"[{attributes['alt']}]")
        elif tag == "a":
            self._links.append((-1, attributes.get("href", "").strip()))
        elif tag in ("td", "th"):
            self._cell()
        elif tag in ("ul", "ol"):
            self._break(1 if self._lists else 2)
            self._lists += 1
        else:
            self._block(tag)
            if tag == "li":
                self._bullet()
            elif tag == "tr":
                self._cells.append(0)
            elif tag == "blockquote":
                self._quotes += 1
            elif tag == "pre":
                self._pre += 1

    def end(self, tag: str) -> None:
        """Receive a closing tag, also one that the parser supplied."""
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
            return
        if self._hidden:
            return
        if tag == "a":
            self._link()
        elif tag in ("td", "th"):
            self._breaks = 0
            self._blank = self._cell_start = False
        elif tag in ("ul", "ol"):
            self._lists = max(0, self._lists - 1)
            self._break(1 if self._lists else 2)
        else:
            if tag == "tr" and self._cells:
                self._cells.pop()
                self._cell_start = False
            elif tag == "blockquote":
                self._quotes = max(0, self._quotes - 1)
            elif tag == "pre":
                self._pre = max(0, self._pre - 1)
            self._block(tag)

    def data(self, text: str) -> None:
        """Receive text."""
        if self._hidden:
            return
        if self._pre:
            first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self._write(first)
            for line in others:
                self._breaks += 1
                self._write(line)
            return
        words = _BLANKS.sub(" ", text)
        if words.startswith(" "):
            self._blank = True
        body = words.strip(" ")
        if body:
            self._write(body)
            self._blank = words.endswith(" ")

    def comment(self, text: str) -> None:
        """Leave comments out."""

    def close(self) -> str:
        """Return the text."""
        lines = (line.rstrip(" ") for line in "".join(self._out).split("\n"))
        return "\n".join(lines).strip("\n ")

    def _write(self, text: str) -> None:
        if not text:
            return
        if self._out and self._breaks:
            self._feed()
        elif self._blank and self._last not in "\n\t ":
            self._put(" ")
        elif self._last == "\n" and not self._out:
            self._put(self._margin())
        self._breaks = 0
        self._written_quotes = self._quotes
        self._blank = self._cell_start = False
        if self._links and self._links[-1][0] < 0:
            self._links[-1] = (len(self._out), self._links[-1][1])
        self._put(text)

    def _put(self, text: str) -> None:
        if text:
            self._out.append(text)
            self._last = text[-1]

    def _feed(self) -> None:
        between = "\n" + "> " * min(self._quotes, self._written_quotes)
        self._put(between * (self._breaks - 1) + "\n" + self._margin())

    def _margin(self) -> str:
        return "> " * self._quotes + "  " * self._lists

    def _block(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self._break(2)
        elif tag in _LINES:
            self._break(1)

    def _break(self, lines: int) -> None:
        if not self._cell_start:
            self._breaks = max(self._breaks, lines)
            self._blank = False

    def _bullet(self) -> None:
        depth, self._lists = self._lists, max(0, self._lists - 1)
        self._write("- ")
        self._lists = depth
        self._cell_start = True  # as in a cell: a paragraph in an item starts on the item's line

    def _cell(self) -> None:
        if self._cells and self._cells[-1]:
            self._breaks = 0
            self._blank = False
            self._put("\t")
        if self._cells:
            self._cells[-1] += 1
        self._cell_start = True

    def _link(self) -> None:
        if not self._links:
            return
        start, url = self._links.pop()
        if start < 0 or not url or url.startswith("#") or self._hidden:
            return
        text = "".join(self._out[start:]).strip()
        if text not in (url, url.removeprefix("mailto:")):
            self._out[start:] = [f"[{text}]({url})"]
            self._last = ")"
