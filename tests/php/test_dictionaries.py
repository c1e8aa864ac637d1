"""Dictionary files: what is read, what is named and passed over, and how fast."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itopd.errors import SettingsError
from itopd.php import read_dictionary


def entries_of(array: str) -> dict[str, str]:
    read = read_dictionary(f"<?php\nAny::Thing('FR FR', {array});\n", "fr-fr.dict.php")
    assert read.unread == ()
    return dict(read.texts)


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        ("array()", {}),
        ("[]", {}),
        ("array('a' => 'b')", {"a": "b"}),
        ("ARRAY ( 'a' => 'b' , )", {"a": "b"}),
        ("['a' => 'b', 'c' => 'd']", {"a": "b", "c": "d"}),
        (r"""array('l\'un' => 'd\\e', "x\ty" => "caf\u{e9} \$")""", {"l'un": r"d\e", "x\ty": "café $"}),
        ("array('a' => 'b', // 'no' => 'x',\n # 'no' => 'y'\n /* 'no' => 'z', */ 'c' => 'd')", {"a": "b", "c": "d"}),
        ("array('a' => 'several\nlines => (', 'b' => '\\\\')", {"a": "several\nlines => (", "b": "\\"}),
        ("array('a' => 'first', 'a' => 'last')", {"a": "last"}),
    ],
)
def test_literal_entries_are_read_as_php_would(array: str, texts: dict[str, str]) -> None:
    assert entries_of(array) == texts


def test_names_of_the_language_may_stand_before_the_texts() -> None:
    read = read_dictionary("<?php\n\\A\\B::Add('FR FR', 'French', 'Français', array('a' => 'b'));", "f")
    assert (read.language, read.texts) == ("FR FR", {"a": "b"})


def test_several_calls_for_one_language_add_up() -> None:
    read = read_dictionary("<?php A('FR FR', ['a' => '1', 'b' => '2']); A('FR FR', ['b' => '3']); ?>\nno matter", "f")
    assert read.texts == {"a": "1", "b": "3"}
    assert read.unread == ()


STRANGE = """<?php
// Dictionary
define('X', 1);
Any::Thing('FR FR', array(
    'a' => 'one',
    'b' => 'two'.NAME.', three',
    'c' => "four $five",
    'd' => array('x' => 'y', 'z' => ')'),
    'e' => <<<EOT
), 'f' => 'inside',
EOT,
    5 => 'number',
    }
    'g' => 'last',
));
if (true) { Any::Thing('FR FR', array('h' => '8')); }
Any::Thing('DE DE', array('i' => '9'));
Any::Thing('FR FR', array('j' => '10'));
"""


def test_what_is_no_literal_is_named_with_its_line_and_the_rest_is_read() -> None:
    read = read_dictionary(STRANGE, "f")
    assert read.texts == {"a": "one", "j": "10"}
    assert list(read.unread) == [
        "line 3: a statement that is no call with a language and texts",
        "line 6: entry 'b' is no plain text",
        "line 7: entry 'c' holds a variable, or a \\u{...} that is none",
        "line 8: entry 'd' is no plain text",
        "line 9: entry 'e' is no plain text",
        "line 12: an entry that is no pair of texts",
        "line 13: an entry that is no pair of texts",
        "line 16: a statement that is no call with a language and texts",
        "line 17: a statement that is no call with a language and texts",
    ]


@pytest.mark.parametrize(
    "text",
    ["", "no php", "<?php", "<?php\n", "<?php $x = array('a' => 'b');", "<?php f(array('a' => 'b'));", "<?php )"],
)
def test_a_file_without_texts_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"de-de\.dict\.php: it holds no call"):
        read_dictionary(text, "de-de.dict.php")


def test_ten_thousand_entries_take_no_time() -> None:
    lines = [f"    'Class:C{n}/Attribute:a/Value:v' => 'Texte n° {n} de l\\'été, {'x' * 80}',\n" for n in range(10_000)]
    text = f"<?php\nAny::Thing('FR FR', array(\n{''.join(lines)}));\n"
    started = time.process_time()
    read = read_dictionary(text, "f")
    assert time.process_time() - started < 1.5  # 0.2 s on an idle machine
    assert len(read.texts) == 10_000


@settings(max_examples=300)
@given(st.text("<?php A(\\'FR\\',array[]=>\"\\,;)}{.0a \n/*#", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for start in ("<?php ", "<?php A('FR FR', array("):
        try:
            read_dictionary(start + text, "f")
        except SettingsError as error:
            assert error.message.startswith("f: ")  # noqa: PT017 - any text may also be fine


@given(st.dictionaries(st.text(max_size=8), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)))
def test_any_texts_survive(texts: dict[str, str]) -> None:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    assert entries_of(f"array({','.join(f'{quoted(k)} => {quoted(v)}' for k, v in texts.items())})") == texts
