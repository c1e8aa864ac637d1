"""The texts of an attached iTop: one compiled file per language, read when somebody first needs that language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from itopd.errors import SettingsError
from itopd.php import read_dictionary

_SUFFIX = ".dict.php"
_USED = "Class:"
"""Beginning of the keys that itopd looks up; the rest of a file is for iTop's pages."""
_SHOWN = 20
_LANGUAGE = re.compile("[A-Za-z]+(?:[ -][A-Za-z0-9]+)*")

Texts = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class AttachedTexts(Mapping[str, Texts]):
    """Language -> key -> text, of the files ``<code>.dict.php`` in a folder; a language without file has no texts.

    What cannot be read, a whole file or parts of it, counts as absent, and ``report`` is told of it.
    """

    folder: Path
    report: Callable[[str], None]
    _known: dict[str, Texts] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, language: str) -> Texts:
        known = self._known.get(language)
        if known is None:
            read = self._file(language)
            if read.problem and not read.told:
                read.told = True
                self.report(read.problem)
            known = self._known[language] = read.texts
        if not known:
            raise KeyError(language)
        return known

    def problem(self, language: str) -> str:
        """Return what cannot be read of a language, and what to do; empty when all is well or there is no file."""
        return self._file(language).problem

    def __iter__(self) -> Iterator[str]:
        """Yield the languages that have files."""
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            yield path.name.removesuffix(_SUFFIX).upper().replace("-", " ")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _file(self, language: str) -> _File:
        if not _LANGUAGE.fullmatch(language):  # it comes from an account: never a path
            return _File({})
        path = self.folder / f"{_code(language)}{_SUFFIX}"
        try:
            about = path.stat()
            return _read_file(path, about.st_mtime_ns, about.st_size)
        except FileNotFoundError:
            return _File({})
        except (OSError, UnicodeDecodeError) as error:
            return _File({}, f"dictionary {path} cannot be read ({error}): its labels are missing; make it readable")


@dataclass(slots=True)
class _File:
    texts: Texts
    problem: str = ""
    """What cannot be read."""
    told: bool = False


@lru_cache(maxsize=8)
def _read_file(path: Path, _changed: int, _size: int) -> _File:
    """Return what a file holds; kept by the process until the file changes.

    Raises ``OSError``, or ``UnicodeDecodeError`` for what is no UTF-8.
    """
    text = path.read_text(encoding="utf-8")
    try:
        read = read_dictionary(text, str(path))
    except SettingsError as error:
        return _File({}, f"dictionary {error.message}")
    texts = {key: text for key, text in read.texts.items() if key.startswith(_USED)}
    if not read.unread:
        return _File(texts)
    more = f", and {len(read.unread) - _SHOWN} more" if len(read.unread) > _SHOWN else ""
    shown = "; ".join(read.unread[:_SHOWN])
    return _File(
        texts,
        f"dictionary {path}: {len(read.unread)} parts are no plain texts and were passed over, what is found without "
        f"them is used instead: {shown}{more}",
    )


def _code(language: str) -> str:
    """Return how iTop's file names spell a language: ``FR FR`` is ``fr-fr``."""
    return language.lower().replace(" ", "-")
