"""The words of a shell's text: as the shell itself reads them."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from itopd.wiring.crontabs.words import Live, Operator, Word, words_of

VARIABLES = {"A": "one", "TWO": "x y", "EMPTY": "", "HOME": "/home/x", "SPACED": " a  b "}


def texts(text: str) -> list[str]:
    return [token.text for token in words_of(text, VARIABLES)]


def parts(text: str) -> tuple[str | Live, ...]:
    (word,) = words_of(text, VARIABLES)
    assert isinstance(word, Word)
    return word.parts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a  b\tc", ["a", "b", "c"]),
        ("'a b'c\"d e\"f", ["a bcd ef"]),
        (r"a\ b \; \$A \\", ["a b", ";", "$A", "\\"]),
        (r'"a \"b\" \$A \x"', [r'a "b" $A \x']),
        ("'$A' \"$A\" $A ${A}b $", ["$A", "one", "one", "oneb", "$"]),
        ("$TWO \"$TWO\" a$TWO'z'", ["x", "y", "x y", "ax", "yz"]),
        ("a${SPACED}z", ["a", "a", "b", "z"]),
        ("$EMPTY '' \"$EMPTY\"", ["", ""]),
        ("~/x ~ a~ '~'", ["/home/x/x", "/home/x", "a~", "~"]),
        ("a#b c # d", ["a#b", "c"]),
        ("# all", []),
        ("a>b 2>&1 3 >c", ["a", ">", "b", ">&", "1", "3", ">", "c"]),
        ("a&&b||c;d|e&f", ["a", "&&", "b", "||", "c", ";", "d", "|", "e", "&", "f"]),
        ("a\\", ["a\\"]),
        ("k='a;b'|c", ["k=a;b", "|", "c"]),
    ],
)
def test_quotes_variables_and_operators(text: str, words: list[str]) -> None:
    assert texts(text) == words


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x-$(date +%F).csv", ("x-", Live("$(date +%F)"), ".csv")),
        ("`a \\` b`", (Live("`a \\` b`"),)),
        ('"$(echo ")" \')\')"', (Live("$(echo \")\" ')')"),)),
        ("$(a $(b) c)", (Live("$(a $(b) c)"),)),
        ("$HOSTNAME/${X:-y}$?", (Live("$HOSTNAME"), "/", Live("${X:-y}"), Live("$?"))),
        ("--s=$'\\t'", ("--s=", Live("$'\\t'"))),
        ("~itop/x", (Live("~itop"), "/x")),
    ],
)
def test_what_only_the_shell_works_out_stays_as_it_is_written(text: str, wanted: tuple[str | Live, ...]) -> None:
    assert parts(text) == wanted


@pytest.mark.parametrize("text", ["'a", '"a', "a $(b", "`a", "${a", "$'a"])
def test_what_is_not_closed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="No closing"):
        texts(text)


def test_a_number_before_a_redirection_is_its_stream() -> None:
    assert list(words_of("2>a", {})) == [Operator(">", "2"), Word(("a",))]
    assert list(words_of("x2>a", {})) == [Word(("x2",)), Operator(">"), Word(("a",))]


PIECES = ("a", "b=c", " ", "'", '"', "\\", "$A", "${A}", "$TWO", "$EMPTY", "${SPACED}", "#", "é", "-", "/", "=", "$ ")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_words_are_those_of_the_shell(text: str) -> None:
    shell = subprocess.run(
        ["/bin/sh", "-c", f'for word in {text}\ndo printf "%s\\n" "$word"; done'],
        env={**VARIABLES, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    try:
        words = list(words_of(text, VARIABLES))
    except ValueError:
        found = "refused"
    else:
        assume(not any(word.live for word in words if isinstance(word, Word)))
        found = "".join(f"{word.text}\n" for word in words)
    told = shell.stdout.decode() if not shell.returncode and not shell.stderr else "refused"
    # The line ends behind the text: a backslash there is one for us, for the loop it joins the lines.
    assert found == told or text.endswith("\\")
