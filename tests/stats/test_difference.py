"""The growth of one series beyond another one's: noise and warm-ups that both have in common go."""

from __future__ import annotations

import math
import random

import pytest

from loadgen.stats.difference import Side, difference
from loadgen.stats.growth import growth

N = 400


def noisy(n: int, seed: int, slope: float = 0.0, sigma: float = 1.0) -> list[float]:
    chance = random.Random(seed)
    return [slope * t + chance.gauss(0, sigma) for t in range(n)]


def common(t: float) -> float:
    """A warm-up that takes all of the time, and a slow wave."""
    return 100 * (1 - math.exp(-t / 300)) + 20 * math.sin(t / 60)


def side(seed: int, slope: float = 0.0, every: int = 1, since: float = 0.0, load: float | None = None) -> Side:
    times = range(0, N, every)
    values = noisy(N, seed, slope)
    return Side([since + t for t in times], [common(t) + values[t] for t in times], load=load)


def test_growth_that_both_have_is_none_of_the_difference() -> None:
    ours = side(1)
    assert growth(ours.xs, ours.values).exceeds(0.03) is not False
    assert difference(ours, side(2)).exceeds(0.03) is False
    assert difference(ours, side(2)).segments == 1


@pytest.mark.parametrize("since", [0.0, 1e6])
def test_growth_beyond_the_others_is_found(since: float) -> None:
    found = difference(side(1, 0.1), side(2, since=since))
    assert found.exceeds(0.03) is True
    assert found.low < 0.1 < found.high
    turned = difference(side(2, since=since), side(1, 0.1))
    assert turned.low < -0.1 < turned.high < 0


def test_series_that_are_sampled_at_other_times_are_compared_where_both_have_samples() -> None:
    for ours, theirs in ((side(1, 0.1, every=2), side(2)), (side(1, 0.1), side(2, every=2))):
        found = difference(ours, theirs)
        assert found.samples == N // 2
        assert found.low < 0.1 < found.high


def test_a_restart_of_either_cuts_the_difference() -> None:
    base = side(2)
    for at_ours, at_theirs in (((200,), ()), ((), (200,))):
        ours, theirs = side(1), side(2)
        found = difference(Side(ours.xs, ours.values, at_ours), Side(theirs.xs, theirs.values, at_theirs))
        assert found.segments == 2
    assert difference(side(1), base).segments == 1


@pytest.mark.parametrize(
    ("ours", "theirs", "why"),
    [
        (side(1, load=1000), side(2, load=800), "the loads differ by 20%"),
        (side(1), Side(range(250), noisy(250, 2)), "one series has 62% of the other's length"),
        (side(1, every=20), side(2), "20 samples, and growth needs 180"),
        (side(1), Side([], []), "one of the two series has no samples"),
    ],
)
def test_it_cannot_be_told_where_the_two_are_no_comparison(ours: Side, theirs: Side, why: str) -> None:
    for a, b in ((ours, theirs), (theirs, ours)):
        found = difference(a, b)
        assert found.exceeds(1.0) is None
        assert found.why_not.startswith(why)


def test_loads_that_hardly_differ_are_the_same() -> None:
    assert difference(side(1, load=1000), side(2, load=970)).exceeds(0.03) is False
