"""How the servers' own programs reach a database: files of mode 0600, never arguments or variables.

Both hold what the URL of the database says, and nothing else does: what other files of the machine say of the
programs' connections does not count.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL

_SERVICE: Final = "itopd"
_MARIADB_PORT: Final = 3306


def write_secret(path: Path, text: str) -> Path:
    """Write a file that nobody else may read; return its path."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text)
    return path


def option_file(url: URL, folder: Path) -> Path:
    """Write the option file of MariaDB's and MySQL's programs for a URL; return its path, for ``--defaults-file``."""
    query = {name: value for name, value in url.query.items() if isinstance(value, str)}
    options = {
        "user": url.username or "",
        "password": url.password or "",
        "default-character-set": "utf8mb4",
        "loose-max-allowed-packet": "1G",
    }
    if "unix_socket" in query:
        options |= {"socket": query["unix_socket"], "protocol": "socket"}
    else:
        options |= {
            "host": url.host or "localhost",
            "port": str(url.port or _MARIADB_PORT),
            "protocol": "tcp",
        }
    checked = "ssl_ca" in query or query.get("ssl_verify_cert", "").lower() in ("true", "1")
    for key, option in (("ssl_ca", "ssl-ca"), ("ssl_cert", "ssl-cert"), ("ssl_key", "ssl-key")):
        if key in query:
            options[option] = query[key]
    # MariaDB knows the first of these, MySQL the second: each warns of the other's.
    options["loose-ssl-verify-server-cert"] = "1" if checked else "0"
    if checked:
        options["loose-ssl-mode"] = "VERIFY_CA" if "ssl_ca" in query else "REQUIRED"
    lines = [f"{name} = {_quoted(value)}\n" for name, value in options.items()]
    return write_secret(folder / "options.cnf", "[client]\n" + "".join(lines))


def _quoted(value: str) -> str:
    escaped = value
    for character, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        escaped = escaped.replace(character, escape)
    return f'"{escaped}"'


def service_environ(url: URL, folder: Path) -> Mapping[str, str]:
    """Write the service and the password file of PostgreSQL's programs for a URL; return the environment to run in.

    The connection is then ``--dbname=service=itopd``.
    """
    values = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
    values |= {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    lines = [f"{name}={value}\n" for name, value in values.items() if value]
    service = write_secret(folder / "service.conf", f"[{_SERVICE}]\n{''.join(lines)}")
    environ = dict(os.environ) | {"PGSERVICEFILE": str(service)}
    if url.password:
        password = url.password.replace("\\", "\\\\").replace(":", "\\:")
        environ.pop("PGPASSWORD", None)  # it would win
        environ["PGPASSFILE"] = str(write_secret(folder / "passwords", f"*:*:*:*:{password}\n"))
    return environ


SERVICE_ARGUMENT: Final = f"--dbname=service={_SERVICE}"
