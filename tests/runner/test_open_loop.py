"""The open loop: the effect of a stalled server, a stopped generator, a black hole and a slow server on the numbers.

Real workers against the built-in server with planted trouble. The laws have tolerances; no speed is asserted.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy
import pytest
from builtin_servers import built_in
from in_process import invoked
from quiet import law_of_time
from runs import endpoints, judging, plan, sets

from loadgen.events import Event, Result, Sample
from loadgen.phase import Phase
from loadgen.plan import Plan
from loadgen.runner.processes import WorkerProcesses
from loadgen.runner.run import Run
from loadgen.runner.timeline import At
from loadgen.target.server import ManagedServer
from loadgen.units import NS_PER_MS, NS_PER_S

HOST = "127.0.0.1"

# What the generator promises of itself is at stake here, so its limits are its own again.
JUDGED = ("verdict.lag=100us", "verdict.shortfall=0.005")


def run(told: Plan) -> Result:
    result = Run(told, lambda event: None, judging=judging()).result()
    assert result.unaccounted == 0
    return result


# ── A server that stalls ────────────────────────────────────────────────────────────────────────────────────────────

STALL_NS, PERIOD_NS = 200 * NS_PER_MS, NS_PER_S
RATE_PER_S = 2000


@dataclass(frozen=True)
class Stalls:
    """How many stalls the runs have, and how near to the law the quantiles of the open loop then are."""

    open_loop: int
    closed_loop: int
    tolerances: dict[float, float]


FEW = Stalls(8, 3, {0.95: 0.1, 0.99: 0.04, 0.999: 0.02})
MANY = Stalls(60, 10, {0.95: 0.05, 0.99: 0.02, 0.999: 0.01})


class StalledRun:
    """A result, and its periods one by one, each with a stall."""

    def __init__(self, told: Plan) -> None:
        self.periods: list[Sample] = []
        self.result = Run(told, self.hear, judging=judging()).result()
        assert self.result.unaccounted == 0

    def hear(self, event: Event) -> None:
        if isinstance(event, Sample) and event.phase == "measure":
            self.periods.append(event)

    def median(self, number: Callable[[Sample], float]) -> float:
        """Over the periods: the law knows of the stalls that are planted, and of none of the machine's."""
        return statistics.median(map(number, self.periods))


def stalled_runs(stalls: Stalls) -> tuple[StalledRun, StalledRun]:
    """An open and a closed loop on a server that is frozen for 200 ms every second."""
    trouble = ["--stall", "200ms", "--every", "1s", "--delay", "50us"]
    common = ("general.warmup=1s", "connection.connections=4", "connection.pipeline_depth=1")
    paced = (f"general.duration={stalls.open_loop}s", f"workload.rate_limit={RATE_PER_S}", "workload.arrival=poisson")
    with built_in(options=trouble) as server:
        open_loop = StalledRun(plan(server.port, *common, *paced))
        closed_loop = StalledRun(plan(server.port, *common, f"general.duration={stalls.closed_loop}s"))
    return open_loop, closed_loop


def stall_law_ns(q: float, closed_loop: StalledRun) -> float:
    """Of a server frozen for D every T at utilisation ρ: x_q = D − (1 − q)(1 − ρ)T.

    The closed loop says what the server can do when it is not frozen.
    """
    answered_per_s = closed_loop.median(lambda period: period.interval.total.answered / period.interval_ns * NS_PER_S)
    capacity_per_s = answered_per_s / (1 - STALL_NS / PERIOD_NS)
    return STALL_NS - (1 - q) * (1 - RATE_PER_S / capacity_per_s) * PERIOD_NS


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "stalls", [pytest.param(FEW, id="few stalls"), pytest.param(MANY, id="many stalls", marks=pytest.mark.law)]
)
@law_of_time
def test_a_stall_is_charged_to_every_late_request_and_is_the_servers(stalls: Stalls) -> None:
    open_loop, closed_loop = stalled_runs(stalls)
    for q, tolerance in stalls.tolerances.items():
        found = open_loop.median(lambda period, q=q: period.interval.latency().quantile(q))
        assert found == pytest.approx(stall_law_ns(q, closed_loop), rel=tolerance), q
    a_closed_loop_hides_it(open_loop.result, closed_loop.result)
    service_time_shows_it_only_in_the_requests_that_it_hit(open_loop.result, stalls.open_loop)
    it_is_none_of_the_generators_lag(open_loop.result)


def a_closed_loop_hides_it(open_loop: Result, closed_loop: Result) -> None:
    truth, told = open_loop.measured.latency(), closed_loop.measured.latency()
    assert told.quantile(0.99) * 50 <= truth.quantile(0.99)
    # It was there all the same.
    assert told.max > 0.9 * STALL_NS


def service_time_shows_it_only_in_the_requests_that_it_hit(open_loop: Result, stalls: int) -> None:
    measured = open_loop.measured
    service = measured.latency(clock="service")
    # One per connection and stall was on its way; the others waited for their turn, which is the stall's doing too.
    hit = service.above(STALL_NS // 2)
    assert 0 < hit <= 4 * (stalls + 1)
    assert service.quantile(0.99) < STALL_NS // 10
    waited = measured.lag_backpressure
    assert measured.latency().above(STALL_NS // 2) == pytest.approx(hit + waited.above(STALL_NS // 2), rel=0.05)


def it_is_none_of_the_generators_lag(open_loop: Result) -> None:
    measured = open_loop.measured
    assert measured.lag_ours.quantile(0.99) < STALL_NS // 10
    assert measured.lag.sum == measured.lag_ours.sum + measured.lag_backpressure.sum


# ── A generator that is stopped ─────────────────────────────────────────────────────────────────────────────────────


class Stopped(Run):
    """A run whose worker is stopped for a while in the middle of its window."""

    def __init__(self, told: Plan, after_s: float, for_s: float, *limits: str) -> None:
        self.workers = WorkerProcesses()
        self.stopped_s = 0.0
        self.began_s = 0.0
        timeline = (
            At(Phase.MEASURE, int(after_s * NS_PER_S), self.halt),
            At(Phase.MEASURE, int((after_s + for_s) * NS_PER_S), self.go_on),
        )
        super().__init__(told, lambda event: None, timeline=timeline, members=self.workers, judging=judging(*limits))

    def halt(self) -> None:
        os.kill(self.workers.made[0].pid, signal.SIGSTOP)
        self.began_s = time.monotonic()

    def go_on(self) -> None:
        os.kill(self.workers.made[0].pid, signal.SIGCONT)
        self.stopped_s = time.monotonic() - self.began_s

    def outcome(self) -> Result:
        result = self.result()
        assert self.stopped_s > 0
        assert result.unaccounted == 0
        return result


@pytest.fixture(scope="module")
def healthy() -> Iterator[ManagedServer]:
    with built_in() as server:
        yield server


# Each rate with each kind of arrivals, once.
@pytest.mark.parametrize("number", [pytest.param(n, marks=[pytest.mark.law] * (n >= 4)) for n in range(20)])
@law_of_time
def test_a_generator_that_was_stopped_distrusts_itself_and_says_why(number: int, healthy: ManagedServer) -> None:
    told = plan(
        healthy.port,
        "general.duration=1500ms",
        f"general.seed={number}",
        # At some, more fall due while it is stopped than all pipelines hold together.
        f"workload.rate_limit={(1000, 5000)[number % 2]}",
        f"workload.arrival={('poisson', 'constant')[number // 2 % 2]}",
    )
    run = Stopped(told, 0.3 + number / 100, 0.2, *JUDGED)
    result = run.outcome()
    assert not result.valid
    assert "p99 of the generator's own send lag was" in result.reasons[0].words
    assert "worker 0 was stopped for" in result.reasons[0].words
    # Whoever was due meanwhile, all but what the pipelines held, is charged to the generator; and nobody else is, but
    # those who were due when the machine itself held it up.
    pauses = result.signs.workers[0].pauses
    least, most = run.stopped_s * told.load.rate_per_s, pauses.total_ns / NS_PER_S * told.load.rate_per_s
    assert 0.85 * least <= result.measured.lag_ours.above(NS_PER_MS) <= 1.15 * max(least, most)
    assert 0.75 * run.stopped_s * NS_PER_S <= pauses.longest_ns <= pauses.total_ns
    assert pauses.stopped_ns > 0.8 * run.stopped_s * NS_PER_S


@law_of_time
def test_a_closed_loop_that_was_stopped_is_valid_with_a_warning(healthy: ManagedServer) -> None:
    result = Stopped(plan(healthy.port, "general.duration=1s"), 0.3, 0.2).outcome()
    assert result.valid
    assert any("worker 0 was stopped for" in note.words for note in result.notes)


def test_an_invalid_run_prints_everything_and_ends_with_4(healthy: ManagedServer) -> None:
    # No generator keeps to a limit of a nanosecond.
    done = invoked(
        "--format",
        "json",
        *sets(endpoints(healthy.port), "general.duration=0.5s", "general.warmup=0s", "workload.rate_limit=5000"),
        *sets("verdict.lag=1ns", "verdict.lag_share=0"),
    )
    assert done.status == 4
    result = done.records[-1]
    assert result["counts"]["planned"] == result["counts"]["ok"] > 0
    assert not result["verdict"]["valid"]
    assert "send lag" in result["verdict"]["reasons"][0]
    assert "send lag" in done.stderr


# ── A black hole ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_black_hole_makes_every_percentile_a_lower_bound_and_loses_nothing() -> None:
    with built_in(options=["--blackhole"]) as server:
        settings = ("workload.rate_limit=500", "connection.request_timeout=300ms", "general.duration=1s")
        done = invoked("--format", "verbose", *sets(endpoints(server.port), *settings, "general.warmup=0s"))
        told = plan(server.port, *settings, "general.warmup=0s")
        result = run(told)
    total = result.measured.total
    assert total.planned == total.timeouts + total.lost + total.unfinished == 500
    assert total.ok == total.errors == total.corrupt == 0
    latency = result.measured.latency()
    assert all(latency.is_lower_bound(q) for q in (0.5, 0.9, 0.99, 0.999, 0.9999, 1.0))
    assert latency.quantile(0.5) >= 300 * NS_PER_MS
    assert not result.valid
    # No reply is a failure, whoever was late beside.
    assert done.status == 1
    [row] = [line for line in done.stdout.splitlines() if "all response" in line]
    assert row.count("≥") == 6, row


# ── A server at half of what is offered ─────────────────────────────────────────────────────────────────────────────


@law_of_time
def test_a_server_at_half_the_offered_rate_has_its_whole_backlog_counted() -> None:
    events: list[Event] = []
    with built_in(options=["--delay", "1ms"]) as server:
        told = plan(
            server.port,
            "general.warmup=0s",
            "general.duration=2s",
            "general.interval=250ms",
            "workload.rate_limit=2000",
            "connection.request_timeout=2s",
        )
        result = Run(told, events.append, judging=judging()).result()
    total = result.measured.total
    assert result.unaccounted == 0
    assert total.planned == 4000
    assert result.throughput_per_s == pytest.approx(1000, rel=0.1)
    # Response time grows as the backlog does: half a second for each second offered.
    medians = [e.interval.latency().quantile(0.5) / NS_PER_S for e in events if isinstance(e, Sample)]
    slopes = numpy.polyfit(0.25 * numpy.arange(len(medians)), medians, 1)
    assert slopes[0] == pytest.approx(0.5, rel=0.1)
    assert numpy.corrcoef(numpy.arange(len(medians)), medians)[0, 1] > 0.99
    # The wait for room is the server's doing.
    assert result.measured.lag_backpressure.quantile(0.5) > 0.9 * result.measured.lag.quantile(0.5)


def test_a_backlog_takes_no_memory() -> None:
    peaks = []
    with built_in(options=["--delay", "1ms"]) as server:
        for rate in (2000, 400_000):
            told = plan(
                server.port,
                "general.warmup=0s",
                "general.duration=1s",
                f"workload.rate_limit={rate}",
                "connection.request_timeout=100ms",
            )
            result = run(told)
            assert result.measured.total.planned == rate
            peaks.append(result.max_rss_bytes)
    # 400,000 requests wait, of 48 bytes each had they been made; they are times that have not been reached yet.
    assert peaks[1] - peaks[0] < 2_000_000


# ── What the server sees ────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def arrivals() -> Iterator[tuple[int, list[int]]]:
    """A server that answers each PING, and notes when it came."""
    seen: list[int] = []
    listener = socket.create_server((HOST, 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                now_ns = time.monotonic_ns()
                count = data.count(b"PING")
                seen.extend([now_ns] * count)
                connection.sendall(b"+PONG\r\n" * count)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], seen
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def sent_at(*settings: str) -> numpy.ndarray:
    """When a server saw the requests of a run."""
    with arrivals() as (port, seen):
        told = plan(port, "target.protocol=ping", "general.warmup=0s", *settings)
        result = run(told)
        greetings = result.overall.tallies["ping"].planned - result.measured.total.planned
        return numpy.array(seen[greetings:])


def dispersions_of_sends(duration: str, seed: int) -> list[float]:
    """Variance over mean of how many requests a server sees in each 10 ms, second by second."""
    settings = (f"general.duration={duration}", "workload.rate_limit=300", "workload.arrival=poisson")
    at = sent_at(*settings, f"general.seed={seed}")
    counts = numpy.bincount((at - at[0]) // (10 * NS_PER_MS))[:-1]
    seconds = counts[: len(counts) // 100 * 100].reshape(-1, 100)
    return [float(second.var(ddof=1) / second.mean()) for second in seconds]


# Rows whose intended times have a dispersion of 1.00, so that what is measured is the sending. On a quiet machine the
# seconds of one plan differ by 0.03: wake-ups that are late by 0.1 ms move requests over the borders of 10 ms.
@pytest.mark.parametrize(
    ("duration", "seeds", "within"),
    [("2200ms", (239,), 0.1), pytest.param("10s", (8, 27, 39), 0.05, marks=pytest.mark.law)],
)
@law_of_time
def test_poisson_sends_vary_as_much_as_they_are(duration: str, seeds: tuple[int, ...], within: float) -> None:
    # A machine that stops gathers what it held up, in the seconds in which it does.
    seconds = [second for seed in seeds for second in dispersions_of_sends(duration, seed)]
    assert numpy.median(seconds) == pytest.approx(1, abs=within)


@law_of_time
def test_a_ramp_and_a_burst_reach_the_server_as_planned() -> None:
    phases = [
        '{for = "1s", shape = "ramp", rate = [0, 1000]}',
        '{for = "1s", shape = "burst", rate = [100, 2000], period = "500ms", width = "100ms"}',
        '{for = "1s", rate = 300}',
    ]
    at = sent_at(f"workload.phase=[{', '.join(phases)}]")
    counts = numpy.bincount((at - at[0]) // (100 * NS_PER_MS), minlength=30)
    exact = [5 + 10 * n for n in range(10)] + [10, 10, 10, 10, 200] * 2 + [30] * 10
    # Intended times are exact (tests/engine/test_schedule.py); on which side of a bound a request is seen is up to the
    # way there, for which five milliseconds are allowed.
    rates = numpy.repeat([1000, 2000, 300], 10)
    assert (abs(counts[:30] - exact) <= 3 + 0.005 * rates).all(), counts
    assert counts.sum() == 500 + 480 + 300


# ── The way to a connection ─────────────────────────────────────────────────────────────────────────────────────────


def by_connection(distribution: str) -> list[int]:
    """How many of 2,000 requests, one by one, went to each of 8 connections."""
    served: Counter[int] = Counter()
    lock = threading.Lock()
    listener = socket.create_server((HOST, 0))

    def serve(connection: socket.socket, number: int) -> None:
        with connection:
            while data := connection.recv(65536):
                connection.sendall(b"+PONG\r\n" * data.count(b"PING"))
                with lock:
                    served[number] += data.count(b"PING")

    def accept() -> None:
        for number in range(8):
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, number), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with listener:
        run(
            plan(
                listener.getsockname()[1],
                "target.protocol=ping",
                "connection.connections=8",
                "connection.pipeline_depth=4",
                f"connection.request_distribution={distribution}",
                "general.warmup=0s",
                "general.duration=1s",
                "workload.rate_limit=2000",
            )
        )
    return [served[number] - 1 for number in range(8)]


@law_of_time
def test_roundrobin_gives_each_connection_as_much() -> None:
    served = by_connection("roundrobin")
    assert sum(served) == 2000
    assert max(served) - min(served) < 50


@law_of_time
def test_greedy_prefers_the_first() -> None:
    served = by_connection("greedy")
    assert served[0] > 1500


@law_of_time
def test_random_spreads_by_chance() -> None:
    served = by_connection("random")
    expected = 2000 / 8
    chi_square = sum((n - expected) ** 2 / expected for n in served)
    # More even than roundrobin is not, and no connection stands out: 7 degrees of freedom.
    assert 0.5 < chi_square < 30, served


@law_of_time
def test_least_inflight_passes_by_a_connection_that_does_not_answer() -> None:
    """One of four connections answers nothing: whoever asks for the least in flight leaves it alone."""
    counts = {}
    for distribution in ("roundrobin", "least_inflight"):
        stuck: list[socket.socket] = []
        got: Counter[bool] = Counter()
        listener = socket.create_server((HOST, 0))

        def serve(connection: socket.socket, silent: bool, got: Counter[bool] = got) -> None:
            greeted = False
            with connection:
                while data := connection.recv(65536):
                    pings = data.count(b"PING")
                    got[silent] += pings
                    if not silent or not greeted:
                        connection.sendall(b"+PONG\r\n" * (pings if not silent else 1))
                    greeted = True

        def accept(listener: socket.socket = listener, stuck: list[socket.socket] = stuck) -> None:
            for number in range(4):
                connection, _ = listener.accept()
                stuck.append(connection)
                threading.Thread(target=serve, args=(connection, number == 0), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        with listener:
            run(
                plan(
                    listener.getsockname()[1],
                    "target.protocol=ping",
                    "connection.pipeline_depth=64",
                    f"connection.request_distribution={distribution}",
                    "connection.request_timeout=1s",
                    "general.warmup=0s",
                    "general.duration=900ms",
                    "workload.rate_limit=500",
                )
            )
        counts[distribution] = got[True]
    assert counts["roundrobin"] > 50
    assert counts["least_inflight"] < 30


# ── Lag: whose it is ────────────────────────────────────────────────────────────────────────────────────────────────


@law_of_time
def test_a_full_socket_is_backpressure() -> None:
    with built_in(options=["--slow-read", "1MB"]) as server:
        told = plan(
            server.port,
            "general.warmup=0s",
            "general.duration=1s",
            "connection.connections=1",
            "connection.pipeline_depth=64",
            "workload.commands.get=0",
            "workload.values.length=10KB",
            "workload.rate_limit=1000",
            "connection.request_timeout=2s",
        )
        result = run(told)
    lag, ours = result.measured.lag, result.measured.lag_ours
    assert lag.quantile(0.9) > 500 * NS_PER_MS
    assert ours.quantile(0.9) < 0.1 * lag.quantile(0.9)
    assert result.measured.lag_backpressure.sum + ours.sum == lag.sum


@pytest.mark.timing
def test_spinning_counts_what_the_server_counted_and_says_what_it_takes(healthy: ManagedServer) -> None:
    done = invoked(
        "--format",
        "json",
        "--spin",
        *sets(endpoints(healthy.port), "general.duration=1s", "general.threads=1", "workload.rate_limit=2000"),
        *sets("general.warmup=0.2s", "verdict.lag=30s"),
    )
    assert done.status == 0, done.stderr
    assert "core" in done.stderr
    result = done.records[-1]
    assert result["counts"]["planned"] == result["counts"]["ok"]
    # One that sleeps uses a tenth of a second for so many requests.
    assert result["client"]["cpu_s"] > 0.25
