"""Password hashes as iTop stores them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import bcrypt
import pytest

from itopd.access import hash_password
from itopd.access.passwords import password_matches, scheme_of
from tests.golden.harness import DEFAULT_FOLDER
from tests.support.sample import require_shared


def test_a_new_hash_is_one_that_itop_accepts() -> None:
    stored = hash_password("pä ss").encode()
    assert stored.startswith(b"$2y$10$")
    assert len(stored) == 60
    assert password_matches("pä ss", stored, b"")
    assert not password_matches("pä ss ", stored, b"")


@pytest.mark.parametrize("password", ["", "a\0b"])
def test_a_password_that_bcrypt_cannot_hold_is_not_hashed(password: str) -> None:
    with pytest.raises(ValueError, match="cannot be empty"):
        hash_password(password)


def test_only_the_first_72_bytes_count() -> None:
    stored = hash_password("é" * 36 + "rest").encode()
    assert password_matches("é" * 36 + "other", stored, b"")
    assert not password_matches("é" * 35 + "rest", stored, b"")


def test_a_salted_sha256_of_old_releases_matches_in_lower_case_only() -> None:
    digest = hashlib.sha256(b"\xff\x00salt" + "pä".encode()).hexdigest()
    assert password_matches("pä", digest.encode(), b"\xff\x00salt")
    assert not password_matches("pä", digest.upper().encode(), b"\xff\x00salt")
    assert not password_matches("pa", digest.encode(), b"\xff\x00salt")


@pytest.mark.parametrize(
    "stored",
    [b"", b"secret", b"$2y$", b"$2y$10$" + b"!" * 53, hashlib.sha256(b"secret").hexdigest().encode(), b"$6$x$secret"],
)
def test_what_is_no_known_hash_never_matches(stored: bytes) -> None:
    assert not password_matches("secret", stored, b"")
    assert not password_matches("", stored, b"")


@pytest.mark.parametrize("prefix", [b"$2a$", b"$2b$", b"$2x$"])
def test_other_prefixes_of_bcrypt_never_match(prefix: bytes) -> None:
    assert not password_matches("secret", prefix + bcrypt.hashpw(b"secret", bcrypt.gensalt(4))[4:], b"")


def test_a_nul_never_matches() -> None:
    assert not password_matches("secret\0x", hash_password("secret").encode(), b"")


def test_argon2_is_recognised_and_refused() -> None:
    stored = b"$argon2id$v=19$m=65536,t=4,p=1$c2FsdHNhbHQ$aGFzaA"
    assert scheme_of(stored, b"salt") == "argon2"
    assert not password_matches("secret", stored, b"salt")


@pytest.mark.shared
def test_the_recorded_checks_of_itop_come_out_the_same() -> None:
    require_shared()
    checked = 0
    for path in sorted((DEFAULT_FOLDER / "rest").glob("password-*.json")):
        for user, password, authorized in _recorded_checks(path):
            stored, salt = user["password_hash"].encode(), user["password_salt"].encode()
            if scheme_of(stored, salt) != "argon2":
                assert password_matches(password, stored, salt) is authorized, path.name
                checked += 1
    assert checked > 8


def _recorded_checks(path: Path) -> list[tuple[dict[str, str], str, bool]]:
    """Return account, password and outcome of each credential check of a vector whose account has a given hash."""
    vector = json.loads(path.read_text(encoding="utf-8"))
    users = {user["login"]: user for user in vector["given"]["users"] if "password_hash" in user}
    checks = []
    for step, outcome in zip(vector["run"]["steps"], vector["expect"]["steps"], strict=True):
        asked = step["form"]["json_data"]
        if asked["user"] in users:
            checks.append((users[asked["user"]], asked["password"], outcome["json"]["authorized"]))
    return checks
