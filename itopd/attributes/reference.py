"""The page ``docs/attribute-types.md``, made from the code: ``python -m itopd.attributes.reference``.

What a type does is asked of the type itself, with a sample attribute called ``a``; the rules in words are the first
sentences of its methods. A test fails when the page is not what this module makes.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from itopd.attributes.base import AttributeType, HistoryKind, TypeOf
from itopd.attributes.binding import TYPE_NAMES, bind
from itopd.attributes.columns import Column, ColumnKind, Stored
from itopd.attributes.documents import Document, StopWatchState, StoredCaseLog, ThresholdState
from itopd.attributes.refusals import Refused
from itopd.attributes.secrets import Encrypted, PasswordHash
from itopd.datamodel import Attribute, Threshold
from itopd.rules import ITOP, ITOPD, Rules

_HEAD: Final = """\
# Attribute types

Made from the code by `python -m itopd.attributes.reference > docs/attribute-types.md`; a test compares the two. Every
attribute is called `a` here; codes of enums are `x` and `y`, of sets `aaa` and `bbb`.

*Unset* is what is stored for no value, and what a new object has unless the model gives a default. *Cell* is the text
of a value in a CSV cell, codes instead of labels; what needs the object besides the value (the download address of a
file, the entries of a log as one line) is made by the export. *History* is the operation that records a change,
`CMDBChangeOpSetAttribute` and the word given, with the text of a value where the operation keeps texts.

| type | columns | unset | a value as stored | cell | history |
|---|---|---|---|---|---|
"""

_WORDS: Final = """
## Rules

Given as text: what a cell of an import means in code mode. The examples show what is stored; where two answers stand,
the second one is that of `compat = itop`. That a mandatory attribute is set and that the target of a key exists is
checked by the write.
"""


@dataclass(frozen=True, slots=True)
class _Sample:
    """What shows a type at work."""

    value: Any
    texts: Sequence[str] = ()
    """Cells to read."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Of the sample attribute."""


_TEXT: Final = _Sample("text", ("text",))
_NOTHING: Final = _Sample(None, ("x",), {"sql": ""})
_DATE: Final = _Sample("2024-02-29", ("2024-2-9", "2024-02-30", "20240229", "0000-00-00"))
_INSTANT: Final = _Sample("2024-02-29 13:05:00", ("2024-02-29 13:05:00", "2024-02-29", "2024"))
_CODE_SET: Final = _Sample(("aaa", "bbb"), ("bbb|aaa", "bbb,aaa", "aaa|zz"))

_SAMPLES: Final[Mapping[str, _Sample]] = {
    "AttributeURL": _Sample("https://example.org/", ("https://example.org/",)),
    "AttributeHTML": _Sample("<p>text</p>", ("text", "<p>text</p><script>x</script>")),
    "AttributeTemplateHTML": _Sample("<p>$this->name$</p>", ("<p>$this->name$</p>",)),
    "AttributeEnum": _Sample("x", ("x", "X"), {"values": ("x", "y")}),
    "AttributeMetaEnum": _Sample("x", ("x",), {"values": ("x", "y"), "mapped_attribute": "b"}),
    "AttributeClass": _Sample("Person", ("Person",)),
    "AttributeClassState": _Sample("new", ("new",)),
    "AttributeApplicationLanguage": _Sample("FR FR", ("FR FR",)),
    "AttributeEnumSet": _Sample(("aaa", "bbb"), ("bbb|aaa", "aaa,ccc"), {"values": ("aaa", "bbb")}),
    "AttributeClassAttCodeSet": _CODE_SET,
    "AttributeQueryAttCodeSet": _CODE_SET,
    "AttributeTagSet": _Sample(("aaa", "bbb"), ("bbb|aaa", "bbb aaa")),
    "AttributeInteger": _Sample(42, ("042", "-3", "12.9", "abc")),
    "AttributePercentage": _Sample(42, ("42",)),
    "AttributeDuration": _Sample(90, ("90", "soon")),
    "AttributeDecimal": _Sample(Decimal("10.50"), ("10.567", "1,5", "1234567", "abc"), {"digits": 8, "decimals": 2}),
    "AttributeBoolean": _Sample(True, ("1", "YES", "no", "true")),
    "AttributeArchiveFlag": _Sample(True, ("1",)),
    "AttributeDate": _DATE,
    "AttributeObsolescenceDate": _DATE,
    "AttributeArchiveDate": _DATE,
    "AttributeDateTime": _INSTANT,
    "AttributeDeadline": _INSTANT,
    "AttributeExternalKey": _Sample(7, ("7", "Demo")),
    "AttributeHierarchicalKey": _Sample(7, ("7",)),
    "AttributeObjectKey": _Sample(7, ("7",)),
    "AttributeBlob": _Sample(Document(b"content", "text/plain", "a.txt", 2), ("a.txt",)),
    "AttributeImage": _Sample(Document(b"content", "image/png", "a.png", 2), ("a.png",)),
    "AttributeCaseLog": _Sample(StoredCaseLog("all entries", b"a:1:{...}"), ("an entry",)),
    "AttributeStopWatch": _Sample(
        StopWatchState(
            60,
            "2024-02-29 13:00:00",
            None,
            "2024-02-29 13:01:00",
            (ThresholdState(75, "2024-02-29 14:00:00", passed=False, triggered=False, overrun=None),),
        ),
        ("60",),
        {"thresholds": (Threshold(75),)},
    ),
    "AttributeOneWayPassword": _Sample(PasswordHash(b"$2y$10$..."), ("secret",)),
    "AttributeEncryptedString": _Sample(Encrypted(b"base64"), ("secret",)),
    "AttributeRedundancySettings": _Sample("50%", ("50%",), {"default": "disabled"}),
    "AttributePropertySet": _Sample('a:1:{s:1:"k";s:1:"v";}', ("text",)),
    "AttributeTable": _Sample('a:1:{i:0;a:1:{i:0;s:1:"x";}}', ("x",)),
    "AttributeFriendlyName": _NOTHING,
    "AttributeObsolescenceFlag": _NOTHING,
    "AttributeExternalField": _NOTHING,
    "AttributeSubItem": _NOTHING,
    "AttributeDashboard": _NOTHING,
    "AttributeLinkedSet": _NOTHING,
    "AttributeLinkedSetIndirect": _NOTHING,
}
"""Every other type is a text."""

_FORMATTED: Final = {"AttributeText": "a text with a declared format", "AttributeLongText": "the same, long"}
"""Types that a declared format changes."""


def page() -> str:
    """Return the page."""
    return _HEAD + "".join(_overview()) + _WORDS + "".join(_rules())


def _overview() -> Iterator[str]:
    for name in TYPE_NAMES:
        yield _row(name, name)
        if name in _FORMATTED:
            yield _row(name, f"{name}, `format` html", format="html")


def _row(name: str, title: str, **facts: object) -> str:
    kind, sample = _bound(name, **facts)
    value = kind.null if sample.value is None else sample.value
    cells = [
        title,
        _listed([_column(column) for column in (*kind.columns, *kind.kept_columns)]),
        _listed([_stored(part) for part in kind.encode(kind.null)]),
        _listed([_stored(part) for part in kind.encode(value)]),
        _shown(kind.to_text(value)) if kind.columns else "-",
        _history(kind, value),
    ]
    return f"| {' | '.join(cells)} |\n"


def _bound(name: str, **facts: object) -> tuple[AttributeType, _Sample]:
    sample = _SAMPLES.get(name, _TEXT)
    return bind(Attribute("a", name, "C", **{"sql": "a", **sample.facts, **facts})), sample


def _column(column: Column) -> str:
    kind = column.kind.value
    match column.kind:
        case ColumnKind.VARCHAR:
            kind += f"({column.length})"
        case ColumnKind.DECIMAL:
            kind += f"({column.length},{column.scale})"
        case ColumnKind.ENUM:
            kind += f"({','.join(column.values)})"
    return f"`{column.name}` {kind}"


def _stored(part: Stored) -> str:
    if part is None:
        return "NULL"
    return _shown(part.decode() if isinstance(part, bytes) else str(part))


def _shown(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else "`''`"


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts) or "-"


def _history(kind: AttributeType, value: object) -> str:
    if kind.history is HistoryKind.NONE:
        return "-"
    keeps_text = kind.history in {HistoryKind.SCALAR, HistoryKind.URL, HistoryKind.TAG_SET}
    return kind.history.value + (f" {_shown(kind.history_text(value))}" if keeps_text else "")


def _rules() -> Iterator[str]:
    by_class: dict[type[AttributeType], list[str]] = {}
    for name in TYPE_NAMES:
        by_class.setdefault(type(_bound(name)[0]), []).append(name)
    for cls, names in by_class.items():
        yield f"\n### {', '.join(names)}\n\n{_prose(cls)}\n\n"
        yield f"* Given as text: {_said(cls, 'parse') or 'nothing: it is computed'}.\n"
        examples = [_example(names[0], text) for text in _SAMPLES.get(names[0], _TEXT).texts]
        yield f"  {'; '.join(examples)}.\n" if _said(cls, "parse") else ""
        yield f"* Checked: {_said(cls, 'check') or 'nothing'}.\n"
        yield f"* The same: {_said(cls, 'equal') or 'the same value'}.\n"


def _example(name: str, text: str) -> str:
    kind, _ = _bound(name)
    answers = dict.fromkeys(_answer(kind, text, rules) for rules in (ITOPD, ITOP))
    return f"`{text}` → {' / '.join(answers)}".replace("|", "\\|")


def _answer(kind: AttributeType, text: str, rules: Rules) -> str:
    try:
        value = kind.parse(text, rules)
    except Refused as refused:
        return f"refused ({refused.kind.value})"
    refusal = kind.check(value)
    if refusal is not None:
        return f"refused ({refusal.kind.value})"
    return _listed([_stored(part).replace("\\|", "|") for part in kind.encode(value)])


def _prose(cls: type) -> str:
    """Return the first paragraph about a class."""
    return _plain(inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")


def _said(cls: type, method: str) -> str:
    """Return the first sentence about a method, without the verb; nothing where it is the one of every type."""
    function: Callable[..., object] = getattr(cls, method)
    if function is getattr(TypeOf, method):
        return ""
    sentence = _plain(inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ").removesuffix(".")
    return re.sub(r"^Refuse\b:? ?", "refused: ", sentence.removeprefix("Return ").removeprefix("whether "))


def _plain(text: str) -> str:
    """Return a docstring as Markdown."""
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text.replace("``", "`"))


if __name__ == "__main__":
    sys.stdout.write(page())
