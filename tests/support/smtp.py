"""A small SMTP server whose every answer a test can script, and which remembers what it was told."""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

DROP = "drop"
"""An answer: close the connection without a word."""
SILENCE = "silence"
"""An answer: say nothing and keep the connection."""

_STEPS_OF_ACCEPTING = 4
"""Turns of the loop until a connection just taken has a session that closes it: cancelled before, nobody does."""

Script = Callable[[str, str], str | None]
"""(stage, argument) -> the answer, ``None`` for the usual one. Stages: ``banner``, the verbs, ``dot`` (after data)."""

_USUAL = {
    "banner": "220 ready",
    "HELO": "250 test",
    "EHLO": "250-test\r\n250-AUTH PLAIN\r\n250 8BITMIME",
    "MAIL": "250 sender ok",
    "RCPT": "250 recipient ok",
    "DATA": "354 go on",
    "dot": "250 taken",
    "RSET": "250 reset",
    "NOOP": "250 ok",
    "AUTH": "235 welcome",
    "STARTTLS": "220 go on",
    "QUIT": "221 bye",
}


@dataclass(frozen=True, slots=True)
class Received:
    """One mail that the server answered for with 250."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """Return the mail as the standard library reads it."""
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    @property
    def message_id(self) -> str:
        """Return the Message-ID, with its brackets."""
        found = re.search(rb"^Message-ID: (\S+)\r$", self.content, re.MULTILINE)
        return found[1].decode() if found else ""


@dataclass
class SmtpServer:
    """What happened at the server. ``received`` and ``commands`` grow while it runs."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    script: Script | None = None
    tls: ssl.SSLContext | None = None
    """For STARTTLS."""

    @property
    def delivered(self) -> list[str]:
        """Return the ids of the mails received, in order."""
        return [mail.message_id for mail in self.received]

    def _answer(self, stage: str, argument: str = "") -> str:
        answer = self.script(stage, argument) if self.script else None
        if answer is None and stage == "EHLO" and self.tls is not None:
            return "250-test\r\n250 STARTTLS"
        return answer if answer is not None else _USUAL.get(stage, "500 what?")

    async def _session(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left, which some tests want
        finally:
            writer.close()

    async def _say(self, writer: StreamWriter, answer: str) -> bool:
        """Give an answer; ``False``: the connection is to be closed."""
        if answer == DROP:
            return False
        if answer != SILENCE:
            writer.write(answer.encode("utf-8") + b"\r\n")
            await writer.drain()
        return not answer.startswith("421")

    async def _talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        if not await self._say(writer, self._answer("banner")):
            return
        sender, recipients, greeted = "", list[str](), False
        while line := await reader.readline():
            command = line.decode("ascii").rstrip("\r\n")
            self.commands.append(command)
            verb, _, argument = command.partition(" ")
            answer = self._answer(verb.upper(), argument)
            greeted = greeted or (verb.upper() in ("EHLO", "HELO") and answer.startswith("250"))
            if not greeted and answer.startswith("250"):
                answer = "503 who are you?"
            if not await self._say(writer, answer):
                return
            match verb.upper():
                case "MAIL":
                    sender, recipients = _address(argument), []
                case "RCPT" if answer.startswith("25"):
                    recipients.append(_address(argument))
                case "STARTTLS" if answer.startswith("220") and self.tls is not None:
                    await writer.start_tls(self.tls)
                    greeted = False
                case "DATA" if answer.startswith("354"):
                    content = await reader.readuntil(b"\r\n.\r\n")
                    verdict = self._answer("dot", sender)
                    if verdict.startswith("250") or verdict == DROP + " after taking":
                        mail = content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
                        self.received.append(Received(sender, tuple(recipients), mail))
                    if verdict.startswith(DROP) or not await self._say(writer, verdict):
                        return
                case "QUIT":
                    return


def _address(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]


@contextmanager
def smtp_server(script: Script | None = None, *, tls: ssl.SSLContext | None = None) -> Iterator[SmtpServer]:
    """Run a server on a free port of 127.0.0.1, in a thread of its own."""
    state = SmtpServer(script=script, tls=tls)
    loop = asyncio.new_event_loop()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(state._session, "127.0.0.1", 0, limit=2**26)

    async def stop(server: asyncio.Server) -> None:
        for _ in range(_STEPS_OF_ACCEPTING):
            await asyncio.sleep(0)
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await server.wait_closed()

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(start(), loop).result(60)
        state.port = server.sockets[0].getsockname()[1]
        try:
            yield state
        finally:
            asyncio.run_coroutine_threadsafe(stop(server), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
