"""Deliveries: every mail ends in exactly one state, and one mail's trouble is no other's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from itopd.clock import from_itop
from itopd.errors import DatabaseError
from itopd.mail import Address, Delivery, Limits, Message, RetryPolicy
from itopd.mail.claims import MailQueue
from itopd.mail.compose import Letter, compose
from itopd.mail.folders import NullTransport
from itopd.mail.pictures import Picture
from itopd.mail.transport import Blame, Failure, Receipt
from itopd.state.mail_claims import MAIL_CLAIM
from tests.mail.conftest import POLICY, Post
from tests.support.smtp import SILENCE


class Scripted(NullTransport):
    """Gives prepared receipts, then accepts; remembers the letters."""

    def __init__(self, *receipts: Receipt) -> None:
        self.receipts = list(receipts)
        self.letters: list[Letter] = []

    async def send(self, letter: Letter) -> Receipt:
        self.letters.append(letter)
        return self.receipts.pop(0) if self.receipts else Receipt()


def failing(blame: Blame, text: str = "451 later") -> Receipt:
    return Receipt(failure=Failure(text, blame))


def test_all_mails_go_out_in_order_over_one_connection_and_leave_nothing(post: Post) -> None:
    post.put("0")
    post.put_many(119)
    done = post.deliver()
    assert (done.sent, done.processed) == (120, 120)
    assert [mail.message["Subject"] for mail in post.server.received] == ["0", *map(str, range(119))]
    assert post.server.connections == 1
    assert (post.rows(), post.events(), post.claims()) == ([], ["Sent"], [])


def test_an_empty_queue_needs_no_server(post: Post) -> None:
    assert post.deliver() == Delivery()
    assert post.server.connections == 0


def test_a_failure_is_planned_again_with_growing_delays_and_at_last_given_up(post: Post) -> None:
    post.put()
    delays = []
    for _ in range(5):
        done = post.deliver(transport=Scripted(failing(Blame.TEMPORARY)))
        assert done.retried == 1
        planned = post.row().planned
        assert planned is not None
        post.clock.advance(1)
        assert post.deliver(transport=Scripted()).processed == 0
        while planned >= post.now:
            post.clock.advance(10)
        delays.append(post.row().remaining_retries)
    assert delays == [4, 3, 2, 1, 0]
    assert post.deliver(transport=Scripted(failing(Blame.TEMPORARY, "451 never"))).failed == 1
    row = post.row()
    assert (row.status, row.planned, row.last_error, row.last_attempt) == ("error", None, "451 never", post.now)
    assert post.events() == ["451 never\nFailed to process async task."]


def test_the_event_tells_the_next_attempt(post: Post) -> None:
    post.put()
    post.deliver(transport=Scripted(failing(Blame.TEMPORARY)))
    assert post.events() == ["451 later\nFailed to process async task. Remaining retries: 5. Next retry in 60s"]


def test_every_attempt_carries_the_same_id(post: Post) -> None:
    post.put()
    first, second = Scripted(failing(Blame.TEMPORARY)), Scripted()
    post.deliver(transport=first)
    post.clock.advance(100)
    post.deliver(transport=second)
    assert first.letters[0].message_id == second.letters[0].message_id


@pytest.mark.parametrize(("policy", "status"), [(POLICY, "error"), (replace(POLICY, permanent_too=True), "planned")])
def test_a_permanent_refusal_is_retried_only_when_configured(post: Post, policy: RetryPolicy, status: str) -> None:
    post.put()
    post.deliver(policy, transport=Scripted(failing(Blame.PERMANENT, "550 no")))
    assert post.row().status == status


def test_an_event_text_that_does_not_fit_is_left_out(post: Post) -> None:
    post.put()
    post.deliver(RetryPolicy(), transport=Scripted(failing(Blame.TEMPORARY, "é" * 40_000)))
    assert post.events() == ["Failed to process async task."]
    assert post.row().last_error.endswith(" -truncated (40000 chars)")


def test_unreadable_unsendable_and_unknown_mails_are_put_aside_and_the_others_sent(post: Post) -> None:
    garbage, version = post.put("garbage"), post.put("version")
    post.change_mail(garbage, message="garbage")
    post.change_mail(version, version=3)
    post.put("nobody", to="no address")
    post.put("good")
    done = post.deliver(replace(POLICY, permanent_too=False))
    assert (done.sent, done.failed) == (1, 3)
    assert [(row.subject, row.status) for row in post.rows()] == [
        ("garbage", "error"), ("version", "error"), ("nobody", "error")
    ]  # fmt: skip
    assert all(row.last_error for row in post.rows())
    assert post.claims() == []


def test_a_mail_that_nobody_foresaw_stops_no_other(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.put("bad")
    post.put("good")

    def fragile(
        message: Message, now: datetime, pictures: Mapping[int, Picture], redirect_to: Sequence[Address]
    ) -> Letter:
        if message.subject == "bad":
            raise RecursionError("too deep")
        return compose(message, now, pictures, redirect_to)

    monkeypatch.setattr("itopd.mail.delivery.compose", fragile)
    assert (post.deliver().sent, post.row().status) == (1, "error")
    assert "RecursionError: too deep" in post.row().last_error


def test_refused_recipients_are_reported_and_the_others_served(post: Post) -> None:
    post.put(to="good@example.com, reject@example.com, nonsense")
    post.server.script = lambda stage, argument: "550 unknown" if stage == "RCPT" and "reject" in argument else None
    assert post.deliver().sent == 1
    assert post.server.received[0].recipients == ("good@example.com",)
    assert post.events() == ["Sent. Refused: nonsense (no e-mail address), reject@example.com (550 unknown)"]
    assert post.rows() == []


def test_recipients_refused_for_now_are_tried_again_alone(post: Post) -> None:
    post.put(to="good@example.com", cc="grey@example.com, reject@example.com")
    post.server.script = lambda stage, argument: (
        None
        if stage != "RCPT"
        else "450 greylisted"
        if "grey" in argument
        else "550 no"
        if "reject" in argument
        else None
    )
    assert post.deliver().retried == 1
    assert "Sent to 1 of 3 recipients" in post.row().last_error
    post.server.script = None
    post.clock.advance(100)
    assert post.deliver().sent == 1
    first, second = post.server.received
    assert (first.recipients, second.recipients) == (("good@example.com",), ("grey@example.com",))
    assert first.message_id == second.message_id
    assert second.message["Cc"] == "grey@example.com, reject@example.com"


def test_when_everybody_is_refused_for_good_the_mail_is_put_aside(post: Post) -> None:
    post.put()
    post.server.script = lambda stage, _argument: "550 nobody" if stage == "RCPT" else None
    assert post.deliver().failed == 1
    assert post.row().last_error == "Refused: to@example.com (550 nobody)"


def test_a_dead_server_does_not_cost_the_whole_queue_an_attempt(post: Post) -> None:
    post.put_many(10)
    done = post.deliver(transport=Scripted(*[failing(Blame.SERVER, "no connection")] * 10))
    assert (done.retried, done.handed_back, done.server_down) == (3, 7, True)
    assert [row.last_attempt is None for row in post.rows()] == [False] * 3 + [True] * 7
    assert {row.status for row in post.rows()} == {"planned"}
    assert post.claims() == []


def test_asked_to_stop_the_rest_goes_back_without_costing_an_attempt(post: Post) -> None:
    post.put_many(10)
    transport = Scripted()
    done = post.deliver(limits=Limits(should_stop=lambda: len(transport.letters) >= 4), transport=transport)
    assert (done.sent, done.handed_back) == (4, 6)
    assert {(row.status, row.started, row.last_attempt) for row in post.rows()} == {("planned", None, None)}
    assert post.claims() == []


def test_a_silent_server_does_not_delay_the_stop(post: Post) -> None:
    post.put()
    post.server.script = lambda stage, _argument: SILENCE if stage == "MAIL" else None
    done = post.deliver(limits=Limits(should_stop=lambda: "MAIL FROM:<itop@example.com>" in post.server.commands))
    assert (done.handed_back, done.processed) == (1, 0)
    assert (post.row().status, post.row().last_attempt) == ("planned", None)
    assert post.claims() == []


def test_a_state_store_that_is_away_does_not_end_the_watch_over_a_silent_server(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[str] = []

    def away(_queue: MailQueue) -> None:
        failed.append("away")
        raise DatabaseError("the state store does not answer")

    monkeypatch.setattr(MailQueue, "stay_alive", away)
    monkeypatch.setattr("itopd.mail.delivery._SIGN_OF_LIFE", 0)
    monkeypatch.setattr("itopd.mail.delivery._LOOK_AROUND", 0.01)
    post.put()
    post.server.script = lambda stage, _argument: SILENCE if stage == "MAIL" else None
    done = post.deliver(limits=Limits(should_stop=lambda: len(failed) > 1))
    assert (done.handed_back, post.row().status) == (1, "planned")


def test_a_time_limit_ends_the_delivery(post: Post) -> None:
    post.put()
    done = post.deliver(limits=Limits(until=post.clock.now() + timedelta(seconds=1)))
    assert (done, post.row().status) == (Delivery(), "planned")


def test_a_mail_planned_again_during_the_delivery_waits_for_the_next(post: Post) -> None:
    post.put()
    assert post.deliver(RetryPolicy(5, 0), transport=Scripted(failing(Blame.TEMPORARY))).processed == 1
    assert post.row().planned == post.now


def test_a_retry_waits_although_the_clock_goes_back(post: Post) -> None:
    before_it_does = from_itop("2027-10-31 02:59:30", post.database.timezone)
    post.clock.advance((before_it_does - post.clock.now()).total_seconds())
    post.put(now="2027-10-31 02:00:00")
    assert post.deliver(transport=Scripted(failing(Blame.TEMPORARY))).retried == 1
    assert post.row().planned == "2027-10-31 03:00:31"  # not 02:00:31, which the column takes for past
    post.clock.advance(2)
    assert post.deliver(transport=Scripted()).processed == 0


def test_a_clock_that_is_set_back_during_a_delivery_loses_no_mail(post: Post) -> None:
    class Correcting(Scripted):
        """Somebody corrects the clock while the mail is sent."""

        async def send(self, letter: Letter) -> Receipt:
            post.clock.advance(-3600)
            return await super().send(letter)

    post.put()
    done = post.deliver(transport=Correcting(failing(Blame.TEMPORARY)))
    assert (done.retried, done.lost, post.row().status, post.claims()) == (1, 0, "planned", [])


def test_a_rate_limit_spreads_the_mails(post: Post) -> None:
    post.put_many(3)
    assert post.deliver(limits=Limits(rate=1000)).sent == 3


def test_pictures_are_taken_from_the_database_when_the_mail_is_sent(post: Post) -> None:
    table = post.database.table("InlineImage")
    with post.database.write() as connection:
        picture = {"id": 3, "secret": "abc", "contents_data": b"\x89PNG", "contents_mimetype": "image/png"}
        connection.execute(sa.insert(table).values(**picture, contents_filename="dot.png"))
    post.put(body='<p><img src="x" data-img-id="3" data-img-secret="abc"></p>', sender=Address("itop@example.com"))
    assert post.deliver().sent == 1
    pictures = [part for part in post.server.received[0].message.walk() if part.get_content_type() == "image/png"]
    assert [part.get_payload(decode=True) for part in pictures] == [b"\x89PNG"]


def test_a_database_that_fails_after_the_server_said_yes_does_not_send_twice(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.put()

    def away(*_arguments: object) -> bool:
        raise DatabaseError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(MailQueue, "sent", away)
        with pytest.raises(DatabaseError):
            post.deliver()
    assert [claim.stage for claim in post.claims()] == ["sent"]
    with post.state.write() as connection:  # its process ends
        connection.execute(MAIL_CLAIM.update().values(owner="nobody"))
    done = post.deliver()
    assert (done.rescued.sent, done.sent, len(post.server.received)) == (1, 0, 1)
    assert (post.rows(), post.events(), post.claims()) == ([], ["Sent"], [])


def test_one_mail_needs_a_handful_of_statements(post: Post) -> None:
    post.put_many(100)
    statements: list[str] = []
    sa.event.listen(post.database.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    sa.event.listen(post.state.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    assert post.deliver().sent == 100
    assert len([one for one in statements if not one.startswith(("BEGIN", "START"))]) <= 5 * 100
