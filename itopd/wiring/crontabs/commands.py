"""A shell command as a list of pipelines of programs: what cron's lines mostly are.

Loops, conditions, groups and here-documents are not read: :class:`NotPlain` says which of them there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from itopd.wiring.crontabs.words import Word, words_of

_ENDS: Final = frozenset({"&&", "||", ";", "&"})
_PIPES: Final = frozenset({"|", "|&"})
_REDIRECTIONS: Final = frozenset({">", ">>", "&>", "&>>", ">&", ">|", "<", "<&"})
_KEYWORDS: Final = frozenset(
    ("if", "then", "elif", "else", "fi", "for", "select", "while", "until", "do", "done", "case", "esac", "function",
     "{", "}", "!")
)  # fmt: skip
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


class NotPlain(Exception):
    """The command is more than a list of pipelines; the text is the sign that says so."""


@dataclass(frozen=True, slots=True)
class Redirection:
    """``2> file``."""

    operator: str
    stream: str
    target: Word


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its words."""

    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]

    @property
    def program(self) -> str:
        """Return the name of the program, without its path."""
        path = self.words[0].text
        return PurePosixPath(path).name or path


@dataclass(slots=True)
class Pipeline:
    """Programs of which each reads what the one before it prints."""

    before: str
    """What stands before it: ``&&``, ``||``, ``;``, ``&``; empty for the first."""
    commands: list[Command] = field(default_factory=list)

    @property
    def program(self) -> str:
        """Return the name of its first program."""
        return self.commands[0].program


def pipelines(text: str, environment: Mapping[str, str]) -> Iterator[Pipeline]:
    """Yield the pipelines of a command; what the line assigns counts from there on.

    Raises :class:`NotPlain`, and ``ValueError`` for a quote that is not closed.
    """
    variables = dict(environment)
    pipeline = Pipeline("")
    words: list[Word] = []
    redirections: list[Redirection] = []

    def end_command() -> None:
        if words and not _assigned(words, variables):
            pipeline.commands.append(Command(tuple(words), tuple(redirections)))
        words.clear()
        redirections.clear()

    tokens = words_of(text, variables)
    for token in tokens:
        if isinstance(token, Word):
            if not words and token.text in _KEYWORDS:
                raise NotPlain(token.text)
            words.append(token)
        elif token.text in _REDIRECTIONS:
            target = next(tokens, None)
            if isinstance(target, Word):
                redirections.append(Redirection(token.text, token.stream, target))
        elif token.text in _PIPES:
            end_command()
        elif token.text in _ENDS:
            end_command()
            if pipeline.commands:
                yield pipeline
            pipeline = Pipeline(token.text)
        else:
            raise NotPlain(token.text)
    end_command()
    if pipeline.commands:
        yield pipeline


def assignment(word: Word) -> tuple[str, str] | None:
    """Return name and value of ``NAME=value``."""
    found = _ASSIGNMENT.fullmatch(word.text)
    return (found[1], found[2]) if found is not None else None


def _assigned(words: list[Word], variables: dict[str, str]) -> bool:
    """Take over what a command assigns to variables; return whether it does nothing else."""
    named = words[1:] if words[0].text == "export" else words
    found = [assignment(word) for word in named]
    if not all(found):
        return False
    for word, pair in zip(named, found, strict=True):
        if pair is not None:
            variables.pop(pair[0], None)
            if not word.live:
                variables[pair[0]] = pair[1]
    return True
