"""Transports that keep mails on this machine: one file each, one common log, or nothing at all."""

from __future__ import annotations

import os
import re
from pathlib import Path

from itopd.mail.compose import Letter
from itopd.mail.transport import Blame, Failure, Receipt

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9@._-]")


class DirectoryTransport:
    """One ``.eml`` file per mail, named by its Message-ID: a mail that is repeated overwrites itself."""

    handed_over = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, letter: Letter) -> Receipt:
        """Write one file; it appears complete or not at all."""
        name = _NOT_IN_NAMES.sub("_", letter.message_id)[:200].lstrip(".") or "mail"
        path = self._folder / f"{name}.eml"
        unfinished = path.with_name(path.name + ".part")
        envelope = f"X-Envelope-From: <{letter.sender}>\r\nX-Envelope-To: {', '.join(letter.recipients)}\r\n"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.write(envelope.encode("ascii") + letter.content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError as error:
            return Receipt(failure=Failure(f"{path} cannot be written: {error.strerror}.", Blame.SERVER))
        return Receipt()

    async def close(self) -> None:
        """Nothing is kept."""


class LogFileTransport:
    """All mails one after the other in one file (iTop's keeps only the last)."""

    handed_over = False

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, letter: Letter) -> Receipt:
        """Append one mail."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(f"---- from {letter.sender} to {', '.join(letter.recipients)}\r\n".encode("ascii"))
                file.write(letter.content + b"\r\n")
        except OSError as error:
            return Receipt(failure=Failure(f"{self._path} cannot be written: {error.strerror}.", Blame.SERVER))
        return Receipt()

    async def close(self) -> None:
        """Nothing is kept."""


class NullTransport:
    """Takes everything and keeps nothing. (iTop's ``Null`` talks SMTP to localhost:25; ours does not.)"""

    handed_over = False

    async def send(self, letter: Letter) -> Receipt:  # noqa: ARG002 - that is the point
        """Forget one letter."""
        return Receipt()

    async def close(self) -> None:
        """Nothing is kept."""
