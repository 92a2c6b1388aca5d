"""Proxies of scenarios: a user's code behind toxics, those of the scenario's own and those that a seed draws."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Lost
from worlds import passes

from loadgen.testing import World, settings, sometimes
from loadgen.verify.scenario.run import ran
from loadgen.verify.scenario.settings import settings_of
from loadgen.verify.tape import Tape
from loadgen.verify.world.seal import sealed
from loadgen.verify.world.toxics import NUMBERS, STRENGTHS, Dose


def through(host: str) -> Redis:
    return Redis(host=host, retry=Retry(NoBackoff(), 0), socket_timeout=None)


@settings(faults=[])
async def toxics(world: World) -> None:
    front = world.proxy("front", world.redis("cache"))
    assert (front.node, front.url) == (("front", 6379), "redis://front:6379")

    async def took_s(redis: Redis) -> float:
        began_s = world.now_s
        await redis.incr("counter")
        return world.now_s - began_s

    async with through("front") as redis:
        assert await took_s(redis) < 0.1
        assert front.add("latency", latency=200) == "latency_downstream"
        assert 0.2 < await took_s(redis) < 0.3
        front.change("latency_downstream", latency=400)
        front.add("latency", name="more", stream="upstream", latency=100)
        assert 0.5 < await took_s(redis) < 0.6
        assert front.toxics == ["more", "latency_downstream"]
        front.remove("latency_downstream")
        front.remove("more")
        assert await took_s(redis) < 0.1
    assert front.effects() == {"latency": 3}
    assert [line.partition("  ")[2] for line in world.begun] == [
        "front has the toxic latency_downstream: latency, latency 200",
        "the toxic latency_downstream of front is changed: latency 400",
        "front has the toxic more: latency, latency 100",
        "the toxic latency_downstream of front is removed",
        "the toxic more of front is removed",
    ]


def test_a_scenario_adds_changes_and_removes_toxics() -> None:
    passes(toxics)


@settings(faults=[])
async def ends(world: World) -> None:
    front = world.proxy("front", world.redis("cache"), port=7000)
    front.add("latency", latency=100)

    async def answers() -> bool:
        async with Redis(host="front", port=7000, retry=Retry(NoBackoff(), 0)) as redis:
            try:
                return bool(await redis.ping())
            except Lost:
                return False

    assert await answers()
    front.disable()
    assert not await answers()
    front.enable()
    assert await answers()
    assert front.toxics == ["latency_downstream"]
    world.faults.kill("front", down_s=1)
    assert not await answers()
    await asyncio.sleep(2)
    assert await answers()
    assert front.toxics == []


def test_a_proxy_is_disabled_and_enabled_killed_and_started() -> None:
    passes(ends)


@settings(faults=[])
async def refused(world: World) -> None:
    front = world.proxy("front", world.memcached("cache"))
    with pytest.raises(ValueError, match="there is a server 'front' already"):
        world.redis("front")
    with pytest.raises(ValueError, match="has no attribute 'latency'; it has rate"):
        front.add("bandwidth", latency=1)
    with pytest.raises(ValueError, match=r"is a whole number, not 0\.5"):
        front.add("latency", latency=0.5)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="no simulated host is named nowhere"):
        world.proxy("other", ("nowhere", 1))


def test_what_is_no_toxic_and_no_address_is_refused() -> None:
    passes(refused)


@settings(faults=["toxic"], mean_faults=8)
async def drawn(world: World) -> None:
    front = world.proxy("front", world.redis("cache"))
    for _ in range(40):
        async with through("front") as redis:
            try:
                await redis.ping()
            except Lost:
                sometimes("a connection is lost")
        await asyncio.sleep(0.5)
    for kind, count in front.effects().items():
        sometimes(kind, count)


def test_a_seed_draws_toxics_of_every_type() -> None:
    reached: set[str] = set()
    with sealed():
        for seed in range(40):
            found = ran(drawn, Tape.seeded("drawn", seed), settings_of(drawn))
            assert found.finding is None
            assert sum(" has the toxic " in line for line in found.faults) == sum(
                " is removed" in line for line in found.faults
            )
            reached |= {state for state, count in found.states.items() if count}
    assert {"a connection is lost", *STRENGTHS} - reached <= {"slow_close", "slicer", "bandwidth"}


def test_the_first_dose_is_the_simplest_and_others_differ() -> None:
    for kind, strengths in STRENGTHS.items():
        first = Dose(kind, 0)
        assert (first.stream, first.toxicity, first.changes) == ("downstream", 1.0, None)
        assert {str(Dose(kind, number).attributes) for number in range(NUMBERS)} == {*map(str, strengths)}
    assert {Dose("timeout", number).toxicity for number in range(NUMBERS)} == {1.0}
    early = {kind: sum(Dose(kind, number).ends_full for number in range(NUMBERS)) for kind in STRENGTHS}
    assert early == {kind: NUMBERS // 4 if kind in {"latency", "bandwidth", "slicer"} else 0 for kind in STRENGTHS}
