"""The text of a shell command as words and operators: quotes, backslashes, comments, variables.

What the table of cron or the line itself sets is put in. What only the shell works out (``$HOSTNAME``, ``$(date)``)
stays in its word as it is written, and can be told from text (:class:`Live`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_BLANKS: Final = " \t\n"
_OPERATORS: Final = (
    "&>>", "<<<", "&&", "||", ";;", "|&", "&>", ">>", ">|", ">&", "<<", "<&", "<>", ";", "|", "&", "(", ")", ">", "<",
)  # fmt: skip
"""Longest first."""
_ENDS_A_WORD: Final = frozenset(_BLANKS + ";&|()<>")
_STREAM: Final = re.compile(r"\d+(?=[<>])")
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_SPECIAL: Final = "0123456789?$!#@*-"
_ESCAPED_IN_QUOTES: Final = '$`"\\'


@dataclass(frozen=True, slots=True)
class Live:
    """A part of a word that only the shell works out."""

    text: str
    """As it is written: ``$(date +%F)``."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word."""

    parts: tuple[str | Live, ...]

    @property
    def text(self) -> str:
        """Return the word, with what only the shell works out as it is written."""
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)

    @property
    def live(self) -> tuple[str, ...]:
        """Return what only the shell works out, as it is written."""
        return tuple(part.text for part in self.parts if isinstance(part, Live))


@dataclass(frozen=True, slots=True)
class Operator:
    """``&&``, ``|``, ``>``, ..."""

    text: str
    stream: str = ""
    """The number before a redirection."""


def words_of(text: str, variables: Mapping[str, str]) -> Iterator[Word | Operator]:
    """Yield words and operators; ``variables`` is asked when a word is read, so it may change in between.

    Raises ``ValueError`` for a quote or parenthesis that is not closed.
    """
    return _Scanner(text, variables).tokens()


@dataclass(slots=True)
class _Builder:
    """Collects the parts of one word, or of several where the value of a variable falls into words."""

    words: list[list[str | Live]] = field(default_factory=lambda: [[]])

    def add(self, part: str | Live) -> None:
        """Add a part; an empty one, which quotes make, counts as a word."""
        self.words[-1].append(part)

    def add_split(self, value: str) -> None:
        """Add the value of a variable outside quotes."""
        if value[:1].isspace() and self.words[-1]:
            self.words.append([])
        for number, piece in enumerate(value.split()):
            if number:
                self.words.append([])
            self.add(piece)
        if value.strip() and value[-1].isspace():
            self.words.append([])

    def finished(self) -> Iterator[Word]:
        for parts in self.words:
            if parts:
                yield Word(_joined(parts))


class _Scanner:
    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self._text = text
        self._variables = variables
        self._at = 0

    def tokens(self) -> Iterator[Word | Operator]:
        while self._at < len(self._text):
            if self._text[self._at] in _BLANKS:
                self._at += 1
            elif self._text[self._at] == "#":
                return
            else:
                stream = _STREAM.match(self._text, self._at)
                at = stream.end() if stream else self._at
                operator = next((one for one in _OPERATORS if self._text.startswith(one, at)), None)
                if operator is None:
                    yield from self._word()
                else:
                    self._at = at + len(operator)
                    yield Operator(operator, stream[0] if stream else "")

    def _word(self) -> Iterator[Word]:
        builder = _Builder()
        if self._text[self._at] == "~":
            self._home(builder)
        while self._at < len(self._text) and self._text[self._at] not in _ENDS_A_WORD:
            character = self._text[self._at]
            if character == "'":
                builder.add(self._up_to("'"))
            elif character == '"':
                builder.add("")
                self._quoted(builder)
            elif character in "$`":
                part = self._expansion()
                builder.add_split(part) if isinstance(part, str) else builder.add(part)
            elif character == "\\" and self._at + 1 < len(self._text):
                builder.add(self._text[self._at + 1])
                self._at += 2
            else:
                builder.add(character)
                self._at += 1
        yield from builder.finished()

    def _quoted(self, builder: _Builder) -> None:
        """Read what stands between double quotes."""
        self._at += 1
        while self._peek() != '"':
            character = self._peek()
            if not character:
                raise ValueError("No closing quotation")
            if character in "$`":
                part = self._expansion()
                # A plain dollar sign comes back as text.
                builder.add(part)
            elif character == "\\" and self._peek(1) and self._peek(1) in _ESCAPED_IN_QUOTES:
                builder.add(self._peek(1))
                self._at += 2
            else:
                builder.add(character)
                self._at += 1
        self._at += 1

    def _expansion(self) -> str | Live:
        """Read what begins with a dollar sign or a back quote; text where it is known."""
        start, following = self._at, self._peek(1)
        name = _NAME.match(self._text, start + 1)
        if self._peek() == "`":
            self._up_to("`")
        elif following == "(":
            self._parenthesis()
        elif following == "{":
            inside = self._up_to("}", start + 1)
            if inside in self._variables:
                return self._variables[inside]
        elif name is not None:
            self._at = name.end()
            if name[0] in self._variables:
                return self._variables[name[0]]
        elif following and following in _SPECIAL:
            self._at += 2
        elif following == "'":
            self._up_to("'", start + 1)
        else:
            self._at += 1
            return "$"
        return Live(self._text[start : self._at])

    def _home(self, builder: _Builder) -> None:
        """Read a tilde at the beginning of a word."""
        name = re.compile(r"~([\w.-]*)(?=$|[/\s;&|()<>])").match(self._text, self._at)
        if name is None:
            return
        self._at = name.end()
        home = self._variables.get("HOME", "") if not name[1] else ""
        builder.add(home or Live(name[0]))

    def _up_to(self, closing: str, start: int | None = None) -> str:
        """Return what stands between the opening sign and the closing one, and go behind that."""
        begin = (self._at if start is None else start) + 1
        end = self._text.find(closing, begin)
        while closing == "`" and end > 0 and self._text[end - 1] == "\\":
            end = self._text.find(closing, end + 1)
        if end < 0:
            raise ValueError("No closing quotation" if closing in "'`" else f"No closing {closing}")
        self._at = end + 1
        return self._text[begin:end]

    def _parenthesis(self) -> None:
        """Go behind the parenthesis that closes the one after a dollar sign."""
        self._at += 2
        depth = 1
        while depth:
            character = self._peek()
            if not character:
                raise ValueError("No closing parenthesis")
            if character in "'\"":
                self._up_to(character)
                continue
            depth += {"(": 1, ")": -1}.get(character, 0)
            self._at += 2 if character == "\\" else 1

    def _peek(self, ahead: int = 0) -> str:
        return self._text[self._at + ahead : self._at + ahead + 1]


def _joined(parts: list[str | Live]) -> tuple[str | Live, ...]:
    """Return the parts with neighbouring texts made one."""
    found: list[str | Live] = []
    for part in (part for part in parts if part):
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        else:
            found.append(part)
    return tuple(found)
