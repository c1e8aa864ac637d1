"""Password hashes as iTop stores them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import argon2
import bcrypt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from itopd.access import hash_password, policy_problem
from itopd.access.passwords import excess_of, password_matches, scheme_of
from itopd.settings import Settings
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


ARGON2ID = b"$argon2id$v=19$m=65536,t=4,p=1$RUhORnZwY0VDejVOLlhMVA$NKqBXebjSBfhhnt8RZjlGfUrZVP2nVVKaRvNgUYqBt0"
"""Of the password ``secret``, as PHP makes it."""


@pytest.mark.parametrize("kind", [argon2.Type.ID, argon2.Type.I])
def test_argon2_hashes_match_with_the_parameters_inside_them(kind: argon2.Type) -> None:
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=2, type=kind)
    stored = hasher.hash("pä ss").encode()
    assert scheme_of(stored, b"salt") == "argon2"
    assert password_matches("pä ss", stored, b"")
    assert not password_matches("pä s", stored, b"salt")
    assert password_matches("secret", ARGON2ID, b"")


def test_argon2d_is_no_format_of_itops() -> None:
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1, type=argon2.Type.D)
    assert not password_matches("secret", hasher.hash("secret").encode(), b"")


@pytest.mark.parametrize(
    ("stored", "word"),
    [
        (ARGON2ID.replace(b"m=65536", b"m=4194304"), "memory 4194304 KiB"),
        (ARGON2ID.replace(b"t=4", b"t=4000000000"), "passes"),
        (ARGON2ID.replace(b"p=1", b"p=64"), "parallelism 64"),
        (b"$2y$31$" + b"a" * 53, "bcrypt cost 31"),
    ],
)
def test_a_hash_cannot_exhaust_the_machine(stored: bytes, word: str) -> None:
    assert word in excess_of(stored, b"")
    assert not password_matches("secret", stored, b"")  # a hash of this cost would take hours, or more than the memory


CHEAP = b"$argon2id$v=19$m=8,t=1,p=1$RUhORnZw"
"""How a hash begins that costs next to nothing."""


@given(st.binary(max_size=80), st.binary(max_size=8))
@example(b"", b"")
def test_whatever_is_stored_is_refused_without_an_error(rest: bytes, salt: bytes) -> None:
    for stored in (b"$argon2id$" + rest, b"$argon2i$v=19$m=8,t=1,p=1$" + rest, CHEAP + rest):
        assert excess_of(stored, salt) == "" or "argon2" in excess_of(stored, salt)
        if not excess_of(stored, salt):
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr("itopd.access.passwords.waste_time", lambda _text: None)
                assert not password_matches("no such password", stored, salt)


def test_the_greatest_costs_that_are_checked_are_above_what_itop_writes() -> None:
    assert excess_of(hash_password("secret").encode(), b"") == ""
    assert excess_of(ARGON2ID, b"") == ""


def test_a_password_too_long_to_be_one_is_not_hashed_at_all() -> None:
    stored = hashlib.sha256(b"salt" + b"x" * 5000).hexdigest().encode()
    assert not password_matches("x" * 5000, stored, b"salt")


POLICY = Settings().authent_local_password_validation_pattern


@pytest.mark.parametrize("password", ["Aa1-5678", "ÜberAll1", "With blank 1"])
def test_passwords_that_the_policy_takes(password: str) -> None:
    assert policy_problem(password, POLICY) == ""


@pytest.mark.parametrize("password", ["Aa1-567", "aa1-5678", "AA1-5678", "Aab-defg", "Aa1b5678", ""])
def test_passwords_that_the_policy_refuses_with_itops_own_sentence(password: str) -> None:
    assert policy_problem(password, POLICY) == (
        "Password must be at least 8 characters and include uppercase, lowercase, numeric and special characters."
    )


@pytest.mark.shared
def test_the_recorded_checks_of_itop_come_out_the_same() -> None:
    require_shared()
    checked = 0
    for path in sorted((DEFAULT_FOLDER / "rest").glob("password-*.json")):
        for user, password, authorized in _recorded_checks(path):
            stored, salt = user["password_hash"].encode(), user["password_salt"].encode()
            assert password_matches(password, stored, salt) is authorized, path.name
            checked += 1
    assert checked > 10


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


def test_an_old_hash_takes_the_time_of_a_new_one_whether_it_matches_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    work: list[str] = []
    monkeypatch.setattr("itopd.access.passwords.waste_time", work.append)
    stored = hashlib.sha256(b"saltright").hexdigest().encode()
    assert password_matches("right", stored, b"salt")
    assert not password_matches("wrong", stored, b"salt")
    assert work == ["right", "wrong"]
