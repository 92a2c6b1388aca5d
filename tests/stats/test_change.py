"""The search for a step, on values with planted steps and on values without any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.stats.change import change


@pytest.mark.parametrize("at", [8, 15, 30, 52])
@pytest.mark.parametrize("size", [-0.1, 0.1])
def test_a_planted_step_is_found_where_it_is(at: int, size: float) -> None:
    random = np.random.default_rng(20260711)
    values = random.normal(1.0, 0.01, 60) * np.where(np.arange(60) < at, 1.0, 1.0 + size)
    found = change(values.tolist())
    assert found is not None
    assert (found.index, found.p) == (at, 0.0005)


def test_values_without_a_step_raise_a_false_alarm_as_often_as_p_says() -> None:
    """Of 300 series, 5 % is 15; by chance alone 5 to 28, by the binomial distribution at 0.998."""
    random = np.random.default_rng(20260711)
    found = [change(random.lognormal(size=30).tolist()) for _ in range(300)]
    assert 5 <= sum(each is not None and each.p <= 0.05 for each in found) <= 28


def test_one_outlier_is_no_step() -> None:
    random = np.random.default_rng(20260711)
    values = random.normal(1.0, 0.02, 40)
    values[20] = 100.0
    found = change(values.tolist())
    assert found is not None
    assert found.p > 0.01


@pytest.mark.parametrize("values", [[], [1.0] * 7, [1, 2, 3, 4, 5, 6, 7], [5.0] * 30])
def test_few_values_and_equal_ones_have_no_step(values: list[float]) -> None:
    assert change(values) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=8, max_size=30), st.integers(0, 3))
def test_whether_there_is_a_step_is_a_matter_of_ranks_alone_and_of_the_seed(values: list[int], seed: int) -> None:
    one, other = change(values, seed), change([value**3 + 7 for value in values], seed)
    assert (one and one.p) == (other and other.p)


def test_reversed_values_step_at_the_same_place() -> None:
    values = [1.0, 1.3, 1.2, 1.4, 1.1, 9.1, 9.8, 9.3, 9.4, 9.2, 9.6, 9.7, 9.5]
    forward, backward = change(values), change(values[::-1])
    assert forward is not None
    assert backward is not None
    assert (forward.index, backward.index) == (5, 8)
