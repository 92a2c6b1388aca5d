"""The event loop of a simulated world: asyncio's order in virtual time, streams, hosts, and what it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from worlds import CALM, passes, run

from loadgen.verify.scenario.run import ENDS, RAISES, UNSEEN
from loadgen.verify.scenario.settings import Settings
from loadgen.verify.scenario.world import World


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionResetError):
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    writer.close()


async def echoing() -> None:
    server = await asyncio.start_server(echo, port=7)
    async with server:
        await server.serve_forever()


# ── Time and callbacks ────────────────────────────────────────────────────────────────────────────────────────────────


def test_callbacks_run_in_the_order_of_asyncio_and_timers_in_that_of_their_times() -> None:
    seen: list[object] = []

    async def scenario(world: World) -> None:
        loop = asyncio.get_running_loop()
        for delay in (0.3, 0.1, 0.2):
            loop.call_later(delay, seen.append, delay)
        loop.call_later(0.15, seen.append, "cancelled").cancel()
        loop.call_soon(seen.append, "first")
        loop.call_soon(lambda: loop.call_soon(seen.append, "third"))
        loop.call_soon(seen.append, "second")
        await asyncio.sleep(1)
        seen.append(world.now_s)

    began_s = time.perf_counter()
    passes(scenario)
    assert seen == ["first", "second", "third", 0.1, 0.2, 0.3, 1.0]
    assert time.perf_counter() - began_s < 60  # In no time, on any machine: nothing sleeps.


def test_a_thousand_timeouts_that_do_not_come_are_forgotten() -> None:
    async def scenario(world: World) -> None:
        for _ in range(1000):
            async with asyncio.timeout(3600):
                await asyncio.sleep(0.001)
        [timers] = asyncio.get_running_loop()._timers.values()  # type: ignore[attr-defined]
        assert len(timers) < 200
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.sleep(5)
        assert world.now_s == pytest.approx(2)

    passes(scenario)


def test_what_is_never_to_happen_is_found_with_the_place_where_each_task_waits() -> None:
    async def waits_in_vain(event: asyncio.Event) -> None:
        await event.wait()

    async def scenario(world: World) -> None:
        await world.host("a").run(waits_in_vain(asyncio.Event()))

    finding = run(scenario).finding
    assert finding is not None
    assert (finding.invariant, finding.message.partition(",")[0]) == (ENDS, "nothing will ever happen any more")
    assert "waits_in_vain on a on a waits:" not in finding.detail
    assert "waits_in_vain on a waits:" in finding.detail
    assert "scenario waits:" in finding.detail
    assert not any("scenario/run.py" in line for line in finding.detail)
    assert any("await event.wait()" in line for line in finding.detail)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (Settings(faults=(), until_s=60), "the scenario is not over after 60 s"),
        (Settings(faults=(), most_callbacks=1000), "the scenario is not over after 1,000 callbacks"),
    ],
)
def test_a_scenario_without_end_is_bounded_in_time_and_in_callbacks(settings: Settings, why: str) -> None:
    async def scenario(world: World) -> None:
        while True:
            await asyncio.sleep(0.5 if settings.until_s == 60 else 0)

    finding = run(scenario, settings=settings).finding
    assert finding is not None
    assert (finding.invariant, finding.message) == (ENDS, why)


def test_a_task_that_fails_unawaited_fails_the_run_and_so_does_a_callback() -> None:
    async def fails() -> None:
        raise KeyError("lost")

    async def with_task(world: World) -> None:
        world.host("a").run(fails())
        await asyncio.sleep(1)

    async def with_callback(world: World) -> None:
        asyncio.get_running_loop().call_soon(lambda: [][1])
        await asyncio.sleep(1)

    finding = run(with_task).finding
    assert finding is not None
    assert finding.invariant == RAISES
    assert finding.message.startswith("KeyError: 'lost' (test_world_loop.py, line ")
    finding = run(with_callback).finding
    assert finding is not None
    assert finding.invariant == UNSEEN
    assert "IndexError" in finding.message


def test_sets_of_tasks_have_the_same_order_in_each_run() -> None:
    """Tasks are hashed by their number, and not by their address."""

    async def scenario(world: World) -> list[str]:
        tasks = [asyncio.create_task(asyncio.sleep(0), name=f"t{n}") for n in range(50)]
        done, _ = await asyncio.wait(tasks)
        orders.append([task.get_name() for task in done])
        return orders[-1]

    orders: list[list[str]] = []
    junk = []
    for n in range(3):
        junk.append([object() for _ in range(n * 1000)])
        passes(scenario)
    assert orders[0] == orders[1] == orders[2]


def test_generators_are_closed_at_the_end_in_the_order_of_their_beginning() -> None:
    closed: list[int] = []

    async def numbers(name: int) -> AsyncIterator[int]:
        try:
            while True:
                yield name
        finally:
            closed.append(name)

    async def scenario(world: World) -> None:
        kept.extend(numbers(n) for n in range(5))
        for each in kept:
            await anext(each)

    kept: list[Any] = []
    passes(scenario)
    assert closed == [0, 1, 2, 3, 4]


# ── Streams ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_a_stream_carries_every_byte_in_order(seed: int | None) -> None:
    async def scenario(world: World) -> None:
        world.host("b").run(echoing())
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("b", 7)
        lines = [b"%d" % n * 1000 + b"\n" for n in range(200)]
        writer.writelines(lines)
        writer.write_eof()
        assert await reader.read() == b"".join(lines)
        peer, own = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        assert peer == (world.host("b").address, 7)
        assert own[0] == world.host("scenario").address
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        writer.close()
        await writer.wait_closed()

    passes(scenario, seed)


def test_more_than_a_peer_reads_waits_and_drain_waits_with_it() -> None:
    async def reads_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)
        sizes.append(len(await reader.read(-1)))
        writer.close()

    async def serving() -> None:
        async with await asyncio.start_server(reads_late, port=7) as server:
            await server.serve_forever()

    async def scenario(world: World) -> None:
        world.host("b").run(serving())
        await asyncio.sleep(0.1)
        _, writer = await asyncio.open_connection("b", 7)
        writer.write(bytes(8 << 20))
        await writer.drain()
        assert world.now_s > 5
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(1)

    sizes: list[int] = []
    passes(scenario)
    assert sizes == [8 << 20]


def test_names_and_ports_that_nobody_has_are_refused_as_ever() -> None:
    async def scenario(world: World) -> None:
        world.host("b")
        with pytest.raises(socket.gaierror, match="no simulated host is named nowhere"):
            await asyncio.open_connection("nowhere", 7)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("b", 7)
        found = await asyncio.get_running_loop().getaddrinfo("b", 7)
        assert found[0][4] == (world.host("b").address, 7)

    passes(scenario)


def test_a_port_that_is_taken_is_refused() -> None:
    async def scenario(world: World) -> None:
        await asyncio.start_server(echo, port=7)
        with pytest.raises(OSError, match="in use"):
            await asyncio.start_server(echo, port=7)

    passes(scenario)


def test_what_a_world_has_not_is_refused_in_a_sentence() -> None:
    async def scenario(world: World) -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(NotImplementedError, match="needs a descriptor"):
            loop.add_reader(0, print)
        with pytest.raises(NotImplementedError, match="needs a signal"):
            loop.add_signal_handler(2, print)
        with pytest.raises(NotImplementedError, match="no TLS"):
            await asyncio.open_connection("b", 7, ssl=True)
        with pytest.raises(NotImplementedError, match="needs a process"):
            await asyncio.create_subprocess_exec("true")

    passes(scenario)


def test_a_function_of_an_executor_is_called_at_once_in_this_thread() -> None:
    async def scenario(world: World) -> None:
        assert await asyncio.to_thread(lambda: world.now_s) == 0
        with pytest.raises(ZeroDivisionError):
            await asyncio.get_running_loop().run_in_executor(None, lambda: 1 // 0)

    passes(scenario)


# ── Hosts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def ticks(seen: list[float], world: World) -> None:
    while True:
        await asyncio.sleep(1)
        seen.append(round(world.now_s, 3))


def test_a_paused_host_does_nothing_and_then_goes_on() -> None:
    async def scenario(world: World) -> None:
        world.host("a").run(ticks(one, world))
        world.host("b").run(ticks(other, world))
        await asyncio.sleep(1.5)
        world.faults.pause("a", 2.2)
        await asyncio.sleep(4)

    one: list[float] = []
    other: list[float] = []
    passes(scenario)
    assert other == [1, 2, 3, 4, 5]
    assert one == [1, 3.7, 4.7]


def test_a_killed_host_never_runs_again_and_its_streams_end() -> None:
    async def holds() -> None:
        _, writer = await asyncio.open_connection("b", 7)
        try:
            await asyncio.sleep(100)
        finally:
            ran_on.append("finally" if asyncio.get_running_loop().is_closed() else "it ran on")
            writer.close()

    async def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append((await reader.read(), writer.get_extra_info("peername")[0]))
        writer.close()

    async def scenario(world: World) -> None:
        async def listening() -> None:
            async with await asyncio.start_server(serving, port=7) as server:
                await server.serve_forever()

        world.host("b").run(listening())
        await asyncio.sleep(0.1)
        world.host("a").run(holds())
        await asyncio.sleep(1)
        assert ends == []
        world.faults.kill("a")
        await asyncio.sleep(1)
        assert ends == [(b"", world.host("a").address)]
        world.host("a").run(ticks(seen, world))
        await asyncio.sleep(2.5)

    ends: list[tuple[bytes, str]] = []
    seen: list[float] = []
    ran_on: list[str] = []
    passes(scenario)
    assert [round(each - seen[0]) for each in seen] == [0, 1]
    assert "it ran on" not in ran_on


def test_a_host_that_sleeps_in_its_thread_holds_up_its_own_tasks_only() -> None:
    async def sleeps() -> None:
        await asyncio.sleep(1.5)
        time.sleep(2)

    async def scenario(world: World) -> None:
        world.host("a").run(ticks(one, world))
        world.host("a").run(sleeps())
        world.host("b").run(ticks(other, world))
        await asyncio.sleep(5.3)

    one: list[float] = []
    other: list[float] = []
    passes(scenario)
    assert other == [1, 2, 3, 4, 5]
    assert one == [1, 3.5, 4.5]


def test_a_partition_holds_bytes_back_until_it_heals() -> None:
    async def scenario(world: World) -> None:
        world.host("b").run(echoing())
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("b", 7)
        world.faults.partition("scenario", "b", 3, both=False)
        began_s = world.now_s
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        assert 3 <= world.now_s - began_s < 6.5
        writer.close()

    passes(scenario)


def test_a_cut_resets_the_streams_of_a_host() -> None:
    async def scenario(world: World) -> None:
        world.host("b").run(echoing())
        await asyncio.sleep(0.1)
        reader, _ = await asyncio.open_connection("b", 7)
        await asyncio.sleep(0.1)
        world.faults.cut("b")
        with pytest.raises(ConnectionResetError):
            await reader.read()

    passes(scenario, settings=CALM)
