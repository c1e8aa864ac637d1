"""Where an export goes: a stream, or a file that appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from itopd.errors import MissingFile


@contextmanager
def published(path: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file beside ``path`` that takes its name when all went well and vanishes otherwise.

    Raises :class:`MissingFile` when the folder is missing or not writable.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise MissingFile(
            f"cannot write {path}: {error.strerror}; create the folder {path.parent} or let this account write there"
        ) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Return the process's mask; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
