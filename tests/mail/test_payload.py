"""The stored payload: read tolerantly, written as iTop writes it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.mail import Address, Attachment, Message, Part, PayloadError, read_payload, write_payload
from itopd.mail.payload import amend_payload
from itopd.php import serialize, unserialize

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ADDRESSES = st.builds(Address, TEXT, TEXT)
NAMES = TEXT.filter(lambda name: not name.lstrip("-").isdigit())
MESSAGES = st.builds(
    Message,
    sender=ADDRESSES,
    to=TEXT,
    cc=st.none() | TEXT,
    bcc=st.none() | TEXT,
    subject=TEXT,
    body=TEXT,
    mime_type=st.sampled_from(["text/html", "text/plain"]),
    reply_to=st.none() | ADDRESSES,
    headers=st.dictionaries(NAMES, TEXT, max_size=3),
    message_id=TEXT,
    parts=st.lists(st.builds(Part, TEXT, st.just("text/plain")), max_size=2).map(tuple),
    attachments=st.lists(st.builds(Attachment, st.binary(max_size=80), TEXT, TEXT), max_size=2).map(tuple),
)
EXAMPLE = (
    'a:4:{s:4:"from";a:2:{s:7:"address";s:19:"noreply@example.com";s:5:"label";s:4:"iTop";}'
    's:2:"to";s:13:"a@example.com";s:7:"subject";s:8:"Plain é";'
    's:4:"body";a:2:{s:4:"body";s:21:"line 1\nline 2 é\n.dot";s:8:"mimeType";s:10:"text/plain";}}'
)
"""The complete example of the specification."""


@given(MESSAGES)
def test_what_is_written_is_read_back(message: Message) -> None:
    assert read_payload(write_payload(message), 2) == message


def test_the_example_of_the_specification_is_read() -> None:
    assert read_payload(EXAMPLE, 2) == Message(
        sender=Address("noreply@example.com", "iTop"),
        to="a@example.com",
        subject="Plain é",
        body="line 1\nline 2 é\n.dot",
        mime_type="text/plain",
    )


def test_keys_stand_in_the_order_of_a_notification() -> None:
    message = Message(
        to="a@b.c", cc="", bcc="", reply_to=Address(), headers={"References": "<x>"}, message_id="m",
        parts=(Part("t", "text/plain"),), attachments=(Attachment(b"x", "f", "a/b"),),
    )  # fmt: skip
    written = unserialize(write_payload(message).encode())
    assert isinstance(written, dict)
    assert list(written) == [
        "from", "subject", "body", "to", "cc", "bcc", "reply_to", "headers", "message_id", "parts", "attachments"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, Message()),
        ({"subject": 12, "to": None, "body": "<p>x</p>"}, Message(subject="12", body="<p>x</p>")),
        ({"from": "a@b.c", "headers": "none", "parts": 3}, Message(sender=Address("a@b.c"))),
        ({"attachments": [{"data": "eA=="}]}, Message(attachments=(Attachment(b"x", "", ""),))),
    ],
)
def test_missing_keys_and_other_plain_types_are_tolerated(data: object, expected: Message) -> None:
    assert read_payload(serialize(data).decode(), 2) == expected


def test_crlf_counts_as_stored() -> None:
    assert read_payload('a:1:{s:7:"subject";s:4:"a\r\nb";}', 2).subject == "a\r\nb"


@pytest.mark.parametrize(
    ("payload", "version", "reason"),
    [
        ("garbage", 2, "cannot be decoded"),
        ("", 2, "cannot be decoded"),
        ("i:5;", 2, "no array"),
        ('O:5:"EMail":0:{}', 2, "object"),
        ("a:1:{i:0;R:1;}", 2, "reference"),
        (EXAMPLE[:-5], 2, "cannot be decoded"),
        ('a:1:{s:11:"attachments";a:1:{i:0;a:1:{s:4:"data";s:3:"abc";}}}', 2, "not base64"),
        ("whatever", 1, "Unsupported payload version 1"),
        (EXAMPLE, 3, "Unknown version of the serialization format: 3"),
        (EXAMPLE, 0, "Unknown version of the serialization format: 0"),
    ],
)
def test_what_cannot_be_read_says_why(payload: str, version: int, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        read_payload(payload, version)


@given(st.text(max_size=200), st.integers(0, 3))
def test_no_text_makes_the_reader_fail_otherwise(payload: str, version: int) -> None:
    with suppress(PayloadError):
        read_payload(payload, version)


@given(st.data())
def test_no_damage_makes_the_reader_fail_otherwise(data: st.DataObject) -> None:
    octets = bytearray(EXAMPLE.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    with suppress(PayloadError):
        read_payload(octets.decode("utf-8", "surrogateescape"), 2)


def test_version_1_gives_the_array_inside_its_object() -> None:
    inner = serialize({"to": "a@b.c", "subject": "old"}).decode()
    old = f'O:5:"EMail":1:{{s:10:"\0*\0m_aData";{inner}s:1:"x";i:1;}}'
    assert read_payload(old, 1) == Message(to="a@b.c", subject="old")


def test_amending_keeps_what_nobody_knows_here() -> None:
    stored = serialize({"to": "a@b.c, d@e.f", "plugin": {"x": 1}}).decode()
    amended = amend_payload(stored, 2, message_id="id@x", only_to=["d@e.f"])
    message = read_payload(amended, 2)
    assert (message.message_id, message.only_to, message.to) == ("id@x", ("d@e.f",), "a@b.c, d@e.f")
    assert isinstance(unserialized := unserialize(amended.encode()), dict)
    assert unserialized["plugin"] == {"x": 1}


def test_what_is_no_unicode_is_replaced_rather_than_refused() -> None:
    assert read_payload(write_payload(Message(subject="a\udcffb")), 2).subject == "a?b"
