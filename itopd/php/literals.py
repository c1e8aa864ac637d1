"""The literal subset of PHP in which iTop's configuration and dictionaries are written.

Accepted: ``$Name = literal;`` and ``$Name['key'] = literal;`` with strings, numbers, ``true``, ``false``, ``null``,
arrays in both spellings, iTop's access constants, and comments. Everything else - a call, a variable, a
concatenation - is refused with its line: PHP is never run. :func:`parse_readable` reads around values that are no
literals and tells which they are; what stands outside of such values is refused by both.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from itopd.errors import SettingsError
from itopd.php.codec import MAX_DEPTH, PhpValue

CONSTANTS: Mapping[str, PhpValue] = {
    "true": True,
    "false": False,
    "null": None,
    "access_readonly": 0,
    "access_admin_write": 2,
    "access_full": 3,
}
"""Words that stand for values, in lower case."""

Path = tuple[str | int, ...]
"""A place in an assigned array: variable name, then keys."""

_TOKEN = re.compile(
    r"""
      (?P<skip>     \s+ | //[^\n]* | \#(?!\[)[^\n]* | /\*.*?\*/ )
    | (?P<end>      \?>\s*\Z )
    | (?P<variable> \$[A-Za-z_]\w* )
    | (?P<single>   '(?:[^'\\]|\\.)*' )
    | (?P<double>   "(?:[^"\\]|\\.)*" )
    | (?P<heredoc>  <<<[ \t]*(?P<mark>["']?)(?P<name>[A-Za-z_]\w*)(?P=mark)\r?\n (?:.*?\n)?? [ \t]*(?P=name)\b )
    | (?P<command>  `(?:[^`\\]|\\.)*` )
    | (?P<number>   [+-]?(?:0[xX][0-9A-Fa-f]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?) )
    | (?P<word>     [A-Za-z_]\w* )
    | (?P<sign>     =>|[=;,()\[\]] )
    | (?P<other>    (?!<<<|\?>)[^'"`] )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(?:([nrtvef\\$\"])|([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u\{([0-9A-Fa-f]{1,6})\})", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "e": "\x1b", "f": "\f", "\\": "\\", "$": "$", '"': '"'}
_NOT_UTF8 = re.compile("[\ud800-\udfff]")
"""What bytes that are not UTF-8 are decoded to."""
_INTERPOLATION = re.compile(r"(?<!\\)(?:\\\\)*(?:\$[A-Za-z_{]|\{\$)")


@dataclass(frozen=True, slots=True)
class Assignments:
    """What a file of literals assigns."""

    variables: Mapping[str, PhpValue]
    lines: Mapping[Path, int]
    """1-based line of each variable and of each key below it."""
    unread: Mapping[Path, Unread] = field(default_factory=dict)
    """Values that are no literals; they are in ``variables`` neither whole nor in part."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A value that only PHP could tell."""

    line: int
    problem: str


def parse_literals(text: str, file: str) -> Assignments:
    """Read a PHP file of literal assignments; raise :class:`SettingsError` with file and line for anything else."""
    return _parser(text, file).parse()


def parse_readable(text: str, file: str) -> Assignments:
    """Read a PHP file of assignments, leaving out values that are no literals; each is told in ``unread``.

    Raises :class:`SettingsError` for statements that are no assignments: they could change anything.
    """
    parser = _parser(text, file)
    parser.reads_around = True
    return parser.parse()


def _parser(text: str, file: str) -> _Parser:
    opening = re.match(r"<\?php(?=\s)", text)
    if opening is None:
        hint = ", but with a byte order mark: save it without" if text.startswith("\ufeff") else ""
        raise SettingsError(f"{file}:1: no PHP file: it does not begin with '<?php'{hint}")
    return _Parser(file, list(_tokens(text, opening.end(), file)))


class _NoLiteral(SettingsError):
    """A value that is no literal, as opposed to a file whose shape is not understood."""

    def __init__(self, message: str, problem: str) -> None:
        super().__init__(message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def _tokens(text: str, position: int, file: str) -> Iterator[_Token]:
    line = 1 + text.count("\n", 0, position)
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise SettingsError(f"{file}:{line}: {_excerpt(text[position])} is no literal; {_REMEDY}")
        kind = found.lastgroup or ""
        if kind == "end":
            break
        if kind != "skip":
            yield _Token(kind, found[0], line)
        line += found[0].count("\n")
        position = found.end()
    yield _Token("stop", "the end of the file", line)


@dataclass(slots=True)
class _Parser:
    """Recursive descent over the tokens; each method reads what its name says."""

    file: str
    tokens: list[_Token]
    at: int = 0
    variables: dict[str, PhpValue] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)
    unread: dict[Path, Unread] = field(default_factory=dict)
    reads_around: bool = False

    def parse(self) -> Assignments:
        while self.tokens[self.at].kind != "stop":
            self.assignment()
        return Assignments(self.variables, self.lines, self.unread)

    def assignment(self) -> None:
        variable = self.take("variable")
        path: Path = (variable.text[1:],)
        while self.skip("["):
            path = (*path, self.key())
            self.expect("]")
        self.expect("=")
        if path in self.lines or path in self.unread:
            self.forget(path)
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], variable.line)
        start = self.at
        try:
            value = self.whole(path, 0)
        except _NoLiteral as error:
            self.remove(path)
            self.read_around(path, start, error)
        else:
            self.store(path, value, variable)
        self.expect(";")

    def whole(self, path: Path, depth: int) -> PhpValue:
        """Read a value, and look that nothing of it is left: ``'a' . 'b'`` begins with a literal."""
        value = self.literal(path, depth)
        token = self.tokens[self.at]
        if self.reads_around and not (token.kind == "sign" and token.text in {",", ")", "]", ";"}):
            raise self.no_literal(token, "is no literal")
        return value

    def read_around(self, path: Path, start: int, error: _NoLiteral) -> None:
        """Pass over the value at ``start`` and note it; raise the error where everything must be a literal."""
        if not self.reads_around:
            raise error
        self.forget(path)
        self.unread[path] = Unread(self.tokens[start].line, error.problem)
        self.at = start
        depth = 0
        while (token := self.tokens[self.at]).kind != "stop":
            if depth == 0 and token.text in {",", ")", "]", ";"}:
                return
            depth += (token.text in {"(", "[", "{"}) - (token.text in {")", "]", "}"})
            self.at += 1

    def forget(self, path: Path) -> None:
        """Drop what is known of a place that is assigned anew."""
        for old in [old for old in self.lines if old[: len(path)] == path]:
            del self.lines[old]
        for old in [old for old in self.unread if old[: len(path)] == path]:
            del self.unread[old]

    def remove(self, path: Path) -> None:
        """Drop the value of a place, which is not known any more."""
        if len(path) == 1:
            self.variables.pop(str(path[0]), None)
            return
        target = self.variables.get(str(path[0]))
        for key in path[1:-1]:
            target = target.get(key) if isinstance(target, dict) else None
        if isinstance(target, dict):
            target.pop(path[-1], None)

    def store(self, path: Path, value: PhpValue, token: _Token) -> None:
        if len(path) == 1:
            self.variables[str(path[0])] = value
            return
        target = self.variables.setdefault(str(path[0]), {})
        for key in path[1:-1]:
            target = target.setdefault(key, {}) if isinstance(target, dict) else target
        if not isinstance(target, dict):
            raise self.refusal(token, "sets a key of something that is no array")
        target[path[-1]] = value

    def literal(self, path: Path, depth: int) -> PhpValue:
        token = self.next()
        match token.kind:
            case "single" | "double":
                return self.string(token)
            case "number":
                return _number(token.text)
            case "word" if token.text.lower() == "array":
                self.expect("(")
                return self.array(path, ")", depth)
            case "word" if token.text.lower() in CONSTANTS:
                return CONSTANTS[token.text.lower()]
            case "sign" if token.text == "[":
                return self.array(path, "]", depth)
        raise self.no_literal(token, "is no literal")

    def array(self, path: Path, closing: str, depth: int) -> dict[str | int, PhpValue]:
        if depth >= MAX_DEPTH:
            raise self.refusal(self.tokens[self.at], f"nests arrays deeper than {MAX_DEPTH}")
        array: dict[str | int, PhpValue] = {}
        following = 0
        while not self.skip(closing):
            token = self.tokens[self.at]
            if self.is_key():
                key = self.key()
                self.expect("=>")
            else:
                key = following
            if isinstance(key, int):
                following = max(following, key + 1)
            place = (*path, key)
            if place in self.lines or place in self.unread:
                self.forget(place)
            self.lines[place] = token.line
            start = self.at
            try:
                array[key] = self.whole(place, depth + 1)
            except _NoLiteral as error:
                array.pop(key, None)
                self.read_around(place, start, error)
            if not self.skip(","):
                self.expect(closing)
                break
        return array

    def is_key(self) -> bool:
        return self.tokens[self.at].kind in {"single", "double", "number"} and self.tokens[self.at + 1].text == "=>"

    def key(self) -> str | int:
        token = self.tokens[self.at]
        value = self.literal((), 0) if token.kind in {"single", "double", "number"} else None
        if isinstance(value, str):
            return int(value) if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value, re.ASCII) else value
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self.refusal(token, "is no key", _STATEMENT_REMEDY)

    def string(self, token: _Token) -> str:
        value = unquoted(token.text)
        if _NOT_UTF8.search(token.text):
            raise self.no_literal(token, "is not UTF-8")
        if value is None:
            raise self.no_literal(token, "holds a variable, or a \\u{...} that is none")
        return value

    def next(self) -> _Token:
        token = self.tokens[self.at]
        if token.kind == "stop":
            raise self.refusal(token, "comes too early")
        self.at += 1
        return token

    def take(self, kind: str) -> _Token:
        token = self.next()
        if token.kind != kind:
            raise self.refusal(token, _misplaced(token, f"a {kind}"), _STATEMENT_REMEDY)
        return token

    def expect(self, sign: str) -> None:
        if not self.skip(sign):
            token = self.tokens[self.at]
            raise self.refusal(token, _misplaced(token, f"'{sign}'"), _STATEMENT_REMEDY)

    def skip(self, sign: str) -> bool:
        token = self.tokens[self.at]
        if token.kind == "sign" and token.text == sign:
            self.at += 1
            return True
        return False

    def no_literal(self, token: _Token, problem: str) -> _NoLiteral:
        return _NoLiteral(self.refusal(token, problem).message, f"{_excerpt(token.text)} {problem}")

    def refusal(self, token: _Token, problem: str, remedy: str = "") -> SettingsError:
        return SettingsError(f"{self.file}:{token.line}: {_excerpt(token.text)} {problem}; {remedy or _REMEDY}")


def _misplaced(token: _Token, expected: str) -> str:
    return "is no literal" if token.kind == "other" else f"stands where {expected} is expected"


_REMEDY = "itopd reads literals only: write the plain value, or set it in itopd's own file"
_STATEMENT_REMEDY = (
    "itopd reads plain assignments only, since anything else could change any setting: write it as one, or let itopd "
    "do without this file (itopd attach with --database_url, --data_model and --set itop_root=DIR)"
)


def unquoted(literal: str) -> str | None:
    """Return what a PHP string in quotes stands for.

    ``None`` for one in double quotes that holds a variable, or the number of a character that there is not.
    """
    content = literal[1:-1]
    if literal[0] == "'":
        return re.sub(r"\\([\\'])", r"\1", content)
    if _INTERPOLATION.search(content) or any(_is_no_character(found[4]) for found in _ESCAPE.finditer(content)):
        return None
    return _ESCAPE.sub(_unescaped, content)


def _is_no_character(code: str | None) -> bool:
    number = int(code or "0", 16)
    return number > sys.maxunicode or 0xD800 <= number < 0xE000


def _number(text: str) -> int | float:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.lstrip("+"))
    if digits[:2].lower() == "0x":
        return sign * int(digits, 16)
    if re.fullmatch(r"0[0-7]+", digits):
        return sign * int(digits, 8)
    if digits.isdigit() and len(digits) <= 18:
        return sign * int(digits)
    return sign * float(digits)  # as PHP makes of an integer that needs more than 64 bits


def _unescaped(found: re.Match[str]) -> str:
    letter, octal, hexadecimal, code = found.groups()
    if letter:
        return _ESCAPED[letter]
    return chr(int(octal, 8) & 0xFF if octal else int(hexadecimal or code, 16))


def _excerpt(text: str) -> str:
    """Return the beginning of a text, but never of a string: it may be a password."""
    if text[:1] in {"'", '"'}:
        return "a string"
    if text[:1] == "`":
        return "a shell command"
    word = re.match(r"the end of the file|\S{1,20}", text)
    return f"'{word[0].encode('utf-8', 'backslashreplace').decode()}'" if word else "something"
