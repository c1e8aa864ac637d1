"""``config/itopd.params``: every setting, each at its default."""

from __future__ import annotations

import re
from pathlib import Path

from itopd.rules import ITOPD
from itopd.settings import Settings, load_settings, parse_parameters, template
from itopd.settings.declare import declarations

FILE = Path(__file__).parents[2] / "config" / "itopd.params"
GIVEN = re.compile(r"^#(?=[^\s#])", re.MULTILINE)


def test_the_file_is_what_the_settings_say() -> None:
    assert FILE.read_text(encoding="utf-8") == template(), "run: python -m itopd config template > config/itopd.params"


def test_its_lines_with_the_comment_sign_removed_are_the_defaults(tmp_path: Path) -> None:
    text = GIVEN.sub("", template())
    given = parse_parameters(text.encode(), "itopd.params", ITOPD)
    assert set(given.values) == {one.spellings[-1] for one in declarations(Settings).values()}
    assert given.warnings == ()
    file = tmp_path / "itopd.params"
    file.write_text(text)
    assert load_settings([file], environ={}).settings == Settings()


def test_as_it_stands_it_changes_nothing() -> None:
    assert parse_parameters(template().encode(), "itopd.params", ITOPD).values == {}


def test_every_setting_has_its_meaning_above_it() -> None:
    lines = template().splitlines()
    for number, line in enumerate(lines):
        if GIVEN.match(line):
            assert lines[number - 1].startswith("# "), line
