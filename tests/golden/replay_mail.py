"""Mails: the queue (``async-*``), stored payloads and what is sent from them (``payload-*``), ``retry-delay``.

Of the payload family this is the reader test and the sender test, and the writer test where the mail API built the
message. What a notification writes is judged when notifications exist.
"""

from __future__ import annotations

import hashlib
import re
import socket
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from itopd.attributes import html_to_text
from itopd.clock import FixedClock, from_itop
from itopd.database import Database
from itopd.mail import Address, Message, RetryPolicy, read_payload, write_payload
from itopd.mail.retries import QUEUED_MAIL
from itopd.php import unserialize
from itopd.rules import ITOP
from itopd.settings import Settings
from itopd.state import open_state
from itopd.tasks.exec_async_task import exec_async_task
from tests.golden.harness import Difference, Vector, check_equal, instead, replays
from tests.golden.sample import golden_sample
from tests.support.servers import PARIS
from tests.support.smtp import Received, smtp_server

_TASK_COLUMNS = (
    "status", "created", "started", "planned", "remaining_retries", "last_error_code", "last_error", "last_attempt",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one run of ExecAsyncTask left."""

    message: str
    queue: list[dict[str, Any]]
    events: list[str]
    delivered: list[Received]


@replays("cron", lambda vector: vector.data["run"]["service"] == "retry-delay")
def replay_retry_delay(vector: Vector) -> None:
    """The delay before the next attempt."""
    for case in vector.data["expect"]["cases"]:
        policy = RetryPolicy(case["max_retries"], case["retry_delay"], case["exponential_delay"])
        check_equal(f"delay of {case}", policy.delay(case["remaining_retries"]), case["delay"])


@replays("cron", lambda vector: vector.name.startswith("async-") and vector.data["run"]["service"] == "cron")
def replay_async(vector: Vector) -> None:
    """The queue after one run."""
    _compare(_run_queue(vector), vector.data["expect"])


@instead("cron/async-garbage")
def instead_of_garbage(vector: Vector) -> None:
    """The unreadable row gets status error and a reason, the rows after it are sent."""
    expect = vector.data["expect"]
    queue = [_in_error(expect["queue"][0])]
    delivered = [{"to": [row["to"]], "subject": row["subject"]} for row in expect["queue"][1:]]
    events = ["<ERROR>\nFailed to process async task.", *("Sent" for _ in delivered)]
    message = f"processed {len(expect['queue'])} tasks"
    outcome = _run_queue(vector, garbage=True)
    _compare(outcome, {"message": message, "queue": queue, "events": events, "delivered": delivered})


@instead("cron/async-unknown-version")
def instead_of_deletion(vector: Vector) -> None:
    """The row that nobody can read is kept, with status error and the reason."""
    given, expect = vector.data["given"], vector.data["expect"]
    queue = [_in_error(given["queue"][0]) | {"last_error": expect["events"][0]}]
    events = [f"{expect['events'][0]}\nFailed to process async task."]
    _compare(_run_queue(vector), {"message": expect["message"], "queue": queue, "events": events, "delivered": []})


@replays("cron", lambda vector: vector.name.startswith("payload-"))
def replay_payload(vector: Vector) -> None:
    """Reader, sender and, for the mail API, writer."""
    expect = vector.data["expect"]
    raw, decoded = expect["row"]["message"], expect["decoded"]
    check_equal("decoded payload", _named_keys(unserialize(raw.encode())), decoded)
    message = read_payload(raw, expect["row"]["version"])
    check_equal("payload written again", _named_keys(unserialize(write_payload(message).encode())), decoded)
    if "message_built_with" in vector.data["given"]:
        built = _built(vector.data["given"])
        check_equal("payload of the built message", _named_keys(unserialize(write_payload(built).encode())), decoded)
    outcome = _send_payload(vector)
    sent = expect["sent"]
    if expect["send_error"] is not None:
        check_equal("mails sent", len(outcome.delivered), 0)
        return
    check_equal("mails sent", len(outcome.delivered), 1)
    received = outcome.delivered[0]
    check_equal("envelope sender", received.sender, sent["envelope"]["mail_from"])
    check_equal("envelope recipients", set(received.recipients), set(sent["envelope"]["rcpt_to"]))
    check_equal("events after", outcome.events, expect["event_after"])
    check_equal("queue after", outcome.queue, [])
    _check_headers(received.message, decoded)
    _check_body(received.message, decoded["body"])
    _check_parts(received.message, sent["parts"])


def _check_headers(mail: EmailMessage, decoded: Mapping[str, Any]) -> None:
    check_equal("Subject", str(mail["Subject"]), decoded["subject"])
    check_equal("From", getaddresses([str(mail["From"])]), [(decoded["from"]["label"], decoded["from"]["address"])])
    for name, key in (("To", "to"), ("Cc", "cc")):
        wanted = [address.strip() for address in decoded.get(key, "").split(",") if address.strip()]
        given = str(mail[name] or "").removeprefix("undisclosed-recipients:;")
        check_equal(name, [address for _, address in getaddresses([given]) if address], wanted)
    check_equal("Bcc", mail["Bcc"], None)
    reply_to = decoded.get("reply_to", {}).get("address", "")
    check_equal(
        "Reply-To", [one for _, one in getaddresses([str(mail["Reply-To"] or "")]) if one], [reply_to][: bool(reply_to)]
    )
    for name, value in decoded.get("headers", {}).items():
        check_equal(name, str(mail[name]), value)
    if "message_id" in decoded:
        check_equal("Message-ID", str(mail["Message-ID"]), f"<{decoded['message_id'].strip('<>')}>")


def _check_body(mail: EmailMessage, body: Mapping[str, str]) -> None:
    is_html = body["mimeType"] == "text/html"
    part = mail.get_body(("html",) if is_html else ("plain",))
    if part is None:
        raise Difference(f"body: there is no {body['mimeType']} part")
    text = part.get_content().replace("\r\n", "\n").rstrip("\n")
    if not is_html:
        check_equal("body", text, body["body"].rstrip("\n"))
        return
    check_equal("text of the body", html_to_text(text), html_to_text(body["body"]))
    for source in re.findall(r'src="cid:([^"]*)"', text):
        if f"<{source}>" not in [inline["Content-ID"] for inline in mail.walk()]:
            raise Difference(f"body: no part has the content id {source}")
    plain = mail.get_body(("plain",))
    if plain is None:
        raise Difference("body: there is no text alternative")
    check_equal("text alternative", plain.get_content().replace("\r\n", "\n").rstrip("\n"), html_to_text(body["body"]))


def _check_parts(mail: EmailMessage, expected: Sequence[Mapping[str, Any]]) -> None:
    found = []
    for part in mail.walk():
        if part.get_content_disposition() is not None:
            content = cast("bytes", part.get_payload(decode=True))
            found.append(
                {
                    "disposition": part.get_content_disposition(),
                    "content_type": part.get_content_type(),
                    "size": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "has_content_id": part["Content-ID"] is not None,
                }
            )
    check_equal("parts", found, list(expected))


def _built(given: Mapping[str, Any]) -> Message:
    """Return the message that a caller of the mail API builds, as ``message_built_with`` says."""
    settings = given["settings"]
    sender = Address(settings["email_default_sender_address"], settings["email_default_sender_label"])
    fields: dict[str, Any] = {"sender": sender}
    for call, *arguments in given["message_built_with"]:
        match call:
            case "SetRecipientTO" | "SetRecipientCC" | "SetRecipientBCC":
                fields[call.removeprefix("SetRecipient").lower()] = arguments[0]
            case "SetSubject":
                fields["subject"] = arguments[0]
            case "SetBody":
                fields["body"] = arguments[0]
                fields["mime_type"] = arguments[1] if len(arguments) > 1 else "text/html"
            case _:
                raise Difference(f"the replayer does not know the call {call}")
    return Message(**fields)


def _in_error(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(row) | {
        "status": "error",
        "started": None,
        "planned": None,
        "last_error": "<ERROR>",
        "last_attempt": "2027-02-10 10:00:00",
    }


def _compare(outcome: _Outcome, expect: Mapping[str, Any]) -> None:
    check_equal("message", outcome.message, expect["message"])
    check_equal("rows left", len(outcome.queue), len(expect["queue"]))
    for number, (row, wanted) in enumerate(zip(outcome.queue, expect["queue"], strict=True)):
        for name, value in wanted.items():
            _check(f"row {number}, {name}", row[name], value)
    check_equal("number of events", len(outcome.events), len(expect["events"]))
    for number, (text, wanted) in enumerate(zip(outcome.events, expect["events"], strict=True)):
        _check(f"event {number}", text, wanted)
    delivered = [{"to": list(mail.recipients), "subject": str(mail.message["Subject"])} for mail in outcome.delivered]
    wanted_mails = [
        {"to": mail["to"], "subject": str(make_header(decode_header(mail["subject"])))} for mail in expect["delivered"]
    ]
    check_equal("delivered", delivered, wanted_mails)


def _check(what: str, actual: object, expected: object) -> None:
    """Compare; ``<ERROR>`` in the expected text stands for any text."""
    if isinstance(expected, str) and isinstance(actual, str) and "<ERROR>" in expected:
        if not re.fullmatch(re.escape(expected).replace("<ERROR>", ".+"), actual, re.DOTALL):
            raise Difference(f"{what}: got {actual!r}, recorded {expected!r}")
        return
    check_equal(what, actual, expected)


def _run_queue(vector: Vector, *, garbage: bool = False) -> _Outcome:
    given = vector.data["given"]
    with _sample() as database:
        with database.write() as connection:
            events = [_add_event(connection, database, text) for text in given["events"]]
            # The rows are listed as they stand in the queue; they and their events were made in order of subject
            # (async-planned-future shows the difference).
            queue = sorted(given["queue"], key=lambda row: str(row["subject"]))
            for number, row in enumerate(queue):
                subject = row["subject"]
                message = Message(
                    sender=Address("itop@example.com"),
                    to=row["to"],
                    subject=subject,
                    body=f"<p>{subject}</p>",
                    message_id=f"golden-{number}@example.com",
                )
                payload = "garbage" if garbage and number == 0 else write_payload(message)
                event = events[number] if number < len(events) else 0
                _add_mail(connection, database, row, payload, event)
        now = datetime.fromisoformat(given["clock"]["utc"]).replace(tzinfo=UTC)
        return _deliver(database, given, now, events)


def _send_payload(vector: Vector) -> _Outcome:
    given, expect, run = vector.data["given"], vector.data["expect"], vector.data["run"]
    at = re.search(r"at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)$", run["then"])
    if at is None:
        raise Difference(f"the replayer cannot read when the queue is processed: {run['then']!r}")
    row = expect["row"] | {"created": given["clock"]["local"]}
    with _sample() as database:
        with database.write() as connection:
            _add_pictures(connection, database, given.get("objects", ()))
            events = [_add_event(connection, database, event["message"]) for event in expect["event_at_enqueue"]]
            _add_mail(connection, database, row, row["message"], events[0] if events else 0)
        return _deliver(database, given, from_itop(at[1], PARIS), events)


def _deliver(database: Database, given: Mapping[str, Any], now: datetime, events: Sequence[int]) -> _Outcome:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        state = open_state(f"sqlite:///{folder}/state.db")
        stack.callback(state.close)
        server = stack.enter_context(smtp_server(_script(given.get("smtp"))))
        port = _closed_port() if given.get("smtp") == "connection refused" else server.port
        smtp = {"email_transport_smtp_host": "127.0.0.1", "email_transport_smtp_port": port, "data_folder": folder}
        values = {name.replace(".", "_"): value for name, value in given["settings"].items()} | smtp
        message = exec_async_task(database, state, Settings(**values), ITOP, FixedClock(now))
        return _Outcome(message, _queue(database), _event_texts(database, events), server.received)


def _script(behaviour: str | None) -> Any:
    def refuse_reject(stage: str, argument: str) -> str | None:
        return "550 no such recipient" if stage == "RCPT" and argument.startswith("TO:<reject") else None

    return refuse_reject if behaviour and behaviour.startswith("refuses recipients") else None


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _sample() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder, golden_sample(Path(folder)) as database:
        yield database


def _add_event(connection: sa.Connection, database: Database, text: str) -> int:
    (event_id,) = database.allocate_ids(connection, "Event", 1)
    values = {"id": event_id, "message": text, "realclass": "EventNotificationEmail"}
    connection.execute(sa.insert(database.table("Event")).values(**values))
    return event_id


def _add_mail(
    connection: sa.Connection, database: Database, row: Mapping[str, Any], payload: str, event_id: int
) -> None:
    (task_id,) = database.allocate_ids(connection, "AsyncTask", 1)
    task = {"id": task_id, "realclass": QUEUED_MAIL, "event_id": event_id}
    task |= {name: row[name] for name in _TASK_COLUMNS if name in row}
    connection.execute(sa.insert(database.table("AsyncTask")).values(**task))
    mail = {name: row[name] for name in ("to", "subject", "version")} | {"id": task_id, "message": payload}
    connection.execute(sa.insert(database.table(QUEUED_MAIL)).values(**mail))


def _add_pictures(connection: sa.Connection, database: Database, objects: Sequence[Mapping[str, Any]]) -> None:
    for given in objects:
        if given.get("class") == "InlineImage":
            document = given["attrs"]["contents"]
            (picture_id,) = database.allocate_ids(connection, "InlineImage", 1)
            values = {
                "id": picture_id,
                "secret": given["attrs"]["secret"],
                "contents_data": b64decode(document["doc"]),
                "contents_mimetype": document["mime"],
                "contents_filename": document["name"],
            }
            connection.execute(sa.insert(database.table("InlineImage")).values(**values))


def _queue(database: Database) -> list[dict[str, Any]]:
    task, mail = database.table("AsyncTask"), database.table(QUEUED_MAIL)
    columns = [task.c[name] for name in _TASK_COLUMNS] + [mail.c[name] for name in ("to", "subject", "version")]
    query = sa.select(*columns).join_from(task, mail, mail.c.id == task.c.id).order_by(task.c.created, task.c.id)
    with database.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _event_texts(database: Database, events: Sequence[int]) -> list[str]:
    event = database.table("Event")
    query = sa.select(event.c.message).where(event.c.id.in_(events)).order_by(event.c.id)
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def _named_keys(value: object) -> object:
    """Return arrays with all keys as text: how the vectors show PHP's lists."""
    return {str(key): _named_keys(item) for key, item in value.items()} if isinstance(value, dict) else value
