"""Named checks of a client, in virtual time, each of which the client passes and one defective client fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from client_mutants import MUTANTS
from simulated_memcache import World

KINDS = ("puddle", "channel")
Check = Callable[[str], None]

CHECKS: dict[str, Check] = {}


def finds(mutant: str) -> Callable[[Check], Check]:
    """Name the mutant that a check is there for."""

    def named(check: Check) -> Check:
        CHECKS[mutant] = check
        return check

    return named


@finds("late reply delivered")
def no_reply_reaches_another_request(pool: str) -> None:
    """Requests are abandoned while their replies are under way: nobody gets the value of another key."""
    world = World(pool=pool, timeout_s=0.1, max_size=2, breaker=False)
    for n in range(20):
        world.set(f"k{n}", b"value of k%d" % n)
    world.run(1)
    timeouts = 0
    for n in range(20):
        # Slow, then quick: the late reply of one request meets the next one.
        world.nodes[0].delay_s = 0.15 if n % 2 else 0
        calls = [world.get(f"k{(n * 3 + m) % 20}") for m in range(2)]
        world.run(0.12)
        for m, call in enumerate(calls):
            timeouts += call.ended_as == "CacheTimeout"
            assert call.ended_as != "ok" or call.reply == b"value of k%d" % ((n * 3 + m) % 20)
    assert timeouts > 5


@finds("off-by-one in batch")
def each_result_of_a_batch_is_that_of_its_key(pool: str) -> None:
    world = World(nodes=3, pool=pool)
    for n in range(0, 100, 3):
        world.set(f"k{n}", b"")
    world.run(1)
    call = world.delete_many([f"k{n}" for n in range(100)])
    world.run(1)
    deleted = {about[0]: reply for about, reply in call.request.replies()}  # type: ignore[union-attr]
    assert deleted == {b"k%d" % n: n % 3 == 0 for n in range(100)}


@finds("breaker never half-opens")
def the_node_is_used_again_soon_after_it_is_well(pool: str) -> None:
    world = World(pool=pool, timeout_s=0.1, breaker_timeout_s=5, breaker_min_requests=3)
    world.nodes[0].kill()
    for _ in range(5):
        world.get("k")
    world.run(3)
    assert world.get("k").ended_as == "BreakerOpen"
    world.nodes[0].start()
    ends = []
    for _ in range(60):
        call = world.get("k")
        world.run(0.1)
        ends.append(call.ended_as)
    assert ends[-1] == "ok"
    assert ends.index("ok") < 31


@finds("breaker counts misses as failures")
def misses_do_not_open_the_breaker(pool: str) -> None:
    world = World(pool=pool)
    for _ in range(100):
        world.get("not there")
        world.run(0.01)
    counts = world.stats().counts
    assert counts is not None
    assert (counts.successes, counts.failures, world.transitions) == (100, 0, [])


@finds("half-open admits unlimited")
def a_half_open_breaker_lets_three_probes_pass(pool: str) -> None:
    world = World(pool=pool, timeout_s=0.1, breaker_timeout_s=1, breaker_max_requests=3, max_size=50)
    world.nodes[0].hang()
    for _ in range(20):
        world.get("k")
    world.run(1.5)
    before = len(world.dials)
    calls = [world.get("k") for _ in range(40)]
    world.run(0.01)
    assert len(world.dials) - before == 3
    assert sum(call.ended_as == "TooManyProbes" for call in calls) == 37


@finds("pool leaks on dial failure")
def failed_dials_take_no_room(pool: str) -> None:
    world = World(pool=pool, max_size=3, breaker=False, timeout_s=0.5)
    world.nodes[0].kill()
    for _ in range(10):
        world.get("k")
        world.run(0.1)
    assert world.stats().pool.failed_dials == 10
    world.nodes[0].start()
    calls = [world.get("k") for _ in range(10)]
    world.run(1)
    assert {call.ended_as for call in calls} == {"ok"}


@finds("slot lost on cancellation")
def cancelled_calls_take_no_room(pool: str) -> None:
    world = World(pool=pool, max_size=3, timeout_s=0.5)
    for _ in range(10):
        calls = [world.get("k") for _ in range(5)]
        world.run(0.00025)
        for call in calls:
            world.cancel(call)
        world.run(0.01)
    calls = [world.get("k") for _ in range(10)]
    world.run(1)
    assert {call.ended_as for call in calls} == {"ok"}


@finds("lifetime ignored when saturated")
def no_connection_outlives_its_lifetime_in_a_saturated_pool(pool: str) -> None:
    world = World(pool=pool, max_size=2, max_conn_lifetime_s=1)
    for _ in range(400):
        while world.core.stats(world.now_ns).under_way < 5:
            world.get("k")
        world.run(0.01)
    # Two connections, and four times their lifetime.
    assert world.stats().pool.opened >= 6


@finds("health check blocks on a hung node")
def a_health_check_takes_one_timeout_however_many_connections_hang(pool: str) -> None:
    world = World(pool=pool, max_size=8, timeout_s=0.2, health_check_interval_s=1)
    calls = [world.get("k") for _ in range(8)]
    world.run(0.5)
    assert {call.ended_as for call in calls} == {"ok"}
    assert world.stats().pool.idle == 8
    world.nodes[0].hang()
    # The check at 1 s finds that they were used since the last one, and the check at 2 s asks.
    world.run(1.6)
    assert world.stats().pool.active == 8
    world.run(0.15)
    assert (world.stats().pool.total, world.stats().pool.closed) == (0, 8)


@finds("selection shifts when a node dies")
def keys_of_the_other_nodes_stay_when_a_node_dies(pool: str) -> None:
    world = World(nodes=3, pool=pool, failover=True, timeout_s=0.1, breaker_min_requests=3)
    keys = [f"k{n}" for n in range(60)]
    for key in keys:
        world.set(key, key.encode())
    world.run(0.01)
    owners = {key: world.core.selector.owner(key.encode()) for key in keys}
    dead = world.nodes[1]
    dead.kill()
    world.run(0.1)
    for _ in range(2):
        calls = {key: world.get(key) for key in keys}
        world.run(0.1)
    assert {key for key in keys if calls[key].reply == key.encode()} == {key for key in keys if owners[key] != 1}
    # Those of the dead one are served by the others.
    for key in keys:
        world.set(key, key.encode())
    world.run(0.1)
    calls = {key: world.get(key) for key in keys}
    world.run(0.1)
    assert [calls[key].reply for key in keys] == [key.encode() for key in keys]


@finds("retry without deadline")
def a_retried_call_ends_by_its_first_deadline(pool: str) -> None:
    world = World(pool=pool, timeout_s=0.2, retries=3, breaker=False)
    world.nodes[0].hang()
    calls = [world.get("k") for _ in range(5)]
    world.run(2)
    assert {call.ended_as for call in calls} == {"CacheTimeout"}
    assert all(0.2 <= call.took_s < 0.21 for call in calls)


@finds("duplicate incr on retry")
def a_write_is_carried_out_once(pool: str) -> None:
    """Connections end after increments were carried out and before their replies came."""
    world = World(pool=pool, retries=3, breaker=False)
    world.set("n", b"0")
    world.run(0.1)
    server, counted = world.nodes[0], []
    for _ in range(10):
        counted.append(world.increment("n"))
        world.run(0.000_250)  # The dial, if any; then the command, on its way.
        world.run(0.000_100)
        items = server.items
        server.kill()
        server.items = items
        server.start()
        world.run(0.1)
    assert {call.ended_as for call in counted} <= {"ok", "ConnectionLost"}
    assert sum(call.ended_as == "ConnectionLost" for call in counted) > 3
    carried_out = sum(line.startswith(b"incr") for line in server.executed)
    assert carried_out <= len(counted)
    assert int(server.items[b"n"]) == carried_out


@pytest.fixture(params=[1, 4], ids=["alone", "shared"])
def sharing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections have one request at a time, or up to four: the checks hold either way."""
    monkeypatch.setitem(globals(), "World", partial(World, pipeline=request.param))


@pytest.mark.usefixtures("sharing")
@pytest.mark.parametrize("pool", KINDS)
@pytest.mark.parametrize("name", CHECKS)
def test_the_client_passes(name: str, pool: str) -> None:
    CHECKS[name](pool)


@pytest.mark.usefixtures("sharing")
@pytest.mark.parametrize("pool", KINDS)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str, pool: str) -> None:
    """By an assertion of the check itself, or of its world: invariants, and actions that are possible (`_do`). No other
    exception counts."""
    with MUTANTS[name].planted(), pytest.raises(AssertionError) as caught:
        CHECKS[name](pool)
    assert caught.traceback[-1].name in (CHECKS[name].__name__, "hold_invariants", "_do")


def test_every_mutant_of_the_contract_is_here() -> None:
    assert len(MUTANTS) == 12
    assert set(MUTANTS) == set(CHECKS)
