"""A local SMTP server that accepts every mail and writes one line per mail: the demonstration's outside world.

Run as ``python -m itopd.cli.demo.sink FOLDER``: it listens on a free port of 127.0.0.1, writes that port to
``FOLDER/port``, keeps each mail as ``FOLDER/<n>.eml`` and appends its Message-ID to ``FOLDER/received``.
"""

from __future__ import annotations

import asyncio
import email.parser
import sys
from asyncio import StreamReader, StreamWriter
from itertools import count
from pathlib import Path

SECONDS_PER_MAIL = 0.01
"""What a real server takes to accept a mail; also what makes "in the middle" last long enough to be hit."""


async def serve(folder: Path) -> None:
    """Accept mails until killed, or until the other end of the standard input is gone: who started it died."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = count(1)

    async def session(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await _converse(reader, writer, folder, numbers)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client was killed in the middle: that is what the demonstration does
        finally:
            writer.close()

    server = await asyncio.start_server(session, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    announcement = folder / "port.new"
    announcement.write_text(str(port))
    announcement.rename(folder / "port")
    async with server:
        await asyncio.to_thread(sys.stdin.buffer.read)


async def _converse(reader: StreamReader, writer: StreamWriter, folder: Path, numbers: count[int]) -> None:
    async def say(line: str) -> None:
        writer.write(line.encode("ascii") + b"\r\n")
        await writer.drain()

    await say("220 sink ready")
    while line := await reader.readline():
        match line[:4].upper().strip():
            case b"EHLO":
                await say("250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8")
            case b"DATA":
                await say("354 go on")
                content = await reader.readuntil(b"\r\n.\r\n")
                await asyncio.sleep(SECONDS_PER_MAIL)
                _keep(content, folder, next(numbers))
                await say("250 taken")
            case b"QUIT":
                await say("221 bye")
                return
            case _:
                await say("250 ok")


def _keep(content: bytes, folder: Path, number: int) -> None:
    (folder / f"{number:03}.eml").write_bytes(content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."))
    headers = email.parser.BytesHeaderParser().parsebytes(content)
    with (folder / "received").open("a", encoding="utf-8") as log:
        log.write(f"{headers['Message-ID']}\n")


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
