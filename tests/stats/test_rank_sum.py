"""The exact rank-sum test against scipy, against every way to deal out a few values, and against itself moved."""

from __future__ import annotations

import math
import random
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, rankdata

from loadgen.stats.rank_sum import RankSum

SIZES = [(1, 1), (2, 5), (3, 3), (8, 8), (14, 8), (8, 20), (40, 40)]
COARSE = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=6)


def normal(seed: int, n: int, shift: float = 0.0) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(shift, 1) for _ in range(n)]


def scipys_p(a: list[float], b: list[float], alternative: str) -> float:
    return float(mannwhitneyu(b, a, alternative=alternative, method="exact").pvalue)


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("seed", range(5))
def test_p_is_scipys_exact_one(n: int, m: int, seed: int) -> None:
    a, b = normal(seed, n), normal(seed + 1000, m, 0.4)
    found = RankSum(a, b)
    assert found.p_greater == pytest.approx(scipys_p(a, b, "greater"), rel=1e-9)
    assert found.p_less == pytest.approx(scipys_p(a, b, "less"), rel=1e-9)
    assert found.p == pytest.approx(scipys_p(a, b, "two-sided"), rel=1e-9)


@given(COARSE, COARSE)
def test_p_with_ties_counts_every_way_to_deal_the_values_out(a: list[float], b: list[float]) -> None:
    ranks = rankdata([*a, *b])
    seen = sum(ranks[len(a) :])
    sums = [sum(hand) for hand in combinations(ranks, len(b))]
    found = RankSum(a, b)
    assert found.p_greater == pytest.approx(sum(s >= seen for s in sums) / len(sums), rel=1e-12)
    assert found.p_less == pytest.approx(sum(s <= seen for s in sums) / len(sums), rel=1e-12)


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_the_estimate_is_the_median_of_all_differences(n: int, m: int) -> None:
    a, b = normal(n, n), normal(m + 50, m, 1.0)
    assert RankSum(a, b).estimate == pytest.approx(float(np.median(np.subtract.outer(b, a))))


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize(("n", "m"), [(2, 3), (3, 3), (5, 7), (8, 8), (10, 4)])
def test_bounds_are_where_scipys_test_of_the_values_moved_back_turns(n: int, m: int, confidence: float) -> None:
    a, b = normal(n, n), normal(m + 50, m, 1.0)
    alpha = (1 - confidence) * (1 + 1e-9)
    shifts = sorted(y - x for x in a for y in b)
    between = [shifts[0] - 1, *((low + high) / 2 for low, high in pairwise(shifts)), shifts[-1] + 1]
    kept = {
        side: [scipys_p(a, [y - shift for y in b], side) > alpha for shift in between] for side in ("greater", "less")
    }
    first = kept["greater"].index(True)
    last = len(between) - 1 - kept["less"][::-1].index(True)
    found = RankSum(a, b)
    assert found.lower(confidence) == (shifts[first - 1] if first else -math.inf)
    assert found.upper(confidence) == (shifts[last] if last < len(shifts) else math.inf)
    assert found.interval(2 * confidence - 1) == (found.lower(confidence), found.upper(confidence))


def test_one_way_in_twenty_is_five_percent() -> None:
    # 1 - 0.95 is a little more than 0.05 and (1 - 0.9) / 2 a little less: both bounds are to exist.
    found = RankSum([1, 2, 3], [14, 15, 16])
    assert found.interval(0.9) == (11, 15)
    assert RankSum([1, 2, 3], [14, 15]).interval(0.9) == (-math.inf, math.inf)


@given(COARSE, COARSE)
def test_samples_exchanged_turn_everything_round(a: list[float], b: list[float]) -> None:
    here, there = RankSum(a, b), RankSum(b, a)
    assert here.p_greater == pytest.approx(there.p_less, rel=1e-12)
    assert here.estimate == -there.estimate
    assert here.upper(0.9) == -there.lower(0.9)
    assert here.rounds == there.rounds == min(len(a), len(b))


def test_equal_samples_are_no_evidence_of_a_shift_and_all_evidence_of_none() -> None:
    found = RankSum([7.0] * 8, [7.0] * 8)
    assert (found.p, found.p_greater, found.estimate, found.interval(0.9)) == (1, 1, 0, (0, 0))


@pytest.mark.parametrize(("a", "b", "which"), [([], [1], "in a"), ([1], [], "in b"), ([1], [math.nan], "in b")])
def test_what_cannot_be_ranked_is_refused(a: list[float], b: list[float], which: str) -> None:
    with pytest.raises(ValueError, match=which):
        RankSum(a, b)
