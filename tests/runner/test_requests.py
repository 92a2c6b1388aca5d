"""A number of requests: the measure phase has exactly so many, over all workers, connections and servers."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest
from faulty_server import FaultyServer, Peer, closes, good_reply, is_load, never_answers, polite
from hypothesis import example, given
from hypothesis import strategies as st
from in_process import invoked, invoked_load
from real_servers import RealServer
from runs import judging, measure, plan, redis_calls

from loadgen import config
from loadgen.engine._workload import apportioned
from loadgen.errors import ConfigError
from loadgen.events import Event, Progress, Result, Sample
from loadgen.runner.run import Run
from loadgen.units import MAX_DURATION_NS, NS_PER_MS, NS_PER_S

# A prime, so that no number of workers, servers or connections divides it.
N = 1009

# The settings of a short run have a duration and a warm-up, which a number of requests has only where they are given.
UNTIMED = ("general.duration=0s", "general.warmup=0s")


def run(port: int, *settings: str, events: list[Event] | None = None) -> Result:
    heard: list[Event] = [] if events is None else events
    settings = (*UNTIMED, *settings)
    result = Run(plan(port, *settings), heard.append, judging=judging(*settings)).result()
    assert result.unaccounted == 0
    return result


# ── Divided ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 2**53), st.lists(st.floats(1e-9, 1), min_size=1, max_size=40))
@example(10, [1 / 3, 1 / 3, 1 / 3])
def test_parts_are_whole_add_up_and_are_off_by_less_than_one(total: int, shares: list[float]) -> None:
    parts = apportioned(total, shares)
    assert sum(parts) == total
    whole = sum(shares)
    assert all(abs(part - total * share / whole) < 1 + total * 1e-14 for part, share in zip(parts, shares, strict=True))


def test_of_equal_shares_the_first_have_what_is_left_over() -> None:
    assert apportioned(11, [0.25] * 4) == [3, 3, 3, 2]


# ── Sent ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "settings",
    [
        ("general.threads=3", "connection.connections=7"),
        ("general.threads=2", "workload.rate_limit=20000"),
        ("workload.rate_limit=20000", "workload.arrival=poisson"),
        ("general.warmup=200ms", "general.threads=2"),
        ("general.warmup=200ms", "workload.rate_limit=20000"),
        ("workload.backfill_on_miss=true",),
    ],
    ids=" ".join,
)
def test_so_many_are_sent_and_no_more(settings: tuple[str, ...]) -> None:
    with RealServer.redis() as server:
        events: list[Event] = []
        result = measure(server, *UNTIMED, f"general.requests={N}", *settings, events=events)
        calls = redis_calls(server)
    assert result.measured.total.planned == N == result.measured.total.ok
    assert sum(calls.get(name, 0) for name in ("get", "set")) == sum(
        tally.sent for phase in ("warmup", "measure") for tally in result.phases[phase].tallies.values()
    )
    assert (result.phases["warmup"].total.planned > 0) == any("warmup" in setting for setting in settings)
    # The rows add up to it too, the last of them short.
    rows = [event for event in events if isinstance(event, Sample) and event.phase == "measure"]
    assert sum(row.interval.total.answered for row in rows) == N
    assert sum(row.interval_ns for row in rows) == result.duration_ns


def test_each_server_has_its_share_of_them() -> None:
    with RealServer.redis() as first, RealServer.redis() as second:
        result = measure((first, second), *UNTIMED, "general.threads=2", f"general.requests={N}")
        each = [redis_calls(server) for server in (first, second)]
    sent = [calls["get"] + calls["set"] for calls in each]
    assert sum(sent) == N == result.measured.total.planned
    # Whichever is quicker: by ketama each owns about a half of the keys.
    assert min(sent) > 0.3 * N


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("settings", [(), ("workload.rate_limit=1000",)], ids=["closed", "open"])
def test_workers_without_a_request_of_their_own_wait_for_nothing(n: int, settings: tuple[str, ...]) -> None:
    with FaultyServer(polite()) as server:
        result = run(server.port, "general.threads=3", f"general.requests={n}", *settings)
    assert result.measured.total.planned == n == result.measured.total.ok
    assert result.duration_ns < 10 * NS_PER_S


def test_it_lasts_from_its_begin_to_the_last_reply() -> None:
    held: list[int] = []

    def last_is_late(peer: Peer) -> None:
        for request in peer.requests():
            if is_load(request):
                held.append(1)
                if len(held) == N:
                    threading.Event().wait(0.3)
            peer.send(good_reply(request))

    with FaultyServer(last_is_late) as server:
        result = run(server.port, f"general.requests={N}", "connection.connections=1")
    assert len(held) == N
    assert result.duration_ns >= 300 * NS_PER_MS
    assert result.throughput_per_s == pytest.approx(N * NS_PER_S / result.duration_ns)


def test_connections_that_go_take_none_of_them_along() -> None:
    with FaultyServer(polite(after=closes, requests=100)) as server:
        result = run(server.port, f"general.requests={N}", "connection.connections=3")
    total = result.measured.total
    assert total.planned == N == total.ok + total.lost
    assert total.lost > 0


def test_requests_that_are_never_answered_end_it_at_their_timeout() -> None:
    with FaultyServer(polite(after=never_answers, requests=10)) as server:
        result = run(server.port, "general.requests=20", "connection.connections=1", "connection.request_timeout=200ms")
    total = result.measured.total
    assert total.planned == 20 == total.ok + total.timeouts + total.lost + total.unfinished
    assert result.duration_ns >= 200 * NS_PER_MS


def test_a_server_that_is_gone_ends_it() -> None:
    with FaultyServer(polite(after=closes, requests=5)) as server:
        ended = []

        def emit(event: Event) -> None:
            if isinstance(event, Progress) and event.phase == "measure" and not ended:
                ended.append(event)
                server.__exit__(None, None, None)

        short = ("connection.connect_timeout=300ms", "connection.request_timeout=1s")
        told = plan(server.port, *UNTIMED, "general.requests=1000000", *short)
        result = Run(told, emit, judging=judging()).result()
    assert result.failure
    assert 0 < result.measured.total.planned < 1_000_000
    assert result.unaccounted == 0


# ── Whichever ends it first ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_duration_given_too_ends_it_when_it_is_over_first() -> None:
    limited = ("--requests", "9000000", "--duration", "100ms", "--threads", "1", "--set", "verdict.lag=30s")
    with FaultyServer(polite()) as server:
        address = ("--port", str(server.port))
        finished = invoked("run", *address, *limited)
        record = invoked("run", *address, *limited, "--format", "json")
    assert "[running 9,000,000 requests, 100 ms at most]" in finished.stdout
    assert "of 9,000,000 requests: the time was over)" in finished.stdout
    assert record.records[0]["request_limit"] == 9_000_000
    assert record.records[0]["duration_secs"] == record.result["duration_secs"] == 0.1
    assert 0 < record.result["requests"] < 9_000_000


def test_requests_that_come_to_their_end_first_are_all_of_them() -> None:
    with FaultyServer(polite()) as server:
        record = invoked_load(server.port, "--requests", str(N), "--duration", "60s")
    assert record.result["requests"] == N
    assert record.result["duration_secs"] < 60


def test_an_open_loop_sends_all_of_them_however_late() -> None:
    # The schedule is over after a microsecond.
    with FaultyServer(polite()) as server:
        result = run(server.port, f"general.requests={N}", "workload.rate_limit=1e9", "connection.connections=1")
    assert result.measured.total.ok == N


# ── Told ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_there_is_no_duration_and_no_warmup_unless_given() -> None:
    settings = config.load(None, ["general.requests=1000"])
    assert (settings.general.duration, settings.general.warmup) == (0, 0)
    told = config.resolve(settings)
    assert (told.load.requests, told.load.duration_ns, told.load.window_ns) == (1000, 0, MAX_DURATION_NS)
    given_too = config.resolve(config.load(None, ["general.requests=10", "general.duration=3s", "general.warmup=1s"]))
    assert (given_too.load.duration_ns, given_too.load.warmup_ns) == (3 * NS_PER_S, NS_PER_S)


def test_the_configuration_is_written_so_that_it_reads_back(tmp_path: Path) -> None:
    settings = config.load(None, ["general.requests=1000"])
    (tmp_path / "a.toml").write_text(config.dump(settings))
    assert config.load(tmp_path / "a.toml") == settings


@pytest.mark.parametrize("requests", ["", "general.requests=0"])
def test_without_requests_a_duration_is_longer_than_nothing(requests: str) -> None:
    with pytest.raises(ConfigError, match=r"general\.duration: must be longer than 0"):
        config.load(None, [*filter(None, [requests]), "general.duration=0s"])


@pytest.mark.parametrize("requests", ["-1", "1.5", '"many"', str(2**53)])
def test_what_is_no_number_of_requests_is_the_one_problem(requests: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(None, [f"general.requests={requests}"])
    [problem] = caught.value.problems
    assert "general.requests" in problem


def test_progress_counts_requests() -> None:
    events: list[Event] = []
    with FaultyServer(polite()) as server:
        run(server.port, f"general.requests={N}", "general.interval=50ms", "workload.rate_limit=5000", events=events)
    seen = [event for event in events if isinstance(event, Progress) and event.phase == "measure"]
    assert {(event.unit, event.total) for event in seen} == {("requests", N)}
    assert all(a.done <= b.done for a, b in itertools.pairwise(seen))


def test_without_a_file_a_number_of_requests_has_no_warmup() -> None:
    with FaultyServer(polite()) as server:
        arguments = ("run", "--port", str(server.port), "--format", "json", "--threads", "1")
        by_flag = invoked(*arguments, "--requests", "10")
        by_set = invoked(*arguments, "--set", "general.requests=10")
    for finished in (by_flag, by_set):
        assert finished.records[0]["warmup_secs"] == 0
        assert finished.result["requests"] == 10
