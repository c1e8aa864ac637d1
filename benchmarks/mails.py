"""The mails of the queue, and the server that takes them."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from benchmarks.databases import Place, opened
from benchmarks.measure import JobFailed
from itopd.clock import SystemClock, to_itop
from itopd.mail import Address, Message, put_all

_PATIENCE = 30.0
"""Seconds that the server may take to start."""
_BODY = """<p>Dear caller,</p>
<p>the status of your request <strong>R-{number:06}</strong> is now <em>assigned</em>. Our team has been informed and
will come back to you before the end of the working day.</p>
<table><tr><th>Service</th><td>Réseau &amp; Telephony</td></tr><tr><th>Priority</th><td>medium</td></tr></table>
<ul><li>Do not answer this mail.</li><li>Follow the request in
<a href="https://itop.grid.example/pages/UI.php?operation=details&amp;class=UserRequest&amp;id={number}">iTop</a>.</li>
</ul><p>Kind regards,<br>the service desk of Northwind Grid</p>"""


def queue_mails(place: Place, count: int) -> None:
    """Put ``count`` notifications into the queue."""
    messages = [
        Message(
            sender=Address("servicedesk@grid.example", "Service desk Énergie"),
            to=f"caller{number}@grid.example",
            subject=f"[R-{number:06}] Your request has been assigned – équipe réseau",
            body=_BODY.format(number=number),
        )
        for number in range(1, count + 1)
    ]
    with opened(place) as database, database.write() as connection:
        now = to_itop(SystemClock().now(), database.timezone)
        put_all(connection, database, [(message, 0) for message in messages], now)


@dataclass(frozen=True, slots=True)
class Sink:
    """An SMTP server in a process of its own that takes every mail at once and keeps none."""

    port: int
    _taken: Synchronized[int]

    @property
    def taken(self) -> int:
        """Return how many mails it has taken."""
        return self._taken.value


@contextmanager
def running_sink() -> Iterator[Sink]:
    """Run the server on a free port of this machine."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    taken: Synchronized[int] = context.Value("i", 0)
    process = context.Process(target=_serve, args=(sender, taken), daemon=True)
    process.start()
    sender.close()
    try:
        with receiver:
            if not receiver.poll(_PATIENCE):
                raise JobFailed(f"the SMTP server did not start within {_PATIENCE:.0f} seconds")
            port = receiver.recv()
        yield Sink(port, taken)
    finally:
        process.terminate()
        process.join()
        process.close()


def _serve(sender: Any, taken: Synchronized[int]) -> None:
    asyncio.run(_listen(sender, taken))


async def _listen(sender: Any, taken: Synchronized[int]) -> None:
    async def session(reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await _converse(reader, writer, taken)
        writer.close()

    server = await asyncio.start_server(session, "127.0.0.1", 0)
    sender.send(server.sockets[0].getsockname()[1])
    sender.close()
    async with server:
        await server.serve_forever()


async def _converse(reader: StreamReader, writer: StreamWriter, taken: Synchronized[int]) -> None:
    writer.write(b"220 sink ready\r\n")
    while line := await reader.readline():
        match line[:4].upper().rstrip():
            case b"EHLO":
                writer.write(b"250-sink\r\n250 8BITMIME\r\n")
            case b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                taken.value += 1
                writer.write(b"250 taken\r\n")
            case b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            case _:
                writer.write(b"250 ok\r\n")
