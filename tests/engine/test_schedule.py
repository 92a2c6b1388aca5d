"""Schedules: invented profiles and starts in, exact intended times out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.engine._schedule import Arrivals, Even, Paced, Poisson
from loadgen.plan import Segment

S = 1_000_000_000
DAY = 86_400 * S

Profile = Sequence[tuple[int, float, float, int]]


def begun(profile: Profile, arrivals: Arrivals | None = None, start_ns: int = 0, scale: float = 1.0) -> Paced:
    schedule = Paced(profile, scale, arrivals or Even())
    schedule.begin(start_ns)
    return schedule


def flat(rate_per_s: float, length_ns: int = 1000 * DAY) -> Profile:
    return [(length_ns, rate_per_s, rate_per_s, 0)]


# ── Evenly, at one rate ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_request_is_due_at_the_start_and_the_gaps_are_equal() -> None:
    assert begun(flat(1000), start_ns=5 * S).times(5) == [5 * S + k * 1_000_000 for k in range(5)]


def test_a_gap_that_is_no_whole_number_is_never_rounded_twice() -> None:
    assert begun(flat(3)).times(7) == [0, 333_333_333, 666_666_666, S, 1_333_333_333, 1_666_666_666, 2 * S]


def test_a_rate_below_one_waits_for_more_than_a_second() -> None:
    assert begun(flat(0.25)).times(3) == [0, 4 * S, 8 * S]


@pytest.mark.parametrize("rate_per_s", [3, 7, 1000, 99_999.7, 1_000_003])
def test_there_is_no_drift_after_ten_million_requests(rate_per_s: float) -> None:
    # From Linux's monotonic clock after a year of uptime.
    start_ns = 365 * DAY
    schedule = begun(flat(rate_per_s), start_ns=start_ns)
    for _ in range(100):
        schedule.times(100_000)
    exact = start_ns + 10**7 * S / Fraction(rate_per_s)
    assert abs(schedule.times(1)[0] - exact) <= 1


@given(st.integers(1, 10**6), st.integers(0, 2**61), st.integers(1, 500))
def test_as_many_requests_are_due_in_a_second_as_the_rate_says(rate: int, start_ns: int, seconds_x100: int) -> None:
    schedule = begun(flat(rate), start_ns=start_ns)
    window_ns = seconds_x100 * S // 100
    due = min(rate * seconds_x100 // 100, 2000)
    times = schedule.times(due + 1)
    assert all(start_ns <= t < start_ns + window_ns for t in times[:due])
    assert times == sorted(times)
    if due < 2000 and rate * seconds_x100 % 100 == 0:
        assert times[due] >= start_ns + window_ns - 1


def test_an_offset_shifts_the_row_by_a_part_of_a_gap() -> None:
    assert begun(flat(100), Even(0.25)).times(3) == [2_500_000, 12_500_000, 22_500_000]


def test_the_rows_of_three_workers_together_are_one_even_row() -> None:
    rows = [begun(flat(300), Even(index / 3), scale=1 / 3).times(100) for index in range(3)]
    together = sorted(t for row in rows for t in row)
    assert all(abs(later - earlier - S / 300) <= 1 for earlier, later in pairwise(together))


def test_a_schedule_ends_with_its_profile() -> None:
    assert len(begun(flat(1000, S)).times(5000)) == 1000
    assert begun([]).times(5) == []


@pytest.mark.parametrize("segment", [(S, -1.0, 1.0, 0), (-1, 1.0, 1.0, 0)])
def test_a_negative_rate_or_length_is_refused(segment: tuple[int, float, float, int]) -> None:
    with pytest.raises(ValueError, match="below 0"):
        Paced([segment], 1.0, Even())


# ── Evenly, at a rate that changes ──────────────────────────────────────────────────────────────────────────────────

SHAPES = {
    "ramp up": [(10 * S, 100.0, 5000.0, 0)],
    "ramp from nothing": [(10 * S, 0.0, 2000.0, 0)],
    "ramp to nothing": [(10 * S, 2000.0, 0.0, 0)],
    "steps": [(2 * S, 100.0, 100.0, 0), (2 * S, 550.0, 550.0, 0), (2 * S, 1000.0, 1000.0, 0)],
    "bursts": [(900_000_000, 50.0, 50.0, 0), (100_000_000, 9000.0, 9000.0, 0)] * 5,
    "bursts out of silence": [(900_000_000, 0.0, 0.0, 0), (100_000_000, 9000.0, 9000.0, 0)] * 5,
    "swing": [(10 * S, 100.0, 3000.0, 3 * S)],
    "swing that touches 0": [(7 * S, 0.0, 3000.0, S)],
    "swing down first": [(7 * S, 3000.0, 200.0, S)],
    "everything in turn": [(S, 500.0, 500.0, 0), (3 * S, 500.0, 3000.0, 0), (S, 0.0, 0.0, 0), (4 * S, 10.0, 900.0, S)],
}


def integral(profile: Profile, until_ns: float) -> float:
    """Requests due before a time, by plain calculus, in Fractions where the rate is straight."""
    due, start_ns = 0.0, 0
    for length_ns, from_per_s, to_per_s, period_ns in profile:
        t = min(max(until_ns - start_ns, 0), length_ns) / S
        start_ns += length_ns
        if period_ns:
            turn = 2 * math.pi * S / period_ns
            due += (from_per_s + to_per_s) / 2 * t - (to_per_s - from_per_s) / 2 * math.sin(turn * t) / turn
        else:
            due += from_per_s * t + (to_per_s - from_per_s) * S / length_ns * t * t / 2
    return due


@pytest.mark.parametrize("shape", SHAPES)
def test_the_counts_of_every_interval_are_the_integral_of_the_rate(shape: str) -> None:
    profile = SHAPES[shape]
    times = numpy.array(begun(profile, Even(0.5)).times(10**6))
    length_ns = sum(length for length, *_ in profile)
    assert (numpy.diff(times) >= 0).all()
    for until_ns in range(0, length_ns + 1, 10_000_000):
        # With an offset of half a gap, request k is due when the integral passes k + 1/2.
        assert abs((times < until_ns).sum() - integral(profile, until_ns)) <= 0.5 + 1e-6, until_ns


@pytest.mark.parametrize("shape", SHAPES)
def test_a_request_is_due_when_the_integral_reaches_its_number(shape: str) -> None:
    profile = SHAPES[shape]
    for number, due_ns in list(enumerate(begun(profile).times(10**6)))[::97]:
        # Time is cut to whole nanoseconds, in which little of a request falls due.
        assert integral(profile, due_ns) <= number + 1e-6
        assert integral(profile, due_ns + 2) >= number - 1e-6


@pytest.mark.parametrize("shape", SHAPES)
def test_a_segment_says_how_many_requests_fall_due_in_it(shape: str) -> None:
    profile = SHAPES[shape]
    due = sum(Segment(*segment).requests for segment in profile)
    assert due == pytest.approx(integral(profile, 10**18))
    assert abs(len(begun(profile, Even(0.5)).times(10**6)) - due) <= 0.5 + 1e-6


def test_a_scale_takes_its_part_of_every_rate() -> None:
    whole = [(10 * S, 0.0, 2000.0, 0)]
    part = [(10 * S, 0.0, 500.0, 0)]
    assert begun(whole, scale=0.25).times(10**5) == begun(part).times(10**5)


# ── Poisson ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def kolmogorov_distance(gaps: numpy.ndarray, rate_per_s: float) -> float:
    """The largest difference between the gaps' distribution and the exponential one."""
    gaps = numpy.sort(gaps)
    exponential = 1 - numpy.exp(-gaps * rate_per_s / S)
    ranks = numpy.arange(len(gaps) + 1) / len(gaps)
    return float(max((ranks[1:] - exponential).max(), (exponential - ranks[:-1]).max()))


@pytest.mark.parametrize("seed", range(5))
def test_poisson_gaps_are_exponential(seed: int) -> None:
    gaps = numpy.diff(begun(flat(20_000), Poisson(seed)).times(200_001))
    assert kolmogorov_distance(gaps, 20_000) <= 0.01
    # And independent of each other.
    assert abs(numpy.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 4 / math.sqrt(len(gaps))


@pytest.mark.parametrize("seed", range(5))
def test_poisson_counts_vary_as_much_as_they_are(seed: int) -> None:
    times = numpy.array(begun(flat(5000), Poisson(seed)).times(500_000))
    counts = numpy.bincount(times // 10_000_000)[:-1]
    assert counts.var() / counts.mean() == pytest.approx(1, abs=0.05)


def test_an_even_row_does_not_pass_for_poisson() -> None:
    times = numpy.array(begun(flat(5000)).times(100_000))
    assert kolmogorov_distance(numpy.diff(times), 5000) > 0.3
    counts = numpy.bincount(times // 10_000_000)[:-1]
    assert counts.var() / counts.mean() < 0.05


def test_the_poisson_streams_of_several_workers_together_are_one() -> None:
    rows = [begun(flat(20_000), Poisson(seed), scale=0.25).times(50_000) for seed in range(4)]
    until_ns = min(row[-1] for row in rows)
    together = numpy.sort(numpy.array([t for row in rows for t in row if t < until_ns]))
    assert kolmogorov_distance(numpy.diff(together), 20_000) <= 0.01


@pytest.mark.parametrize("shape", ["ramp up", "swing", "bursts"])
def test_poisson_requests_follow_a_changing_rate(shape: str) -> None:
    profile = SHAPES[shape]
    times = numpy.array(begun(profile, Poisson(1)).times(10**6))
    # Seen through the integral of the rate, they are a Poisson stream at rate 1.
    due = numpy.array([integral(profile, t) for t in times])
    assert kolmogorov_distance(numpy.diff(due) * S, 1) <= 0.02
    assert len(times) == pytest.approx(integral(profile, 10**18), rel=0.05)


def test_the_same_seed_gives_the_same_row_and_another_seed_another() -> None:
    rows = [begun(flat(1000), Poisson(seed)).times(100) for seed in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]


# ── Shares that change ──────────────────────────────────────────────────────────────────────────────────────────────


def gaps(times: list[int]) -> set[int]:
    return {round((later - earlier) / 1000) for earlier, later in pairwise(times)}


def test_a_changed_share_changes_the_gaps_from_its_time_on() -> None:
    schedule = Paced([(10 * S, 1000, 1000, 0)], 0.5, Even())
    schedule.begin(7 * S)
    schedule.rescale(8 * S, 0.25)
    schedule.rescale(9 * S, 1.0)
    times = schedule.times(100_000)
    assert gaps([each for each in times if each < 8 * S]) == {2000}
    assert gaps([each for each in times if 8 * S <= each < 9 * S]) == {4000}
    assert gaps([each for each in times if each >= 9 * S]) == {1000}
    assert len(times) == 500 + 250 + 8000


def test_a_share_of_nothing_has_no_requests_until_there_is_one_again() -> None:
    schedule = Paced([(10 * S, 1000, 1000, 0)], 1.0, Even())
    schedule.begin(0)
    schedule.rescale(0, 0)
    assert schedule.due(10 * S) == 0
    schedule.rescale(4 * S, 0.5)
    schedule.rescale(5 * S, 0)
    schedule.rescale(9 * S, 0.1)
    times = schedule.times(100_000)
    assert len(times) == 500 + 100
    assert [each for each in times if 5 * S < each < 9 * S] == []
    assert times[0] >= 4 * S


@given(
    changes=st.lists(st.tuples(st.integers(0, 9_000), st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0])), max_size=5),
    until_ms=st.integers(0, 12_000),
    poisson=st.booleans(),
    swings=st.booleans(),
)
def test_what_is_due_by_a_time_after_changes_is_what_is_taken_one_by_one(
    changes: list[tuple[int, float]], until_ms: int, poisson: bool, swings: bool
) -> None:
    def made() -> Paced:
        profile = [(3 * S, 50, 250, 0), (7 * S, 250, 20, S if swings else 0)]
        schedule = Paced(profile, 0.5, Poisson(3) if poisson else Even(0.25))
        schedule.begin(0)
        for at_ms, scale in sorted(changes):
            schedule.rescale(at_ms * 1_000_000, scale)
        return schedule

    until_ns = until_ms * 1_000_000
    one_by_one = [each for each in made().times(100_000) if each < until_ns]
    assert one_by_one == sorted(one_by_one)
    if not poisson:
        assert abs(made().due(until_ns) - len(one_by_one)) <= 1
    if not poisson or len(one_by_one) < 900:
        # A longer stretch of a Poisson stream is drawn at once.
        skipped, _ = made().skipped(until_ns, 1 << 40)
        assert skipped == len(one_by_one)
