"""The dialogue with a server: each answer at each stage, and what it means for the mail."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from itopd.mail.compose import Letter
from itopd.mail.smtp import SmtpServer, SmtpTransport
from itopd.mail.transport import Blame, Receipt
from tests.support.smtp import DROP, SILENCE, Script, smtp_server
from tests.support.smtp import SmtpServer as Listening

LETTER = Letter("from@example.com", ("a@example.com", "b@example.com"), (), "m1@x", b"Subject: x\r\n\r\n.dot\r\n..\r\n")


def at(server: Listening, **options: object) -> SmtpServer:
    return SmtpServer("127.0.0.1", server.port, **({"timeout": 60.0} | options))  # type: ignore[arg-type]


def send(server: SmtpServer, *letters: Letter) -> list[Receipt]:
    """Send letters over one transport; return what became of each."""

    async def work() -> list[Receipt]:
        transport = SmtpTransport(server)
        try:
            return [await transport.send(letter) for letter in letters]
        finally:
            await transport.close()

    return asyncio.run(work())


def answering(stage: str, answer: str, *, times: int = 10**9, only: str = "") -> Script:
    """Return a script that gives ``answer`` at one stage, the first ``times`` it is reached."""
    left = [times]

    def script(reached: str, argument: str) -> str | None:
        if reached != stage or (only and only not in argument) or left[0] == 0:
            return None
        left[0] -= 1
        return answer

    return script


def test_one_connection_serves_many_letters_and_says_goodbye() -> None:
    with smtp_server() as server:
        assert send(at(server), *[LETTER] * 5) == [Receipt()] * 5
    assert (server.connections, len(server.received), server.commands[-1]) == (1, 5, "QUIT")


def test_content_arrives_as_it_was_with_dots_stuffed() -> None:
    with smtp_server() as server:
        send(at(server), LETTER)
    (mail,) = server.received
    assert (mail.sender, mail.recipients, mail.content) == (LETTER.sender, LETTER.recipients, LETTER.content)


TABLE = [
    ("banner", "554 no service", Blame.SERVER),
    ("banner", "421 later", Blame.SERVER),
    ("banner", DROP, Blame.SERVER),
    ("banner", "what?", Blame.SERVER),
    ("MAIL", "550 not you", Blame.PERMANENT),
    ("MAIL", "451 later", Blame.TEMPORARY),
    ("MAIL", "421 closing", Blame.SERVER),
    ("MAIL", DROP, Blame.SERVER),
    ("RCPT", "421 closing", Blame.SERVER),
    ("RCPT", DROP, Blame.SERVER),
    ("DATA", "554 no", Blame.PERMANENT),
    ("DATA", "452 full", Blame.TEMPORARY),
    ("DATA", "421 closing", Blame.SERVER),
    ("DATA", DROP, Blame.SERVER),
    ("dot", "554 spam", Blame.PERMANENT),
    ("dot", "451 try later", Blame.TEMPORARY),
    ("dot", "421 closing", Blame.SERVER),
    ("dot", DROP, Blame.TEMPORARY),
]


@pytest.mark.parametrize(("stage", "answer", "blame"), TABLE)
def test_each_refusal_at_each_stage_is_blamed_on_who_it_concerns(stage: str, answer: str, blame: Blame) -> None:
    with smtp_server(answering(stage, answer)) as server:
        (receipt,) = send(at(server), LETTER)
    assert receipt.failure is not None
    assert receipt.failure.blame is blame
    assert receipt.failure.text
    assert server.received == []


@pytest.mark.parametrize(("stage", "answer", "_blame"), TABLE)
def test_after_a_refusal_the_next_letter_goes_out(stage: str, answer: str, _blame: Blame) -> None:
    with smtp_server(answering(stage, answer, times=1)) as server:
        receipts = send(at(server), LETTER, LETTER)
    assert receipts[1] == Receipt()
    assert len(server.received) == 1


@pytest.mark.parametrize(("stage", "answer"), [("QUIT", "500 what?"), ("QUIT", DROP), ("QUIT", "421 closing")])
def test_a_rude_goodbye_changes_nothing(stage: str, answer: str) -> None:
    with smtp_server(answering(stage, answer)) as server:
        assert send(at(server), LETTER) == [Receipt()]


@pytest.mark.parametrize(("stage", "answer"), [("MAIL", DROP), ("MAIL", "421 idle too long"), ("DATA", DROP)])
def test_a_kept_connection_that_the_server_gave_up_is_replaced_without_costing_an_attempt(
    stage: str, answer: str
) -> None:
    def second_time(reached: str, _argument: str) -> str | None:
        return answer if reached == stage and len(server.received) == 1 and server.connections == 1 else None

    with smtp_server() as server:
        server.script = second_time
        assert send(at(server), LETTER, LETTER) == [Receipt(), Receipt()]
    assert (server.connections, len(server.received)) == (2, 2)


def test_a_connection_lost_after_the_data_is_no_reason_to_send_again_at_once() -> None:
    with smtp_server(answering("dot", DROP + " after taking", times=1)) as server:
        first, second = send(at(server), LETTER, LETTER)
    assert first.failure is not None
    assert "may have been delivered" in first.failure.text
    assert second == Receipt()
    assert len(server.received) == 2  # the first, whose answer was lost, and the second


def test_a_refused_recipient_does_not_keep_the_others_from_theirs() -> None:
    with smtp_server(answering("RCPT", "550 nobody here", only="a@example.com")) as server:
        (receipt,) = send(at(server), LETTER)
    assert [(refusal.address, refusal.permanent, refusal.text) for refusal in receipt.refused] == [
        ("a@example.com", True, "550 nobody here")
    ]
    assert server.received[0].recipients == ("b@example.com",)


def test_a_recipient_refused_for_now_is_told_apart() -> None:
    with smtp_server(answering("RCPT", "450 greylisted", only="b@example.com")) as server:
        (receipt,) = send(at(server), LETTER)
    assert [refusal.permanent for refusal in receipt.refused] == [False]


def test_without_any_accepted_recipient_no_data_is_sent() -> None:
    with smtp_server(answering("RCPT", "550 nobody", times=2)) as server:
        first, second = send(at(server), LETTER, LETTER)
    assert (len(first.refused), second) == (2, Receipt())
    assert server.commands.count("DATA") == 1
    assert server.connections == 1


def test_a_closed_port_is_the_servers_fault() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (receipt,) = send(SmtpServer("127.0.0.1", port), LETTER)
    assert receipt.failure is not None
    assert receipt.failure.blame is Blame.SERVER
    assert f"127.0.0.1:{port}" in receipt.failure.text


@pytest.mark.parametrize("stage", ["banner", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_silent_server_is_waited_for_only_so_long(stage: str) -> None:
    with smtp_server(answering(stage, SILENCE)) as server:
        (receipt,) = send(at(server, timeout=0.2), LETTER)
    assert receipt.failure is not None
    assert receipt.failure.blame is Blame.SERVER


def test_a_server_of_the_old_school_is_greeted_its_way() -> None:
    with smtp_server(answering("EHLO", "502 what?")) as server:
        assert send(at(server), LETTER) == [Receipt()]
    assert [command.split()[0] for command in server.commands[:3]] == ["EHLO", "HELO", "MAIL"]


@pytest.mark.parametrize(("password", "logins"), [("secret", 1), ("", 0)])
def test_login_happens_only_with_a_password(password: str, logins: int) -> None:
    with smtp_server() as server:
        assert send(at(server, username="itop", password=password), LETTER) == [Receipt()]
    assert sum(command.startswith("AUTH") for command in server.commands) == logins


def test_a_refused_login_is_the_servers_fault_and_the_password_is_not_told() -> None:
    with smtp_server(answering("AUTH", "535 wrong")) as server:
        (receipt,) = send(at(server, username="itop", password="geheim"), LETTER)
    assert receipt.failure is not None
    assert receipt.failure.blame is Blame.SERVER
    assert "535 wrong" in receipt.failure.text
    assert "geheim" not in receipt.failure.text + repr(at(server, password="geheim"))


def test_an_abandoned_dialogue_leaves_no_half_open_transaction() -> None:
    async def work() -> Receipt:
        transport = SmtpTransport(at(server))
        sending = asyncio.ensure_future(transport.send(LETTER))
        while "DATA" not in server.commands:
            await asyncio.sleep(0)
        sending.cancel()
        await asyncio.wait({sending})
        server.script = None
        try:
            return await transport.send(LETTER)
        finally:
            await transport.close()

    with smtp_server(answering("DATA", SILENCE)) as server:
        assert asyncio.run(work()) == Receipt()
    assert len(server.received) == 1


def _certified(folder: Path) -> ssl.SSLContext:
    """Return what a server needs for TLS with a certificate nobody signed."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


@contextmanager
def tls_server(folder: Path) -> Iterator[Listening]:
    """Run a server that offers STARTTLS."""
    with smtp_server(tls=_certified(folder)) as server:
        yield server


def test_starttls_encrypts_and_checks_the_certificate(tmp_path: Path) -> None:
    with tls_server(tmp_path) as server:
        (unchecked,) = send(at(server, encryption="tls", verify_peer=False), LETTER)
        (checked,) = send(at(server, encryption="tls"), LETTER)
    assert unchecked == Receipt()
    assert checked.failure is not None
    assert checked.failure.blame is Blame.SERVER
    assert len(server.received) == 1


def test_without_starttls_at_the_server_nothing_is_sent_in_clear() -> None:
    with smtp_server() as server:
        (receipt,) = send(at(server, encryption="tls", username="itop", password="geheim"), LETTER)
    assert receipt.failure is not None
    assert server.received == []
    assert not any(command.startswith("AUTH") for command in server.commands)


class NotReading:
    """A server for one connection, in a thread: it takes DATA and then reads nothing until it is told to."""

    def __init__(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        self._listening, self._context = listening, context
        self.in_data, self.may_read = threading.Event(), threading.Event()

    def serve(self) -> bytes:
        """Return what came after DATA."""
        connection, _ = self._listening.accept()
        connection.settimeout(60)
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        with connection, connection.makefile("rb", buffering=0) as commands:
            connection.sendall(b"220 ready\r\n")
            while not commands.readline().startswith(b"DATA"):
                connection.sendall(b"250 ok\r\n")
            connection.sendall(b"354 go on\r\n")
            self.in_data.set()
            self.may_read.wait(60)
            received = bytearray()
            with contextlib.suppress(ConnectionResetError):
                while data := connection.recv(2**18):
                    received += data
            return bytes(received)


@pytest.mark.parametrize("encryption", ["", "ssl"])
def test_the_rest_of_an_abandoned_mail_is_never_sent(tmp_path: Path, encryption: str) -> None:
    letter = replace(LETTER, content=b"Subject: x\r\n\r\n" + b"x" * 2**24 + b"\r\n")

    async def work(server: NotReading, port: int) -> bytes:
        transport = SmtpTransport(SmtpServer("127.0.0.1", port, encryption, verify_peer=False))
        serving = asyncio.create_task(asyncio.to_thread(server.serve))
        sending = asyncio.create_task(transport.send(letter))
        await asyncio.to_thread(server.in_data.wait, 60)
        while not transport.handed_over:
            await asyncio.sleep(0)
        sending.cancel()
        await asyncio.wait({sending})
        server.may_read.set()
        return await serving

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        server = NotReading(listening, _certified(tmp_path) if encryption else None)
        received = asyncio.run(work(server, listening.getsockname()[1]))
    assert len(received) < len(letter.content)


def test_a_server_that_never_ends_tls_does_not_keep_the_connection(tmp_path: Path) -> None:
    gone = threading.Event()

    def serve(listening: socket.socket, context: ssl.SSLContext) -> None:
        connection, _ = listening.accept()
        connection.settimeout(60)
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.sendall(b"220 ready\r\n")
            with encrypted.makefile("rb", buffering=0) as commands:
                while not (command := commands.readline()).startswith(b"QUIT"):
                    answer = b"354 go on" if command.startswith(b"DATA") else b"250 ok"
                    if command[:4] in (b"EHLO", b"MAIL", b"RCPT", b"DATA", b".\r\n"):
                        encrypted.sendall(answer + b"\r\n")
            encrypted.sendall(b"221 bye\r\n")
            assert encrypted.recv(1) == b""  # the client's goodbye, which this server does not answer
            gone.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=serve, args=(listening, _certified(tmp_path)))
        serving.start()
        server = SmtpServer("127.0.0.1", listening.getsockname()[1], "ssl", verify_peer=False)
        assert send(server, LETTER) == [Receipt()]
        gc.collect()  # would warn of a connection that is still open
        gone.set()
        serving.join(60)
