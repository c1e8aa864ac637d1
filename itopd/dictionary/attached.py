"""The texts of an attached iTop: one compiled file per language, read when somebody first needs that language."""

from __future__ import annotations

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

Texts = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class AttachedTexts(Mapping[str, Texts]):
    """Language -> key -> text, of the files ``<code>.dict.php`` in a folder; a language without file has no texts.

    A file that cannot be read counts as empty. ``report`` is told, as it is, once, of the parts of a file that are not
    read.
    """

    folder: Path
    report: Callable[[str], None]
    _known: dict[str, Texts] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, language: str) -> Texts:
        known = self._known.get(language)
        if known is None:
            known = self._known[language] = self._read(self.folder / f"{_code(language)}{_SUFFIX}")
        if not known:
            raise KeyError(language)
        return known

    def __iter__(self) -> Iterator[str]:
        """Yield the languages that have files."""
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            yield path.name.removesuffix(_SUFFIX).upper().replace("-", " ")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _read(self, path: Path) -> Texts:
        try:
            about = path.stat()
            read = _read_file(path, about.st_mtime_ns, about.st_size)
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            self.report(f"dictionary {path} cannot be read ({error}): its labels are missing; make it readable")
            return {}
        except SettingsError as error:
            self.report(f"dictionary {error.message}")
            return {}
        if read.untold:
            more = f", and {len(read.untold) - _SHOWN} more" if len(read.untold) > _SHOWN else ""
            self.report(
                f"dictionary {path}: {len(read.untold)} parts are no plain texts and were passed over, what is found "
                f"without them is used instead: {'; '.join(read.untold[:_SHOWN])}{more}"
            )
            read.untold = ()
        return read.texts


@dataclass(slots=True)
class _File:
    texts: Texts
    untold: tuple[str, ...]
    """What could not be read and nobody has been told yet."""


@lru_cache(maxsize=8)
def _read_file(path: Path, _changed: int, _size: int) -> _File:
    """Return what a file holds; kept by the process until the file changes."""
    read = read_dictionary(path.read_text(encoding="utf-8"), str(path))
    return _File({key: text for key, text in read.texts.items() if key.startswith(_USED)}, read.unread)


def _code(language: str) -> str:
    """Return how iTop's file names spell a language: ``FR FR`` is ``fr-fr``."""
    return language.lower().replace(" ", "-")
