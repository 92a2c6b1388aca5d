"""Growth against a limit: slopes against scipy, segments, windows, and what cannot be told."""

from __future__ import annotations

import math
import random
from array import array
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import theilslopes

from loadgen.stats._slope import resampled, theil_sen
from loadgen.stats.growth import (
    ENOUGH_SAMPLES,
    MOST_POINTS,
    Growth,
    Window,
    drift,
    growth,
    lasting,
    reached,
    segments,
    steps,
    thinned,
)

LIMIT = 0.03


def noisy(n: int, slope: float = 0.0, sigma: float = 1.0, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [slope * t + chance.gauss(0, sigma) for t in range(n)]


def grown(values: list[float], begins: tuple[int, ...] = ()) -> Growth:
    return growth(range(len(values)), values, begins)


# ── Slopes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(-1e6, 1e6)), min_size=2, max_size=40))
def test_the_slope_is_scipys(points: list[tuple[int, float]]) -> None:
    xs, ys = array("d", [float(x) for x, _ in points]), array("d", [y for _, y in points])
    if len(set(xs)) == 1:
        assert math.isnan(theil_sen(xs, ys))
    else:
        with np.errstate(invalid="ignore"):  # its interval may have none, which nobody asks for
            scipys = float(theilslopes(ys, xs).slope)
        assert theil_sen(xs, ys) == pytest.approx(scipys, rel=1e-9, abs=1e-9)


def test_slopes_of_resampled_noise_scatter_as_slopes_of_noise_do() -> None:
    """Of white noise σ is √12 / n^1.5; Theil and Sen's estimate has 0.95 of the efficiency of least squares."""
    n = 120
    shocks = array("d", noisy(5000, seed=3))
    found = resampled(array("d", range(n)), shocks, 0.0, 1, 2000, 5)
    assert np.std(found) == pytest.approx(math.sqrt(12 / 0.95) / n**1.5 * np.std(shocks), rel=0.08)
    assert abs(np.mean(found)) < 4 * np.std(found) / math.sqrt(2000)


def test_memory_and_blocks_make_slopes_scatter_more() -> None:
    n = 120
    places, shocks = array("d", range(n)), array("d", noisy(n, seed=3))
    white = np.std(resampled(places, shocks, 0.0, 1, 500, 5))
    # A memory of 0.5 makes the variance of a slow sum 1 / (1 - 0.5)² of what it is without.
    assert np.std(resampled(places, shocks, 0.5, 1, 500, 5)) == pytest.approx(2 * white, rel=0.15)
    slow = array("d", [math.sin(t / 8) for t in range(n)])
    assert np.std(resampled(places, slow, 0.0, 12, 500, 5)) > 1.5 * np.std(resampled(places, slow, 0.0, 1, 500, 5))


def test_a_seed_gives_the_same_slopes_and_another_one_others() -> None:
    places, shocks = array("d", range(30)), array("d", noisy(30))
    same = [resampled(places, shocks, 0.3, 5, 20, 7) for _ in range(2)]
    assert same[0] == same[1] != resampled(places, shocks, 0.3, 5, 20, 8)


# ── What is enough ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("n", [0, 1, 2, 20])
@pytest.mark.parametrize("slope", [0.0, 5.0])
def test_twenty_samples_and_fewer_cannot_be_told(n: int, slope: float) -> None:
    found = grown(noisy(n, slope))
    assert found.exceeds(LIMIT) is None
    assert str(n) in found.why_not or n == 0


def test_a_few_samples_are_enough_when_they_are_independent_and_not_when_they_are_not() -> None:
    walk = list(accumulate(noisy(100)))
    assert grown(noisy(100)).exceeds(0.5) is False
    found = grown(walk)
    assert found.exceeds(50) is None
    assert found.why_not.startswith("100 samples, which count as ")
    assert f"growth needs {ENOUGH_SAMPLES}" in found.why_not


def test_effective_samples_are_fewer_for_noise_with_memory() -> None:
    chance, ar = random.Random(2), [0.0]
    for _ in range(2000):
        ar.append(0.7 * ar[-1] + chance.gauss())
    found = grown(ar[-MOST_POINTS:])
    assert grown(noisy(MOST_POINTS)).effective == pytest.approx(MOST_POINTS, rel=0.15)
    assert found.effective == pytest.approx(MOST_POINTS * 0.3 / 1.7, rel=0.35)


# ── Windows ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_leak_is_one_and_its_interval_has_the_true_slope() -> None:
    found = grown(noisy(300, 0.2))
    assert found.exceeds(LIMIT) is True
    assert found.low < 0.2 < found.high
    assert grown(noisy(300)).exceeds(LIMIT) is False


def test_a_line_without_noise_has_an_interval_of_no_width() -> None:
    found = grown([0.25 * t for t in range(300)])
    assert found.low == pytest.approx(0.25) == found.high
    assert grown([24.0] * 300) == Growth(0.0, 0.0, 0.0, 300, 300.0)


def test_a_warm_up_is_not_a_leak() -> None:
    """+200 MB within the first two minutes of ten, and flat after it."""
    warm = [min(t / 120, 1.0) * 200e6 + each for t, each in enumerate(noisy(600, sigma=1e5))]
    assert grown(warm).exceeds(1e6 / 60) is False
    assert growth(range(600), list(reversed(warm))).exceeds(1e6 / 60) is False


def test_a_warm_up_of_most_of_the_time_is_not_called_flat() -> None:
    curve = [50 * (1 - math.exp(-t / 150)) + each for t, each in enumerate(noisy(300))]
    assert grown(curve).exceeds(LIMIT) is True


def test_a_spike_is_no_growth() -> None:
    values = noisy(300)
    values[-40] += 1e6
    assert grown(values).exceeds(LIMIT) is False


def of(low: float, high: float) -> Window:
    return Window((low + high) / 2, low, high, low, high, 100.0)


@pytest.mark.parametrize(
    ("quarters", "third", "low", "high"),
    [
        ((2, 3), (1, 4), 1, 3),
        ((5, 6), (1, 2), 1, 2),
        ((5, 6), (-1, 2), 0, 2),
        ((-1, 1), (-2, 3), -1, 1),
        ((5, 6), (-2, -1), 0, 0),
        ((-3, -2), (-4, -1), -3, -1),
        ((-6, -5), (-2, 1), -2, 0),
    ],
)
def test_growth_is_what_both_windows_show(
    quarters: tuple[float, float], third: tuple[float, float], low: float, high: float
) -> None:
    found = lasting([of(*quarters), of(*third)], 200, 200.0)
    assert (found.low, found.high) == (low, high)
    turned = lasting([of(-b, -a) for a, b in (quarters, third)], 200, 200.0)
    assert (turned.low, turned.high) == (-high, -low)


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(0, 20)), min_size=2, max_size=2), st.integers(1, 20))
def test_a_limit_above_zero_is_exceeded_by_both_windows_and_kept_by_either(
    windows: list[tuple[int, int]], limit: int
) -> None:
    found = lasting([of(low, low + width) for low, width in windows], 200, 200.0)
    assert (found.exceeds(limit) is True) is all(low > limit for low, _ in windows)
    assert (found.exceeds(limit) is False) is any(low + width < limit for low, width in windows)


def test_growth_per_another_counter_and_per_another_unit() -> None:
    """Requests come in bursts, and each million of them leaves 3 kB behind."""
    requests = reached([*(1e6 * (t + t % 7) for t in range(200)), *(1e6 * (t + t % 7) for t in range(100))])
    values = [3e-3 * done + each for done, each in zip(requests, noisy(300, sigma=10), strict=True)]
    found = growth(requests, values).per(1e6)
    assert found.low < 3e3 < found.high
    assert found.high - found.low < 10


def test_a_counter_that_begins_anew_counts_on() -> None:
    assert reached([5, 7, 7, 2, 3]) == [5, 7, 7, 9, 10]


def test_gaps_in_time_do_not_change_growth() -> None:
    times = [t for t in range(400) if not 100 <= t < 220]
    values = noisy(400, 0.2, seed=4)
    found = growth(times, [values[t] for t in times])
    assert found.low < 0.2 < found.high
    assert found.exceeds(0.15) is True


# ── Segments ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_restart_cuts_and_the_largest_growth_counts() -> None:
    leaking, healthy = noisy(300, 0.3), noisy(300)
    for values in (leaking + healthy, healthy + leaking):
        assert grown(values, (300,)).exceeds(0.2) is True
    saw = leaking + leaking
    assert grown(saw, (300,)).exceeds(0.2) is True
    assert grown(saw, (300,)).segments == 2
    assert grown([each + 500 * (at >= 300) for at, each in enumerate(healthy + healthy)], (300,)).exceeds(0.2) is False


def test_many_restarts_leave_nothing_to_judge() -> None:
    found = grown(noisy(400), tuple(range(40, 400, 40)))
    assert found.exceeds(1.0) is None
    assert found.why_not.startswith("10 segments between restarts and steps, each less than 25%")


def test_a_resize_cuts_and_a_leak_beside_it_is_seen() -> None:
    resized = [each + 1000 * (t >= 250) for t, each in enumerate(noisy(400))]
    assert segments(range(400), resized) == [(0, 250), (250, 400)]
    assert grown(resized).exceeds(LIMIT) is False
    leaking = [each + 1000 * (t >= 250) for t, each in enumerate(noisy(400, 0.3))]
    assert grown(leaking).exceeds(LIMIT) is True
    slow = noisy(400)
    slow[247:250], slow[250:] = [250, 500, 750], [each + 1000 for each in slow[250:]]
    assert segments(range(400), slow) == [(0, 247), (250, 400)]


def test_a_staircase_of_equal_small_steps_is_growth() -> None:
    stairs = [65536.0 * (t // 40) for t in range(600)]
    assert steps(stairs) == []
    assert grown(stairs).exceeds(1000) is True
    noisy_stairs = [a + b for a, b in zip(stairs, noisy(600, sigma=300), strict=True)]
    assert steps(noisy_stairs) == []
    assert grown(noisy_stairs).exceeds(1000) is True
    resized = [each + 10e6 * (t >= 300) for t, each in enumerate(noisy_stairs)]
    assert steps(resized) == [(299, 300)]
    assert grown(resized).exceeds(500) is True


def test_a_sawtooth_is_not_cut_at_its_falls() -> None:
    saw = [t % 50 + each for t, each in enumerate(noisy(600, sigma=0.2))]
    assert steps(saw) == []
    assert grown(saw).exceeds(0.1) is False


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_spike_is_no_step(length: int) -> None:
    values = noisy(300)
    values[100 : 100 + length] = [each + 1e6 for each in values[100 : 100 + length]]
    assert steps(values) == []


def test_a_ramp_is_no_step() -> None:
    values = [min(max(t - 100, 0), 30) * 100 + each for t, each in enumerate(noisy(300))]
    assert steps(values) == []


# ── Long series ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("slope", [0.0, 0.002])
def test_a_long_series_is_thinned_and_keeps_its_slope(slope: float) -> None:
    """A median of a stretch has 2/π of the efficiency of its mean: the interval is a quarter wider, and no more off."""
    values = noisy(20_000, slope)
    xs, medians = thinned(range(20_000), values)
    assert len(xs) == len(medians) == MOST_POINTS
    found = grown(values)
    assert found.low <= slope <= found.high
    sigma = math.sqrt(12) / (20_000 / 3) ** 1.5
    assert found.high - found.low < 5 * sigma


def test_a_series_that_is_short_enough_is_not_thinned() -> None:
    values = noisy(MOST_POINTS)
    assert thinned(range(MOST_POINTS), values) == (range(MOST_POINTS), values)


# ── Drift ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_drift_is_a_share_of_the_median_over_the_whole_length() -> None:
    falling = [1000 - 0.5 * t + each for t, each in enumerate(noisy(600, sigma=20, seed=4))]
    found = drift([float(t * 10**9) for t in range(600)], falling)
    assert found.low < -0.5 * 599 / 850 < found.high < -0.25
    assert drift(range(600), noisy(600, sigma=20)[:0]).why_not
    assert drift(range(600), [0.0] * 600).why_not == "the median is 0, and a change is no share of it"
    steady = drift(range(600), [1000 + each for each in noisy(600, sigma=20)])
    assert steady.exceeds(0.05) is False
    assert steady.low > -0.05
