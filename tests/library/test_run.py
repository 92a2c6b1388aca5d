"""Loads from a program: twice in one process, in a thread, within a running event loop, stopped and cancelled."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from constructed_rounds import run_first_rounds_only
from real_servers import RealServer

import loadgen
from loadgen import record

# What the machine does to the generator while tests share it is not what these runs are about.
LOOSE = {"verdict.lag": "30s", "verdict.shortfall": 1}


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with RealServer.redis() as server:
        yield f"127.0.0.1:{server.port}"


def short(target: str | loadgen.Server, duration: str = "100ms") -> loadgen.Plan:
    return loadgen.Plan(
        target,
        keys=1000,
        connections=4,
        warmup="20ms",
        duration=duration,
        interval="40ms",
        threads=1,
        request_timeout="30s",
        seed=1,
        settings=LOOSE,
    )


def children() -> list[psutil.Process]:
    """This process's own, workers and servers' keepers, that live."""
    found = psutil.Process().children(recursive=True)
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def test_a_plan_runs_twice_in_one_process_and_leaves_nothing_behind(redis: str) -> None:
    before, plan = {*children()}, short(redis)
    first, second = loadgen.run(plan), loadgen.run(plan)
    assert first.valid, first.invalid_because
    assert second.valid, second.invalid_because
    assert first.measured.total.ok > 0
    assert {*children()} <= before


def test_a_plan_runs_in_a_thread_and_two_at_a_time(redis: str) -> None:
    with ThreadPoolExecutor(2) as threads:
        results = [*threads.map(loadgen.run, [short(redis)] * 2)]
    assert all(result.valid and result.unaccounted == 0 for result in results)


def test_a_plan_runs_where_an_event_loop_runs_already(redis: str) -> None:
    """As in a notebook."""

    async def cell() -> loadgen.Result:
        return loadgen.run(short(redis))

    assert asyncio.run(cell()).valid


def test_every_event_is_told_of_and_the_result_is_the_last(redis: str) -> None:
    told: list[loadgen.Event] = []
    result = loadgen.run(short(redis), on_event=told.append)
    assert told[-1] is result
    assert any(isinstance(event, loadgen.Sample) for event in told)


def test_each_run_has_a_server_of_its_own_and_within_with_they_share_one() -> None:
    server = loadgen.serve()
    assert not server.is_running
    result = loadgen.run(short(server))
    assert result.embedded
    assert result.server is not None
    with server:
        pid = server.pid
        assert loadgen.run(short(server)).valid
        assert loadgen.run(short(server)).valid
        assert server.pid == pid
        assert psutil.pid_exists(pid)
        with pytest.raises(loadgen.UsageError, match="runs already"):
            server.__enter__()
    assert not psutil.pid_exists(pid)
    with pytest.raises(loadgen.UsageError, match="does not run"):
        server.pause()


def test_a_server_is_made_of_a_command_or_a_preset() -> None:
    command = "redis-server --port {port} --bind 127.0.0.1 --save '' --dir {dir}"
    for server in (loadgen.Server.command(command), loadgen.Server.file("builtin-uvloop")):
        result = loadgen.run(short(server))
        assert result.valid, result.invalid_because
        assert not result.embedded
    with pytest.raises(loadgen.ConfigError):
        loadgen.Server.command("")


def test_what_is_wrong_with_the_target_is_raised() -> None:
    with pytest.raises(loadgen.TargetError):
        loadgen.run(short("127.0.0.1:1").replace(connect_timeout="200ms"))


# ── Stopped ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_from_another_thread_ends_the_load_and_keeps_the_result(redis: str) -> None:
    stop, measured = loadgen.Stop(), threading.Event()

    def emit(event: loadgen.Event) -> None:
        if isinstance(event, loadgen.Sample) and event.phase == "measure":
            measured.set()

    def end() -> None:
        measured.wait(30)
        stop.set()

    ending = threading.Thread(target=end)
    ending.start()
    result = loadgen.run(short(redis, "300s"), on_event=emit, stop=stop)
    ending.join()
    assert result.interrupted
    assert result.unaccounted == 0
    assert result.measured.total.ok == result.measured.total.planned > 0


def test_an_action_is_done_at_its_offset() -> None:
    with loadgen.serve() as server:
        pause = [loadgen.at("measure", "200ms", server.pause), loadgen.at("measure", "500ms", server.resume)]
        result = loadgen.run(short(server, "1s").replace(rate=1000), timeline=pause)
    assert result.unaccounted == 0
    assert result.measured.latency().max > 250_000_000


@pytest.mark.parametrize(("phase", "offset"), [("prefill", "1s"), ("measure", "soon")])
def test_an_action_that_can_never_be_done_is_refused(phase: str, offset: str) -> None:
    with pytest.raises(loadgen.UsageError):
        loadgen.at(phase, offset, lambda: None)


# ── As a stream ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_events_come_one_after_the_other_and_the_result_is_the_last(redis: str) -> None:
    stream = loadgen.events(short(redis))
    told = [*stream]
    assert isinstance(told[-1], loadgen.Result)
    assert told[-1].valid
    with pytest.raises(loadgen.UsageError, match="asked for before"):
        next(iter(stream))


def test_a_stream_that_is_stopped_still_has_its_end(redis: str) -> None:
    stream = loadgen.events(short(redis, "300s"))
    last = None
    for last in stream:
        if isinstance(last, loadgen.Sample):
            stream.stop()
    assert isinstance(last, loadgen.Result)
    assert last.interrupted
    assert last.unaccounted == 0


def test_a_loop_that_is_left_ends_the_load(redis: str) -> None:
    before = {*children()}
    began_s = time.monotonic()
    for event in loadgen.events(short(redis, "300s")):
        if isinstance(event, loadgen.Sample):
            break
    assert {*children()} <= before
    assert time.monotonic() - began_s < 60


def test_what_a_run_raises_the_loop_raises() -> None:
    with pytest.raises(loadgen.TargetError):
        [*loadgen.events(short("127.0.0.1:1").replace(connect_timeout="200ms"))]


def test_events_come_to_a_coroutine_that_does_other_things_too(redis: str) -> None:
    async def both() -> tuple[list[loadgen.Event], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        told = [event async for event in loadgen.events(short(redis, "500ms"))]
        ticking.cancel()
        return told, ticks

    told, ticks = asyncio.run(both())
    assert isinstance(told[-1], loadgen.Result)
    assert told[-1].valid
    assert ticks > 10


def test_a_task_that_is_cancelled_ends_its_load(redis: str) -> None:
    before = {*children()}

    async def cancelled() -> None:
        running = asyncio.Event()

        async def listen() -> None:
            async for event in loadgen.events(short(redis, "300s")):
                if isinstance(event, loadgen.Sample):
                    running.set()

        task = asyncio.create_task(listen())
        await running.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(cancelled(), 60))
    assert {*children()} <= before


# ── Search, compare, read ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_search_has_the_limits_that_it_is_given(redis: str) -> None:
    told: list[loadgen.Event] = []
    keys = {"sample_window": "100ms", "drain_window": "20ms", "max_rate": 1000}
    search = {f"workload.saturation_search.{key}": value for key, value in keys.items()}
    plan = short(redis).replace(rate=500, settings={**LOOSE, **search})
    ended = loadgen.search(plan, on_event=told.append, p99="10s")
    assert [(limit.quantile, limit.limit_ns) for limit in ended.limits] == [(0.99, 10_000_000_000)]
    assert told[-1] is ended
    assert ended.unaccounted == 0
    with pytest.raises(loadgen.ConfigError, match=r"p98"):
        loadgen.search(plan, p98="10s")


def test_a_comparison_of_a_server_with_itself_has_an_answer_for_each_metric(
    redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_first_rounds_only(monkeypatch)
    told: list[loadgen.Event] = []
    rounds = {f"compare.{key}": value for key, value in {"slice": "50ms", "settle": "10ms", "slices": 2}.items()}
    plan = short(redis).replace(settings={**LOOSE, **rounds}, rate=1000)
    compared = loadgen.compare(redis, loadgen.serve(), plan, rounds=8, on_event=told.append)
    assert not compared.failure
    assert (compared.a.name, compared.b.name) == (redis, "built-in server")
    assert {"throughput", "p99"} <= {row.metric for row in compared.rows}
    assert told[-1] is compared


def test_what_was_written_is_read_back(redis: str, tmp_path: Path) -> None:
    told: list[loadgen.Event] = []
    result = loadgen.run(short(redis), on_event=told.append)
    path = tmp_path / "result.json"
    path.write_bytes(b"".join(map(record.encode, told)))
    *_, back = loadgen.read(path)
    assert isinstance(back, loadgen.Result)
    assert back.measured.total == result.measured.total
    assert back.valid
    path.write_text('{"type": "result"}\n')
    with pytest.raises(loadgen.UsageError, match="not as loadgen writes it"):
        loadgen.read(path)
