"""The exact signed-rank test against scipy, against every way to sign a few differences, and against itself moved."""

from __future__ import annotations

import math
import random
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import PermutationMethod, rankdata, wilcoxon

from loadgen.stats.signed_rank import SignedRank

SEEDS = range(8)
COARSE = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=9)


def normal(seed: int, n: int, shift: float = 0.3) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(shift, 1) for _ in range(n)]


def scipys_p(row: list[float], alternative: str) -> float:
    return float(wilcoxon(row, alternative=alternative, method="exact").pvalue)


def walsh(row: list[float]) -> list[float]:
    return sorted((row[i] + row[j]) / 2 for i in range(len(row)) for j in range(i, len(row)))


@pytest.mark.parametrize("n", [1, 2, 5, 8, 14, 20, 60])
@pytest.mark.parametrize("seed", SEEDS)
def test_p_is_scipys_exact_one(n: int, seed: int) -> None:
    row = normal(seed, n)
    found = SignedRank(row)
    assert found.p_greater == pytest.approx(scipys_p(row, "greater"), rel=1e-12)
    assert found.p_less == pytest.approx(scipys_p(row, "less"), rel=1e-12)
    assert found.p == pytest.approx(scipys_p(row, "two-sided"), rel=1e-12)


@given(COARSE)
def test_p_with_ties_and_zeros_counts_every_way_to_sign_what_is_not_zero(row: list[float]) -> None:
    kept = [d for d in row if d]
    ranks = rankdata(np.abs(kept)) if kept else []
    seen = sum(rank for rank, d in zip(ranks, kept, strict=True) if d > 0)
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in product((0, 1), repeat=len(kept))
    ]
    greater, less = (sum(tail) / len(sums) for tail in ([s >= seen for s in sums], [s <= seen for s in sums]))
    found = SignedRank(row)
    assert (found.p_greater, found.p_less) == pytest.approx((greater, less), rel=1e-12)
    assert found.p == pytest.approx(min(1, 2 * min(greater, less)), rel=1e-12)


@pytest.mark.parametrize("row", [[3, -1, 1, 0, 2, 2, -2, 5], [1, 1, 1, 1, 1, -1], [0, 0, 4, 4, -1, 7, 7]])
def test_p_with_ties_and_zeros_is_scipys_of_all_permutations(row: list[float]) -> None:
    every = PermutationMethod(n_resamples=math.inf)
    for alternative, p in (("greater", SignedRank(row).p_greater), ("less", SignedRank(row).p_less)):
        scipys = wilcoxon(row, alternative=alternative, method=every, zero_method="wilcox")
        assert p == pytest.approx(float(scipys.pvalue), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 8, 13, 20])
def test_the_estimate_is_the_median_of_walsh_averages(n: int) -> None:
    row = normal(n, n)
    assert SignedRank(row).estimate == pytest.approx(float(np.median(walsh(row))))


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.975, 0.99])
@pytest.mark.parametrize("n", [4, 6, 8, 14, 20])
def test_bounds_are_where_scipys_test_of_the_values_moved_back_turns(n: int, confidence: float) -> None:
    row, alpha = normal(n, n), 1 - confidence
    shifts = walsh(row)
    between = [shifts[0] - 1, *((low + high) / 2 for low, high in pairwise(shifts)), shifts[-1] + 1]
    kept = {
        side: [scipys_p([d - shift for d in row], side) > alpha for shift in between] for side in ("greater", "less")
    }
    # between[i] lies below shifts[i]: the first that is kept is above the lower bound, the last below the upper one.
    first = kept["greater"].index(True)
    last = len(between) - 1 - kept["less"][::-1].index(True)
    found = SignedRank(row)
    assert found.lower(confidence) == (shifts[first - 1] if first else -math.inf)
    assert found.upper(confidence) == (shifts[last] if last < len(shifts) else math.inf)
    assert found.interval(2 * confidence - 1) == (found.lower(confidence), found.upper(confidence))


def test_too_few_differences_bound_nothing() -> None:
    # Of four, all on one side is a chance of 1 in 16; of five, of 1 in 32.
    assert SignedRank([1, 2, 3, 4]).interval(0.9) == (-math.inf, math.inf)
    assert SignedRank([1, 2, 3, 4, 5]).interval(0.9) == (1, 5)


@given(COARSE, st.integers(0, 2**32), st.sampled_from([0.5, 0.9, 0.95]))
def test_bounds_with_ties_are_those_of_values_that_hardly_differ(
    row: list[float], seed: int, confidence: float
) -> None:
    chance = random.Random(seed)
    parted = [d + chance.uniform(-1e-9, 1e-9) for d in row]
    assert SignedRank(row).interval(confidence) == pytest.approx(SignedRank(parted).interval(confidence), abs=1e-8)


@pytest.mark.parametrize("sizes", [(1, 1, 2, 2, 3, 3, 3, 5), (1,) * 8, (0, 0, 0, 1, 1, 2, 2, 2)])
def test_bounds_with_ties_hold_at_least_as_often_as_they_say(sizes: tuple[int, ...]) -> None:
    ways = [SignedRank([s * d for s, d in zip(signs, sizes, strict=True)]) for signs in product((-1, 1), repeat=8)]
    assert sum(found.lower(0.95) <= 0 for found in ways) >= 0.95 * len(ways)
    assert sum(found.upper(0.95) >= 0 for found in ways) >= 0.95 * len(ways)


def test_zeros_alone_are_no_evidence_of_a_shift_and_all_evidence_of_none() -> None:
    found = SignedRank([0.0] * 8)
    assert (found.p, found.p_greater, found.estimate, found.interval(0.9)) == (1, 1, 0, (0, 0))


@given(COARSE)
def test_differences_turned_round_turn_everything_round(row: list[float]) -> None:
    here, there = SignedRank(row), SignedRank([-d for d in row])
    assert here.p_greater == there.p_less
    assert here.estimate == -there.estimate
    assert here.upper(0.9) == -there.lower(0.9)


@pytest.mark.parametrize("row", [[], [1.0, math.nan], [math.inf]])
def test_what_cannot_be_ranked_is_refused(row: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        SignedRank(row)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_a_confidence_that_is_no_share_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        SignedRank([1.0, 2.0]).upper(confidence)
