"""Whatever a value holds, one header comes out, and the standard library reads the value back."""

from __future__ import annotations

import email
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.mail.headers import address_header, bare_ids, clean, id_header, parameter, text_header
from itopd.mail.message import Address

ANY_TEXT = st.text(max_size=300)
ADDRESS = st.from_regex(r"[a-z]{1,30}@[a-z]{1,30}\.example", fullmatch=True)
LABEL = st.text(max_size=120)


def read(*headers: str) -> EmailMessage:
    """Return a message with these headers as the standard library reads them."""
    message = email.message_from_bytes("\r\n".join((*headers, "", "")).encode("ascii"), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def lines(header: str) -> list[str]:
    return header.split("\r\n")


@given(ANY_TEXT)
def test_a_text_comes_back_as_it_was_but_for_control_characters(text: str) -> None:
    header = text_header("Subject", text)
    assert read(header)["Subject"] == clean(text)
    assert max(map(len, lines(header))) <= 78


@given(ANY_TEXT, ANY_TEXT)
def test_no_text_can_start_a_header_of_its_own(text: str, other: str) -> None:
    header = text_header("Subject", f"{text}\r\nBcc: all@example.com\n{other}\rX: y")
    assert all(line.startswith(("Subject: ", " ")) for line in lines(header))
    assert read(header).keys() == ["Subject"]


@pytest.mark.parametrize("text", ["", "Hello", "a" * 500, "=?utf-8?q?no?=", "tab\there", "é" * 200, "日本 😀" * 30])
def test_a_subject_of_any_length_and_script_comes_back(text: str) -> None:
    assert read(text_header("Subject", text))["Subject"] == text.replace("\t", " ")


def test_an_encoded_word_never_splits_a_character() -> None:
    header = text_header("Subject", "日" * 100)
    words = [line.strip().removeprefix("Subject: ") for line in lines(header)]
    assert len(words) > 1
    assert all(str(read(f"Subject: {word}")["Subject"]).strip("日") == "" for word in words)


@given(st.lists(st.tuples(LABEL, ADDRESS), min_size=1, max_size=6))
def test_mailboxes_come_back_with_their_labels(mailboxes: list[tuple[str, str]]) -> None:
    header = address_header("To", [Address(address, label) for label, address in mailboxes])
    found = read(header)["To"].addresses
    assert [one.addr_spec for one in found] == [address for _, address in mailboxes]
    # The standard library of Python 3.11 puts a blank between the words of a long encoded name, so blanks don't count.
    assert ["".join(one.display_name.split()) for one in found] == [
        "".join(clean(label).split()) for label, _ in mailboxes
    ]


@pytest.mark.parametrize(
    "label", ['iTop (prod), "main"', "Éléonore 日本", "a\\b", "x" * 50, "Bob\r\nBcc: a@b", "=?x?="]
)
def test_a_label_is_quoted_or_encoded(label: str) -> None:
    (found,) = read(address_header("From", [Address("itop@example.com", label)]))["From"].addresses
    assert (found.display_name, found.addr_spec) == (clean(label), "itop@example.com")


@given(st.lists(st.from_regex(r"[a-z0-9_.]{1,60}@[a-z]{1,60}", fullmatch=True), min_size=1, max_size=5))
def test_ids_stand_in_angle_brackets_and_are_read_again(ids: list[str]) -> None:
    header = id_header("References", ids)
    assert bare_ids(header.removeprefix("References:")) == ids


@pytest.mark.parametrize(
    ("stored", "ids"),
    [
        ("<a@b>", ["a@b"]),
        ("a@b", ["a@b"]),
        ("<a@b> <c@d>", ["a@b", "c@d"]),
        ("a@b, c@d", ["a@b", "c@d"]),
        ("<a\r\nBcc: x@y>", ["aBcc:x@y"]),
        ("", []),
    ],
)
def test_stored_ids_are_read_with_or_without_brackets(stored: str, ids: list[str]) -> None:
    assert bare_ids(stored) == ids


@given(st.text(min_size=1, max_size=150).filter(lambda name: clean(name) != ""))
def test_a_file_name_comes_back(name: str) -> None:
    header = "Content-Disposition: attachment" + parameter("filename", name)
    assert read(header)["Content-Disposition"].params["filename"] == clean(name)
    assert max(map(len, lines(header))) <= 78


@pytest.mark.parametrize(
    "name", ["report.pdf", 'a"b\\c.txt', "Société 日本.pdf", "x" * 200, "a\r\nX: y.txt", "50%.csv", "=?utf-8?q?x?="]
)
def test_the_usual_suspects_of_file_names_come_back(name: str) -> None:
    header = "Content-Disposition: attachment" + parameter("filename", name)
    assert read(header)["Content-Disposition"].params["filename"] == clean(name)
