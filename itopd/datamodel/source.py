"""Reading data model files: safe XML parsing, and errors that name file, class and field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from lxml import etree

from itopd.errors import MissingFile, ModelError

Element = etree._Element  # noqa: SLF001 - lxml has no public name for the type of its elements

DEEPEST = 100
"""Classes above each other, states that inherit from each other, keys followed one after the other: far beyond what
any model needs, and within what a call may nest."""

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

_MOST_DIGITS = 9

FOREIGN_ROOTS = frozenset({"DBObject", "CMDBObject", "cmdbAbstractObject"})
"""Base classes of iTop's PHP: they have neither table nor attributes, a class below them is a root class."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a data model something stands; its text ends error messages."""

    file: str
    class_name: str = ""
    part: str = ""

    def within(self, part: str) -> Place:
        """Return the place of a field, state, ... of this class."""
        return Place(self.file, self.class_name, part)

    def refuse(self, problem: str) -> NoReturn:
        """Raise :class:`ModelError` saying what is wrong here."""
        raise ModelError(f"data model {self}: {problem}")

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.file, f"class {self.class_name}" if self.class_name else "", self.part)))


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file, parsed: its class elements and dictionary entries, nothing interpreted yet."""

    name: str
    built_in: bool
    """Holds classes that iTop has in code: they stay when an iTop's own XML replaces the default classes."""
    classes: tuple[Element, ...]
    modules: frozenset[str] | None
    """Modules the file says are installed, without versions; ``None`` when it does not say."""
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Dictionary entries: language -> key -> text."""
    user_rights: Element | None = None
    """Profiles and their grants; ``None`` when the file has none."""


def read_source(path: Path) -> SourceFile:
    """Parse one data model file; :class:`MissingFile` or :class:`ModelError` when that cannot be done."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingFile(f"data model {path} cannot be read: {error.strerror}; name an iTop data model file") from None
    return parse_source(content, str(path))


def parse_source(content: bytes, name: str) -> SourceFile:
    """Parse the bytes of a data model file called ``name``. Network access is off; entities of its own are refused."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        Place(name).refuse(f"this is not well-formed XML: {error.msg}")
    if root.getroottree().docinfo.internalDTD is not None:
        Place(name).refuse("it has a document type (<!DOCTYPE ...>), which iTop never writes; take it out")
    if root.tag != "itop_design":
        Place(name).refuse(
            f"the root element is <{root.tag}>, not <itop_design>; give iTop's datamodel-<environment>.xml"
        )
    return SourceFile(
        name,
        root.get("built_in") == "true",
        tuple(element for element in root.iterfind("classes/class") if element.get("id") not in FOREIGN_ROOTS),
        _modules(root),
        _texts(root),
        root.find("user_rights"),
    )


def _modules(root: Element) -> frozenset[str] | None:
    listed = root.find("loaded_modules")
    return None if listed is None else frozenset(module.get("id", "").partition("/")[0] for module in listed)


def _texts(root: Element) -> dict[str, dict[str, str]]:
    return {
        dictionary.get("id", ""): {
            entry.get("id", ""): entry.text or "" for entry in dictionary.iterfind("entries/entry")
        }
        for dictionary in root.iterfind("dictionaries/dictionary")
    }


def text_of(element: Element | None, tag: str) -> str:
    """Return the text of a child, without surrounding blanks; empty when there is no such child."""
    return "" if element is None else (element.findtext(tag) or "").strip()


def whole_number(text: str) -> int | None:
    """Return the number that at most nine digits make; ``None`` for any other text."""
    return int(text) if len(text) <= _MOST_DIGITS and text.isascii() and text.isdecimal() else None


def truth_of(element: Element | None, tag: str, *, default: bool) -> bool:
    """Return a child's text as yes or no; ``default`` when it is absent or empty."""
    text = text_of(element, tag)
    return default if not text else text in {"true", "1"}


def ids_of(element: Element | None, path: str) -> tuple[str, ...]:
    """Return the ``id`` of each element found at ``path``."""
    return () if element is None else tuple(child.get("id", "") for child in element.iterfind(path))


def children(element: Element, path: str, place: Place) -> Iterator[tuple[str, Element]]:
    """Yield the elements at ``path`` with their ids; one without ``id`` is refused."""
    for child in element.iterfind(path):
        identifier = child.get("id")
        if identifier is None:
            place.refuse(f"<{child.tag}> has no id")
        yield identifier, child


def words_of(element: Element | None, tag: str) -> tuple[str, ...]:
    """Return the comma-separated words of a child's text."""
    return tuple(filter(None, (word.strip() for word in text_of(element, tag).split(","))))
