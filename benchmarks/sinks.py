"""SMTP servers that take every mail at once and keep none, each in a process of its own.

Postfix's ``smtp-sink`` where it is installed, as it takes the least from the senders; else a small one of our own.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from benchmarks.measure import JobFailed

HOST = "127.0.0.1"

_PATIENCE = 30.0
"""Seconds that a server may take to start."""
_COUNT = re.compile(r"mesg=(\d+)")


@dataclass(frozen=True, slots=True)
class Sink:
    """A running server."""

    port: int
    taken: Callable[[], int]
    """How many mails it has taken."""


def running_sink() -> AbstractContextManager[Sink]:
    """Run a server on a free port of this machine."""
    program = shutil.which("smtp-sink")
    return _postfix_sink(program) if program else _own_sink()


@contextmanager
def _postfix_sink(program: str) -> Iterator[Sink]:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to serve as root
    with tempfile.NamedTemporaryFile(prefix="smtp-sink-") as counted:
        process = subprocess.Popen([program, "-c", *as_nobody, f"{HOST}:{port}", "100"], stdout=counted)

        def taken() -> int:
            counts = _COUNT.findall(Path(counted.name).read_text(encoding="ascii"))
            return int(counts[-1]) if counts else 0

        try:
            _wait_for(port, process)
            yield Sink(port, taken)
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection((HOST, port)):
            return
        time.sleep(0.02)
    raise JobFailed(f"smtp-sink did not serve at {HOST}:{port}")


@contextmanager
def _own_sink() -> Iterator[Sink]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    count: Synchronized[int] = context.Value("i", 0)
    process = context.Process(target=_serve, args=(sender, count), daemon=True)
    process.start()
    sender.close()
    try:
        with receiver:
            if not receiver.poll(_PATIENCE):
                raise JobFailed(f"the SMTP server did not start within {_PATIENCE:.0f} seconds")
            port = receiver.recv()
        yield Sink(port, lambda: count.value)
    finally:
        process.terminate()
        process.join()
        process.close()


def _serve(sender: Any, count: Synchronized[int]) -> None:
    asyncio.run(_listen(sender, count))


async def _listen(sender: Any, count: Synchronized[int]) -> None:
    async def session(reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await _converse(reader, writer, count)
        writer.close()

    server = await asyncio.start_server(session, HOST, 0)
    sender.send(server.sockets[0].getsockname()[1])
    sender.close()
    async with server:
        await server.serve_forever()


async def _converse(reader: StreamReader, writer: StreamWriter, count: Synchronized[int]) -> None:
    writer.write(b"220 sink ready\r\n")
    while line := await reader.readline():
        match line[:4].upper().rstrip():
            case b"EHLO":
                writer.write(b"250-sink\r\n250 8BITMIME\r\n")
            case b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                count.value += 1
                writer.write(b"250 taken\r\n")
            case b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            case _:
                writer.write(b"250 ok\r\n")
