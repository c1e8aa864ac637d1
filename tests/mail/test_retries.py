"""When a failed mail is tried again."""

from __future__ import annotations

import pytest

from itopd.mail import RetryPolicy, retry_policy
from itopd.rules import ITOP, ITOPD, Rules
from itopd.settings import Settings


def settings(retries: dict[str, dict[str, object]] | None = None) -> Settings:
    return Settings.model_validate({"async_task_retries": retries or {}})


def test_by_default_five_retries_from_a_minute_doubling_but_not_of_refusals() -> None:
    policy = retry_policy(settings(), ITOPD)
    assert [policy.delay(remaining) for remaining in (5, 4, 3, 2, 1)] == [60, 120, 240, 480, 960]
    assert (policy.max_retries, policy.permanent_too) == (5, False)


def test_with_the_rules_of_itop_no_retry() -> None:
    assert retry_policy(settings(), ITOP) == RetryPolicy(0, 600)


@pytest.mark.parametrize("rules", [ITOP, ITOPD])
def test_a_configured_entry_is_followed_to_the_letter(rules: Rules) -> None:
    entry: dict[str, dict[str, object]] = {"AsyncSendEmail": {"max_retries": 2, "retry_delay": 300}}
    policy = retry_policy(settings(entry), rules)
    assert policy == RetryPolicy(2, 300, permanent_too=True, server_patience=policy.server_patience)


def test_a_dead_server_is_spared_but_not_under_the_rules_of_itop() -> None:
    assert retry_policy(settings(), ITOPD).server_patience == 3
    assert retry_policy(settings(), ITOP).server_patience is None


def test_entries_are_not_inherited() -> None:
    assert retry_policy(settings({"AsyncTask": {"max_retries": 3}}), ITOP).max_retries == 0


def test_a_doubled_delay_stays_within_what_a_date_can_hold() -> None:
    assert RetryPolicy(10_000, 60, exponential=True).delay(0) <= 400 * 86_400
