"""One worker's engine against fake servers: requests stay whole when a server refuses early, and counts are exact.

Whole runs; the bytes that the servers received are compared with the counts.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sysconfig
import threading
import time
from pathlib import Path

import pytest
import uvloop
from engines import engine_of
from faulty_server import FaultyServer, Peer, by_connection, good_reply, is_load, polite
from places import SUPPORT
from runs import judging, plan, profile_of

from loadgen.events import Event, PhaseBegan, Result
from loadgen.runner.processes import WorkerProcesses
from loadgen.runner.run import Run

TOO_LARGE = b"SERVER_ERROR object too large for cache\r\n"

# More than the kernel's buffers on both sides of a loopback connection take.
NEVER_AT_ONCE = 16_000_000


def run(port: int, *settings: str) -> Result:
    settings = ("general.warmup=0s", *settings)
    result = Run(plan(port, *settings), lambda event: None, judging=judging(*settings)).result()
    assert result.unaccounted == 0
    return result


@pytest.mark.parametrize("depth", [1, 3, 4])
def test_a_request_refused_before_it_was_all_written_is_written_to_its_end(depth: int) -> None:
    bodies: list[bytes] = []

    def refuse(peer: Peer) -> None:
        """memcached's way with a value over its limit: says so at the head, and swallows the value."""
        while line := peer.stream.readline():
            if line.startswith(b"version"):
                peer.send(b"VERSION 1\r\n")
                continue
            assert line.startswith(b"set "), line[:40]
            peer.send(TOO_LARGE)
            body = peer.stream.read(int(line.split()[4]) + 2)
            if len(body) < NEVER_AT_ONCE + 2:
                return
            bodies.append(body[-2:])

    with FaultyServer(refuse) as server:
        result = run(
            server.port,
            "target.protocol=memcache",
            f"workload.values.length={NEVER_AT_ONCE}",
            "workload.commands.get=0",
            "connection.connections=1",
            f"connection.pipeline_depth={depth}",
            f"general.requests={2 * depth + 2}",
            "general.duration=0s",
        )
    total = result.measured.total
    # The run ends with the last refusal, and then with what is still being written.
    assert len(bodies) > depth
    assert set(bodies) == {b"\r\n"}
    assert total.errors == total.planned
    assert result.overall.connections.closed == 0


def test_refusals_of_requests_that_were_never_begun_do_not_overfill_the_out_buffer() -> None:
    def refuse(peer: Peer) -> None:
        peer.connection.recv(1000)
        peer.send(b"+PONG\r\n")
        # Until nothing more goes into the kernel, nothing is read; then come replies to what never arrived.
        time.sleep(0.2)
        while True:
            peer.send(b"-ERR no\r\n" * 100)
            time.sleep(0.001)

    def until_closed(peer: Peer) -> None:
        try:
            refuse(peer)
        except OSError:
            return

    with FaultyServer(until_closed) as server:
        result = run(
            server.port,
            "general.duration=1s",
            "workload.values.length=15000",
            "workload.commands.get=0",
            "connection.connections=1",
            "connection.pipeline_depth=1024",
        )
    assert result.measured.total.corrupt > 0
    assert result.overall.failures["protocol"] > 0


@pytest.mark.parametrize("protocol", ["resp", "resp3"])
@pytest.mark.parametrize("length", [1500, 20_000])
def test_a_password_longer_than_a_request_is_sent_whole(protocol: str, length: int) -> None:
    passwords: list[bytes] = []

    def serve(peer: Peer) -> None:
        for request in peer.requests():
            if request[0] in (b"AUTH", b"HELLO"):
                passwords.append(request[-1])
            peer.send(good_reply(request))

    with FaultyServer(serve) as server:
        result = run(
            server.port,
            f'target.protocol="{protocol}"',
            f'target.password="{"p" * length}"',
            "workload.values.length=16384",
            "connection.pipeline_depth=1",
        )
    assert result.valid, result.invalid_because
    assert passwords == [b"p" * length] * 4


def test_without_a_warmup_every_byte_of_the_load_belongs_to_the_measure_phase() -> None:
    with FaultyServer(polite()) as server:
        result = run(server.port)
    warmup = result.phases["warmup"]
    assert result.measured.total.planned > 0
    assert (warmup.tx_bytes, warmup.rx_bytes, warmup.total.planned) == (0, 0, 0)


def test_a_worker_held_up_over_the_end_of_its_window_counts_no_time_below_zero() -> None:
    workers = WorkerProcesses()
    timers: list[threading.Timer] = []

    def hold_up() -> None:
        os.kill(workers.made[0].pid, signal.SIGSTOP)
        time.sleep(1.2)
        os.kill(workers.made[0].pid, signal.SIGCONT)

    def emit(event: Event) -> None:
        if isinstance(event, PhaseBegan) and event.phase == "measure":
            timers.append(threading.Timer(0.5, hold_up))
            timers[0].start()

    with FaultyServer(polite()) as server:
        settings = ["general.warmup=0s", "general.duration=1s", "workload.rate_limit=1000"]
        held_up = Run(
            plan(server.port, *settings, "connection.request_timeout=50ms"),
            emit,
            members=workers,
            judging=judging(),
        )
        result = held_up.result()
    timers[0].join()
    assert not result.failure
    assert result.unaccounted == 0
    assert result.measured.total.planned == 1000
    for clock in ("response", "service"):
        latency = result.measured.latency(clock=clock)
        never_sent = result.measured.total.unsent if clock == "service" else 0
        assert latency.count == 1000 - result.measured.total.lost - never_sent
        assert latency.min >= 0
        assert sum(count for _, count in latency.buckets()) == latency.count


@pytest.mark.parametrize("workers", [1, 2])
def test_the_cpu_time_of_late_requests_is_counted_with_them(workers: int) -> None:
    """Twice what the server takes: what is sent after the window has its CPU time counted like what was sent in it."""

    def slow(peer: Peer) -> None:
        for request in peer.requests():
            if request[0] != b"PING":
                time.sleep(0.001)
            peer.send({b"PING": b"+PONG\r\n", b"GET": b"$-1\r\n"}.get(request[0], b"+OK\r\n"))

    cpu_ns = []
    with FaultyServer(slow) as server:
        for duration in ("1s", "1ms"):
            # As many requests, all in the window or none.
            rate = {"1s": 400, "1ms": 400_000}[duration]
            result = run(
                server.port,
                f"general.duration={duration}",
                f"workload.rate_limit={rate}",
                f"general.threads={workers}",
                f"connection.connections={workers}",
                "connection.pipeline_depth=1",
            )
            assert result.measured.total.ok == 400
            cpu_ns.append(result.measured.cpu_ns)
    # Not a matter of speed: the second run's window alone has a fortieth of the first one's, and all of it a third.
    assert cpu_ns[1] > cpu_ns[0] / 10


def test_a_request_refused_early_has_its_send_lag_counted_like_any_other() -> None:
    def refuse(peer: Peer) -> None:
        while line := peer.stream.readline():
            if line.startswith(b"version"):
                peer.send(b"VERSION 1\r\n")
                continue
            peer.send(TOO_LARGE)
            peer.stream.read(int(line.split()[4]) + 2)

    with FaultyServer(refuse) as server:
        result = run(
            server.port,
            "target.protocol=memcache",
            f"workload.values.length={NEVER_AT_ONCE}",
            "workload.commands.get=0",
            "workload.rate_limit=50",
            "connection.connections=1",
            "general.duration=0.2s",
        )
    measured = result.measured
    assert measured.total.errors == 10
    for lag in (measured.lag, measured.lag_ours, measured.lag_backpressure):
        assert lag.count == measured.total.sent
        assert lag.min >= 0


def test_what_went_out_before_a_send_failed_was_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = sysconfig.get_config_var("CC").split()
    library, source = tmp_path / "cut_off_send.so", SUPPORT / "cut_off_send.c"
    subprocess.run([*compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    received: list[bytes] = []

    def take_all(peer: Peer) -> None:
        greeting = peer.connection.recv(1000)
        peer.send(b"+PONG\r\n")
        taken = bytearray(greeting)
        while part := peer.connection.recv(1 << 20):
            taken += part
        received.append(bytes(taken))

    with FaultyServer(take_all) as server:
        result = run(
            server.port,
            "workload.values.length=10000",
            "workload.commands.get=0",
            "connection.connections=1",
            "connection.pipeline_depth=64",
        )
    overall = result.overall
    assert overall.failures["reset"] > 0
    assert overall.tx_bytes == sum(map(len, received))
    # Each request ends with a value and a line end, and no value has a line end in it.
    head = b"*3\r\n$3\r\nSET"
    whole = [taken.count(head) - (len(taken[taken.rindex(head) :]) < 10_000) for taken in received if head in taken]
    assert sum(whole) > 0
    assert overall.tallies["set"].sent == sum(whole)


def test_a_connection_that_is_greeted_when_a_load_ends_is_replaced_for_the_next() -> None:
    def goes_with_the_first_request(peer: Peer) -> None:
        for request in peer.requests():
            if is_load(request):
                return
            peer.send(good_reply(request))

    next_load = threading.Event()

    def greets_too_late(peer: Peer) -> None:
        request = next(peer.requests())
        next_load.wait(10)
        peer.send(good_reply(request))

    async def loads(port: int) -> None:
        heard: asyncio.Queue[str] = asyncio.Queue()
        told = plan(port, "connection.connections=1", "workload.rate_limit=100", "connection.request_timeout=100ms")
        engine = engine_of(told, heard.put_nowait)
        engine.connect()
        assert await heard.get() == "connected"
        engine.load(time.monotonic_ns(), 0, 300_000_000, profile_of(told))
        assert await heard.get() == "drained"
        assert engine.down() == [1]
        next_load.set()
        engine.connect()
        assert await heard.get() == "connected"
        assert engine.down() == [0]
        # A reset, where a further request was there unread when the server went.
        assert engine.failure_counts() in ({"closed by server": 1}, {"reset": 1})
        engine.close()

    with FaultyServer(by_connection(goes_with_the_first_request, greets_too_late, polite())) as server:
        uvloop.run(loads(server.port))
