"""A TCP proxy between itopd and a server, which can be cut: for a while, or in the middle of a commit."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.support.servers import HOST


@dataclass
class _Trap:
    """Cuts everything when a client says a word for the n-th time."""

    word: bytes
    count: int
    when: Literal["before", "after"]
    """Whether the server hears the word; the client never hears the answer."""


class Proxy:
    """Forwards connections to a port of this host until it is cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._talks = threading.Event()
        self._talks.set()
        self._sockets: set[socket.socket] = set()
        self._trap: _Trap | None = None
        self._stepped = False
        self._sprung = threading.Event()
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = self._accept_from(self._listener)

    def cut(self) -> None:
        """End all connections and refuse new ones."""
        with self._lock:
            _end(self._listener)
            for one in self._sockets:
                _end(one)
            self._sockets.clear()
        self._accepting.join(10)

    def restore(self) -> None:
        """Take connections again, on the same port."""
        self._listener = socket.create_server((HOST, self.port))
        self._accepting = self._accept_from(self._listener)

    def cut_at(self, word: bytes, count: int = 1, when: Literal["before", "after"] = "after") -> None:
        """End all connections when a client says ``word`` for the ``count``-th time; new ones are taken."""
        self._sprung.clear()
        with self._lock:
            self._trap, self._stepped = _Trap(word, count, when), False

    def fall_silent(self) -> None:
        """Pass nothing on any more and close nothing: a network that loses everything."""
        self._talks.clear()

    def speak(self) -> None:
        """Pass on what comes, and what came meanwhile."""
        self._talks.set()

    def disarm(self) -> bool:
        """Take the trap away; return whether somebody stepped into it, once all is cut and done."""
        with self._lock:
            self._trap = None
        return self._stepped and self._sprung.wait(20)

    def _accept_from(self, listener: socket.socket) -> threading.Thread:
        thread = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        thread.start()
        return thread

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection((HOST, self._target))
            except OSError:  # it was cut
                return
            with self._lock:
                self._sockets |= {client, server}
            for source, sink, from_client in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, sink, from_client), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        with contextlib.suppress(OSError):  # one side hung up
            while data := source.recv(65536):
                if from_client and (trap := self._stepped_on(data)) is not None:
                    self._spring(trap, sink, data)
                    break
                self._talks.wait()
                sink.sendall(data)
        for one in (source, sink):
            _end(one)

    def _stepped_on(self, data: bytes) -> _Trap | None:
        with self._lock:
            trap = self._trap
            if trap is None or trap.word not in data.upper():
                return None
            trap.count -= 1
            if trap.count:
                return None
            self._trap, self._stepped = None, True
            return trap

    def _spring(self, trap: _Trap, server: socket.socket, data: bytes) -> None:
        with self._lock:
            for one in self._sockets - {server}:
                _end(one)
            self._sockets.clear()
        if trap.when == "after":
            server.sendall(data)
            server.settimeout(10)
            with contextlib.suppress(OSError):
                server.recv(65536)  # its answer, which the client never hears: now it is done
        _end(server)
        self._sprung.set()


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextlib.contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """Give a proxy to a port of this host, cut at the end."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.cut()
        proxy.speak()
