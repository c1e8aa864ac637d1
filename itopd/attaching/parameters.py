"""The parameters file of an attached itopd: what it refers to, and nothing secret that iTop's configuration holds."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from itopd.errors import MissingFile, RefusedError

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,+@ ")


def parameters_text(about: str, values: Mapping[str, str], unported: Mapping[str, str]) -> str:
    """Return the text of the file.

    ``about`` says in one line which iTop it is for; ``unported`` what objects of which classes would lack.
    """
    lines = [
        f"# itopd beside {' '.join(about.split())}. Written by 'itopd attach'.",
        "# What stands here wins over iTop's config-itop.php, which is read at every start and never written.",
        "# 'itopd config show' prints every setting with its origin.",
        "",
        *(f"{key} {_written(value)}" for key, value in values.items()),
        "",
    ]
    if unported:
        lines += [
            "# iTop runs PHP of its own when objects of these classes are written, itopd does not. They are not",
            "# written here until you allow it, class by class, subclasses included; then they lack what is named:",
            *(f"#   {name}: {loss}" for name, loss in unported.items()),
            f"#allow_unported = {next(iter(unported))}",
            "",
        ]
    return "\n".join(lines)


def write_parameters(path: Path, text: str, *, replace: bool) -> None:
    """Write the file whole or not at all, for this account alone (mode 0600).

    Raises :class:`RefusedError` when it is there already and is not to be replaced, :class:`MissingFile` when it
    cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                draft.replace(path)
            else:
                path.hardlink_to(draft)  # unlike a rename, it never takes the place of a file
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise RefusedError(
            f"{path} exists already: name another file with --output, or let --force replace it"
        ) from None
    except OSError as error:
        raise MissingFile(
            f"cannot write {path}: {error.strerror}; name a file that this account can write with --output"
        ) from error


def _written(value: str) -> str:
    """Return a value as a line gives it: plain, or as JSON where a plain line would say something else."""
    is_plain = set(value) <= _PLAIN and value == value.strip() and value
    return f"= {value}" if is_plain else f":= {json.dumps(value, ensure_ascii=False)}"
