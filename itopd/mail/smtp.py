"""SMTP over one kept connection (``spec/email.md`` §4, SMTP dialogue; §5; §10).

The dialogue is ours, the connection, TLS and login are aiosmtplib's: only so is it known at each moment whether the
server may already have taken the mail, and each recipient gets its own answer.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from dataclasses import dataclass, field

import aiosmtplib
import structlog
from aiosmtplib.errors import SMTPException, SMTPResponseException

from itopd.mail.compose import Letter
from itopd.mail.crash_points import crash_point
from itopd.mail.transport import Blame, Failure, Receipt, Refusal

_log = structlog.get_logger(__name__)

_ANSWER_TIMEOUT = 600.0
"""Seconds a server may take to answer after the end of the data (RFC 5321 §4.5.3.2.6)."""
_STUFFED = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where and how to connect."""

    host: str
    port: int
    encryption: str = ""
    """``tls`` = STARTTLS, ``ssl`` = TLS from the start, empty = none."""
    username: str = ""
    password: str = field(default="", repr=False)
    """Empty = no login, whatever the user name says."""
    verify_peer: bool = True
    timeout: float = 30.0
    """Seconds for the connection and for each answer before the data."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _Answered(Exception):
    """The server said no to a command that concerns the whole letter."""

    def __init__(self, stage: str, code: int, text: str) -> None:
        super().__init__(f"{stage}: {_answer(code, text)}")
        self.code = code


class _Client(aiosmtplib.SMTP):
    """A client whose connection is gone the moment it is closed.

    A transport's own ``close`` goes on sending what lies in its buffer for as long as the server takes to read it, and
    over TLS waits for the server's goodbye: a mail already reported as failed could so be delivered, and once more when
    it is repeated.
    """

    def close(self) -> None:
        """End the connection; what was not sent yet never is."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()
        super().close()


class SmtpTransport:
    """Sends letters to one server over one connection, made when needed and kept until ``close``."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._client: _Client | None = None
        self._handed_over = False

    @property
    def handed_over(self) -> bool:
        """Return whether the data of the current letter began to leave: from then on the server may have taken it."""
        return self._handed_over

    async def send(self, letter: Letter) -> Receipt:
        """Hand one letter over; a connection found dead before the data is replaced once."""
        kept = self._client is not None
        self._handed_over = False
        try:
            try:
                return await self._transaction(letter)
            except (_Answered, SMTPException, OSError) as error:
                if not kept or self._handed_over or not _is_lost(error):
                    raise
                # A server may close an idle connection at any time; that says nothing about this letter.
                _log.info("mail.connection.lost", server=str(self._server), reason=str(error))
                self._drop()
                return await self._transaction(letter)
        except _Answered as answer:
            await self._reset(closing=answer.code == 421)
            return Receipt(failure=Failure(str(answer), _blame(answer.code)))
        except (SMTPException, OSError) as error:
            self._drop()
            return Receipt(failure=self._lost(error))
        except BaseException:  # abandoned in the middle of a dialogue
            self._drop()
            raise

    async def close(self) -> None:
        """Say goodbye; a server that does not answer is left."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            await client.execute_command(b"QUIT", timeout=2)  # whatever the answer, that was it
            if client.transport is not None:
                client.transport.close()  # with TLS, says that no more will come (RFC 8446 §6.1)
        except (SMTPException, OSError) as error:
            _log.debug("mail.quit.failed", server=str(self._server), reason=str(error))
        finally:
            client.close()

    async def _transaction(self, letter: Letter) -> Receipt:
        client = await self._connected()
        patience = self._server.timeout
        # One timer for the whole dialogue, moved on with every command, costs less than one per answer.
        async with asyncio.timeout(patience) as limit:
            code, text = await client.execute_command(b"MAIL", _path("FROM", letter.sender), timeout=None)
            if code != 250:
                raise _Answered(f"The server refused the sender {letter.sender}", code, text)
            refused: list[Refusal] = []
            for address in letter.recipients:
                _extend(limit, patience)
                code, text = await client.execute_command(b"RCPT", _path("TO", address), timeout=None)
                if code == 421:
                    raise _Answered(f"The server closed the connection at {address}", code, text)
                if code not in (250, 251, 252):
                    refused.append(Refusal(address, _answer(code, text), permanent=500 <= code < 600))
            _extend(limit, patience)
            if len(refused) == len(letter.recipients):
                await self._reset()
                return Receipt(refused=tuple(refused))
            code, text = await client.execute_command(b"DATA", timeout=None)
            if code != 354:
                raise _Answered("The server refused the data", code, text)
            _extend(limit, _ANSWER_TIMEOUT)
            code, text = await self._data(client, letter.content)
            if code != 250:
                raise _Answered("The server refused the mail", code, text)
        return Receipt(refused=tuple(refused))

    async def _data(self, client: aiosmtplib.SMTP, content: bytes) -> tuple[int, str]:
        protocol = client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        crash_point("mail.before_data")
        self._handed_over = True
        protocol.write(_STUFFED.sub(b"..", content) + b".\r\n")
        crash_point("mail.in_data")
        return await protocol.read_response()

    async def _connected(self) -> _Client:
        if self._client is not None and self._client.is_connected:
            return self._client
        server = self._server
        client = _Client(
            hostname=server.host,
            port=server.port,
            use_tls=server.encryption == "ssl",
            start_tls=server.encryption == "tls",
            tls_context=_tls(server),
            timeout=server.timeout,
            local_hostname=_own_name(),
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await _greet(client)
            if server.password:
                await client.login(server.username, server.password)
        except BaseException:
            client.close()
            raise
        self._client = client
        return client

    async def _reset(self, *, closing: bool = False) -> None:
        """Make the connection ready for the next letter after one that was not taken."""
        if closing or self._client is None:
            self._drop()
            return
        try:
            await self._client.rset()
        except (SMTPException, OSError):
            self._drop()  # the next letter connects anew

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _lost(self, error: Exception) -> Failure:
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, SMTPResponseException):
            reason = _answer(error.code, error.message)
        if self._handed_over:
            text = (
                f"The connection to {self._server} broke after the mail was handed over ({reason}): it may have been "
                "delivered; it is repeated with the same Message-ID."
            )
            return Failure(text, Blame.TEMPORARY)
        return Failure(
            f"The mail server {self._server} cannot be used: {reason}. Check the settings email_transport_smtp.*.",
            Blame.SERVER,
        )


async def _greet(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        if not client.is_connected:
            raise
        await client.helo()


def _path(verb: str, address: str) -> bytes:
    return f"{verb}:<{address}>".encode("ascii")


def _extend(limit: asyncio.Timeout, seconds: float) -> None:
    limit.reschedule(asyncio.get_running_loop().time() + seconds)


def _tls(server: SmtpServer) -> ssl.SSLContext | None:
    if not server.encryption:
        return None
    context = ssl.create_default_context()
    if not server.verify_peer:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _own_name() -> str:
    """Return the name to say in EHLO: ours when it is a full one, else iTop's ``localhost``."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "localhost"


def _is_lost(error: Exception) -> bool:
    """Return whether a dead connection, not an answer, is the reason."""
    if isinstance(error, _Answered | SMTPResponseException):
        return error.code == 421
    return isinstance(error, aiosmtplib.SMTPServerDisconnected | OSError) and not isinstance(
        error, aiosmtplib.SMTPConnectError | TimeoutError
    )


def _blame(code: int) -> Blame:
    if code == 421:
        return Blame.SERVER
    return Blame.PERMANENT if 500 <= code < 600 else Blame.TEMPORARY


def _answer(code: int, text: str) -> str:
    return f"{code} {' '.join(text.encode('utf-8', 'replace').decode('utf-8').split())}".strip()
