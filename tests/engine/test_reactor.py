"""The calls that a reactor makes and their order, on every loop, whether the loop waits or the reactor does."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop
from engines import engine_of
from runs import plan

from loadgen.engine._engine import Engine
from loadgen.engine._reactor import Reactor, create
from loadgen.engine._time import Monotonic
from loadgen.units import NS_PER_MS

REACTORS = {
    "watched": lambda loop: create(loop, Monotonic()),
    "alone": lambda loop: create(loop, Monotonic(), alone=True),
    "loop": lambda loop: create(loop, Monotonic(), "loop"),
}
RUNS = {"uvloop": uvloop.run, "asyncio": asyncio.run}


def with_reactor(run: str, kind: str, use: Callable[[Reactor], Awaitable[Any]]) -> Any:
    async def used() -> Any:
        reactor = REACTORS[kind](asyncio.get_running_loop())
        # An engine is what a reactor serves; this one has nothing to do.
        engine = Engine(plan(1), 0, lambda what: None, reactor)
        try:
            return await use(reactor)
        finally:
            engine.close()

    return RUNS[run](used())


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("kind", REACTORS)
def test_calls_come_in_order_and_none_before_its_time(kind: str, run: str) -> None:
    async def called(reactor: Reactor) -> list[tuple[int, int]]:
        over = asyncio.get_running_loop().create_future()
        calls: list[tuple[int, int]] = []
        begin_ns = time.monotonic_ns()
        for ms in (9, 3, 3, 1, 7, 0, -5):
            due_ns = begin_ns + ms * NS_PER_MS
            reactor.at(due_ns, lambda due_ns=due_ns: calls.append((due_ns, time.monotonic_ns())))  # type: ignore[misc]
        reactor.at(begin_ns + 20 * NS_PER_MS, lambda: over.set_result(None))
        await over
        return calls

    calls = with_reactor(run, kind, called)
    assert len(calls) == 7
    assert [due for due, _ in calls] == sorted(due for due, _ in calls)
    assert all(at >= due for due, at in calls)


@pytest.mark.parametrize("kind", REACTORS)
def test_forgotten_calls_do_not_come(kind: str) -> None:
    async def called(reactor: Reactor) -> list[str]:
        over = asyncio.get_running_loop().create_future()
        calls: list[str] = []
        now_ns = time.monotonic_ns()
        reactor.at(now_ns + NS_PER_MS, lambda: calls.append("forgotten"))
        reactor.forget_calls()
        reactor.at(now_ns + 10 * NS_PER_MS, lambda: over.set_result(None))
        await over
        return calls

    assert with_reactor("uvloop", kind, called) == []


@pytest.mark.parametrize("kind", REACTORS)
def test_the_loop_has_its_turn_when_one_of_its_descriptors_is_ready(kind: str) -> None:
    """A message that comes while the reactor sleeps is read, answered, and what reads the answer is answered again."""

    async def exchanged(reactor: Reactor) -> list[bytes]:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        theirs.setblocking(False)
        loop, heard = asyncio.get_running_loop(), []
        for number in range(5):
            # By then it sleeps.
            reactor.at(time.monotonic_ns() + 5 * NS_PER_MS, lambda: theirs.send(b"asked\n"))
            heard.append(await reader.readline())
            writer.write(b"%d\n" % number)
            heard.append(await loop.sock_recv(theirs, 100))
        writer.close()
        theirs.close()
        return heard

    heard = with_reactor("uvloop", kind, exchanged)
    assert heard == [part for number in range(5) for part in (b"asked\n", b"%d\n" % number)]


def test_an_engine_on_a_loop_of_others_leaves_them_their_timers() -> None:
    async def slept() -> bool:
        engine = engine_of(plan(1), lambda what: None)
        try:
            await asyncio.wait_for(asyncio.sleep(0.01), 30)
            return True
        finally:
            engine.close()

    assert uvloop.run(slept())
