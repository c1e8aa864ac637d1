"""The page about attribute types is made from the code, and complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from itopd.attributes.binding import TYPE_NAMES
from itopd.attributes.reference import page
from itopd.datamodel import bundled_model
from itopd.datamodel.types import DECLARABLE

PAGE = Path(__file__).parents[2] / "docs" / "attribute-types.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"make it anew: python -m itopd.attributes.reference > {PAGE}"


def test_the_command_prints_the_page() -> None:
    printed = subprocess.run([sys.executable, "-m", "itopd.attributes.reference"], capture_output=True, check=True)
    assert printed.stdout.decode() == page()


def test_every_type_of_a_model_is_on_the_page() -> None:
    used = {attribute.type for cls in bundled_model().values() for attribute in cls.attributes.values()}
    assert used | DECLARABLE <= set(TYPE_NAMES)
    lines = page().splitlines()
    assert all(any(line.startswith(f"| {name} |") for line in lines) for name in TYPE_NAMES)
