"""What a transport is: takes letters, and tells per recipient what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from itopd.mail.compose import Letter


class Blame(StrEnum):
    """Where a failure comes from, which decides what happens next."""

    TEMPORARY = "temporary"
    """The mail may go through later (a 4xx answer)."""
    PERMANENT = "permanent"
    """The same mail will be refused again (a 5xx answer)."""
    SERVER = "server"
    """Nothing to do with this mail: no connection, a refused login, a server that closes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One recipient that was not accepted."""

    address: str
    text: str
    """The server's answer with its code, or our own reason."""
    permanent: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why nobody received the letter (or nobody can know)."""

    text: str
    blame: Blame


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one letter: it was accepted for all recipients but ``refused``, or there is a ``failure``."""

    refused: tuple[Refusal, ...] = ()
    failure: Failure | None = None


class Transport(Protocol):
    """Takes letters, one at a time; keeps what it needs between them."""

    @property
    def handed_over(self) -> bool:
        """Return whether the letter being sent may already have been taken; until then it can be abandoned."""
        ...

    async def send(self, letter: Letter) -> Receipt:
        """Hand one letter over. A failure is an answer, never an exception."""
        ...

    async def close(self) -> None:
        """Give up what is kept between letters."""
        ...
