"""Passwords: hashes as iTop stores them, and the policy for new ones (``http.md`` §2.4)."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final, Literal

import argon2
import bcrypt

from itopd.errors import SettingsError
from itopd.settings import Settings

COST = 10
"""What iTop uses; a greater one would slow every call with credentials."""

_BCRYPT_LIMIT = 72
_BCRYPT_LENGTH = 60
# Checked when there is no account, so that an unknown login takes as long as a wrong password: a hash of that cost,
# made once and for all, since making one takes 60 ms of every start.
_NOBODY: Final = b"$2b$10$G.FkM1z2kcwHWn.zqTIsa.SjBevhkCvgGkQG2GyC9jcYnt4VfWffu"

MOST_COST: Final = 14
"""Greatest cost of a bcrypt hash that is checked: about a second. Each step doubles it; 31 would take a day."""
MOST_MEMORY: Final = 256 * 1024
"""Most memory that checking an argon2 hash may take, in KiB. PHP's default is 64 MiB."""
MOST_WORK: Final = 4 * 1024 * 1024
"""Most memory times passes of an argon2 hash, in KiB: about four seconds. PHP's default is a sixteenth of that."""
MOST_LANES: Final = 16
"""Most threads that checking an argon2 hash may take."""

_ITOP_PATTERN: Final = Settings.model_fields["authent_local_password_validation_pattern"].default
"""iTop's own policy, whose refusal is a sentence."""

_LONGEST: Final = 4096
"""Bytes of a password that is checked at all; longer ones are no passwords but attempts to keep the machine busy."""

Scheme = Literal["bcrypt", "sha256", "argon2", "none"]


def hash_password(text: str) -> str:
    """Return the bcrypt hash that iTop accepts: prefix ``$2y$``, which ``$2b$`` of most libraries is not.

    Raises ``ValueError`` when the password is empty or holds a NUL.
    """
    if not text or "\0" in text:
        raise ValueError("a password cannot be empty or hold a NUL")
    hashed = bcrypt.hashpw(_cut(text), bcrypt.gensalt(COST, prefix=b"2b"))
    return "$2y$" + hashed.decode("ascii").removeprefix("$2b$")


def policy_problem(text: str, pattern: str) -> str:
    """Return why a new password is refused; empty when ``pattern``, a regular expression of iTop's, accepts it.

    Raises :class:`SettingsError` for a pattern that is no regular expression.
    """
    try:
        accepted = re.search(pattern, text, re.ASCII)
    except re.error as error:
        raise SettingsError(
            f"authent_local_password_validation_pattern is no regular expression ({error}): correct it"
        ) from error
    if accepted:
        return ""
    return (
        "Password must be at least 8 characters and include uppercase, lowercase, numeric and special characters."
        if pattern == _ITOP_PATTERN
        else f"the password does not match authent_local_password_validation_pattern, {pattern}: choose one that does"
    )


def scheme_of(stored: bytes, salt: bytes) -> Scheme:
    """Return how a stored hash is to be checked; ``none`` never matches anything."""
    if stored.startswith(b"$2y$") and len(stored) == _BCRYPT_LENGTH:
        return "bcrypt"
    if stored.startswith((b"$argon2id$", b"$argon2i$")):
        return "argon2"
    return "sha256" if salt else "none"


def password_matches(text: str, stored: bytes, salt: bytes) -> bool:
    """Return whether ``text`` is the password behind a stored hash.

    A hash that asks for more time or memory than the limits above never matches: see :func:`excess_of`.
    """
    if len(text) > _LONGEST or excess_of(stored, salt):
        waste_time(text)
        return False
    match scheme_of(stored, salt):
        case "bcrypt" if "\0" not in text:
            try:
                return bcrypt.checkpw(_cut(text), b"$2b$" + stored[4:])
            except ValueError:  # sixty characters that are no hash
                return False
        case "argon2" if _argon2_parameters(stored) is not None:
            return _argon2_matches(text, stored)
        case "sha256":
            waste_time(text)  # also where it matches: the account may be disabled, which the answer must not tell
            digest = hashlib.sha256(salt + _bytes(text)).hexdigest()
            return hmac.compare_digest(digest.encode("ascii"), stored)
        case _:
            waste_time(text)
            return False


def excess_of(stored: bytes, salt: bytes) -> str:
    """Return what makes a hash too costly to check, so that whoever can write one cannot exhaust the machine.

    Empty when nothing does, and for what is no hash at all.
    """
    match scheme_of(stored, salt):
        case "bcrypt" if stored[4:6].isdigit() and int(stored[4:6]) > MOST_COST:
            return f"bcrypt cost {int(stored[4:6])}, at most {MOST_COST} is checked"
        case "argon2":
            asked = _argon2_parameters(stored)
            if asked is None:
                return ""
            if asked.memory_cost > MOST_MEMORY:
                return f"argon2 memory {asked.memory_cost} KiB, at most {MOST_MEMORY} is taken"
            if asked.memory_cost * asked.time_cost > MOST_WORK:
                return f"argon2 memory times passes {asked.memory_cost * asked.time_cost}, at most {MOST_WORK} is done"
            if asked.parallelism > MOST_LANES:
                return f"argon2 parallelism {asked.parallelism}, at most {MOST_LANES} threads are started"
    return ""


def _argon2_parameters(stored: bytes) -> argon2.Parameters | None:
    try:
        return argon2.extract_parameters(stored.decode("ascii"))
    except (argon2.exceptions.InvalidHashError, ValueError):
        return None


def _argon2_matches(text: str, stored: bytes) -> bool:
    kind = argon2.Type.ID if stored.startswith(b"$argon2id$") else argon2.Type.I
    try:
        return argon2.low_level.verify_secret(stored, _bytes(text), kind)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):  # wrong, or no hash after all
        return False


def waste_time(text: str) -> None:
    """Do the work of a check whose result is known, so that the answer's delay tells nothing."""
    bcrypt.checkpw(_cut(text.replace("\0", "")), _NOBODY)


def _cut(text: str) -> bytes:
    return _bytes(text)[:_BCRYPT_LIMIT]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
