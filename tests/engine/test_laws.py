"""The laws of an open loop, exactly: the real engine in a world in which time is a number.

Each law is held against a recursion of a few lines that knows nothing of engines: of a server that serves one request
after the other, when does each end? (D. V. Lindley, "The theory of queues with a single server", 1952.)
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from counted import snapshot_of
from runs import plan
from stages import Connection, Stage

from loadgen._resp import Resp
from loadgen.engine._engine import Engine
from loadgen.snapshot import Histogram, Snapshot
from loadgen.units import NS_PER_MS, NS_PER_S, NS_PER_US

START_NS = 10 * NS_PER_S
NEVER = 1 << 62
GET = len(Resp(16, 64).encoded("get"))
PING = b"*1\r\n$4\r\nPING\r\n"

Stretch = tuple[int, int]
"""From, until: monotonic times."""


@dataclass
class Queue:
    """One server after the other: each request takes its time, and none is served in a stall."""

    service_ns: int
    stalls: Sequence[Stretch] = ()
    free_ns: int = 0
    stall: int = 0

    def served(self, at_ns: int) -> int:
        """When a request that comes at a time has been served."""
        begin_ns = max(at_ns, self.free_ns)
        left_ns = self.service_ns
        while self.stall < len(self.stalls) and self.stalls[self.stall][1] <= begin_ns:
            self.stall += 1
        stall = self.stall
        while stall < len(self.stalls):
            from_ns, until_ns = self.stalls[stall]
            if begin_ns + left_ns <= from_ns:
                break
            left_ns -= max(0, from_ns - begin_ns)
            begin_ns = until_ns
            stall += 1
        self.free_ns = begin_ns + left_ns
        return self.free_ns


@dataclass
class Server:
    """A Redis with no keys, whose every request goes through one queue."""

    queue: Queue
    stage: Stage = field(init=False)
    came: list[int] = field(default_factory=list)
    """When each GET came."""

    def received(self, connection: Connection, data: bytes) -> None:
        now_ns = self.stage.now_ns
        if data == PING:
            self.stage.reply(connection, now_ns, b"+PONG\r\n")
            return
        count, rest = divmod(len(data), GET)
        assert not rest, "a stage takes requests whole"
        for _ in range(count):
            self.came.append(now_ns)
            self.stage.reply(connection, self.queue.served(now_ns), b"$-1\r\n")


@dataclass
class Ran:
    measured: Snapshot
    signs: dict[str, object]
    came: list[int]


def ran(
    queue: Queue,
    *settings: str,
    rate_per_s: float = 0,
    seconds: float = 1.0,
    pauses: Sequence[Stretch] = (),
    queued: bool = False,
    requests: int = 0,
    warmup_ns: int = 0,
    server_of: type[Server] = Server,
) -> Ran:
    """A load whose measure window begins at START_NS; 0/s: a closed loop."""
    server = server_of(queue)
    stage = server.stage = Stage(server, START_NS - NS_PER_S)
    told = plan(1, "workload.commands.set=0", "workload.commands.get=1", "connection.request_timeout=1h", *settings)
    heard: list[str] = []
    engine = Engine(stage.plan(told), 0, heard.append, stage.reactor, stage.reactor.net)
    engine.connect()
    stage.run(START_NS - NS_PER_S // 2)
    assert heard == ["connected"]
    for from_ns, until_ns in pauses:
        stage.host.pause(from_ns, until_ns, queued=queued)
    length_ns = round(seconds * NS_PER_S)
    profile = [(length_ns, rate_per_s, rate_per_s, 0)] if rate_per_s else []
    engine.load(START_NS - warmup_ns, warmup_ns, length_ns, profile, requests)
    stage.run(START_NS + 1000 * NS_PER_S)
    assert heard == ["connected", "drained"]
    try:
        return Ran(snapshot_of(engine.counts("measure")), engine.signs(), server.came)
    finally:
        engine.close()


def histogram(values: Sequence[int]) -> Histogram:
    made = Histogram()
    for value in values:
        made.record(value)
    return made


def even(rate_per_s: int, seconds: float) -> list[int]:
    """The intended times of an even row."""
    return [START_NS + round(i * 1e9 / rate_per_s) for i in range(round(rate_per_s * seconds))]


def random_stretches(seed: int, count: int, every_ns: int, longest_ns: int) -> list[Stretch]:
    """One somewhere in each `every_ns`, of up to `longest_ns`."""
    dice = random.Random(seed)
    found = []
    for i in range(count):
        from_ns = START_NS + i * every_ns + dice.randrange(every_ns - longest_ns)
        found.append((from_ns, from_ns + dice.randrange(1, longest_ns)))
    return found


# ── Stalls of the server ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("depth", [1, 4, 64])
@pytest.mark.parametrize("connections", [1, 3])
def test_a_stall_is_charged_to_every_request_that_was_due_in_it(connections: int, depth: int) -> None:
    """A thousand stalls: however few requests fit the connections, each counts from its intended time."""
    stalls = random_stretches(1, 1000, 10 * NS_PER_MS, 8 * NS_PER_MS)
    shape = (f"connection.connections={connections}", f"connection.pipeline_depth={depth}")
    came = ran(Queue(20 * NS_PER_US, stalls), *shape, rate_per_s=1000, seconds=10)
    alone = Queue(20 * NS_PER_US, stalls)
    expected = [alone.served(due_ns) - due_ns for due_ns in even(1000, 10)]
    assert came.measured.latency() == histogram(expected)
    # Nothing of it was the generator's.
    assert came.measured.lag_ours.max == 0
    assert came.measured.total.ok == 10_000


def test_a_closed_loop_hides_a_stall_from_all_but_the_requests_in_flight() -> None:
    stall = (START_NS + 500 * NS_PER_MS, START_NS + 700 * NS_PER_MS)
    came = ran(Queue(100 * NS_PER_US, [stall]), "connection.connections=1", "connection.pipeline_depth=1")
    assert came.measured.total.planned == (1000 - 200) * 10
    assert came.measured.latency().max == 200 * NS_PER_MS + 100 * NS_PER_US
    assert came.measured.latency().quantile(0.999) <= 101 * NS_PER_US


def test_a_server_offered_twice_what_it_serves_leaves_the_other_half_behind() -> None:
    came = ran(Queue(NS_PER_MS), "connection.connections=2", "connection.pipeline_depth=4", rate_per_s=2000)
    total = came.measured.total
    assert total.planned == 2000
    # What is due in the window goes out in the drain too, and the timeout is far away.
    assert total.ok == 2000
    assert came.measured.answered_in_time == pytest.approx(1000, abs=1)
    expected, alone = [], Queue(NS_PER_MS)
    for due_ns in even(2000, 1):
        expected.append(alone.served(due_ns) - due_ns)
    assert came.measured.latency() == histogram(expected)


# ── Pauses of the generator ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("queued", [False, True], ids=["stopped", "queued"])
def test_a_generator_that_stood_still_is_charged_with_every_wait_that_this_made(queued: bool) -> None:
    """500 pauses, and a server that always keeps up: what was due in one went out at its end, and that was ours."""
    pauses = random_stretches(2, 500, 20 * NS_PER_MS, 15 * NS_PER_MS)
    shape = ("connection.connections=4", "connection.pipeline_depth=64")
    came = ran(Queue(NS_PER_US), *shape, rate_per_s=1000, seconds=10, pauses=pauses, queued=queued)
    lags = []
    for due_ns in even(1000, 10):
        at = bisect_right(pauses, (due_ns, NEVER)) - 1
        lags.append(max(0, pauses[at][1] - due_ns) if at >= 0 else 0)
    assert came.measured.lag == histogram(lags)
    assert came.measured.lag_ours == came.measured.lag
    counted = came.signs["pauses"]
    assert isinstance(counted, dict)
    # A pause shorter than a millisecond is none, nor is what of it lay before anything was due.
    late = [(a, b) for a, b in pauses if b - next_wake(a, 1000) > NS_PER_MS]
    assert counted["count"] == len(late)
    assert counted["queued_ns" if queued else "stopped_ns"] == sum(b - next_wake(a, 1000) for a, b in late)


def next_wake(at_ns: int, rate_per_s: int) -> int:
    """When an engine whose timer is set for the next due time was to wake, at or after a time."""
    gap_ns = NS_PER_S // rate_per_s
    return START_NS - (START_NS - at_ns) // gap_ns * gap_ns


def test_pauses_in_which_a_busy_server_still_owes_replies_are_not_blamed() -> None:
    """Offered twice what it serves, it is busy whether the generator sleeps or not."""
    pauses = [(START_NS + i * 100 * NS_PER_MS, START_NS + (i * 100 + 10) * NS_PER_MS) for i in range(1, 10)]
    shape = ("connection.connections=2", "connection.pipeline_depth=16")
    came = ran(Queue(NS_PER_MS // 2), *shape, rate_per_s=4000, pauses=pauses)
    assert came.measured.lag_ours_at_most.max == 0
    assert came.measured.lag.max > 100 * NS_PER_MS


def test_a_backlog_that_a_pause_made_is_ours_until_nothing_waits_any_more() -> None:
    """The server had run dry: what stood behind what was due in the pause waited because of it, long after its end."""
    pause = (START_NS + 100 * NS_PER_MS, START_NS + 300 * NS_PER_MS)
    # 1000/s of which 90 % are needed: 200 requests too late, caught up with at 100/s or so.
    came = ran(
        Queue(900 * NS_PER_US),
        "connection.connections=1",
        "connection.pipeline_depth=1",
        rate_per_s=1000,
        seconds=3,
        pauses=[pause],
    )
    waited = came.measured.lag
    assert waited.quantile(0.5) > 10 * NS_PER_MS
    assert came.measured.lag_ours.max == pytest.approx(200 * NS_PER_MS, rel=0.01)
    # As much as the pause took is ours; that the server needs 0.9 ms for what is sent each is not.
    assert came.measured.lag_ours.sum >= 0.99 * (waited.sum - came.measured.lag_backpressure.sum)
    assert came.measured.lag_backpressure.max <= 1_100_000


def test_a_window_that_was_slept_through_is_overdue_and_its_warm_up_is_not() -> None:
    pause = (START_NS - 50 * NS_PER_MS, START_NS + 150 * NS_PER_MS)
    shape = ("connection.connections=1", "connection.pipeline_depth=1024")
    came = ran(Queue(NS_PER_US), *shape, rate_per_s=1000, seconds=0.1, warmup_ns=100 * NS_PER_MS, pauses=[pause])
    assert came.signs["overdue"] == came.measured.total.planned == 100
    assert len(came.came) == 200


# ── Connections that go ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("resets", [False, True], ids=["ended", "cut off"])
def test_what_was_in_flight_when_a_connection_went_is_lost_and_nothing_else(resets: bool) -> None:
    class Going(Server):
        """It ends each connection with the hundredth request on it."""

        def received(self, connection: Connection, data: bytes) -> None:
            super().received(connection, data)
            if data != PING and len(self.came) % 100 == 0:
                self.stage.hang_up(connection, self.stage.now_ns, resets=resets)

    shape = ("connection.connections=1", "connection.pipeline_depth=1")
    came = ran(Queue(10 * NS_PER_US), *shape, rate_per_s=1000, server_of=Going)
    total = came.measured.total
    # Every hundredth is lost, as the server hangs up before its answer is ready.
    assert len(came.came) == total.planned == 1000
    assert (total.ok, total.lost) == (990, 10)


# ── Pacing, and numbers of requests ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arrival", ["constant", "poisson"])
@pytest.mark.parametrize("distribution", ["roundrobin", "greedy", "random", "least_inflight"])
def test_what_is_due_goes_out_at_its_time_to_the_nanosecond(arrival: str, distribution: str) -> None:
    came = ran(
        Queue(NS_PER_US), f"workload.arrival={arrival}", f"connection.request_distribution={distribution}",
        "connection.connections=4", "workload.rate_limit=5000", rate_per_s=5000,
    )  # fmt: skip
    assert came.measured.lag.max == 0
    if arrival == "constant":
        assert sorted(came.came) == pytest.approx(even(5000, 1), abs=1)
    assert len(came.came) == came.measured.total.planned == pytest.approx(5000, rel=0.05)


@pytest.mark.parametrize("rate_per_s", [0, 3000])
@pytest.mark.parametrize("requests", [1, 7, 1000])
def test_so_many_requests_and_no_more(requests: int, rate_per_s: int) -> None:
    came = ran(Queue(NS_PER_US), rate_per_s=rate_per_s, seconds=3600, requests=requests)
    assert came.measured.total.planned == came.measured.total.ok == len(came.came) == requests


def test_the_measure_window_is_watched_from_its_beginning_to_its_end() -> None:
    signs = ran(Queue(NS_PER_US), rate_per_s=1000, seconds=2).signs
    assert signs["wall_ns"] == 2 * NS_PER_S


def test_the_same_seed_gives_the_same_run_to_the_nanosecond() -> None:
    def one() -> Ran:
        stalls = random_stretches(3, 50, 20 * NS_PER_MS, 15 * NS_PER_MS)
        return ran(
            Queue(150 * NS_PER_US, stalls), "workload.arrival=poisson", "workload.rate_limit=4000", rate_per_s=4000
        )

    a, b = one(), one()
    assert a.came == b.came
    assert a.measured == b.measured


# ── The end of a load ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stopped_ms", [(), (0,), (0, 0), (500,), (500, 500), (500, 1500), (1500,), (1500, 1600)])
def test_a_load_is_told_to_have_drained_once_however_often_and_late_it_is_stopped(stopped_ms: tuple[int, ...]) -> None:
    """A load of a second is stopped at these times; at 0 before it was begun. It is the first of two."""
    server = Server(Queue(100 * NS_PER_US))
    stage = server.stage = Stage(server, START_NS - NS_PER_S)
    told = plan(1, "workload.commands.set=0", "workload.commands.get=1", "connection.connections=1")
    heard: list[str] = []
    engine = Engine(stage.plan(told), 0, heard.append, stage.reactor, stage.reactor.net)
    planned = []
    for from_ns in (START_NS, START_NS + 4 * NS_PER_S):
        engine.connect()
        stage.run(from_ns)
        if 0 not in stopped_ms:
            engine.load(from_ns, 0, NS_PER_S, [(NS_PER_S, 2000, 2000, 0)])
        for after_ms in stopped_ms:
            stage.run(from_ns + after_ms * NS_PER_MS)
            engine.stop()
        stage.run(from_ns + 3 * NS_PER_S)
        planned.append(snapshot_of(engine.counts("measure")).total.planned)
    assert heard == ["connected", "drained"] * 2
    # One is due at 500 ms itself.
    assert planned == [0 if 0 in stopped_ms else 1001 if 500 in stopped_ms else 2000] * 2
    engine.close()


# ── The end of a drain ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ended", [True, False])
def test_an_ended_drain_reads_the_replies_that_have_arrived_and_waits_for_no_other(ended: bool) -> None:
    """A server serves nothing from half a second on, but for one last millisecond after the load was stopped."""
    stop_ns = START_NS + 600 * NS_PER_MS
    last = (stop_ns + 5 * NS_PER_MS, stop_ns + 6 * NS_PER_MS)
    queue = Queue(100 * NS_PER_US, [(START_NS + 500 * NS_PER_MS, last[0]), (last[1], START_NS + 10**6 * NS_PER_S)])
    server = Server(queue)
    stage = server.stage = Stage(server, START_NS - NS_PER_S)
    told = plan(
        1, "workload.commands.set=0", "workload.commands.get=1", "connection.request_timeout=1h",
        "connection.connections=1", "connection.pipeline_depth=16",
    )  # fmt: skip
    heard: list[str] = []
    engine = Engine(stage.plan(told), 0, heard.append, stage.reactor, stage.reactor.net)
    engine.connect()
    stage.run(START_NS - NS_PER_S // 2)
    engine.load(START_NS, 0, 10 * NS_PER_S, [(10 * NS_PER_S, 2000, 2000, 0)])
    stage.run(stop_ns)
    before = snapshot_of(engine.counts("measure")).total
    engine.stop()
    if ended:
        engine.end_drain()
    stage.run(stop_ns + NS_PER_S)
    assert heard == ["connected", *["drained"] * ended]
    total = snapshot_of(engine.counts("measure")).total
    if ended:
        assert total.ok - before.ok == 10
        assert total.unfinished == total.planned - total.ok > 16
        assert (total.lost, total.timeouts) == (0, 0)
    engine.close()
