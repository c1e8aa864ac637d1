"""Every operator and function gives the same value on all engines, whatever literals it is given."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oql.conftest import Engines
from tests.oql.random_values import random_value
from tests.oql.test_engines_agree import worth

pytestmark = [pytest.mark.mariadb, pytest.mark.postgresql, pytest.mark.shared]


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_random_values_are_the_same_on_all_engines(engines: Engines, seed: int) -> None:
    source = random.Random(seed)
    for _ in range(8):
        expression = random_value(source)
        first, *others = (worth(*engine, expression) for engine in engines)
        assert others == [first] * len(others), expression
