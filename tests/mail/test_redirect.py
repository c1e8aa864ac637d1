"""``mail_redirect_to``: whatever a mail says, nobody but the testers gets it, and it tells whom it was for."""

from __future__ import annotations

from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.errors import SettingsError
from itopd.mail import Address, Message, redirection_of
from itopd.mail.compose import Letter, Unsendable, compose
from itopd.settings import Settings
from tests.mail.conftest import Post

NOW = datetime(2027, 2, 10, 10, 0, 5, tzinfo=ZoneInfo("Europe/Paris"))
TESTERS = (Address("qa@test.example", "QA"), Address("dev@test.example"))
CUSTOMERS = ("ann@customer.example", "bob@customer.example", "cy@customer.example", "dee@customer.example")


def to_customers(**fields: object) -> Message:
    values = {
        "to": f"{CUSTOMERS[0]}, Bob <{CUSTOMERS[1]}>",
        "cc": CUSTOMERS[2],
        "bcc": CUSTOMERS[3],
        "subject": "Your ticket",
        "sender": Address("itop@example.com"),
        "message_id": "m1@example.com",
    }
    return Message(**(values | fields))  # type: ignore[arg-type]


def read(letter: Letter) -> EmailMessage:
    mail = message_from_bytes(letter.content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def test_no_original_recipient_is_asked_for_at_a_real_server_and_rows_tell_what_happened(post: Post) -> None:
    number = post.put("Your ticket", to=f"{CUSTOMERS[0]},{CUSTOMERS[1]}", cc=CUSTOMERS[2], bcc=CUSTOMERS[3])
    assert number
    done = post.deliver(redirect_to=TESTERS)
    assert done.sent == 1
    asked = [line for line in post.server.commands if line.upper().startswith("RCPT")]
    assert [line.partition("<")[2].rstrip(">") for line in asked] == ["qa@test.example", "dev@test.example"]
    [received] = post.server.received
    mail = received.message
    assert mail["To"] == "QA <qa@test.example>, dev@test.example"
    assert (mail["Cc"], mail["Bcc"]) == (None, None)
    assert mail["Subject"] == f"[for {', '.join(CUSTOMERS[:3])} and 1 more] Your ticket"
    assert mail["X-Itopd-Original-To"] == ", ".join(CUSTOMERS[:2])
    assert (mail["X-Itopd-Original-Cc"], mail["X-Itopd-Original-Bcc"]) == CUSTOMERS[2:]
    assert post.events() == ["Sent to qa@test.example, dev@test.example instead of its recipients (mail_redirect_to)"]
    assert post.rows() == []


def test_a_failure_is_recorded_as_ever_and_a_later_attempt_is_redirected_too(post: Post) -> None:
    post.put("Your ticket", to=",".join(CUSTOMERS))
    post.server.script = lambda stage, argument: "451 later" if stage == "RCPT" and "dev@" in argument else None
    assert post.deliver(redirect_to=TESTERS).retried == 1
    assert "Sent to 1 of 2 recipients" in post.row().last_error
    assert post.row().to == ",".join(CUSTOMERS)
    post.server.script = None
    post.clock.advance(3600)
    assert post.deliver(redirect_to=TESTERS).sent == 1
    assert [mail.recipients for mail in post.server.received] == [("qa@test.example",), ("dev@test.example",)]


def test_what_was_left_to_send_before_the_redirection_goes_to_the_testers() -> None:
    letter = compose(to_customers(only_to=(CUSTOMERS[1],)), NOW, redirect_to=TESTERS)
    assert letter.recipients == ("qa@test.example", "dev@test.example")


def test_what_was_left_to_send_under_a_redirection_is_not_sent_to_customers_when_it_ends() -> None:
    with pytest.raises(Unsendable):
        compose(to_customers(only_to=("dev@test.example",)), NOW)


def test_bounces_do_not_reach_a_recipient_that_would_stand_in_for_the_sender() -> None:
    letter = compose(to_customers(sender=Address()), NOW, redirect_to=TESTERS)
    assert letter.sender == "qa@test.example"
    assert read(letter)["From"] == "QA <qa@test.example>, dev@test.example"


def test_headers_of_the_mail_itself_cannot_name_recipients() -> None:
    given_headers = {"Resent-To": CUSTOMERS[0], "Bcc": CUSTOMERS[1], "X-Itopd-Original-To": "nobody@example.com"}
    mail = read(compose(to_customers(headers=given_headers), NOW, redirect_to=TESTERS))
    assert (mail["Resent-To"], mail["Bcc"]) == (None, None)
    assert mail.get_all("X-Itopd-Original-To") == [f"{CUSTOMERS[0]}, Bob <{CUSTOMERS[1]}>"]


def test_a_mail_that_names_nobody_stays_unsendable() -> None:
    with pytest.raises(Unsendable):
        compose(Message(to="nobody", sender=Address("itop@example.com"), message_id="m1@x.example"), NOW, {}, TESTERS)


LISTS = st.lists(st.sampled_from([*CUSTOMERS, "Eve <eve@customer.example>", "no address"]), max_size=6).map(", ".join)


@given(to=LISTS, cc=LISTS, bcc=LISTS, only_to=st.lists(st.sampled_from([*CUSTOMERS, "qa@test.example"]), max_size=3))
def test_whatever_the_lists_hold_the_envelope_holds_testers_only(
    to: str, cc: str, bcc: str, only_to: list[str]
) -> None:
    message = to_customers(to=to, cc=cc, bcc=bcc, only_to=tuple(only_to))
    try:
        letter = compose(message, NOW, redirect_to=TESTERS)
    except Unsendable:
        assert "@" not in to + cc + bcc
        return
    assert letter.recipients
    assert set(letter.recipients) <= {"qa@test.example", "dev@test.example"}
    mail = read(letter)
    assert {address.addr_spec for address in mail["To"].addresses} == {"qa@test.example", "dev@test.example"}
    assert (mail["Cc"], mail["Bcc"]) == (None, None)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_setting_redirects_nothing(text: str) -> None:
    assert redirection_of(Settings(mail_redirect_to=text)) == ()


@pytest.mark.parametrize("text", [",", "qa", "qa@test.example, dev", "qa@test.example; dev@test.example"])
def test_a_setting_that_is_no_list_of_addresses_stops_all_mail(text: str) -> None:
    with pytest.raises(SettingsError, match="no mail is sent until"):
        redirection_of(Settings(mail_redirect_to=text))
