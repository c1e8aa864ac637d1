"""Dictionary files of an iTop in French and German, made of the reference labels as iTop's set-up would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.sample import REFERENCE, require_shared

LANGUAGES = ("FR FR", "DE DE")


@cache
def reference_entries(language: str) -> dict[str, str]:
    """Return the entries ``Class:...`` -> text of a language that ``labels.json`` holds."""
    require_shared()
    labels = json.loads((REFERENCE / "labels.json").read_text(encoding="utf-8"))
    return dict(_entries(labels[language]["classes"]))


def _entries(classes: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for name, about in classes.items():
        if "label" in about:
            yield f"Class:{name}", about["label"]
        for code, said in about.get("attributes", {}).items():
            key = f"Class:{name}/Attribute:{code}"
            facts: dict[str, Any] = {"label": said} if isinstance(said, str) else said
            if "label" in facts:
                yield key, facts["label"]
            yield from ((f"{key}/Value:{value}", label) for value, label in facts.get("values", {}).items())


def dictionary_text(language: str, entries: dict[str, str]) -> str:
    """Return a file as iTop's set-up compiles it."""
    lines = "".join(f"\t{_quoted(key)} => {_quoted(text)},\n" for key, text in entries.items())
    return f"<?php\n//\n// Compiled dictionary\n//\nDictionary::Entries({_quoted(language)}, array(\n{lines}));\n"


def write_dictionaries(itop_root: Path) -> Path:
    """Write the dictionaries of environment ``production``; return their folder."""
    folder = itop_root / "env-production" / "dictionaries"
    folder.mkdir(parents=True)
    for language in LANGUAGES:
        text = dictionary_text(language, reference_entries(language))
        (folder / f"{language.lower().replace(' ', '-')}.dict.php").write_text(text, encoding="utf-8")
    return folder


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
