"""The order of events in users' scenarios: drawn for each seed, uniform or by priorities, and what either finds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial

from worlds import CALM

from loadgen.testing import World, always, settings
from loadgen.units import NS_PER_MS
from loadgen.verify.scenario.run import WINDOWS_NS, ScenarioKind, ran
from loadgen.verify.tape import Tape
from loadgen.verify.world._order import Order, Priorities, Uniform
from loadgen.verify.world.net import Link
from loadgen.verify.world.seal import sealed

FIELDS = 5
"""The fields that a writer writes, one after the other."""


FIRST = "what is written first is read first"


async def torn(world: World) -> None:
    """A reader of the first field and the last, between whose reads the writer has to write all of them."""
    store: Counter[str] = Counter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            verb, field, *value = line.decode().split()
            if verb == "set":
                store[field] = int(value[0])
            writer.write(b"%d\n" % store[field])
        writer.close()

    async def store_host() -> None:
        async with await asyncio.start_server(serve, port=7) as server:
            await server.serve_forever()

    async def asked(*lines: str) -> list[int]:
        reader, writer = await asyncio.open_connection("store", 7)
        found = []
        for line in lines:
            writer.write(line.encode() + b"\n")
            found.append(int(await reader.readline()))
        writer.close()
        return found

    serving = world.host("store").run(store_host())
    reads = world.host("reader").run(asked("get 0", f"get {FIELDS - 1}"))
    await world.host("writer").run(asked(*(f"set {field} 1" for field in range(FIELDS))))
    first, last = await reads
    serving.cancel()
    always(first or not last, FIRST)


def links(tape: Tape) -> Link:
    """Links whose jitter is ten times their latency, and that lose nothing: a loss would be a delay of 200 ms."""
    return Link(latency_ns=50_000, jitter_ns=500_000)


def found_by(order: Callable[[Tape], Order], seeds: int = 300) -> int:
    with sealed():
        runs = [ran(torn, Tape.seeded("torn", seed), CALM, links, order) for seed in range(seeds)]
    findings = [each.finding for each in runs if each.finding is not None]
    assert {each.invariant for each in findings} <= {FIRST}
    return len(findings)


def test_a_race_that_needs_one_order_of_many_events_is_found_by_priorities() -> None:
    """Depth 2: the writer begins behind the first read, and ends before the second."""
    assert found_by(Uniform) == 0
    assert found_by(partial(Priorities, events=50, changes=3, window_ns=10 * NS_PER_MS)) >= 10


def test_a_third_of_the_seeds_have_priorities_and_a_failure_says_so() -> None:
    kind = ScenarioKind("test:torn", settings(faults=())(torn))
    with sealed():
        windows = Counter(ran(torn, Tape.seeded("test:torn", seed), CALM).window_ns for seed in range(120))
        first = next(outcome for seed in range(300) if (outcome := kind.run(Tape.seeded("race", seed))).failed)
    assert {*windows} == {0, *WINDOWS_NS}
    assert 25 <= 120 - windows[0] <= 55
    assert (first.invariant, first.operations) == (FIRST, ("events wait up to 10 ms for those of a higher priority",))


def woken(order: Callable[[Tape], Order]) -> set[tuple[str, ...]]:
    """Return the orders in which two hosts wake up, the second 0.5 ms after the first."""
    orders: list[tuple[str, ...]] = []

    async def scenario(world: World) -> None:
        async def sleeper(name: str, for_s: float) -> None:
            await asyncio.sleep(for_s)
            orders[-1] += (name,)

        orders.append(())
        one, two = world.host("one").run(sleeper("one", 1.0)), world.host("two").run(sleeper("two", 1.0005))
        await asyncio.gather(one, two)

    with sealed():
        assert [ran(scenario, Tape.seeded("woken", n), CALM, order=order).finding for n in range(20)] == [None] * 20
    return {*orders}


def test_priorities_order_the_timers_of_hosts_within_the_window() -> None:
    wide, narrow = (partial(Priorities, events=10, changes=0, window_ns=NS_PER_MS // parts) for parts in (1, 10))
    assert woken(Uniform) == woken(narrow) == {("one", "two")}
    assert woken(wide) == {("one", "two"), ("two", "one")}
