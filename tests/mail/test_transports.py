"""The ways out that need no SMTP server, and which of them the settings mean."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from itopd.errors import SettingsError
from itopd.mail import Transport, open_transport
from itopd.mail.compose import Letter
from itopd.mail.folders import DirectoryTransport, LogFileTransport, NullTransport
from itopd.mail.sendmail import SendmailTransport
from itopd.mail.smtp import SmtpTransport
from itopd.mail.transport import Blame, Receipt
from itopd.settings import Settings

LETTER = Letter("from@example.com", ("a@example.com", "-x@example.com"), (), "m/1@x", b"Subject: x\r\n\r\nbody\r\n")


def send(transport: Transport) -> Receipt:
    async def work() -> Receipt:
        receipt = await transport.send(LETTER)
        await transport.close()
        return receipt

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("name", "transport"),
    [
        ("SMTP", SmtpTransport),
        ("PHPMail", SendmailTransport),
        ("LogFile", LogFileTransport),
        ("Null", NullTransport),
        ("null", NullTransport),
        ("directory", DirectoryTransport),
    ],
)
def test_the_settings_name_the_transport(name: str, transport: type) -> None:
    assert isinstance(open_transport(Settings.model_validate({"email_transport": name})), transport)


def test_a_transport_that_is_not_there_yet_is_refused_in_words() -> None:
    with pytest.raises(SettingsError, match="SMTP_OAuth is not supported"):
        open_transport(Settings(email_transport="SMTP_OAuth"))


def test_each_mail_is_a_file_and_a_repeated_one_overwrites_itself(tmp_path: Path) -> None:
    transport = DirectoryTransport(tmp_path / "mails")
    assert (send(transport), send(transport)) == (Receipt(), Receipt())
    (file,) = (tmp_path / "mails").iterdir()
    assert file.name == "m_1@x.eml"
    assert file.read_bytes().endswith(b"X-Envelope-To: a@example.com, -x@example.com\r\n" + LETTER.content)


def test_the_log_file_keeps_all_mails(tmp_path: Path) -> None:
    path = tmp_path / "log" / "mail.log"
    send(LogFileTransport(path))
    send(LogFileTransport(path))
    assert path.read_bytes().count(LETTER.content) == 2


def test_a_folder_that_cannot_be_written_is_the_transports_fault(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("in the way")
    for transport in (DirectoryTransport(occupied / "mails"), LogFileTransport(occupied / "mail.log")):
        receipt = send(transport)
        assert receipt.failure is not None
        assert receipt.failure.blame is Blame.SERVER


def test_null_takes_everything() -> None:
    assert send(NullTransport()) == Receipt()


def sendmail(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> SendmailTransport:
    """Return a transport whose sendmail is a shell script."""
    path = folder / "sendmail"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return SendmailTransport(timeout=60)


def test_sendmail_gets_the_envelope_as_arguments_and_the_mail_on_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "record"
    script = f'echo "$@" > {record}; cat >> {record}'
    assert send(sendmail(tmp_path, monkeypatch, script)) == Receipt()
    assert record.read_text() == "-i -f from@example.com -- a@example.com -x@example.com\nSubject: x\n\nbody\n"


@pytest.mark.parametrize(("code", "blame"), [(75, Blame.TEMPORARY), (67, Blame.PERMANENT)])
def test_the_exit_code_of_sendmail_tells_whether_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, blame: Blame
) -> None:
    receipt = send(sendmail(tmp_path, monkeypatch, f"cat > /dev/null; echo so sorry >&2; exit {code}"))
    assert receipt.failure is not None
    assert (receipt.failure.blame, "so sorry" in receipt.failure.text) == (blame, True)


def test_a_missing_sendmail_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("itopd.mail.sendmail._FALLBACK", str(tmp_path / "sendmail"))
    receipt = send(SendmailTransport(timeout=60))
    assert receipt.failure is not None
    assert receipt.failure.blame is Blame.SERVER
    assert "email_transport" in receipt.failure.text


def test_a_sendmail_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sendmail(tmp_path, monkeypatch, "exec sleep 60")
    receipt = send(SendmailTransport(timeout=0.2))
    assert receipt.failure is not None
    assert receipt.failure.blame is Blame.TEMPORARY
