"""``mail_redirect_to``: on a test system every mail goes to the testers, whatever it says itself.

What a mail would have done stays visible: the recipients it names stand at the top of its subject, and whole in the
headers ``X-Itopd-Original-To``, ``-Cc`` and ``-Bcc``. Nothing of the queue changes: rows and payloads keep their
recipients, so that a system that stops redirecting sends what is still queued as it was meant.
"""

from __future__ import annotations

from collections.abc import Sequence

from itopd.errors import SettingsError
from itopd.mail.addresses import mailbox, split_list
from itopd.mail.headers import address_header
from itopd.mail.message import Address
from itopd.settings import Settings

ORIGINAL = "X-Itopd-Original-"
_NAMED = 3
"""Recipients that the subject names; it counts the others."""


def redirection_of(settings: Settings) -> tuple[Address, ...]:
    """Return who gets every mail instead of its recipients; empty: mails go where they say.

    Raises :class:`SettingsError` for a setting that holds anything but addresses: a mistake in it must never mean
    that customers get the mails of a test system.
    """
    text = settings.mail_redirect_to
    if not text.strip():
        return ()
    items = split_list(text)
    for item in items:
        if mailbox(item) is None:
            raise SettingsError(
                f"mail_redirect_to: '{item}' is no e-mail address; no mail is sent until it is corrected "
                "(several are separated by commas, nothing at all turns the redirection off)"
            )
    if not items:
        raise SettingsError(f"mail_redirect_to = {text} names no address; no mail is sent until it is corrected")
    return tuple(address for item in items if (address := mailbox(item)) is not None)


def names_of(addresses: Sequence[Address]) -> str:
    """Return the addresses for people."""
    return ", ".join(one.address for one in addresses)


def marked_subject(subject: str, originals: Sequence[Address]) -> str:
    """Return the subject with whom the mail is for: ``[for ann@a.example, bob@b.example and 2 more] ...``."""
    named = names_of(originals[:_NAMED])
    more = f" and {len(originals) - _NAMED} more" if len(originals) > _NAMED else ""
    return f"[for {named}{more}] {subject}"


def original_headers(to: Sequence[Address], cc: Sequence[Address], bcc: Sequence[Address]) -> list[str]:
    """Return the header lines that tell whom the mail names."""
    lists = (("To", to), ("Cc", cc), ("Bcc", bcc))
    return [address_header(ORIGINAL + name, addresses) for name, addresses in lists if addresses]


def narrowed(redirect_to: Sequence[Address], only_to: Sequence[str]) -> tuple[str, ...]:
    """Return the envelope of a redirected mail: those still to be reached, all when none of ``only_to`` is meant.

    ``only_to`` may be of an attempt that was not redirected; then it names original recipients, who get nothing.
    """
    wanted = {address.lower() for address in only_to}
    addresses = tuple({one.address.lower(): one.address for one in redirect_to}.values())
    return tuple(address for address in addresses if address.lower() in wanted) or addresses
