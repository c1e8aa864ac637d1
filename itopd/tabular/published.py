"""A file that a command leaves: it appears whole or not at all."""

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

    A link is followed. What is no regular file, such as a pipe or a device, is written to as it is: nothing takes its
    place. Raises :class:`MissingFile` before anything is written when ``path`` is a folder, or cannot be written.
    """
    target = path.resolve()
    if target.is_dir():
        raise MissingFile(f"cannot write {path}: it is a folder; name a file in it")
    try:
        if target.exists() and not target.is_file():
            file: BinaryIO = target.open("wb")
            temporary = None
        else:
            descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
            file, temporary = os.fdopen(descriptor, "wb"), Path(name)
    except OSError as error:
        raise MissingFile(
            f"cannot write {path}: {error.strerror}; create the folder {target.parent} or let this account write there"
        ) from error
    if temporary is None:
        with file:
            yield file
        return
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Return the process's mask; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
