"""Plain text made from HTML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.attributes import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<h1>a</h1>b<div>c</div><div>d</div>", "a\n\nb\nc\nd"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<ul><li>a<ul><li>b</li><li>c</li></ul></li><li><p>d</p></li></ul>", "- a\n  - b\n  - c\n- d"),
        ('<a href="http://x/">t</a>, <a href="http://x/">http://x/</a>', "[t](http://x/), http://x/"),
        ('<a href="mailto:a@b.c">a@b.c</a> <a href="#top">up</a> <a name="x">y</a>', "a@b.c up y"),
        ('<img src="x" alt="pic"><img src="y">', "[pic]"),
        ("<table><tr><td><p>a</p></td><td></td><td>c</td></tr><tr><td>d</td></tr></table>e", "a\t\tc\nd\ne"),
        ("a<hr>b", f"a\n{'-' * 63}\nb"),
        ("<blockquote><p>a</p><p>b<br>c</p></blockquote>d", "> a\n>\n> b\n> c\n\nd"),
        ("<p>a</p><blockquote>b</blockquote><p>c</p>", "a\n\n> b\n\nc"),
        ("<pre>a\n  b\n\nc</pre>d", "a\n  b\n\nc\n\nd"),
        ("<title>t</title><style>s</style>a<script>x</script><!-- c -->b", "ab"),
        ("  a \n\t b&nbsp;&nbsp;c  ", "a b c"),
        ("&lt;b&gt; &amp; &eacute; &#128512;", "<b> & é 😀"),
        ("<b>unclosed <i>markup", "unclosed markup"),
        ("", ""),
    ],
)
def test_html_becomes_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


def test_markup_of_any_depth_is_read() -> None:
    assert html_to_text("<div>" * 5000 + "deep").endswith("deep")


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<ul>",
                "<li>",
                "</ul>",
                "<td>",
                "<tr>",
                "<a href=x>",
                "</a>",
                "<pre>",
                "</pre>",
                "<blockquote>",
                "</blockquote>",
                "<br>",
                "x",
                " ",
                "<script>",
                "<",
                "&",
            ]
        )
    )
)
def test_no_markup_makes_it_fail(pieces: list[str]) -> None:  # fmt: skip
    text = html_to_text("".join(pieces))
    assert text == text.strip("\n ")


@given(st.text())
def test_escaped_words_come_through(text: str) -> None:
    words = "".join(character for character in text if character.isalnum())
    assert html_to_text(f"<p>{words}</p>") == words
