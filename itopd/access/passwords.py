"""Password hashes as iTop stores them (``http.md`` §2.4)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

import bcrypt

COST = 10
"""What iTop uses; a greater one would slow every call with credentials."""

_BCRYPT_LIMIT = 72
_BCRYPT_LENGTH = 60
# Checked when there is no account, so that an unknown login takes as long as a wrong password.
_NOBODY = bcrypt.hashpw(b"nobody", bcrypt.gensalt(COST))

Scheme = Literal["bcrypt", "sha256", "argon2", "none"]


def hash_password(text: str) -> str:
    """Return the bcrypt hash that iTop accepts: prefix ``$2y$``, which ``$2b$`` of most libraries is not.

    Raises ``ValueError`` when the password is empty or holds a NUL.
    """
    if not text or "\0" in text:
        raise ValueError("a password cannot be empty or hold a NUL")
    hashed = bcrypt.hashpw(_cut(text), bcrypt.gensalt(COST, prefix=b"2b"))
    return "$2y$" + hashed.decode("ascii").removeprefix("$2b$")


def scheme_of(stored: bytes, salt: bytes) -> Scheme:
    """Return how a stored hash is to be checked; ``none`` never matches anything."""
    if stored.startswith(b"$2y$") and len(stored) == _BCRYPT_LENGTH:
        return "bcrypt"
    if stored.startswith((b"$argon2id$", b"$argon2i$")):
        return "argon2"
    return "sha256" if salt else "none"


def password_matches(text: str, stored: bytes, salt: bytes) -> bool:
    """Return whether ``text`` is the password behind a stored hash.

    An argon2 hash never matches here: itopd has no argon2 yet, and whoever asks should say so (:func:`scheme_of`).
    """
    match scheme_of(stored, salt):
        case "bcrypt" if "\0" not in text:
            try:
                return bcrypt.checkpw(_cut(text), b"$2b$" + stored[4:])
            except ValueError:  # sixty characters that are no hash
                return False
        case "sha256":
            digest = hashlib.sha256(salt + text.encode("utf-8", "surrogateescape")).hexdigest()
            matches = hmac.compare_digest(digest.encode("ascii"), stored)
            if not matches:
                waste_time(text)
            return matches
        case _:
            waste_time(text)
            return False


def waste_time(text: str) -> None:
    """Do the work of a check whose result is known, so that the answer's delay tells nothing."""
    bcrypt.checkpw(_cut(text.replace("\0", "")), _NOBODY)


def _cut(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")[:_BCRYPT_LIMIT]
