"""CSV as export-v2 writes it (``spec/export.md`` §3.1, §4): LF, quoted texts, bare numbers.

Where iTop's own rules give an unreadable file (bare URLs holding the separator, characters replaced after quoting),
cells are made readable first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from itopd.exports.columns import Column, Row
from itopd.exports.formats.documents import document_url
from itopd.exports.formats.options import Options
from itopd.exports.formats.texts import duration_text
from itopd.exports.kinds import Kind
from itopd.exports.transliterate import codec_of, is_universal, transliterator

MASK = "*****"

Cells: TypeAlias = Callable[[Sequence[Row]], list[str]]
"""Makes the cells of one column for a chunk of rows: a column at a time takes half the time of a cell at a time."""
Quote: TypeAlias = Callable[[str], str]


def write(columns: Sequence[Column], chunks: Iterable[Sequence[Row]], options: Options) -> Iterator[bytes]:
    """Yield the header line, then the lines of each chunk."""
    codec = codec_of(options.charset)
    quote, separator = _quoting(options), options.separator
    makers = [_cells(column, options, quote) for column in columns]
    header = separator.join([quote(column.header) for column in columns]) + "\n"
    mark = "\N{ZERO WIDTH NO-BREAK SPACE}" if options.byte_order_mark and is_universal(codec) else ""
    yield (mark + header).encode(codec.name, "replace")
    for chunk in chunks:
        lines = [*map(separator.join, zip(*[cells(chunk) for cells in makers], strict=True)), ""]
        yield "\n".join(lines).encode(codec.name, "replace")


def _quoting(options: Options) -> Quote:
    """Return the function that makes a quoted cell of a text."""
    qualifier = options.qualifier
    doubled = qualifier * 2
    codec = codec_of(options.charset)
    replace = None if is_universal(codec) else transliterator(codec)
    guard = options.guard_formulas

    def quote(text: str) -> str:
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        if replace is not None:
            text = replace(text)
        if guard and text[:1] in _FORMULA_STARTS:
            text = "'" + text
        if not qualifier:
            return text
        if qualifier in text:
            text = text.replace(qualifier, doubled)
        return qualifier + text + qualifier

    return quote


_FORMULA_STARTS = frozenset("=+-@\t\r")


def _cells(column: Column, options: Options, quote: Quote) -> Cells:
    """Return what makes the column; where the alias's object is missing its cells are empty, without quotes."""
    present, absent = _present(column, options, quote), column.absent
    if absent is None:
        return present
    return lambda rows: ["" if absent(row) else cell for row, cell in zip(rows, present(rows), strict=True)]


def _present(column: Column, options: Options, quote: Quote) -> Cells:
    read = column.read
    if column.kind is Kind.DOCUMENT:
        return lambda rows: [_document(row, column, options, quote) for row in rows]
    if column.kind is Kind.KEY and len(column.field.path) > 1:
        # the key of an object that is not there is no 0 but nothing
        return lambda rows: ["" if value is None else str(value) for value in map(read, rows)]
    show = _show(column, options, quote)
    empty = quote("") if column.kind in _QUOTED_WHEN_EMPTY else ""
    if column.kind is Kind.OVERRUN:
        empty = quote(duration_text(0))
    return lambda rows: [empty if value is None or value == "" else show(value) for value in map(read, rows)]


_QUOTED_WHEN_EMPTY = frozenset({Kind.TEXT, Kind.ENUM, Kind.CLASS, Kind.SET, Kind.DEADLINE, Kind.SECRET})


def _show(column: Column, options: Options, quote: Quote) -> Callable[[Any], str]:
    """Return what makes a cell of a value that is neither null nor empty."""
    if column.kind is Kind.TEXT:
        return quote
    if column.kind in {Kind.ENUM, Kind.CLASS}:
        quoted = {code: quote(label) for code, label in column.labels.items()} if options.localize else {}
        return lambda code: quoted.get(code) or quote(code)
    if column.kind is Kind.BOOLEAN:
        yes, no = (options.words.yes, options.words.no) if options.localize else ("yes", "no")
        return lambda value: yes if value else no
    text = _text(column, options)
    return str if text is None else lambda value: quote(text(value))


def _text(column: Column, options: Options) -> Callable[[Any], str] | None:
    """Return what makes a text of a value whose cell is quoted; ``None`` for the bare kinds."""
    labels = column.labels if options.localize else {}
    texts: dict[Kind, Callable[[Any], str]] = {
        Kind.DATE: options.format_date,
        Kind.DATETIME: options.format_datetime,
        Kind.DEADLINE: options.format_datetime,
        Kind.OVERRUN: duration_text,
        Kind.PASSED: lambda value: "yes" if value else "no",
        Kind.PROPERTIES: lambda values: ",".join([f"{name}={value}" for name, value in values.items()]),
        Kind.SECRET: lambda _value: MASK,
        Kind.SET: lambda codes: "|".join([labels.get(code, code) for code in codes]),
    }
    return texts.get(column.kind)


def _document(row: Row, column: Column, options: Options, quote: Quote) -> str:
    """Return the URL of a document, quoted only when it would break the row."""
    url = document_url(column, row, options) or ""
    return quote(url) if options.separator in url else url
