"""The ``PHPMail`` transport: the machine's own sendmail, as PHP uses it."""

from __future__ import annotations

import asyncio
import os
import shutil

from itopd.mail.compose import Letter
from itopd.mail.transport import Blame, Failure, Receipt

_FALLBACK = "/usr/sbin/sendmail"
_TRY_LATER = frozenset({os.EX_TEMPFAIL, os.EX_OSERR, os.EX_IOERR, os.EX_UNAVAILABLE})


class SendmailTransport:
    """Hands each letter to the sendmail command, which queues it itself."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._handed_over = False

    @property
    def handed_over(self) -> bool:
        """Return whether the current letter has begun to leave."""
        return self._handed_over

    async def send(self, letter: Letter) -> Receipt:
        """Hand one letter over."""
        command = shutil.which("sendmail") or _FALLBACK
        arguments = ("-i", "-f", letter.sender, "--", *letter.recipients)
        self._handed_over = False
        try:
            process = await asyncio.create_subprocess_exec(
                command,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            reason = f"{command} cannot be started: {error.strerror}. Install it, or set email_transport = SMTP."
            return Receipt(failure=Failure(reason, Blame.SERVER))
        self._handed_over = True
        try:
            # sendmail reads lines as the system writes them.
            content = letter.content.replace(b"\r\n", b"\n")
            _, complaint = await asyncio.wait_for(process.communicate(content), self._timeout)
        except TimeoutError:
            return Receipt(failure=Failure(f"{command} took over {self._timeout:g} s.", Blame.TEMPORARY))
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == 0:
            return Receipt()
        said = " ".join(complaint.decode("utf-8", "replace").split())
        text = f"{command} ended with {process.returncode}" + (f": {said}" if said else ".")
        blame = Blame.TEMPORARY if process.returncode in _TRY_LATER else Blame.PERMANENT
        return Receipt(failure=Failure(text, blame))

    async def close(self) -> None:
        """Nothing is kept."""
