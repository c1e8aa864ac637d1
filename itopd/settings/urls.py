"""Database URLs as SQLAlchemy spells them, made and changed as text: settings load before SQLAlchemy does."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)([^?]*)(.*)", re.DOTALL)
_PASSWORD = re.compile(r"(://[^:/@]*:).*(@)", re.DOTALL)
_PASSWORD_OPTION = re.compile(r"([?&][^=&]*pass(?:word|wd)?[^=&]*=)[^&]*", re.IGNORECASE)
"""As drivers spell it: ``password``, ``passwd``, ``sslpassword``, ``ssl_key_password``."""


def place_sqlite(url: str, folder: Path) -> str:
    """Return ``url`` with a relative SQLite path put into ``folder``; every other URL unchanged."""
    found = _SQLITE.fullmatch(url)
    if found is None:
        return url
    start, path, options = found.groups()
    if not path or path == ":memory:" or path.startswith("file:") or Path(path).is_absolute():
        return url
    return f"{start}{(folder / path).as_posix()}{options}"


def database_url_of(*, host: str, user: str, password: str, name: str, tls_ca: str | None, socket: str = "") -> str:
    """Return the URL of the MariaDB or MySQL database that iTop's ``db_*`` settings mean.

    ``host`` may be ``host``, ``host:port`` or ``p:host`` (PHP's persistent connections mean nothing here). ``tls_ca``
    is the authority's file of an encrypted connection, '' for the system's, ``None`` for no encryption. ``socket`` is
    the server's Unix socket: PHP means one by ``localhost``, here it has to be named.
    """
    server = host.removeprefix("p:") or "localhost"
    account = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    account += "@" if account else ""
    options = {"charset": "utf8mb4"}
    if socket:
        options["unix_socket"] = socket
    if tls_ca is not None:
        options |= {"ssl_ca": tls_ca} if tls_ca else {"ssl_verify_cert": "true"}
    return f"mysql+pymysql://{account}{server}/{quote(name, safe='')}?{urlencode(options)}"


def state_url_beside(database_url: str, data_folder: Path) -> str:
    """Return where the state store lives beside a database: a file of its own, or a database of its own.

    On MariaDB it is the database ``itopd`` of the same server, or ``itopd_state`` where the data itself is in a
    database called ``itopd``. On PostgreSQL it is a schema of its own in the same database.
    """
    if database_url.startswith("sqlite"):
        return place_sqlite("sqlite:///itopd-state.db", data_folder)
    if database_url.startswith("postgres"):
        return database_url
    parts = urlsplit(database_url)
    name = "itopd_state" if parts.path == "/itopd" else "itopd"
    return urlunsplit(parts._replace(path=f"/{name}"))


def same_database(one: str, other: str) -> bool:
    """Return whether two URLs name the same file, or the same database of a server, whatever driver and account."""

    def place(url: str) -> tuple[str, str]:
        file = _SQLITE.fullmatch(url)
        if file is not None:
            return "", Path(file[2]).absolute().as_posix()
        parts = urlsplit(url)
        return parts.netloc.rpartition("@")[2].removesuffix(":3306").removesuffix(":5432").lower(), parts.path

    return place(one) == place(other)


def masked(url: str) -> str:
    """Return ``url`` with its passwords replaced by stars."""
    return _PASSWORD_OPTION.sub(r"\1***", _PASSWORD.sub(r"\1***\2", url))
