"""What tells one database server, or one SQLite file, from its copies (``docs/clones.md`` argues the choice).

=============  =========================================================================================
engine         facts
=============  =========================================================================================
MariaDB        host name and port of the server, its ``server_uid`` (of network card and port) where it has one
MySQL          host name and port, its ``server_uuid`` (of the data directory)
PostgreSQL     ``system_identifier`` (of the cluster: stays on fail-over), host and port that itopd connects to
SQLite         number and birth of the file, and the machine, as far as the system tells
=============  =========================================================================================

A fact that cannot be known is left out; two identities are compared by the facts that both have.
"""

from __future__ import annotations

import ctypes
import hashlib
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from itopd.database.database import Database
from itopd.errors import DatabaseError

ENGINE: Final = "engine"

_MYSQL_FACTS: Final = {"hostname": "host", "port": "port", "server_uid": "server_uid", "server_uuid": "server_uuid"}
_LOCAL: Final = frozenset({"", "127.0.0.1", "::1", "localhost"})
_MACHINE: Final = Path("/etc/machine-id")

# statx(2): the birth of a file, which Python's os.stat does not tell.
_AT_FDCWD: Final = -100
_STATX_BTIME: Final = 0x800
_STATX_SIZE: Final = 256
_MASK_AT: Final = 0
_BIRTH_AT: Final = 80


def server_identity(database: Database) -> Mapping[str, str]:
    """Return the facts about where a database is, by name; :class:`DatabaseError` when it is away."""
    match database.dialect:
        case "sqlite":
            return _of_file(Path(database.name))
        case "postgresql":
            return _of_postgresql(database)
        case _:
            return _of_mysql(database)


def _of_mysql(database: Database) -> dict[str, str]:
    names = ", ".join(f"'{name}'" for name in _MYSQL_FACTS)
    with database.read() as connection:
        query = sa.text(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
        found = {name.lower(): str(value) for name, value in connection.execute(query)}
    known = {fact: found[variable] for variable, fact in _MYSQL_FACTS.items() if found.get(variable)}
    return {ENGINE: "mysql", **known}


def _of_postgresql(database: Database) -> dict[str, str]:
    with database.read() as connection:
        system = connection.execute(sa.text("SELECT system_identifier FROM pg_control_system()")).scalar()
    url = database.engine.url
    host = str(url.host or url.query.get("host") or "")
    address = f"{'localhost' if host in _LOCAL else host.lower()}:{url.port or 5432}"
    return {ENGINE: "postgresql", "system_identifier": str(system), "address": address}


def _of_file(path: Path) -> dict[str, str]:
    try:
        number = path.stat().st_ino
    except OSError as error:
        raise DatabaseError(f"cannot look at the database file {path}: {error.strerror}") from error
    facts = {ENGINE: "sqlite", "file": str(number)}
    birth, machine = _birth(path), _machine()
    if birth is not None:
        facts["born"] = f"{birth:%Y-%m-%d %H:%M:%S.%f} UTC"
    if machine:
        facts["machine"] = machine
    return facts


def _birth(path: Path) -> datetime | None:
    """Return when the file was made; ``None`` where the system or the file system does not know."""
    call = _statx()
    buffer = ctypes.create_string_buffer(_STATX_SIZE)
    if call is None or call(_AT_FDCWD, bytes(path), 0, _STATX_BTIME, buffer) != 0:
        return None
    (mask,) = struct.unpack_from("=I", buffer, _MASK_AT)
    if not mask & _STATX_BTIME:
        return None
    seconds, nanoseconds = struct.unpack_from("=qI", buffer, _BIRTH_AT)
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=nanoseconds // 1000)


@cache
def _statx() -> Any | None:  # noqa: ANN401 - a foreign function
    return getattr(ctypes.CDLL(None, use_errno=True), "statx", None)


def _machine() -> str:
    """Return what tells this machine from others; empty in most containers. The id itself is confidential."""
    try:
        text = _MACHINE.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):  # there is none: one fact less to compare
        return ""
    is_id = len(text) == 32 and all(digit in "0123456789abcdef" for digit in text)
    return hashlib.sha256(b"itopd" + text.encode()).hexdigest()[:16] if is_id else ""
