"""Secrets: hashed passwords and encrypted texts. Neither has a text form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from itopd.attributes.base import HistoryKind, TypeOf
from itopd.attributes.columns import Column, ColumnKind, Stored
from itopd.attributes.refusals import Refused, RefusedKind, unfit
from itopd.rules import Rules


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A hashed password: crypt text, or ``sha256(salt + password)`` in hexadecimal with its salt (old rows)."""

    hash: bytes = field(default=b"", repr=False)
    salt: bytes = field(default=b"", repr=False)


class OneWayPassword(TypeOf[PasswordHash]):
    """A password of which only the hash is kept; ``access`` hashes and verifies."""

    null = PasswordHash()
    history = HistoryKind.ONE_WAY_PASSWORD

    def _columns(self) -> tuple[Column, ...]:
        sql = self.attribute.sql
        return Column(f"{sql}_hash", ColumnKind.TINYBLOB), Column(f"{sql}_salt", ColumnKind.TINYBLOB)

    def decode(self, stored: Sequence[Any]) -> PasswordHash:
        """Return hash and salt."""
        return PasswordHash(stored[0] or b"", stored[1] or b"")

    def encode(self, value: PasswordHash) -> tuple[Stored, ...]:
        """Return hash and salt."""
        return value.hash, value.salt

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> PasswordHash:
        """Refuse: a clear password is hashed by ``access`` before it becomes a value."""
        raise Refused(RefusedKind.NOT_FROM_TEXT, f"a password has to be hashed first ({self.attribute.code})")

    def check(self, value: PasswordHash) -> Refused | None:
        """Refuse a hash that is longer than its column."""
        return unfit(self.columns, self.encode(value))

    def to_text(self, value: PasswordHash) -> str:
        """Return nothing."""
        return ""


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A text under the key of iTop's configuration: base64 of nonce and secret box. Not opened here."""

    stored: bytes = field(default=b"", repr=False)


class EncryptedString(TypeOf[Encrypted]):
    """A text kept encrypted."""

    null = Encrypted()
    history = HistoryKind.ENCRYPTED

    def _columns(self) -> tuple[Column, ...]:
        return (Column(self.attribute.sql, ColumnKind.TINYBLOB),)

    def decode(self, stored: Sequence[Any]) -> Encrypted:
        """Return the text, still encrypted."""
        return Encrypted(stored[0]) if stored[0] else self.null

    def encode(self, value: Encrypted) -> tuple[Stored, ...]:
        """Return the stored bytes."""
        return (value.stored,)

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> Encrypted:
        """Refuse: a text is encrypted with the configured key before it becomes a value."""
        raise Refused(RefusedKind.NOT_FROM_TEXT, f"a secret has to be encrypted first ({self.attribute.code})")

    def check(self, value: Encrypted) -> Refused | None:
        """Refuse what is longer than its column once it is encrypted."""
        return unfit(self.columns, self.encode(value))

    def to_text(self, value: Encrypted) -> str:
        """Return nothing."""
        return ""
