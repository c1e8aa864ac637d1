"""Putting mails in, and looking at the queue."""

from __future__ import annotations

import sqlalchemy as sa

from itopd.database import Database
from itopd.mail import Address, Message, QueueDepth, counts, depth, listing, put, put_all, read_payload
from tests.mail.conftest import Post

NOW = "2027-02-10 10:00:00"


def test_a_queued_mail_looks_like_one_of_itops(database: Database) -> None:
    message = Message(to="a@example.com", subject="Créé", body="<p>x</p>", sender=Address("itop@example.com"))
    with database.write() as connection:
        task_id = put(connection, database, message, NOW, event_id=7)
    task, mail = database.table("AsyncTask"), database.table("AsyncSendEmail")
    with database.read() as connection:
        assert dict(connection.execute(sa.select(task)).mappings().one()) == {
            "id": task_id, "status": "planned", "created": NOW, "started": None, "planned": None, "event_id": 7,
            "remaining_retries": 0, "last_error_code": 0, "last_error": "", "last_attempt": None,
            "realclass": "AsyncSendEmail",
        }  # fmt: skip
        row = connection.execute(sa.select(mail)).mappings().one()
    assert (row["id"], row["version"], row["to"], row["subject"]) == (task_id, 2, "a@example.com", "Créé")
    assert read_payload(row["message"], 2).subject == "Créé"


def test_the_message_id_is_fixed_when_the_mail_is_queued(post: Post) -> None:
    post.put()
    (mail,) = post.queue().claim(post.now, "2030-01-01 00:00:00", 10)
    assert isinstance(mail.content, Message)
    assert mail.content.message_id.endswith("@example.com")
    post.put(message_id="mine@x")
    (mail,) = post.queue().claim(post.now, "2030-01-01 00:00:00", 10)
    assert isinstance(mail.content, Message)
    assert mail.content.message_id == "mine@x"


def test_many_mails_need_as_many_statements_as_one(database: Database) -> None:
    statements: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))

    def queue(number: int) -> int:
        statements.clear()
        with database.write() as connection:
            mails = [(Message(to="a@example.com", subject=f"{n}"), 0) for n in range(number)]
            ids = put_all(connection, database, mails, NOW)
            rows = {row.id: row.subject for row in listing(connection, database)}
        assert [rows[task_id] for task_id in ids] == [f"{n}" for n in range(number)]
        return len(statements)

    queue(2)
    few, many = queue(2), queue(200)
    assert many <= few + 2


def test_a_rolled_back_transaction_queues_nothing(database: Database) -> None:
    with database.write() as connection:
        put(connection, database, Message(to="a@example.com"), NOW)
        connection.rollback()
    with database.read() as connection:
        assert list(listing(connection, database)) == []


def test_columns_for_display_are_cut_and_the_payload_is_not(database: Database) -> None:
    long = "é" * 60_000
    with database.write() as connection:
        put(connection, database, Message(to="a@example.com", subject=long), NOW)
        (row,) = listing(connection, database)
        payload = connection.execute(sa.select(database.table("AsyncSendEmail").c.message)).scalar_one()
    assert row.subject == "é" * 32_767
    assert read_payload(payload, 2).subject == long


def test_a_listing_is_oldest_first_and_counts_tell_all_classes(database: Database) -> None:
    task = database.table("AsyncTask")
    with database.write() as connection:
        for created in ("2027-02-10 09:00:00", "2027-02-10 08:00:00"):
            put(connection, database, Message(to="a@example.com", subject=created), created)
        (task_id,) = database.allocate_ids(connection, "AsyncTask", 1)
        connection.execute(
            sa.insert(task).values(id=task_id, status="planned", created=NOW, realclass="AsyncSendNewsroom")
        )
        connection.execute(sa.update(task).where(task.c.created < "2027-02-10 08:30:00").values(status="error"))
    with database.read() as connection:
        assert [row.subject for row in listing(connection, database)] == ["2027-02-10 08:00:00", "2027-02-10 09:00:00"]
        assert [row.status for row in listing(connection, database, status="error")] == ["error"]
        assert len(list(listing(connection, database, limit=1))) == 1
        assert {(one.realclass, one.status, one.rows, one.oldest) for one in counts(connection, database)} == {
            ("AsyncSendEmail", "error", 1, "2027-02-10 08:00:00"),
            ("AsyncSendEmail", "planned", 1, "2027-02-10 09:00:00"),
            ("AsyncSendNewsroom", "planned", 1, NOW),
        }


def test_the_depth_tells_what_waits_what_could_be_sent_and_since_when(database: Database) -> None:
    with database.read() as connection:
        assert depth(connection, database, NOW) == QueueDepth(0, 0, 0, 0, None)
    task = database.table("AsyncTask")
    with database.write() as connection:
        message = Message(to="a@example.com", subject="x")
        ids = put_all(connection, database, [(message, 0)] * 6, "2027-02-10 09:00:00")
        for task_id, values in zip(
            ids,
            (
                {"planned": "2027-02-10 10:00:01"},
                {"planned": "2027-02-10 08:59:00"},
                {"created": "2027-02-10 08:58:00", "planned": "2027-02-10 11:00:00"},
                {"created": "2027-02-10 08:59:30"},
                {"status": "running", "created": "2020-01-01 00:00:00"},
                {"status": "error", "created": "2020-01-01 00:00:00"},
            ),
            strict=True,
        ):
            connection.execute(sa.update(task).where(task.c.id == task_id).values(values))
    with database.read() as connection:
        assert depth(connection, database, NOW) == QueueDepth(4, 2, 1, 1, "2027-02-10 08:59:00")
