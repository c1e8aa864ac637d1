"""PyMySQL's connections without the certificates that nobody asks for.

Unless the URL says something about TLS, PyMySQL encrypts when the server can and checks nobody's certificate. It reads
all of the system's authorities for that all the same, at every connection: 20 ms of processor time, more than the rest.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import TYPE_CHECKING, Any

import pymysql
import sqlalchemy as sa
from sqlalchemy.engine import Engine

if TYPE_CHECKING:
    _Base = pymysql.Connection[pymysql.cursors.Cursor]
else:  # generic in the annotations alone
    _Base = pymysql.Connection


def connect_quickly(engine: Engine) -> None:
    """Let an engine on PyMySQL read authorities only where its URL asks for a check; leave other drivers alone."""
    if engine.dialect.driver != "pymysql":
        return

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, positional: tuple[Any, ...], named: dict[str, Any]) -> _Connection:
        return _Connection(*positional, **named)


class _Connection(_Base):
    def _create_ssl_ctx(self, options: dict[str, object]) -> ssl.SSLContext:
        """Return what PyMySQL would, the same one for all who gave no options."""
        return super()._create_ssl_ctx(options or _unchecked())  # type: ignore[misc,no-any-return]


@cache
def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
