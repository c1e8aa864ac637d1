"""The transport that the settings name (``spec/email.md`` §5)."""

from __future__ import annotations

from itopd.errors import SettingsError
from itopd.mail.folders import DirectoryTransport, LogFileTransport, NullTransport
from itopd.mail.sendmail import SendmailTransport
from itopd.mail.smtp import SmtpServer, SmtpTransport
from itopd.mail.transport import Transport
from itopd.settings import Settings


def open_transport(settings: Settings) -> Transport:
    """Return the transport of ``email_transport``; nothing is connected yet. Raises :class:`SettingsError`."""
    match settings.email_transport:
        case "SMTP":
            return SmtpTransport(
                SmtpServer(
                    host=settings.email_transport_smtp_host,
                    port=settings.email_transport_smtp_port,
                    encryption=settings.email_transport_smtp_encryption,
                    username=settings.email_transport_smtp_username,
                    password=settings.email_transport_smtp_password.get_secret_value(),
                    verify_peer=settings.email_transport_smtp_verify_peer,
                    timeout=settings.mail_timeout,
                )
            )
        case "PHPMail":
            return SendmailTransport(settings.mail_timeout)
        case "LogFile":
            return LogFileTransport(settings.data_folder / "log" / "mail.log")
        case "directory":
            return DirectoryTransport(settings.mail_folder)
        case "Null" | "null":
            return NullTransport()
        case "SMTP_OAuth":
            raise SettingsError(
                "email_transport = SMTP_OAuth is not supported yet; use SMTP with a password, PHPMail or directory"
            )
