"""The composed mail, as the standard library's parser reads it back."""

from __future__ import annotations

import email
import re
from collections.abc import Iterable
from datetime import datetime
from email import policy
from email.message import EmailMessage, MIMEPart
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.mail import Address, Attachment, Message, Part
from itopd.mail.compose import Letter, Unsendable, compose
from itopd.mail.headers import clean
from itopd.mail.pictures import Picture

NOW = datetime(2027, 2, 10, 10, 0, 5, tzinfo=ZoneInfo("Europe/Paris"))
TEXT = st.text(max_size=400)
PNG = Picture("0123abcd", Attachment(b"\x89PNG\x00\xff", "dot.png", "image/png"))


def message(**fields: object) -> Message:
    given_fields = {
        "to": "to@example.com",
        "sender": Address("itop@example.com", "iTop"),
        "message_id": "m1@example.com",
    }
    return Message(**(given_fields | fields))  # type: ignore[arg-type]


def read(letter: Letter) -> EmailMessage:
    mail = email.message_from_bytes(letter.content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert not any(part.defects for part in mail.walk())
    return mail


def shape(part: EmailMessage) -> object:
    """Return the structure as nested content types."""
    parts: Iterable[EmailMessage] = part.iter_parts()  # type: ignore[assignment]
    inner = [shape(one) for one in parts] if part.is_multipart() else []
    return (part.get_content_subtype(), inner) if inner else part.get_content_type()


def text_of(part: MIMEPart | None) -> str:
    """Return a text part with line feeds; the line end that closes a part does not count."""
    assert part is not None
    content: str = part.get_content()
    return content.replace("\r\n", "\n").removesuffix("\n")


def normal(text: str) -> str:
    """Return the text as a mail can carry it."""
    return re.sub(r"\r\n|\r", "\n", text).encode("utf-8", "replace").decode().removesuffix("\n")


@given(TEXT)
def test_a_plain_body_comes_back(text: str) -> None:
    mail = read(compose(message(body=text, mime_type="text/plain"), NOW))
    assert mail.get_content_type() == "text/plain"
    assert text_of(mail) == normal(text)


@given(TEXT)
def test_an_html_body_comes_back_beside_its_text(html: str) -> None:
    mail = read(compose(message(body=html), NOW))
    assert shape(mail) == ("alternative", ["text/plain", "text/html"])
    assert text_of(mail.get_body(("html",))) == normal(html)


@given(TEXT, st.binary(max_size=300), st.text(min_size=1, max_size=80).filter(lambda name: clean(name) != ""))
def test_attachments_come_back_byte_by_byte(html: str, data: bytes, name: str) -> None:
    mail = read(compose(message(body=html, attachments=(Attachment(data, name, "application/pdf"),)), NOW))
    (attachment,) = mail.iter_attachments()
    # get_filename() would strip brackets and quotes that are part of the name.
    assert (attachment.get_content(), attachment["Content-Disposition"].params["filename"]) == (data, clean(name))
    assert attachment.get_content_type() == "application/pdf"


@given(TEXT, st.text(max_size=80), st.text(max_size=80), st.dictionaries(st.text(max_size=30), TEXT, max_size=3))
def test_every_line_is_short_ascii_and_ends_with_crlf(
    body: str, subject: str, label: str, further: dict[str, str]
) -> None:
    sender = Address("itop@example.com", label)
    letter = compose(message(body=body, subject=subject, sender=sender, headers=further), NOW)
    assert letter.content.isascii()
    assert letter.content.endswith(b"\r\n")
    assert b"\n" not in letter.content.replace(b"\r\n", b"")
    assert b"\r" not in letter.content.replace(b"\r\n", b"")
    assert max(map(len, letter.content.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("field", ["subject", "message_id", "to"])
def test_no_value_can_add_a_header(field: str) -> None:
    evil = "a@example.com\r\nBcc: victim@example.com\r\n\r\nbody"
    mail = read(compose(message(**{field: f"x@example.com, {evil}" if field == "to" else evil}), NOW))
    assert mail["Bcc"] is None
    assert mail["From"].addresses[0].addr_spec == "itop@example.com"


@pytest.mark.parametrize("name", ["Bcc", "bcc", "From", "Content-Type", "MIME-Version", "X y", "X:y", "", "X\r\nBcc"])
def test_callers_headers_cannot_replace_ours_or_be_malformed(name: str) -> None:
    mail = read(compose(message(headers={name: "victim@example.com", "X-Mine": "kept"}), NOW))
    assert "victim@example.com" not in str(mail)
    assert mail["X-Mine"] == "kept"


def test_the_headers_of_a_notification() -> None:
    thread = "<iTop_UserRequest_1@env.openitop.org>"
    mail = read(
        compose(
            message(
                message_id="iTop_UserRequest_1_1802246400.358547@env.openitop.org",
                headers={"References": thread, "In-Reply-To": thread},
                reply_to=Address("desk@example.com", "Service, Desk"),
                cc="cc@example.com",
                bcc="bcc@example.com",
                subject="Créé",
            ),
            NOW,
        )
    )
    assert mail["Date"] == "Wed, 10 Feb 2027 10:00:05 +0100"
    assert mail["Message-ID"] == "<iTop_UserRequest_1_1802246400.358547@env.openitop.org>"
    assert (mail["References"], mail["In-Reply-To"]) == (thread, thread)
    assert mail["Reply-To"].addresses[0].display_name == "Service, Desk"
    assert mail["Subject"] == "Créé"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert (mail["Cc"], mail["Bcc"]) == ("cc@example.com", None)


def test_the_envelope_holds_everybody_once_in_order() -> None:
    letter = compose(message(to="a@b.c, d@e.f", cc="A@b.c, g@h.i", bcc="j@k.l"), NOW)
    assert letter.recipients == ("a@b.c", "d@e.f", "g@h.i", "j@k.l")
    assert letter.sender == "itop@example.com"


def test_invalid_recipients_are_told_and_the_others_served() -> None:
    letter = compose(message(to="a@b.c, nonsense", cc="also wrong"), NOW)
    assert (letter.recipients, letter.invalid) == (("a@b.c",), ("nonsense", "also wrong"))


def test_only_those_still_to_be_reached_are_in_the_envelope_and_all_in_the_header() -> None:
    letter = compose(message(to="a@b.c, d@e.f, nonsense", only_to=("d@e.f",)), NOW)
    assert (letter.recipients, letter.invalid) == (("d@e.f",), ())
    assert read(letter)["To"] == "a@b.c, d@e.f"


def test_without_from_the_recipients_stand_in() -> None:
    mail = read(compose(message(sender=Address(), to="a@b.c, d@e.f"), NOW))
    assert (mail["From"], mail["Sender"]) == ("a@b.c, d@e.f", "a@b.c")


def test_a_mail_with_only_hidden_recipients_is_well_formed() -> None:
    letter = compose(message(to="", bcc="a@b.c"), NOW)
    assert (letter.recipients, read(letter)["To"]) == (("a@b.c",), "undisclosed-recipients:;")


@pytest.mark.parametrize(
    "fields",
    [{"to": ""}, {"to": "nonsense"}, {"sender": Address("nonsense")}, {"to": "", "cc": "a@b.c", "sender": Address()}],
)
def test_what_no_server_can_be_asked_is_unsendable(fields: dict[str, object]) -> None:
    with pytest.raises(Unsendable):
        compose(message(**fields), NOW)


def test_pictures_stand_beside_the_html_and_are_shown_by_cid() -> None:
    body = (
        '<p><img class="x" SRC="https://itop/x?a=1&amp;b" data-img-id="7" data-img-secret=\'0123abcd\' alt="a>b"></p>'
    )
    mail = read(compose(message(body=body, attachments=(Attachment(b"x", "a.txt", "text/plain"),)), NOW, {7: PNG}))
    assert shape(mail) == (
        "mixed",
        [("alternative", ["text/plain", ("related", ["text/html", "image/png"])]), "text/plain"],
    )
    html = mail.get_body(("html",))
    picture = next(part for part in mail.walk() if part.get_content_type() == "image/png")
    assert picture.get_content_disposition() == "inline"
    assert f'SRC="cid:{picture["Content-ID"].strip("<>")}" data-img-id="7"' in text_of(html)


@pytest.mark.parametrize(
    "tag",
    [
        '<img src="x" data-img-id="7" data-img-secret="wrong">',
        '<img src="x" data-img-id="8" data-img-secret="0123abcd">',
        '<img src="x" data-img-id="7">',
        '<img src="x" data-img-id="seven" data-img-secret="0123abcd">',
        '<img data-img-id="7" data-img-secret="0123abcd">',
        '<img src="x" data-img-id="7" data-img-secret="0123abcd',
    ],
)
def test_a_tag_that_does_not_prove_its_right_is_left_alone(tag: str) -> None:
    mail = read(compose(message(body=f"<p>{tag}</p>"), NOW, {7: PNG}))
    assert shape(mail) == ("alternative", ["text/plain", "text/html"])
    assert text_of(mail.get_body(("html",))) == f"<p>{tag}</p>"


def test_a_plain_part_of_the_caller_is_the_alternative() -> None:
    mail = read(compose(message(body="<p>html</p>", parts=(Part("my own text", "text/plain"),)), NOW))
    assert shape(mail) == ("alternative", ["text/plain", "text/html"])
    assert text_of(mail.get_body(("plain",))) == "my own text"


def test_an_html_part_makes_a_plain_body_the_alternative() -> None:
    mail = read(compose(message(body="text", mime_type="text/plain", parts=(Part("<p>h</p>", "text/html"),)), NOW))
    assert [text_of(mail.get_body((kind,))) for kind in ("plain", "html")] == ["text", "<p>h</p>"]


def test_other_parts_follow_the_body() -> None:
    mail = read(compose(message(body="<p>x</p>", parts=(Part("a,b", "text/csv"),)), NOW))
    assert shape(mail) == ("mixed", [("alternative", ["text/plain", "text/html"]), "text/csv"])


@pytest.mark.parametrize(
    "given_type", ["", "nonsense", "message/rfc822", "multipart/mixed", "a/b\r\nX: y", "text/x; y=z"]
)
def test_an_attachment_is_never_more_than_bytes(given_type: str) -> None:
    mail = read(compose(message(attachments=(Attachment(b"\x00data", "f", given_type),)), NOW))
    (attachment,) = mail.iter_attachments()
    assert attachment.get_payload(decode=True) == b"\x00data"


def test_the_same_message_is_composed_the_same_way_every_time() -> None:
    body = '<img src="x" data-img-id="7" data-img-secret="0123abcd">'
    one, two = (compose(message(body=body), NOW, {7: PNG}) for _ in range(2))
    assert one == two
