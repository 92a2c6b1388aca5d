"""Mann and Kendall's test against scipy, against every order of a few values, and against chance."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, norm

from loadgen.stats.trend import Trend, trend


def scipys_p(values: list[int]) -> float:
    """Its asymptotic p, which knows ties, with the correction for continuity that it lacks put in."""
    p = float(kendalltau(range(len(values)), values, method="asymptotic").pvalue)
    s = abs(pairwise_s(values))
    deviation = s / float(norm.isf(p / 2))
    return float(2 * norm.sf((s - 1) / deviation))


def pairwise_s(values: list[int]) -> int:
    return sum((b > a) - (b < a) for i, a in enumerate(values) for b in values[i + 1 :])


@given(st.lists(st.integers(0, 12), max_size=60))
def test_s_is_rising_pairs_less_falling_ones(values: list[int]) -> None:
    assert trend(values).s == pairwise_s(values)


@given(st.permutations(range(10)), st.integers(3, 10))
def test_few_values_have_scipys_exact_p(order: list[int], n: int) -> None:
    values = order[:n]
    assert trend(values).p == pytest.approx(float(kendalltau(range(n), values, method="exact").pvalue), rel=1e-12)


def test_the_exact_p_counts_every_order() -> None:
    tails = [abs(pairwise_s(list(order))) for order in permutations(range(6))]
    for order in permutations(range(6)):
        s = pairwise_s(list(order))
        assert trend(order).p == pytest.approx(sum(tail >= abs(s) for tail in tails) / math.factorial(6))


@given(st.lists(st.integers(0, 12), min_size=11, max_size=60))
def test_many_values_and_ties_have_scipys_asymptotic_p_corrected_for_continuity(values: list[int]) -> None:
    if pairwise_s(values):
        assert trend(values).p == pytest.approx(scipys_p(values), rel=1e-6)


@given(st.permutations(range(20)))
def test_many_values_that_all_differ_are_taken_for_normal(order: list[int]) -> None:
    if pairwise_s(order):
        assert trend(order).p == pytest.approx(scipys_p(order), rel=1e-6)


def test_few_values_with_ties_are_taken_for_normal_too() -> None:
    assert trend([1, 1, 2, 3, 3, 4, 5, 6]).p == pytest.approx(scipys_p([1, 1, 2, 3, 3, 4, 5, 6]), rel=1e-6)


@pytest.mark.parametrize("values", [[], [5], [5, 5], [5] * 20, [1, 2, 2, 1], [*range(10), *reversed(range(10))]])
def test_values_that_neither_rise_nor_fall_have_no_trend(values: list[int]) -> None:
    assert trend(values) == Trend(0, 1.0)


def test_the_sign_of_s_is_the_direction() -> None:
    assert [trend(values).direction for values in ([1, 2, 3], [3, 2, 1], [1, 1, 1])] == [1, -1, 0]


def test_a_straight_line_of_eight_is_as_sure_as_eight_can_be() -> None:
    assert trend(range(8)) == Trend(28, 2 / math.factorial(8))


@pytest.mark.parametrize("n", [8, 30])
def test_values_without_a_trend_raise_a_false_alarm_as_often_as_p_says(n: int) -> None:
    """Of 4000 series, 1 % is 40; by chance alone 23 to 60, by the binomial distribution at 0.997."""
    random = np.random.default_rng(20260711)
    alarms = sum(trend(random.lognormal(size=n).tolist()).p < 0.01 for _ in range(4000))
    assert 23 <= alarms <= 60


def test_a_slow_drift_under_noise_is_found() -> None:
    random = np.random.default_rng(20260711)
    drifting = (np.linspace(1.0, 1.5, 30) + random.normal(scale=0.1, size=30)).tolist()
    assert trend(drifting).p < 0.001
