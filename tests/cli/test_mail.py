"""``itopd mail``: mails go into the queue whole or not at all, and the queue can be read."""

from __future__ import annotations

import io
import sys

import pytest

from tests.cli.calls import Place

WORDS = ("mail", "enqueue", "--to=a@b.example", "--from=me@b.example")


def test_a_mail_is_queued_and_listed(installed: Place) -> None:
    answer = installed.call(*WORDS, "--subject=Déjà vu", "--body=Text")
    assert (answer.code, answer.out) == (0, "queued as #1\n")
    listed = installed.call("mail", "list")
    assert listed.code == 0
    header, row, total = listed.out.splitlines()
    assert header.split()[:4] == ["id", "status", "created", "planned"]
    assert row.split()[:2] == ["1", "planned"]
    assert "a@b.example  Déjà vu" in row
    assert total == "1 planned (AsyncSendEmail)"


def test_an_empty_queue_says_so(installed: Place) -> None:
    assert installed.call("mail", "list").out == "the queue is empty\n"


def test_the_list_is_limited_and_chosen_by_status(installed: Place) -> None:
    for number in range(3):
        installed.call(*WORDS, f"--subject=Number {number}")
    lines = installed.call("mail", "list", "--limit=2").out.splitlines()
    assert [line.split()[0] for line in lines] == ["id", "1", "2", "3"]
    assert lines[-1] == "3 planned (AsyncSendEmail)"
    assert "Number" not in installed.call("mail", "list", "--status=error").out


def test_the_body_comes_from_a_file_or_standard_input(installed: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    file = installed.write("body.html", "<p>Grüße</p>")
    assert installed.call(*WORDS, f"--body_file={file}", "--html").code == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO("from the pipe"))
    assert installed.call(*WORDS, "--body=-").code == 0
    messages = installed.call("query", "SELECT AsyncSendEmail", "--fields=message", "--format=jsonl").out
    assert "Gr" in messages
    assert "from the pipe" in messages


def test_the_sender_may_be_the_default_one(installed: Place) -> None:
    installed.configure(email_default_sender_address="cmdb@b.example")
    assert installed.call("mail", "enqueue", "--to=a@b.example").code == 0


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("--from=me@b.example",), 64, "--to"),
        (("--to=", "--from=me@b.example"), 64, "--to: name at least one recipient"),
        (("--to=,", "--from=me@b.example"), 64, "--to: name at least one recipient"),
        (("--to=nobody", "--from=me@b.example"), 64, "--to: 'nobody' is no e-mail address"),
        (("--to=a@b.example,nobody", "--from=me@b.example"), 64, "--to: 'nobody' is no e-mail address"),
        (("--to=a@b.example\nBcc: x@y.example", "--from=me@b.example"), 64, "is no e-mail address"),
        (("--to=a@b.example", "--cc=nobody", "--from=me@b.example"), 64, "--cc: 'nobody'"),
        (("--to=a@b.example", "--bcc=nobody", "--from=me@b.example"), 64, "--bcc: 'nobody'"),
        (("--to=a@b.example", "--from=nobody"), 64, "--from: 'nobody'"),
        (("--to=a@b.example",), 64, "no sender: give --from, or set email_default_sender_address"),
        ((*WORDS[2:], "--subject=a\nBcc: x@y.example"), 64, "--subject: write it on one line"),
        ((*WORDS[2:], "--body_file=/nowhere/body"), 66, "/nowhere/body"),
        ((*WORDS[2:], "--body_file=/bin/sh"), 66, "/bin/sh"),
    ],
)
def test_a_mail_that_cannot_be_sent_is_not_queued(
    installed: Place, words: tuple[str, ...], code: int, problem: str
) -> None:
    answer = installed.call("mail", "enqueue", *words)
    assert (answer.code, answer.out) == (code, ""), answer
    assert problem in answer.err
    assert installed.call("mail", "list").out == "the queue is empty\n"


def test_every_command_of_the_queue_tells_of_a_redirection(installed: Place) -> None:
    installed.configure(mail_redirect_to="qa@test.example")
    told = "every mail goes to qa@test.example only (mail_redirect_to)"
    assert installed.call(*WORDS).out == f"queued as #1; {told}\n"
    assert told in installed.call("mail", "list").out
    assert told in installed.call("check").out
