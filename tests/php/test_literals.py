"""Files of PHP literals: what is read, what is refused, and at which line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.errors import SettingsError
from itopd.php.literals import parse_literals, parse_readable


def value_of(literal: str) -> object:
    return parse_literals(f"<?php\n$x = {literal};\n", "f.php").variables["x"]


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r"'it\'s \\ \n'", r"it's \ \n"),
        (r'"a\tb\n\"\\\$x \x41\101\u{e9} \q"', 'a\tb\n"\\$x AAé \\q'),
        ('"50 $"', "50 $"),
        ("12", 12),
        ("-3", -3),
        ("0x1F", 31),
        ("0755", 493),
        ("1.5e2", 150.0),
        (".5", 0.5),
        ("99999999999999999999", 1e20),
        ("TRUE", True),
        ("null", None),
        ("ACCESS_FULL", 3),
        ("array()", {}),
        ("[1, 'a' => 2, 3]", {0: 1, "a": 2, 1: 3}),
        ("array('5' => 'x', 'y', )", {5: "x", 6: "y"}),
        ("array(array(1), [2])", {0: {0: 1}, 1: {0: 2}}),
    ],
)
def test_a_literal_means_what_php_means(literal: str, value: object) -> None:
    assert value_of(literal) == value


def test_comments_and_the_closing_mark_say_nothing() -> None:
    text = "<?php\n/** $a = 1; */\n// $b\n# $c\n$x = /* inside */ 1; // end\n?>\n"
    assert parse_literals(text, "f.php").variables == {"x": 1}


def test_keys_can_be_assigned_one_by_one_and_later_lines_win() -> None:
    text = "<?php\n$x = array(\n'a' => 1,\n'b' => array('c' => 1));\n$x['a'] = 2;\n$x['b']['d'] = 3;\n$y['z'] = 4;\n"
    assigned = parse_literals(text, "f.php")
    assert assigned.variables == {"x": {"a": 2, "b": {"c": 1, "d": 3}}, "y": {"z": 4}}
    assert assigned.lines[("x", "a")] == 5
    assert assigned.lines[("x", "b", "c")] == 4
    assert assigned.lines[("x", "b", "d")] == 6
    assert assigned.lines[("y", "z")] == 7


def test_an_array_assigned_again_forgets_the_lines_of_the_first() -> None:
    assigned = parse_literals("<?php\n$x = array('a' => 1);\n$x = array('b' => 1);\n", "f.php")
    assert set(assigned.lines) == {("x",), ("x", "b")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<?php\n$x = foo();", "f.php:2: 'foo' is no literal"),
        ("<?php\n\n$x = 'a' . 'b';", r"f.php:3: '\.' is no literal"),
        ('<?php $x = "a $b";', "f.php:1: a string holds a variable"),
        ('<?php $x = "a {$b}";', "a string holds a variable"),
        ('<?php $x = "a \\\\$b";', "a string holds a variable"),
        ("<?php $x = $y;", r"'\$y' is no literal"),
        ("<?php $x = array(1, 2", r"'the end of the file' stands where '\)' is expected"),
        ("<?php $x = ", "'the end of the file' comes too early"),
        ("<?php $x = array(foo => 1);", "'foo' is no literal"),
        ("<?php $x = array(1.5 => 1);", "'1.5' is no key"),
        ("<?php $x = 1", "stands where ';' is expected"),
        ("<?php $x = 1;\n$x['a'] = 2;", "f.php:2: '.x' sets a key of something that is no array"),
        ("<?php include 'x.php';", "'include' stands where a variable is expected"),
        ("<?php $x = 1; ?> text", "is no literal"),
        ("<?php $x = <<<EOT\nEOT;", "is no literal"),
        (" <?php $x = 1;", "does not begin with"),
        ("<?php $x = " + "array(" * 200, "nests arrays deeper"),
        ("<?php #[Attribute] $x = 1;", "is no literal"),
    ],
)
def test_everything_else_is_refused_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        parse_literals(text, "f.php")


def test_a_refusal_never_shows_a_string() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_literals("<?php $x = array('db_pwd' 's3cret');", "f.php")
    assert "s3cret" not in caught.value.message


@given(st.text("<?php$x=array()[]'\"\\,;>.0a \n/*#", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_literals("<?php " + text, "f.php")
    except SettingsError as error:
        assert error.message.startswith("f.php:")  # noqa: PT017 - any text may also be fine


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_single_quotes(text: str) -> None:
    assert value_of("'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'") == text


@pytest.mark.parametrize(
    "value",
    [
        "getenv('X')",
        "'a' . 'b'",
        "$other",
        '"a $b"',
        "SOME_CONSTANT",
        "Foo::BAR",
        "function($a, $b) { return array($a, ';'); }",
        "array(1, 2) + array(3)",
        "true ? 'a' : 'b'",
        "-FOO",
    ],
)
def test_values_that_are_no_literals_can_be_read_around(value: str) -> None:
    array = f"array('a' => 1,\n'b' => {value},\n'c' => array('d' => {value}, 'e' => 2))"
    text = f"<?php\n$x = {array};\n$y = {value};\n$z = 3;\n"
    assigned = parse_readable(text, "f.php")
    assert assigned.variables == {"x": {"a": 1, "c": {"e": 2}}, "z": 3}
    assert {path: unread.line for path, unread in assigned.unread.items()} == {
        ("x", "b"): 3,
        ("x", "c", "d"): 4,
        ("y",): 5,
    }


def test_a_value_read_around_takes_the_place_of_an_earlier_one_and_gives_way_to_a_later_one() -> None:
    text = "<?php $x['a'] = 1; $x['b'] = foo(); $x['a'] = foo(); $x['b'] = 2; $x['c']['d'] = foo();"
    assigned = parse_readable(text, "f.php")
    assert assigned.variables == {"x": {"b": 2}}
    assert set(assigned.unread) == {("x", "a"), ("x", "c", "d")}


@pytest.mark.parametrize(
    "text",
    [
        "if (true) { $x = 1; }",
        "include 'x.php';",
        "$x .= 'a';",
        "$x[foo()] = 1;",
        "$x = array(1;",
        "$x = foo(",
        "$x = <<<EOT\nnever closed;",
        "$x = `ls",
        "$x = 'open",
        "$x = 1; ?> text",
    ],
)
def test_only_values_are_read_around(text: str) -> None:
    with pytest.raises(SettingsError, match=r"f\.php:1: "):
        parse_readable("<?php " + text, "f.php")


@given(st.text("<?php$x=array()[]'\"\\,;>.0a{}\n/*#", max_size=60))
def test_any_text_is_read_around_or_refused(text: str) -> None:
    try:
        assigned = parse_readable("<?php " + text, "f.php")
    except SettingsError as error:
        assert error.message.startswith("f.php:")  # noqa: PT017 - any text may also be fine
    else:
        assert isinstance(assigned.variables, dict)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("<<<CSS\nbody { color: 'red'; }\n  CSS", "'<<<CSS' is no literal"),
        ("<<<'X'\n),;\nX", "'<<<'X'' is no literal"),
        ('<<< "X"\nX', "'<<<' is no literal"),
        ("`cat /etc/secret`", "a shell command is no literal"),
        ("'caf\udce9'", "a string is not UTF-8"),
    ],
)
def test_texts_of_other_kinds_are_read_around(value: str, problem: str) -> None:
    assigned = parse_readable(f"<?php\n$x = array('a' => {value}, 'b' => 2);\n$y = 3;\n", "f.php")
    assert assigned.variables == {"x": {"b": 2}, "y": 3}
    assert assigned.unread["x", "a"].problem == problem
    assert assigned.lines["y",] == 3 + value.count("\n")


def test_what_is_no_assignment_is_refused_with_the_way_round_it() -> None:
    for text in ("define('A', 1);", "if (true) { $x = 1; }", "$x[] = 1;", "$x .= 'a';", "require 'other.php';"):
        with pytest.raises(SettingsError, match=r"f\.php:2: .* attach with --database_url, --data_model"):
            parse_readable(f"<?php\n{text}\n", "f.php")
    with pytest.raises(SettingsError, match="but with a byte order mark: save it without"):
        parse_readable("\ufeff<?php\n$x = 1;\n", "f.php")
