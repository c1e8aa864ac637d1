"""The two ways to a model: the bundled one, and the classes of an iTop's own XML over the bundled core classes."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from itopd.datamodel.assembly import assemble
from itopd.datamodel.declaration import Declaration, read_class
from itopd.datamodel.fields import LinkTracking
from itopd.datamodel.model import Model
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
    *paths: Path | str, tracking: LinkTracking | None = None, name_formats: Mapping[str, str] | None = None
) -> Model:
    """Return the model of iTop's compiled XML files over the bundled core classes.

    The files replace all bundled default classes, and those bundled core classes that they declare themselves. Core
    classes of a module that the files say is not installed are left out. Bundled texts stay, for classes of the same
    name; bundled profiles do not, so files without profiles grant nobody anything. A later file wins over an earlier
    one; without paths it is the bundled model. ``tracking`` gives the history levels of link sets that declare none,
    ``name_formats`` formats of friendly names by class, which stand in iTop's dictionary and not in its XML. Raises
    MissingFile or ModelError.
    """
    given = [read_source(Path(path)) for path in paths]
    bundled = _bundled_sources()
    if given:
        bundled = [source if source.built_in else replace(source, classes=(), user_rights=None) for source in bundled]
    return build_model([*bundled, *given], tracking, name_formats)


def build_model(
    sources: Iterable[SourceFile],
    tracking: LinkTracking | None = None,
    name_formats: Mapping[str, str] | None = None,
) -> Model:
    """Return the model of the classes of all ``sources``, later ones winning."""
    sources = tuple(sources)
    installed = [source.modules for source in sources if source.modules is not None]
    modules = frozenset().union(*installed) if installed else None
    declarations: dict[str, Declaration] = {}
    texts: dict[str, dict[str, str]] = {}
    rights = UserRights()
    for source in sources:
        rights = read_user_rights(source) or rights
        for language, entries in source.texts.items():
            texts.setdefault(language, {}).update(entries)
        for element in _distinct(source):
            module = element.get("module")
            if module is None or modules is None or module in modules:
                declared = read_class(element, source, tracking or LinkTracking())
                declarations[declared.name] = declared
    return assemble(declarations, texts, rights, name_formats or {})


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
