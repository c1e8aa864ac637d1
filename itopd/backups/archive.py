"""The archive of a backup: ``.tar.gz`` with its members at the root, written and read as a stream."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from itopd.backups.manifest import MANIFEST, SQL_DUMP, SQLITE_DUMP, Content, Manifest, read_manifest
from itopd.backups.stopping import Pace
from itopd.errors import InputError, MissingFile

_CHUNK: Final = 1 << 20
_LEVEL: Final = 6
_GREATEST_MANIFEST: Final = 64 << 20
_DUMPS: Final = frozenset({SQL_DUMP, SQLITE_DUMP})


@dataclass(frozen=True, slots=True)
class Member:
    """A file that goes into an archive."""

    name: str
    path: Path


def write_archive(
    path: Path, members: Iterable[Member], manifest: Callable[[dict[str, Content]], Manifest], pace: Pace
) -> None:
    """Write an archive that only its owner may read; ``manifest`` makes its last member of what the others hold.

    Raises :class:`OSError` for a file that cannot be read or written, or that shrinks meanwhile.
    """
    held: dict[str, Content] = {}
    files = list(members)
    total = sum(member.path.stat().st_size for member in files)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=_LEVEL, format=tarfile.PAX_FORMAT) as archive:
            done = 0
            for member in files:
                with member.path.open("rb") as source:
                    information = archive.gettarinfo(arcname=member.name, fileobj=source)
                    information.mode, information.uid, information.gid = 0o600, 0, 0
                    information.uname = information.gname = ""
                    measured = _Measured(source, information.size, pace, done, total)
                    archive.addfile(information, measured)
                held[member.name] = measured.content
                done += information.size
            text = manifest(held).text().encode()
            information = tarfile.TarInfo(MANIFEST)
            information.size, information.mode = len(text), 0o600
            archive.addfile(information, io.BytesIO(text))
        file.flush()
        os.fsync(file.fileno())


class _Measured(io.RawIOBase):
    """A file that is read once, at most so many bytes of it; what was read is measured."""

    def __init__(self, source: IO[bytes], size: int, pace: Pace, done: int, total: int) -> None:
        self._source, self._left, self._pace, self._done, self._total = source, size, pace, done, total
        self._digest = hashlib.sha256()
        self._size = size

    def read(self, size: int = -1, /) -> bytes:
        self._pace.check()
        chunk = self._source.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(chunk)
        self._digest.update(chunk)
        self._pace.report(self._done + self._size - self._left, self._total, "bytes archived")
        return chunk

    @property
    def content(self) -> Content:
        return Content(self._size, self._digest.hexdigest())


def read_archive(path: Path, folder: Path, pace: Pace) -> tuple[Manifest, Path]:
    """Read a whole archive, compare every byte with its manifest; return that, and the dump as a file of ``folder``.

    Raises :class:`MissingFile`, and :class:`InputError` for an archive that is damaged, cut off or no backup of
    itopd's.
    """
    found: dict[str, Content] = {}
    manifest = None
    with _opened(path) as (file, archive):
        for information in archive:
            source = archive.extractfile(information)
            if source is None or manifest is not None or information.name in found:
                raise InputError(f"{path}: its member '{information.name}' belongs to no backup of itopd's")
            if information.name == MANIFEST:
                manifest = read_manifest(source.read(_GREATEST_MANIFEST), path)
                continue
            target = folder / information.name if information.name in _DUMPS else Path(os.devnull)
            found[information.name] = _extract(source, target, lambda: _report(file, pace))
    if manifest is None:
        raise InputError(
            f"{path} has no {MANIFEST}: it was cut off, or itopd did not make it; a backup of iTop's own is restored "
            "by iTop"
        )
    _require_equal(path, manifest, found)
    return manifest, folder / manifest.dump


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], tarfile.TarFile]]:
    try:
        with path.open("rb") as file:
            try:
                with tarfile.open(fileobj=file, mode="r|gz") as archive:
                    yield file, archive
            except (tarfile.TarError, EOFError, zlib.error) as error:
                raise InputError(f"{path} is damaged or no .tar.gz ({error}): take another backup") from error
    except FileNotFoundError:
        raise MissingFile(f"there is no backup {path}") from None
    except (PermissionError, IsADirectoryError) as error:
        raise MissingFile(f"the backup {path} cannot be read ({error.strerror})") from error


def _extract(source: IO[bytes], target: Path, report: Callable[[], None]) -> Content:
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
            report()
    return Content(size, digest.hexdigest())


def _report(file: IO[bytes], pace: Pace) -> None:
    pace.check()
    pace.report(file.tell(), os.fstat(file.fileno()).st_size, "bytes read")


def _require_equal(path: Path, manifest: Manifest, found: dict[str, Content]) -> None:
    wrong = sorted(name for name in manifest.members.keys() | found if manifest.members.get(name) != found.get(name))
    if wrong:
        raise InputError(f"{path}: {', '.join(wrong)} is not what {MANIFEST} says: take another backup")
    if manifest.dump not in found or manifest.dump not in _DUMPS:
        raise InputError(f"{path}: it holds no dump of a database: take another backup")
