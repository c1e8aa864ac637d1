"""Who acts in a command: the options that name an account, and passwords from files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from itopd.errors import MissingFile, SettingsError

Command = TypeVar("Command", bound=Callable[..., Any])

STANDARD_INPUT = Path("-")


def acting(command: Command) -> Command:
    """Add ``--auth_user`` and ``--auth_pwd_file``, which say who acts."""
    user = click.option(
        "--auth_user", default="", help="Login of the account that acts.  [default: the setting run_as]"
    )
    password = click.option(
        "--auth_pwd_file", type=click.Path(path_type=Path), help="File whose first line is its password."
    )
    return user(password(command))


def first_line(path: Path) -> str:
    """Return the first line of a file, or of standard input for ``-``: a password.

    Raises :class:`MissingFile` for a file that cannot be read, :class:`SettingsError` for an empty line.
    """
    try:
        text = sys.stdin.readline() if path == STANDARD_INPUT else path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingFile(f"cannot read the password file {path}: {error}") from error
    password = text.split("\n", 1)[0].removesuffix("\r")
    if not password:
        where = "standard input" if path == STANDARD_INPUT else str(path)
        raise SettingsError(f"the first line of {where} is empty: write the password there")
    return password
