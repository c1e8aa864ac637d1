"""What systemd is told, ``sd_notify(3)``: datagrams to the socket that ``NOTIFY_SOCKET`` names, nothing without one.

Also works with whatever else speaks this protocol, as podman does. The environment is read once and cleared, so that
no child ever speaks in our name.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Final

_GRACE: Final = 10.0
"""Seconds that the end of a process takes beside its runs."""


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """The service manager that started us; without a socket every call does nothing."""

    address: str = ""
    """``/run/...``, or ``@name`` for an abstract socket; empty: nobody listens."""
    watchdog_seconds: float | None = None
    """How long it waits for a sign of life before it kills us; ``None``: for ever."""
    lost: list[str] = field(default_factory=list)
    """Why a message could not be sent, each reason once."""

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> ServiceManager:
        """Return the one that ``environ`` names, and take its variables out."""
        address = environ.pop("NOTIFY_SOCKET", "")
        usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        watched = usec.isascii() and usec.isdigit() and int(usec) > 0 and pid in ("", str(os.getpid()))
        if not address.startswith(("/", "@")):
            return cls()
        return cls(address, int(usec) / 1_000_000 if watched else None)

    def ready(self, status: str) -> None:
        """Tell that we are able to work, at the start or after a reload."""
        self._send({"READY": "1", "STATUS": status})

    def status(self, text: str) -> None:
        """Tell what we are doing, for people."""
        self._send({"STATUS": text})

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send({"WATCHDOG": "1"})

    def reloading(self) -> None:
        """Tell that a reload has begun; :meth:`ready` ends it (``Type=notify-reload``)."""
        self._send({"RELOADING": "1", "MONOTONIC_USEC": str(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)})

    def stopping(self, status: str, seconds: float) -> None:
        """Tell that we are about to end, within ``seconds`` and a little."""
        grace = int((seconds + _GRACE) * 1_000_000)
        self._send({"STOPPING": "1", "STATUS": status, "EXTEND_TIMEOUT_USEC": str(grace)})

    def _send(self, fields: Mapping[str, str]) -> None:
        if not self.address:
            return
        text = "\n".join(f"{name}={' '.join(value.split())}" for name, value in fields.items())
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(1)  # a manager whose queue is full must not hold up the daemon
                sender.sendto(text.encode(), address)
        except OSError as error:
            reason = error.strerror or str(error)
            if reason not in self.lost:
                self.lost.append(reason)
