"""Text -> lexemes: the rules of ``spec/oql.md`` §1, with the terminals that ``grammar.lark`` declares.

One pass of one regular expression: the time grows with the length of the text and with nothing else. The text is UTF-8
bytes, one character each, so that every offset is a byte offset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lark.common import LexerConf
from lark.lexer import Lexer, PatternStr

from itopd.errors import OqlError
from itopd.oql.functions import FUNCTIONS
from itopd.oql.limits import MAX_PARENTHESES, too_deep
from itopd.oql.places import readable

_BLANKS = r"[ \t\r\n]*+"
_NAME = "PLAIN_NAME"
_UNIT_FUNCTIONS = ("YEAR", "MONTH", "DAY")
_ALIKE = {
    "OR_OPERATOR": ("OR", "|", "^"),
    "AND_OPERATOR": ("AND", "&"),
    "COMPARISON": ("+", "!=", "<", ">", "<=", ">=", "LIKE", "NOT LIKE", "REGEXP"),
    "EQUAL": ("=",),
    "MINUS": ("-",),
    "MULTIPLICATION": ("*", "/", "<<", ">>"),
    "IN_OPERATOR": ("IN", "NOT IN"),
    "TREE_OPERATOR": tuple(
        f"{negated}{direction}{strict}"
        for negated in ("", "NOT ")
        for direction in ("BELOW", "ABOVE")
        for strict in ("", " STRICT")
    ),
    "FUNCTION": tuple(FUNCTIONS.keys() - _UNIT_FUNCTIONS),
    "UNIT": ("SECOND", "MINUTE", "HOUR"),
    "UNIT_FUNCTION": _UNIT_FUNCTIONS,
}
"""Terminal -> the words and symbols that the grammar does not tell apart, which keeps its tables small."""
_STEPS = {"(": 1, ")": -1}


class Lexeme:
    """A word of the language; lark asks for the attributes below, of which only these three mean something here."""

    __slots__ = ("start_pos", "text", "type")

    line = column = end_line = end_column = end_pos = None

    def __init__(self, type_: str, text: str, start_pos: int) -> None:
        self.type = type_
        self.text = text
        self.start_pos = start_pos

    def __str__(self) -> str:
        return self.text


class OqlLexer(Lexer):
    """Reads lexemes; the longest wins, and a keyword wins over a name of the same length."""

    def __init__(self, lexer_conf: LexerConf) -> None:
        terminals = [t for t in lexer_conf.terminals if t.name not in {*lexer_conf.ignore, *_ALIKE}]
        fixed = {t.pattern.value: t.name for t in terminals if isinstance(t.pattern, PatternStr)}
        fixed |= {text: name for name, texts in _ALIKE.items() for text in texts}
        patterns = [t for t in terminals if not isinstance(t.pattern, PatternStr)]
        self._keywords = {text: name for text, name in fixed.items() if text.isidentifier()}
        self._fixed = {text: name for text, name in fixed.items() if text not in self._keywords}
        # Operators of two words are longer than the name that they begin with, as hexadecimal numbers are than a zero.
        by_length = sorted(self._fixed, key=len, reverse=True)
        words, symbols = ([re.escape(text) for text in by_length if (" " in text) is two] for two in (True, False))
        patterns.sort(key=lambda terminal: terminal.priority, reverse=True)
        self._types = ["", "", *(terminal.name for terminal in patterns), "", "WRONG"]
        groups = ["|".join(words), *(t.pattern.to_regexp() for t in patterns), "|".join(symbols), "."]
        self._next = re.compile(_BLANKS + f"(?:{'|'.join(f'({group})' for group in groups)})", re.DOTALL)

    def lex(self, source: str) -> Iterator[Lexeme]:  # type: ignore[override]  # lark's signature for own lexers
        """Yield the lexemes of a text; raise ``lexical`` errors and ``too_complex``."""
        types, keywords, fixed, depth = self._types, self._keywords, self._fixed, 0
        for found in self._next.finditer(source):
            group = found.lastindex or 0
            text, type_ = found[group], types[group]
            if type_ == _NAME:
                type_ = keywords.get(text, _NAME)
            elif not type_:
                type_ = fixed[text]
                depth += _STEPS.get(text, 0)
                if depth > MAX_PARENTHESES:
                    raise too_deep(found.start(group))
            elif type_ == "WRONG":
                raise _lexical_error(source, found.start(group))
            yield Lexeme(type_, text, found.start(group))


def _lexical_error(source: str, position: int) -> OqlError:
    character = source[position]
    if character in "'\"":
        hint = "a text starts here which is not ended, or holds a backslash before something else than its quote or \\"
    elif character == "`":
        hint = "a quoted name starts here which is empty or not ended"
    else:
        character = readable(source[position : position + 4])[0]
        hint = "no word of the language starts so"
    return OqlError("lexical", f"unexpected {character!r}: {hint}", word=character, position=position)
