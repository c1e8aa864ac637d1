"""``<code>.dict.php`` of an iTop: the texts of one language, read and never run (``spec/params.md`` §4, *Labels*).

The file is a call whose arguments are the language and an array of literal strings::

    Any::Name('FR FR', array(
        'Class:Person' => 'Personne',
    ));

Real files hold ten thousand entries, so plain entries are read by one pattern. An entry that is no pair of plain texts
(a constant, a concatenation, a heredoc) is named with its line, and the next one is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from itopd.errors import SettingsError
from itopd.php.literals import unquoted

_STRING = r"""(?:'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")"""
_SKIPPED = re.compile(r"(?:\s++|//[^\n]*+|\#(?!\[)[^\n]*+|/\*.*?\*/)++", re.DOTALL)
_ENTRY = re.compile(rf"\s*+({_STRING})\s*+=>\s*+({_STRING})\s*+(?:,|(?=[\])]))", re.DOTALL)
_ONE_STRING = re.compile(_STRING, re.DOTALL)
_CALL = re.compile(r"\\?[A-Za-z_]\w*(?:(?:\\|::|->)[A-Za-z_]\w*)*+\s*+\(", re.ASCII)
_ARRAY = re.compile(r"(?:array\s*+\(|\[)", re.IGNORECASE)
_PIECE = re.compile(
    r"""'(?:[^'\\]|\\.)*+(?:'|\\?\Z)|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)"""
    r"|<<<\s*+([\"']?)(?P<heredoc>[A-Za-z_]\w*)\1\r?\n(?:.*?\n\s*+(?P=heredoc)\b|.*+)"
    r"|//[^\n]*+|\#(?!\[)[^\n]*+|/\*(?:.*?\*/|.*+)|[^'\"<>/#,;(){}\[\]]++|.",
    re.DOTALL,
)
"""One piece of any PHP text: what stands in strings and comments is none of the brackets and commas.

What is begun and never closed is one piece up to the end: looking for its end again and again would take for ever.
"""
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class DictionaryFile:
    """What one file says."""

    language: str
    """iTop's name of the language, such as ``FR FR``."""
    texts: Mapping[str, str]
    """Keys as iTop writes them, ``Class:Person/Attribute:name``; a later entry wins."""
    unread: tuple[str, ...] = ()
    """``line N: what``, for everything that could not be read."""


def read_dictionary(text: str, file: str) -> DictionaryFile:
    """Read the text of a dictionary file; :class:`SettingsError` when it holds no call with a language and texts."""
    reading = _Reading(text)
    opening = re.match(r"(?:\ufeff)?<\?php(?=\s)", text)
    if opening is not None:
        reading.at = opening.end()
        reading.read()
    if not reading.language:
        raise SettingsError(
            f"{file}: it holds no call with a language and an array of texts; give the dictionaries that iTop's "
            "set-up has compiled, env-<environment>/dictionaries/<code>.dict.php"
        )
    return DictionaryFile(reading.language, reading.texts, tuple(_with_lines(text, reading.unread)))


def _with_lines(text: str, found: list[tuple[int, str]]) -> Iterator[str]:
    """Yield what was found, each with the number of its line instead of its place."""
    line, at = 1, 0
    for place, what in sorted(found):
        line, at = line + text.count("\n", at, place), place
        yield f"line {line}: {what}"


@dataclass(slots=True)
class _Reading:
    """Where the reading stands; each method reads what its name says."""

    text: str
    at: int = 0
    language: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    unread: list[tuple[int, str]] = field(default_factory=list)
    """Places in the text, and what stands there."""

    def read(self) -> None:
        while self.skip_blanks():
            if self.text.startswith("?>", self.at):
                return
            start = self.at
            if not self.call():
                self.at = start
                self.pass_over(";", block="}")
                self.unread.append((start, "a statement that is no call with a language and texts"))
            self.taken(";")

    def call(self) -> bool:
        """Read ``Name('FR FR', ..., array(...))``; whether it was one."""
        if not self.matches(_CALL):
            return False
        strings: list[str] = []
        while self.skip_blanks():
            if self.matches(_ARRAY):
                language = strings[0] if strings else ""
                if not language or self.language not in {"", language}:
                    return False
                self.language = language
                self.entries()
                return self.taken(",", ")") and (self.text[self.at - 1] == ")" or self.taken(")"))
            found = self.matches(_ONE_STRING)
            value = unquoted(found[0]) if found else None
            if value is None or not self.taken(","):
                return False
            strings.append(value)
        return False

    def entries(self) -> None:
        """Read the entries of the array and what closes it."""
        text, texts, match = self.text, self.texts, _ENTRY.match
        while True:
            found = match(text, self.at)
            if found is not None:
                key, value = found[1], found[2]
                if "\\" in key or "\\" in value or '"' in (key[0], value[0]):
                    self.escaped_entry(found.start(1), key, value)
                else:
                    texts[key[1:-1]] = value[1:-1]
                self.at = found.end()
            elif not self.skip_blanks() or self.taken(")", "]"):
                return
            elif match(text, self.at) is None:
                self.strange_entry()

    def escaped_entry(self, start: int, key: str, value: str) -> None:
        plain_key, plain = unquoted(key), unquoted(value)
        if plain_key is None or plain is None:
            self.unread.append((start, f"entry {key} holds a variable, or a \\u{{...}} that is none"))
        else:
            self.texts[plain_key] = plain

    def strange_entry(self) -> None:
        """Pass over an entry that is no pair of texts, and name it."""
        start = self.at
        key = _ONE_STRING.match(self.text, start)
        self.pass_over(",")
        self.taken(",")
        what = f"entry {key[0]} is no plain text" if key else "an entry that is no pair of texts"
        self.unread.append((start, what))

    def pass_over(self, end: str, block: str = "") -> None:
        """Go to the next ``end`` that stands in no bracket, or to the bracket that closes what is around.

        A closing bracket right at the beginning closes nothing and is passed over. Something in brackets that ends
        with ``block`` is complete by itself.
        """
        start, depth = self.at, 0
        for piece in self.pieces():
            if depth == 0 and (piece == end or (piece in _CLOSING and self.at > start)):
                return
            depth = max(0, depth + (piece in _OPENING) - (piece in _CLOSING))
            self.at += len(piece)
            if depth == 0 and piece == block:
                return

    def pieces(self) -> Iterator[str]:
        while self.at < len(self.text):
            found = _PIECE.match(self.text, self.at)
            yield found[0] if found else self.text[self.at]

    def skip_blanks(self) -> bool:
        """Pass over blanks and comments; whether something follows."""
        self.matches(_SKIPPED)
        return self.at < len(self.text)

    def matches(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def taken(self, *signs: str) -> bool:
        """Pass over one of these signs; whether one was there."""
        if self.skip_blanks() and self.text[self.at] in signs:
            self.at += 1
            return True
        return False
