"""Claims: nobody takes a mail twice, nothing stays behind, nobody else's rows are touched."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from itopd.mail import Message, PayloadError, Rescued
from itopd.mail.claims import shorten
from itopd.state import Owner, mail_claims, this_process
from itopd.state.mail_claims import MAIL_CLAIM
from tests.mail.conftest import SOMEBODY_DEAD, Post

LATER = "2030-01-01 00:00:00"


def test_the_oldest_due_mails_are_claimed_and_marked(post: Post) -> None:
    for hour in (12, 10, 11, 13):
        post.put(f"{hour}", now=f"2027-02-09 {hour}:00:00")
    claimed = post.queue().claim(post.now, LATER, 2)
    assert [mail.content.subject for mail in claimed if isinstance(mail.content, Message)] == ["10", "11"]
    assert [(row.status, row.started) for row in post.rows()] == [("running", post.now)] * 2 + [("planned", None)] * 2


@pytest.mark.parametrize("status", ["running", "idle", "error", None])
def test_only_planned_rows_are_taken(post: Post, status: str | None) -> None:
    post.change(post.put(), status=status)
    assert post.queue().claim(post.now, LATER, 10) == []


@pytest.mark.parametrize(("planned", "due"), [("2027-02-10 09:59:59", 1), ("2027-02-10 10:00:00", 0), (None, 1)])
def test_a_row_is_due_strictly_after_its_planned_instant(post: Post, planned: str | None, due: int) -> None:
    post.change(post.put(), planned=planned)
    assert len(post.queue().claim(post.now, "2027-02-10 10:00:00", 10)) == due


def test_rows_of_other_classes_are_left_alone(post: Post) -> None:
    post.change(post.put(), realclass="AsyncSendNewsroom")
    assert post.queue().claim(post.now, LATER, 10) == []


def test_a_message_without_an_id_gets_one_that_stays(post: Post) -> None:
    task_id = post.put()
    post.change_mail(task_id, message='a:2:{s:2:"to";s:13:"a@example.com";s:6:"plugin";i:1;}')
    (first,) = post.queue().claim(post.now, LATER, 10)
    post.queue().hand_back([first])
    (second,) = post.queue().claim(post.now, LATER, 10)
    assert isinstance(first.content, Message)
    assert first.content.message_id
    assert first.content == second.content
    assert '"plugin";i:1;' in second.payload


def test_what_cannot_be_read_is_claimed_with_its_reason(post: Post) -> None:
    garbage, orphan = post.put(), post.put()
    post.change_mail(garbage, message="garbage")
    with post.database.write() as connection:
        mail = post.database.table("AsyncSendEmail")
        connection.execute(sa.delete(mail).where(mail.c.id == orphan))
    assert all(isinstance(mail.content, PayloadError) for mail in post.queue().claim(post.now, LATER, 10))


def test_one_claim_takes_no_more_payload_than_fits_but_always_one_mail(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("itopd.mail.claims._BATCH_CHARACTERS", 3_000)
    for _ in range(3):
        post.put(body="x" * 2_000)
    assert len(post.queue().claim(post.now, LATER, 10)) == 1


def test_of_many_who_claim_at_once_nobody_gets_what_another_has(post: Post) -> None:
    ids = [post.put(with_event=False) for _ in range(60)]
    taken: list[int] = []
    start = threading.Barrier(4)

    def claim() -> None:
        queue = post.queue()
        start.wait()
        while claimed := queue.claim(post.now, LATER, 5):
            taken.extend(mail.id for mail in claimed)

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == ids


def test_a_mail_handed_back_is_as_before_and_leaves_no_claim(post: Post) -> None:
    post.put()
    before = post.row()
    claimed = post.queue().claim(post.now, LATER, 10)
    assert post.queue().take_in_hand(claimed[0], [])
    assert post.queue().hand_back(claimed) == 1
    assert post.row() == before
    assert post.claims() == []


def test_nothing_is_settled_that_is_no_longer_ours(post: Post) -> None:
    task_id = post.put()
    (mail,) = post.queue().claim(post.now, LATER, 10)
    post.change(task_id, status="planned", started=None)
    assert post.queue().sent(mail) is False
    assert post.queue().failed(mail, "text", post.clock.now()) is None
    assert post.queue().hand_back([mail]) == 0
    assert (len(post.rows()), post.events()) == (1, ["Pending"])


def test_letting_go_never_touches_a_claim_that_somebody_made_meanwhile(post: Post) -> None:
    task_id = post.put()
    post.queue(SOMEBODY_DEAD).claim(post.now, LATER, 10)
    (claim,) = post.claims()
    mail_claims.forget(post.state, this_process(), [task_id])
    mail_claims.let_go(post.state, this_process(), [task_id], tried=False)
    assert post.claims() == [claim]


def test_a_claim_that_was_taken_over_cannot_be_taken_in_hand(post: Post) -> None:
    post.put()
    (mail,) = post.queue(SOMEBODY_DEAD).claim(post.now, LATER, 10)
    post.queue().rescue(post.now)
    assert post.queue(SOMEBODY_DEAD).take_in_hand(mail, []) is False


def test_a_mail_that_a_dead_process_had_not_begun_goes_back_unchanged(post: Post) -> None:
    post.put()
    before = post.row()
    post.queue(SOMEBODY_DEAD).claim(post.now, LATER, 10)
    assert post.queue().rescue(post.now) == Rescued(planned=1)
    assert post.row() == before
    assert post.claims() == []


def test_a_mail_that_a_dead_process_had_in_hand_goes_back_once_with_a_note(post: Post) -> None:
    post.put()
    for expected in (Rescued(planned=1), Rescued(failed=1)):
        dead = post.queue(SOMEBODY_DEAD)
        (mail,) = dead.claim(post.now, LATER, 10)
        assert dead.take_in_hand(mail, [])
        assert post.queue().rescue(post.now) == expected
        assert "may have been delivered" in post.row().last_error
    assert (post.row().status, post.row().started) == ("error", None)
    assert post.events()[0].endswith("\nFailed to process async task.")
    assert post.claims() == []


def test_a_mail_known_as_sent_is_removed_by_the_rescue(post: Post) -> None:
    post.put()
    dead = post.queue(SOMEBODY_DEAD)
    (mail,) = dead.claim(post.now, LATER, 10)
    dead.take_in_hand(mail, [])
    dead.mark_sent(mail)
    assert post.queue().rescue(post.now) == Rescued(sent=1)
    assert (post.rows(), post.events(), post.claims()) == ([], ["Sent"], [])


def test_what_a_living_process_has_is_left_to_it(post: Post) -> None:
    post.put()
    post.queue(this_process()).claim(post.now, LATER, 10)
    assert post.queue().rescue(post.now) == Rescued()
    assert post.row().status == "running"


def test_an_owner_elsewhere_is_dead_after_a_long_silence_only(post: Post) -> None:
    elsewhere = Owner("another/machine", 1, "1")
    post.put()
    post.queue(elsewhere).claim(post.now, LATER, 10)
    assert post.queue().rescue(post.now) == Rescued()
    with post.state.write() as connection:
        an_hour_ago = post.clock.now().replace(year=2020)
        connection.execute(MAIL_CLAIM.update().values(seen=an_hour_ago))
    post.queue(elsewhere).stay_alive()
    assert post.queue().rescue(post.now) == Rescued()
    with post.state.write() as connection:
        connection.execute(MAIL_CLAIM.update().values(seen=an_hour_ago))
    assert post.queue().rescue(post.now) == Rescued(planned=1)


def test_a_claim_whose_row_somebody_else_has_is_only_forgotten(post: Post) -> None:
    task_id = post.put()
    post.queue(SOMEBODY_DEAD).claim(post.now, LATER, 10)
    post.change(task_id, started="2027-02-10 11:11:11")
    assert post.queue().rescue(post.now) == Rescued()
    assert (post.row().status, post.row().started) == ("running", "2027-02-10 11:11:11")
    assert post.claims() == []


def test_of_two_rescuers_one_gets_a_claim(post: Post) -> None:
    post.put()
    post.queue(SOMEBODY_DEAD).claim(post.now, LATER, 10)
    abandoned = mail_claims.abandoned(post.state, 900)
    others = replace(this_process(), pid=1)
    mine = [replace(claim, owner=str(this_process())) for claim in abandoned]
    assert mail_claims.take_over(post.state, this_process(), abandoned) == mine
    assert mail_claims.take_over(post.state, others, abandoned) == []


def test_what_the_dead_did_between_the_look_and_the_rescue_counts(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that a server took meanwhile is not sent again, and one taken in hand counts as tried."""
    sent, in_hand = post.put(), post.put()
    dying = post.queue(SOMEBODY_DEAD)
    mails = {mail.id: mail for mail in dying.claim(post.now, LATER, 10)}
    seen = mail_claims.abandoned(post.state, 900)
    for mail in mails.values():
        dying.take_in_hand(mail, [])
    dying.mark_sent(mails[sent])
    monkeypatch.setattr(mail_claims, "abandoned", lambda *_: seen)
    assert post.queue().rescue(post.now) == Rescued(planned=1, sent=1)
    assert [(row.id, row.status) for row in post.rows()] == [(in_hand, "planned")]
    assert [claim.tries for claim in post.claims()] == [1]


@pytest.mark.parametrize(
    ("text", "kept"),
    [("x" * 255, "x" * 255), ("x" * 256, "x" * 230 + " -truncated (256 chars)"), ("", "")],
)
def test_a_long_error_is_cut_and_tells_its_length(text: str, kept: str) -> None:
    shortened = shorten(text)
    assert len(shortened) <= 255
    assert shortened == kept or shortened.endswith(" -truncated (256 chars)")
