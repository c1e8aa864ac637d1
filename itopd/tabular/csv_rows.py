"""iTop's CSV, read as a stream (``spec/import.md`` §2).

iTop's reader is a state machine over single characters. Here whole lines are taken apart at once where the shape of a
line allows it; only what follows an opening qualifier is walked through, by searching, in :class:`_QuotedRow`. The
tests hold the result against the state machine written out.

Memory: one piece of the stream and one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from itopd.errors import InputError, SettingsError

NULL: Final = "<NULL>"
"""A cell of exactly this text is null, quoted or not."""

TRIMMED: Final = " \t\n\r\0\x0b"
"""What is cut from both ends of a cell that is not quoted."""

LONGEST_ROW: Final = 67_107_840
"""Characters of the longest text any attribute holds: a longer row comes from a qualifier that is never closed."""


class Row(NamedTuple):
    """One row; ``line`` is the 1-based line of the file on which it begins."""

    line: int
    cells: list[str | None]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are told apart: one character each, or empty for none.

    The separator is tested before blanks, those before the qualifier: a qualifier that is one of them never counts.
    """

    separator: str = ","
    qualifier: str = '"'

    def __post_init__(self) -> None:
        for name, value in (("separator", self.separator), ("qualifier", self.qualifier)):
            if len(value) > 1 or value == "\n":
                raise SettingsError(f"{name} must be one character other than a line feed, found {value!r}")


def read_rows(
    pieces: Iterable[str], dialect: Dialect, *, skip: int = 0, longest_row: int = LONGEST_ROW
) -> Iterator[Row]:
    """Yield the kept rows of a text that comes in pieces; ``skip`` raw rows (blank ones too) are passed over first.

    A row that is a single empty or null cell is dropped, so blank lines vanish. Raises :class:`InputError` when a row
    grows beyond ``longest_row`` characters.
    """
    for row in _raw_rows(pieces, dialect, longest_row):
        if skip:
            skip -= 1
        elif len(row.cells) != 1 or row.cells[0]:
            yield row


def _raw_rows(pieces: Iterable[str], dialect: Dialect, longest_row: int) -> Iterator[Row]:
    separator = dialect.separator
    qualifier = "" if dialect.qualifier in {separator, " ", "\t"} else dialect.qualifier
    between = f"{qualifier}{separator}{qualifier}"
    open_row: _QuotedRow | None = None
    number = start = 0
    for number, line in enumerate(_lines(pieces, longest_row), 1):
        if open_row is not None:
            if open_row.size + len(line) > longest_row:
                raise _too_long(start, longest_row)
            if open_row.go_on(line):
                yield Row(start, open_row.cells)
                open_row = None
            continue
        cells: list[str | None]
        if not qualifier or qualifier not in line:
            cells = [cell.strip(TRIMMED) for cell in line.split(separator)] if separator else [line.strip(TRIMMED)]
        elif (
            separator
            and line[0] == line[-1] == qualifier
            and line.count(qualifier) == 2 * len(quoted := line[1:-1].split(between))
        ):
            cells = list[str | None](quoted)
        else:
            row = _QuotedRow(separator, qualifier)
            if not row.begin(line):
                open_row, start = row, number
                continue
            yield Row(number, row.cells)
            continue
        if NULL in line:
            cells = [None if cell == NULL else cell for cell in cells]
        yield Row(number, cells)
    if open_row is not None:
        open_row.end_of_text()
        yield Row(start, open_row.cells)


def _lines(pieces: Iterable[str], longest_row: int) -> Iterator[str]:
    """Yield the lines of the text after every CR LF became LF; the last one may be empty."""
    held = ""  # a CR at the end of a piece, whose LF may come with the next one
    begun: list[str] = []
    size = number = 0
    for piece in pieces:
        text = held + piece
        held = "\r" if text.endswith("\r") else ""
        if held:
            text = text[:-1]
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        first, *others = text.split("\n")
        begun.append(first)
        size += len(first)
        if size > longest_row:
            raise _too_long(number + 1, longest_row)
        if others:
            number += len(others)
            yield "".join(begun)
            last = others.pop()
            yield from others
            begun = [last]
            size = len(last)
    yield "".join([*begun, held])


def _too_long(line: int, longest_row: int) -> InputError:
    return InputError(
        f"the row beginning on line {line} is longer than {longest_row} characters: "
        "a text qualifier is probably not closed, or the separator or the line ends are not what they should be",
        line=line,
    )


class _QuotedRow:
    """A row with a qualifier in it, taken line by line until its last cell is closed."""

    __slots__ = ("_blanks", "_closed", "_pieces", "_qualifier", "_separator", "cells", "size")

    def __init__(self, separator: str, qualifier: str) -> None:
        self._separator = separator
        self._qualifier = qualifier
        self._blanks = " \t".replace(separator, "") if separator else " \t"
        self._pieces: list[str] = []
        self._closed = False
        """Whether a qualifier was just seen that ends the quoted text unless another one follows."""
        self.cells: list[str | None] = []
        self.size = 0

    def begin(self, line: str) -> bool:
        """Take the first line; return whether the row ends with it."""
        return self._cells(line, 0)

    def go_on(self, line: str) -> bool:
        """Take the next line while a quoted cell is open; return whether the row ends with it."""
        self._pieces.append("\n")
        return self._quoted(line, 0)

    def end_of_text(self) -> None:
        """Close the open cell: it swallowed the rest of the text."""
        self._add("".join(self._pieces))

    def _add(self, cell: str) -> None:
        self.cells.append(None if cell == NULL else cell)
        self._pieces = []

    def _cells(self, line: str, at: int) -> bool:
        """Take cells from ``at``, the start of one; return whether the row ends with the line."""
        separator, qualifier, blanks = self._separator, self._qualifier, self._blanks
        while True:
            end = line.find(separator, at) if separator else -1
            text = line[at:] if end < 0 else line[at:end]
            begun = text.lstrip(blanks)
            if begun.startswith(qualifier):
                return self._quoted(line, at + len(text) - len(begun) + 1)
            self._add(text.strip(TRIMMED))
            if end < 0:
                return True
            at = end + 1

    def _quoted(self, line: str, at: int) -> bool:
        """Take the rest of the line from ``at`` inside a quoted cell; return whether the row ends with the line."""
        qualifier, pieces, length = self._qualifier, self._pieces, len(line)
        while True:
            end = line.find(qualifier, at)
            if end < 0:
                pieces.append(line[at:])
                self.size += length
                return False
            pieces.append(line[at:end])
            at = self._past_blanks(line, end + 1)
            if at < length and line[at] == qualifier:
                pieces.append(qualifier)
                at += 1
                continue
            if at == length:
                self._add("".join(pieces))
                return True
            if line[at] == self._separator:
                self._add("".join(pieces))
                return self._cells(line, at + 1)
            # Something else after the closing qualifier is added, and the cell begins anew behind it.
            pieces.append(line[at])
            at = self._past_blanks(line, at + 1)
            if at < length and line[at] == qualifier:
                at += 1
                continue
            return self._after_junk(line, at)

    def _after_junk(self, line: str, at: int) -> bool:
        """Take what follows the first character behind a closed qualifier, no qualifier being next."""
        end = line.find(self._separator, at) if self._separator else -1
        rest = line[at:] if end < 0 else line[at:end]
        text = "".join([*self._pieces, rest])
        # Raw again, the whole cell is trimmed; without a further character it is still as it stands.
        self._add(text.strip(TRIMMED) if rest else text)
        return True if end < 0 else self._cells(line, end + 1)

    def _past_blanks(self, line: str, at: int) -> int:
        while at < len(line) and line[at] in self._blanks:
            at += 1
        return at
