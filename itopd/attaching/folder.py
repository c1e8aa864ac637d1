"""The folder of an installed iTop: where it has what itopd reads (``spec/params.md`` §4)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from itopd.errors import MissingFile, SettingsError
from itopd.settings import Settings


@dataclass(frozen=True, slots=True)
class ItopFolder:
    """What itopd reads of an iTop; nothing there is ever written."""

    root: Path
    environment: str
    config: Path
    data_model: Path
    dictionaries: Path
    """Labels; without this folder they are itopd's own."""


SOCKETS = (Path("/run/mysqld/mysqld.sock"), Path("/var/lib/mysql/mysql.sock"))
"""Where packaged servers have their Unix socket.

Not ``/tmp/mysql.sock`` of servers built by hand: everybody can make a socket there, and would be sent the password.
"""


def sockets(settings: Settings) -> list[Path]:
    """Return the sockets that PHP may mean by ``db_host`` = ``localhost``: those that are there."""
    is_local = settings.db_host.removeprefix("p:") in {"", "localhost"}
    return [path for path in SOCKETS if _is_socket(path)] if is_local and not settings.db_socket else []


def _is_socket(path: Path) -> bool:
    """Return whether a socket is there that this account can reach; others' folders may be closed to it."""
    try:
        return path.is_socket()
    except PermissionError:
        return False


def find_itop(root: Path, environment: str) -> ItopFolder:
    """Return what is in the folder of an iTop.

    Raises :class:`MissingFile` naming the first thing that is not there or cannot be read.
    """
    try:
        return _find_itop(root, environment)
    except PermissionError as error:
        raise MissingFile(
            f"{error.filename} cannot be looked at: let itopd's account into its folder, as by adding it to iTop's "
            "group"
        ) from error


def _find_itop(root: Path, environment: str) -> ItopFolder:
    if not environment or Path(environment).name != environment:
        raise SettingsError(f"--environment '{environment}' is no name of an environment: write one as in production")
    root = root.absolute()
    if not root.is_dir():
        raise MissingFile(f"{root} is no folder: name the folder of an installed iTop, which holds conf/ and data/")
    found = ItopFolder(
        root,
        environment,
        root / "conf" / environment / "config-itop.php",
        root / "data" / f"datamodel-{environment}.xml",
        root / f"env-{environment}" / "dictionaries",
    )
    if not found.config.exists():
        others = sorted(path.parent.name for path in root.glob("conf/*/config-itop.php"))
        hint = f"; its environments are {', '.join(others)}: say --environment" if others else ""
        raise MissingFile(f"{found.config} is missing: {root} is no folder of an installed iTop{hint}")
    if not found.data_model.exists():
        raise MissingFile(
            f"{found.data_model} is missing: iTop's set-up writes it; let it run, or name the right folder"
        )
    for path in (found.config, found.data_model):
        if not path.is_file() or not os.access(path, os.R_OK):
            raise MissingFile(f"{path} cannot be read: let itopd's account read it, as by adding it to iTop's group")
    return found
