"""Requests that were due and never sent: counting them in bulk equals counting them one by one, on invented times."""

from __future__ import annotations

import math

import pytest
from counted import snapshot_of
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import invoked_load
from real_servers import RealServer

from loadgen._request import PHASE_NAMES
from loadgen.engine import _keys
from loadgen.engine._backlog import count
from loadgen.engine._histogram import Histogram
from loadgen.engine._recorder import Recorder
from loadgen.engine._route import Route
from loadgen.engine._schedule import Arrivals, Even, Paced, Poisson
from loadgen.engine._workload import Draws, Mix

S = 1_000_000_000
MEASURE = PHASE_NAMES.index("measure")
ALL = 2**62
RAMP = [(S, 100.0, 900.0, 0)]
SWING = [(3 * S, 10.0, 400.0, 700_000_000)]
STAIRS = [(S // 3, 50.0, 50.0, 0), (S // 3, 0.0, 0.0, 0), (S // 2, 800.0, 800.0, 0)]
FLAT = [(2 * S, 377.7, 377.7, 0)]


def mixed(weights: tuple[int, int, int] | None = (80, 20, 0)) -> Mix:
    named = list(zip(("get", "set", "delete"), weights, strict=True)) if weights else [("ping", 1)]
    return Mix(named, Draws(_keys.create("uniform", 100, 1, 1.0, 1), Route()), 0, 1)


def schedule(profile: list[tuple[int, float, float, int]], arrivals: Arrivals, start_ns: int = 0) -> Paced:
    made = Paced(profile, 1.0, arrivals)
    made.begin(start_ns)
    return made


def merged(histograms: dict[str, Histogram]) -> Histogram:
    return sum(histograms.values(), Histogram())


def one_by_one(times: list[int], now_ns: int) -> Histogram:
    ages = Histogram()
    for time in times:
        ages.record(now_ns - time, censored=True)
    return ages


@settings(max_examples=60)
@given(
    profile=st.sampled_from([RAMP, SWING, STAIRS, FLAT]),
    offset=st.floats(0, 0.99),
    sent=st.integers(0, 600),
    until_ns=st.integers(0, 4 * S),
    later_ns=st.one_of(st.integers(0, 10_000), st.integers(0, 100 * S)),
    start_ns=st.integers(0, 2**55),
)
def test_even_arrivals_are_counted_as_if_one_by_one(
    profile: list[tuple[int, float, float, int]], offset: float, sent: int, until_ns: int, later_ns: int, start_ns: int
) -> None:
    until_ns += start_ns
    now_ns = until_ns + later_ns
    slow, quick = (schedule(profile, Even(offset), start_ns) for _ in range(2))
    assert slow.times(sent) == quick.times(sent)
    times = [time for time in slow.times(2000) if time < until_ns]
    recorder = Recorder(True)
    assert count(quick, mixed(), recorder, "measure", until_ns, now_ns, ALL) == len(times)
    counts = snapshot_of(recorder.counts(MEASURE))
    tallies, service = counts.tallies, counts.service
    expected, found = one_by_one(times, now_ns), merged(counts.response)
    assert found.buckets() == expected.buckets()
    assert (found.min, found.max, found.overflow) == (expected.min, expected.max, expected.overflow)
    assert (found.censored, found.least_censored) == (expected.censored, expected.least_censored)
    # A counter is a thousandth wide, and within it the ages are taken to lie evenly.
    assert found.mean == pytest.approx(expected.mean, rel=1e-3)
    assert sum(t.planned for t in tallies.values()) == len(times)
    assert all(t.balance == 0 and t.unsent == t.planned for t in tallies.values())
    assert not any(histogram.count for histogram in service.values())
    # What comes after is untouched.
    after = schedule(profile, Even(offset), start_ns).times(2000)[sent + len(times) :]
    assert quick.times(5) == after[:5]


@pytest.mark.parametrize("weights", [(80, 20, 0), (1, 1, 1), (7, 0, 3), (0, 0, 1), (0, 1, 0), None])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 1000, 999_983])
def test_commands_are_in_the_mix_as_the_weights_say(weights: tuple[int, int, int] | None, n: int) -> None:
    recorder = Recorder(True)
    row = schedule([(S, 1e9, 1e9, 0)], Even())
    assert count(row, mixed(weights), recorder, "measure", S, 2 * S, n) == n
    tallies = {command: t["planned"] for command, t in recorder.counts(MEASURE)["tallies"].items()}
    names = ("ping",) if weights is None else ("get", "set", "delete")
    shares = [1.0] if weights is None else [weight / sum(weights) for weight in weights]
    assert sum(tallies.values()) == n
    assert all(abs(tallies.get(name, 0) - n * share) <= 1 for name, share in zip(names, shares, strict=True))


def test_a_number_of_requests_is_not_exceeded() -> None:
    recorder = Recorder(True)
    assert count(schedule(FLAT, Even()), mixed(), recorder, "measure", S, S, 10) == 10
    assert count(schedule(FLAT, Poisson(1)), mixed(), recorder, "measure", S, S, 10) == 10


def test_a_short_stretch_of_a_poisson_stream_is_what_its_seed_says() -> None:
    recorder = Recorder(True)
    times = [time for time in schedule(FLAT, Poisson(7)).times(900) if time < S]
    assert count(schedule(FLAT, Poisson(7)), mixed(None), recorder, "measure", S, 3 * S, ALL) == len(times)
    assert recorder.counts(MEASURE)["response"]["ping"].buckets() == one_by_one(times, 3 * S).buckets()


def test_ten_seconds_at_a_request_a_nanosecond_are_counted_exactly() -> None:
    recorder = Recorder(True)
    now_ns = 11 * S
    n = count(schedule([(10 * S, 1e9, 1e9, 0)], Even()), mixed(None), recorder, "measure", 10 * S, now_ns, ALL)
    ages = recorder.counts(MEASURE)["response"]["ping"]
    assert n == ages.count == 10 * S
    assert (ages.min, ages.max) == (S + 1, 11 * S)
    # An arithmetic series, which no signed 64 bits hold.
    assert ages.sum == pytest.approx(10 * S * (S + 1 + 11 * S) / 2, rel=1e-9)
    assert ages.sum > 2**63
    assert ages.quantile(0.5) == pytest.approx(6 * S, rel=1e-3)
    assert Histogram.from_bytes(ages.to_bytes()) == ages
    assert (ages + ages).sum == 2 * ages.sum


def test_the_counts_of_a_long_poisson_stream_are_poisson() -> None:
    """Totals of 400 seeds, each of mean 10 million: mean and variance both within four standard errors."""
    mean, seeds = 10_000_000, 400
    workload, recorder = mixed(None), Recorder(True)
    totals = [
        count(schedule([(S, mean, mean, 0)], Poisson(seed)), workload, recorder, "measure", S, 2 * S, ALL)
        for seed in range(seeds)
    ]
    average = sum(totals) / seeds
    variance = sum((total - average) ** 2 for total in totals) / (seeds - 1)
    assert abs(average - mean) < 4 * math.sqrt(mean / seeds)
    assert abs(variance / mean - 1) < 4 * math.sqrt(2 / seeds)
    again = count(schedule([(S, mean, mean, 0)], Poisson(0)), workload, recorder, "measure", S, 2 * S, ALL)
    assert again == totals[0]


@pytest.mark.parametrize("arrival", ["constant", "poisson"])
def test_a_rate_that_nobody_can_keep_up_ends_in_time(arrival: str) -> None:
    with RealServer.redis() as server:
        short = ("--arrival", arrival, "--set", "connection.request_timeout=100ms")
        finished = invoked_load(server.port, "--rate", "1000000000", "--duration", "100ms", *short)
    planned = finished.counts["planned"]
    assert planned == pytest.approx(100_000_000, rel=1e-3)
    assert arrival == "poisson" or planned == 100_000_000
    assert finished.result["commands"]["get"]["planned"] == pytest.approx(0.8 * planned, rel=1e-2)
