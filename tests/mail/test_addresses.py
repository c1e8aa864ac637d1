"""Which addresses are valid, and how lists are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.mail.addresses import mailbox, split_list, valid_address
from itopd.mail.message import Address


@pytest.mark.parametrize(
    "address",
    ["a@example.com", "first.last+tag@sub.example.co", "o'neil@example.com", "root@localhost", "a_b@x-y.example"],
)
def test_addresses_that_servers_accept_are_valid(address: str) -> None:
    assert valid_address(address) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "nobody", "@example.com", "a@", "a b@example.com", "a@b@", ".a@example.com", "a..b@example.com",
        "a@-x.example", "a@x..example", "é@example.com", "a@example.com\r\nRCPT TO:<b@c>", "<a@b>c", "a@b,c@d",
        "x" * 65 + "@example.com", "a@" + "x" * 64 + ".com",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    assert valid_address(text) is None


def test_a_domain_outside_ascii_is_given_as_idna() -> None:
    assert valid_address("a@münchen.example") == "a@xn--mnchen-3ya.example"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@example.com", Address("a@example.com")),
        (" Jane Doe <j@example.com> ", Address("j@example.com", "Jane Doe")),
        ('"J \\"D\\"" <j@example.com>', Address("j@example.com", 'J "D"')),
        ("Jane <nobody>", None),
        ("Explanation of an error in a query", None),
    ],
)
def test_an_item_may_carry_a_name(text: str, expected: Address | None) -> None:
    assert mailbox(text) == expected


def test_a_list_is_split_at_commas_with_or_without_blanks() -> None:
    assert split_list("a@b.c, d@e.f,,g@h.i , ") == ["a@b.c", "d@e.f", "g@h.i"]


@given(st.text(max_size=60))
def test_nothing_valid_can_leave_its_line_or_its_brackets(text: str) -> None:
    address = valid_address(text)
    assert address is None or (address.isascii() and not set(address) & set(" \t\r\n\0<>,"))
