"""The two ways to a model: the bundled one, and the classes of an iTop's own XML over the bundled core classes."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

from itopd.datamodel.assembly import assemble
from itopd.datamodel.declaration import Declaration, read_class
from itopd.datamodel.fields import LinkTracking
from itopd.datamodel.fitting import Lacks, fitted
from itopd.datamodel.model import LeftOut, Model
from itopd.datamodel.source import Element, Place, SourceFile, read_source
from itopd.datamodel.user_rights import UserRights, read_user_rights

BUNDLED = Path(__file__).parent / "bundled"
"""The data model that itopd brings: iTop's core classes (files with ``built_in``) and its default ITIL classes."""


@cache
def bundled_model() -> Model:
    """Return the bundled model, loaded once per process.

    What is in memory afterwards stays: Python's cycle collector, which took a sixth of the time of an import to walk
    through the model over and over, leaves it alone from then on.
    """
    model = build_model(_bundled_sources())
    gc.freeze()
    return model


def load_model(
    *paths: Path | str,
    tracking: LinkTracking | None = None,
    name_formats: Mapping[str, str] | None = None,
    lacks: Lacks | None = None,
) -> Model:
    """Return the model of iTop's compiled XML files over the bundled core classes.

    The files replace all bundled default classes, and those bundled core classes that they declare themselves. Core
    classes of a module that the files say is not installed are left out. Bundled texts stay, for classes of the same
    name; bundled profiles do not, so files without profiles grant nobody anything. A later file wins over an earlier
    one; without paths it is the bundled model. ``tracking`` gives the history levels of link sets that declare none,
    ``name_formats`` formats of friendly names by class, which stand in iTop's dictionary and not in its XML. ``lacks``
    tells what the database has no room for: that is left out of the core classes. Files that have not changed since
    are not read again by this process. Raises MissingFile or ModelError.
    """
    versions = tuple(_version(Path(path)) for path in paths)
    formats = tuple(sorted((name_formats or {}).items()))
    if lacks is None:
        return _unfitted(versions, tracking or LinkTracking(), formats)
    parsed = _parsed(versions, tracking or LinkTracking())
    declarations, left_out = fitted(parsed.declarations, parsed.core, lacks)
    if not left_out:
        return _unfitted(versions, tracking or LinkTracking(), formats)
    fitting = replace(parsed, declarations=declarations, core=parsed.core & declarations.keys())
    return _assembled(fitting, dict(formats), left_out)


def build_model(
    sources: Iterable[SourceFile],
    tracking: LinkTracking | None = None,
    name_formats: Mapping[str, str] | None = None,
) -> Model:
    """Return the model of the classes of all ``sources``, later ones winning."""
    return _assembled(replace(_parse(sources, tracking or LinkTracking()), core=frozenset()), name_formats or {})


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What files declare, nothing inherited yet."""

    declarations: Mapping[str, Declaration]
    core: frozenset[str]
    texts: Mapping[str, Mapping[str, str]]
    user_rights: UserRights


_Version = tuple[Path, int, int, int]
"""A file as it is now: path, inode, time of its last change in nanoseconds, size."""


def _version(path: Path) -> _Version:
    try:
        status = path.stat()
    except OSError:
        return path, 0, 0, 0  # reading it tells what is wrong
    return path, status.st_ino, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=2)
def _unfitted(
    versions: tuple[_Version, ...], tracking: LinkTracking, name_formats: tuple[tuple[str, str], ...]
) -> Model:
    model = _assembled(_parsed(versions, tracking), dict(name_formats))
    gc.freeze()  # as for the bundled model
    return model


@lru_cache(maxsize=2)
def _parsed(versions: tuple[_Version, ...], tracking: LinkTracking) -> _Parsed:
    given = [read_source(path) for path, *_ in versions]
    bundled = _bundled_sources()
    if given:
        bundled = [source if source.built_in else replace(source, classes=(), user_rights=None) for source in bundled]
    parsed = _parse([*bundled, *given], tracking)
    return parsed if given else replace(parsed, core=frozenset())


def _parse(sources: Iterable[SourceFile], tracking: LinkTracking) -> _Parsed:
    sources = tuple(sources)
    installed = [source.modules for source in sources if source.modules is not None]
    modules = frozenset().union(*installed) if installed else None
    declarations: dict[str, Declaration] = {}
    texts: dict[str, dict[str, str]] = {}
    rights = UserRights()
    core: set[str] = set()
    for source in sources:
        rights = read_user_rights(source) or rights
        for language, entries in source.texts.items():
            texts.setdefault(language, {}).update(entries)
        for element in _distinct(source):
            module = element.get("module")
            if module is None or modules is None or module in modules:
                declared = read_class(element, source, tracking)
                declarations[declared.name] = declared
                (core.add if source.built_in else core.discard)(declared.name)
    return _Parsed(declarations, frozenset(core), texts, rights)


def _assembled(parsed: _Parsed, name_formats: Mapping[str, str], left_out: tuple[LeftOut, ...] = ()) -> Model:
    model = assemble(parsed.declarations, parsed.texts, parsed.user_rights, name_formats)
    return replace(model, core=parsed.core, left_out=left_out)


def _distinct(source: SourceFile) -> tuple[Element, ...]:
    """Return the classes of a file; refuse a class told twice, and differences that only iTop's compiler can apply."""
    seen: set[str] = set()
    for element in source.classes:
        name = element.get("id", "")
        place = Place(source.name, name)
        if name in seen:
            place.refuse("the class is declared twice in this file")
        if element.get("_delta") not in {None, "define"}:
            place.refuse("this is a module's difference file; give the compiled datamodel-<environment>.xml instead")
        seen.add(name)
    return source.classes


def _bundled_sources() -> list[SourceFile]:
    return [read_source(path) for path in sorted(BUNDLED.glob("*.xml"))]
