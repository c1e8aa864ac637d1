"""Where in its text a query is wrong: byte offset, line and column (``spec/oql.md`` §4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from itopd.errors import OqlError


@contextmanager
def locating(text: str | None) -> Iterator[None]:
    """Add line and column to an error about ``text`` that only knows its byte offset; nothing for ``None``."""
    try:
        yield
    except OqlError as error:
        if error.position is None or error.line is not None or text is None:
            raise
        line, column = line_and_column(text, error.position)
        raise OqlError(
            error.problem,
            f"{error.message} (position {error.position}: line {line}, column {column})",
            word=error.word,
            position=error.position,
            line=line,
            column=column,
            at_end=error.at_end,
            suggestion=error.suggestion,
        ) from None


@contextmanager
def at(position: int) -> Iterator[None]:
    """Add the byte offset to an error of an engine, which does not know it."""
    try:
        yield
    except OqlError as error:
        if error.position is None:
            raise OqlError(error.problem, error.message, word=error.word, position=position) from None
        raise


def line_and_column(text: str, position: int) -> tuple[int, int]:
    """Return line and column of a byte offset, both from 1; columns count characters."""
    before = text.encode("utf-8", "surrogatepass")[:position].decode("utf-8", "replace")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def readable(source: str) -> str:
    """Return bytes-as-characters, as the lexer reads them, as text again."""
    return source.encode("latin-1").decode("utf-8", errors="replace")
