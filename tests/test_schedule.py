"""When to send: invented starts and rates in, exact intended times out."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen._schedule import Constant

S = 1_000_000_000


def begun(rate_per_s: float, offset: float = 0.0, start_ns: int = 0) -> Constant:
    schedule = Constant(rate_per_s, offset)
    schedule.begin(start_ns)
    return schedule


def test_the_first_request_is_due_at_the_start_and_the_gaps_are_equal() -> None:
    assert begun(1000, start_ns=5 * S).times(5) == [5 * S + k * 1_000_000 for k in range(5)]


def test_a_gap_that_is_no_whole_number_is_never_rounded_twice() -> None:
    assert begun(3).times(7) == [0, 333_333_333, 666_666_666, S, 1_333_333_333, 1_666_666_666, 2 * S]


def test_a_rate_below_one_waits_for_more_than_a_second() -> None:
    assert begun(0.25).times(3) == [0, 4 * S, 8 * S]


@pytest.mark.parametrize("rate_per_s", [3, 7, 1000, 99_999.7, 1_000_003])
def test_there_is_no_drift_after_ten_million_requests(rate_per_s: float) -> None:
    # From Linux's monotonic clock after a year of uptime.
    start_ns = 365 * 86_400 * S
    schedule = begun(rate_per_s, start_ns=start_ns)
    for _ in range(100):
        schedule.times(100_000)
    exact = start_ns + 10**7 * S / Fraction(rate_per_s)
    assert abs(schedule.times(1)[0] - exact) <= 1


@given(st.integers(1, 10**6), st.integers(0, 2**62), st.integers(1, 500))
def test_as_many_requests_are_due_in_a_second_as_the_rate_says(rate: int, start_ns: int, seconds_x100: int) -> None:
    schedule = begun(rate, start_ns=start_ns)
    window_ns = seconds_x100 * S // 100
    due = min(rate * seconds_x100 // 100, 2000)
    times = schedule.times(due + 1)
    assert all(start_ns <= t < start_ns + window_ns for t in times[:due])
    assert times == sorted(times)
    if due < 2000 and rate * seconds_x100 % 100 == 0:
        assert times[due] >= start_ns + window_ns - 1


def test_an_offset_shifts_the_row_by_a_part_of_a_gap() -> None:
    assert begun(100, offset=0.25).times(3) == [2_500_000, 12_500_000, 22_500_000]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_offset_schedules_of_several_workers_are_one_even_row(workers: int) -> None:
    # Each of n workers has a gap of n ms, and begins 1 ms after the one before it.
    rows = [begun(1000 / workers, offset=worker / workers).times(1000) for worker in range(workers)]
    merged = sorted(time for row in rows for time in row)
    assert all(abs(time - k * 1_000_000) <= 1 for k, time in enumerate(merged))


def test_a_schedule_begins_anew_when_it_is_told_to() -> None:
    schedule = begun(10)
    first = schedule.times(5)
    schedule.begin(7 * S)
    assert schedule.times(5) == [7 * S + time for time in first]


@pytest.mark.parametrize("rate_per_s", [0, -1, float("nan")])
def test_a_rate_that_is_none_is_refused(rate_per_s: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Constant(rate_per_s)
