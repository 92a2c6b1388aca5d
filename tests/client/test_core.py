"""The client's core in virtual time: deadlines, breaker, failover, retries, cancellation, health checks and closing."""

from __future__ import annotations

import pytest
from simulated_memcache import Call, World

from loadgen.client import CacheError, ConnectionRefused, ProtocolError, State
from loadgen.client.options import Keywords

KINDS = ("puddle", "channel")
G1: Keywords = {"breaker_timeout_s": 5, "breaker_min_requests": 10, "breaker_failure_ratio": 0.3}


def ends(calls: list[Call]) -> set[str]:
    return {call.ended_as for call in calls}


def closed_loop(world: World, callers: int, seconds: float) -> list[Call]:
    """Each caller calls again when its call has ended, as is found every 20 ms."""
    calls: list[Call] = []
    running = [world.get(f"k{n}") for n in range(callers)]
    for _ in range(round(seconds * 50)):
        world.run(0.02)
        for n, call in enumerate(running):
            if call.ended_ns is not None:
                calls.append(call)
                running[n] = world.get(f"k{n}")
    return calls


@pytest.mark.parametrize("pool", KINDS)
def test_every_call_to_a_hung_node_ends_by_its_deadline(pool: str) -> None:
    world = World(pool=pool, timeout_s=0.2, max_size=3, breaker=False)
    world.get("k")
    world.run(1)
    world.nodes[0].hang()
    calls = [world.get(f"k{n}") for n in range(30)]
    world.run(0.199)
    assert ends(calls) == {"open"}
    world.run(0.002)
    assert ends(calls) == {"CacheTimeout", "PoolExhausted"}
    assert all(call.took_s == 0.2 for call in calls)
    assert sum(call.ended_as == "CacheTimeout" for call in calls) == 3
    assert (world.stats().timeouts, world.stats().pool.cancelled) == (3, 27)
    assert world.stats().pool.total == 0


def test_a_dial_that_nobody_answers_ends_by_the_connect_timeout() -> None:
    world = World(timeout_s=1, connect_timeout_s=0.3, max_size=2, breaker=False)
    world.nodes[0].silent_to_dials = True
    calls = [world.get("k") for _ in range(8)]
    world.run(0.95)
    assert [call.took_s for call in calls[:6]] == [0.3, 0.3, 0.6, 0.6, 0.9, 0.9]
    assert ends(calls[:6]) == {"CacheTimeout"}
    world.run(0.1)
    assert [call.took_s for call in calls[6:]] == [1, 1]
    world.run(1)
    assert world.stats().pool.failed_dials == 8
    assert world.stats().pool.total == 0


def test_a_connection_whose_caller_gave_up_while_it_was_dialled_is_used_by_the_next() -> None:
    world = World(timeout_s=1)
    call = world.get("k")
    world.cancel(call)
    assert world.stats().pool.constructing == 1
    world.run(0.01)
    assert (world.stats().pool.idle, len(world.dials)) == (1, 1)
    again = world.get("k")
    world.run(0.01)
    assert again.reply is None
    assert len(world.dials) == 1


@pytest.mark.parametrize("pool", KINDS)
def test_the_breaker_opens_on_a_killed_node_and_closes_when_it_is_back(pool: str) -> None:
    """Acceptance 4.6 in virtual time: a node killed for 12 s."""
    world = World(pool=pool, timeout_s=0.2, **G1)
    closed_loop(world, 20, 1)
    world.nodes[0].kill()
    killed_ns = world.now_ns
    during = closed_loop(world, 10, 12)
    opened = next(change for _, change in world.transitions if change.after is State.OPEN)
    assert opened.at_ns - killed_ns < 2e9
    refused = [call for call in during if call.began_ns > opened.at_ns and call.ended_as == "BreakerOpen"]
    assert len(refused) > 2_000
    assert all(call.took_s == 0 for call in refused)
    # Two times that the breaker was half-open, with three probes at the most.
    later = [time for time in world.dials if time > opened.at_ns + 1e9]
    assert 2 <= len(later) <= 6
    world.nodes[0].start()
    started_ns = world.now_ns
    after = closed_loop(world, 10, 8)
    assert world.transitions[-1][1].after is State.CLOSED
    assert world.transitions[-1][1].at_ns - started_ns < 6e9
    assert ends(after[-100:]) == {"ok"}


def test_a_node_that_hangs_while_half_open_never_blocks_the_breaker() -> None:
    """Acceptance 4.8: the probes have deadlines."""
    world = World(timeout_s=0.2, **G1)
    closed_loop(world, 10, 1)
    world.nodes[0].hang()
    closed_loop(world, 10, 20)
    states = [change.after for _, change in world.transitions]
    assert states.count(State.HALF_OPEN) >= 3
    world.nodes[0].resume()
    resumed_ns = world.now_ns
    after = closed_loop(world, 10, 7)
    assert world.transitions[-1][1].after is State.CLOSED
    assert world.transitions[-1][1].at_ns - resumed_ns <= 6e9
    assert ends(after[-100:]) == {"ok"}


def test_a_node_that_hangs_after_many_good_operations_opens_its_breaker_by_failures_in_a_row() -> None:
    """They are a few percent of the window by then."""
    slow = World(timeout_s=0.2, max_size=5, breaker_consecutive_failures=0)
    quick = World(timeout_s=0.2, max_size=5, breaker_consecutive_failures=20)
    for world in (slow, quick):
        closed_loop(world, 20, 4)
        world.nodes[0].hang()
        closed_loop(world, 20, 1)
    assert [change.after for _, change in quick.transitions] == [State.OPEN]
    assert slow.transitions == []


def test_those_who_wait_are_refused_when_the_breaker_opens() -> None:
    world = World(timeout_s=1, max_size=2, breaker_min_requests=4, breaker_failure_ratio=0.5)
    world.nodes[0].refuses = True
    calls = [world.get("k") for _ in range(8)]
    world.run(0.5)
    # Requests under way count for the ratio: the fourth failure of eight opens. The fifth was being dialled by then.
    assert [call.ended_as for call in calls] == ["ConnectionRefused"] * 5 + ["BreakerOpen"] * 3
    assert all(call.took_s < 0.01 for call in calls)


def test_a_cancelled_call_is_neither_success_nor_failure() -> None:
    world = World(timeout_s=1)
    world.get("k")
    world.run(0.1)
    world.nodes[0].hang()
    for _ in range(3):
        world.cancel(world.get("k"))
    counts = world.stats().counts
    assert counts is not None
    assert (counts.requests, counts.successes, counts.failures, counts.exclusions) == (4, 1, 0, 3)
    world.run(0.1)
    assert (world.stats().pool.active, world.stats().pool.waiting) == (0, 0)


def test_a_read_is_sent_again_after_its_connection_was_lost() -> None:
    world = World(timeout_s=1, retries=1)
    world.set("k", b"v")
    world.run(0.1)
    server = world.nodes[0]
    server.hang()
    read, written = world.get("k"), world.set("k", b"w")
    world.run(0.1)
    items = server.items
    server.kill()
    server.items = items
    server.start()
    server.resume()
    world.run(0.1)
    assert read.reply in (b"v", b"w")
    assert written.ended_as == "ConnectionLost"
    assert isinstance(written.error, CacheError)
    assert (written.error.node, written.error.key) == (0, b"k")


@pytest.mark.parametrize("selector", ["jump", "ketama", "rendezvous"])
def test_with_failover_the_keys_of_a_dead_node_go_to_others_and_no_other_key_moves(selector: str) -> None:
    world = World(nodes=3, selector=selector, failover=True, timeout_s=0.1, breaker_min_requests=3)
    world.nodes[2].kill()
    keys = [f"k{n}" for n in range(90)]
    owners = {key: world.core.selector.owner(key.encode()) for key in keys}
    assert set(owners.values()) == {0, 1, 2}
    for _ in range(10):
        calls = {key: world.get(key) for key in keys}
        world.run(0.05)
        # A refused connection was sent nothing, so that even the first calls are served.
        assert ends([*calls.values()]) == {"ok"}
    places = {key: call.request.node for key, call in calls.items()}
    assert {key: places[key] for key in keys if owners[key] != 2} == {k: o for k, o in owners.items() if o != 2}
    assert {places[key] for key in keys if owners[key] == 2} == {0, 1}
    batch = world.delete_many(keys)
    world.run(0.05)
    replies = {about[0]: reply for about, reply in batch.request.replies()}  # type: ignore[union-attr]
    assert [*replies.values()] == [False] * 90


def test_without_failover_the_keys_of_a_dead_node_fail_and_no_other_does() -> None:
    world = World(nodes=3, timeout_s=0.1, breaker_min_requests=3)
    world.nodes[2].kill()
    for _ in range(3):
        calls = [world.get(f"k{n}") for n in range(90)]
        world.run(0.05)
    for call in calls:
        assert call.ended_as == ("BreakerOpen" if call.request.node == 2 else "ok")


def test_bytes_that_nobody_asked_for_close_the_connection() -> None:
    world = World()
    world.get("k")
    world.run(0.1)
    (connection,) = world.nodes[0].connections
    world.on_bytes(connection, b"END\r\n")
    assert (world.stats().unsolicited, world.stats().pool.total) == (1, 0)


@pytest.mark.parametrize(
    "reply",
    [b"VALUE other 0 1\r\nv\r\nEND\r\n", b"END\r\nEND\r\n", b"HELLO\r\n", b"x" * 5000, b"VALUE k 0 1\r\nvvEND\r\n"],
)
def test_a_reply_that_breaks_the_protocol_ends_the_connection_and_only_its_call(reply: bytes) -> None:
    world = World()
    world.get("k")
    world.run(0.1)
    world.nodes[0].hang()
    calls = [world.get("k"), world.get("k")]
    world.run(0.01)
    connection = calls[0].request.connection  # type: ignore[union-attr]
    assert connection is not None
    world.on_bytes(connection, reply)
    assert isinstance(calls[0].error, ProtocolError)
    world.nodes[0].resume()
    world.run(0.01)
    assert calls[1].reply is None


def test_idle_connections_are_closed_at_their_limits_also_without_health_checks() -> None:
    world = World(max_conn_idle_time_s=1)
    world.get("k")
    world.run(0.5)
    world.get("k")
    world.run(1.1)
    world.get("k")
    world.run(0.1)
    assert (world.stats().pool.opened, world.stats().pool.closed) == (2, 1)


def test_health_checks_close_what_hangs_and_what_is_old_and_leave_the_rest() -> None:
    world = World(health_check_interval_s=1, timeout_s=0.3, max_conn_lifetime_s=10)
    for _ in range(4):
        world.get("k")
    world.run(5.5)
    assert (world.stats().pool.idle, world.stats().pool.closed) == (4, 0)
    asked = sum(line == b"version" for line in world.nodes[0].executed)
    assert asked == 4 * 4
    world.run(5)
    assert (world.stats().pool.idle, world.stats().pool.closed) == (0, 4)
    call = world.get("k")
    world.run(0.5)
    assert call.ended_as == "ok"


def test_a_health_check_says_nothing_to_the_breaker() -> None:
    world = World(health_check_interval_s=1, timeout_s=0.1, breaker_min_requests=1, breaker_failure_ratio=0.1)
    world.get("k")
    world.run(0.5)
    world.nodes[0].hang()
    world.run(2)
    assert (world.stats().pool.total, world.transitions) == (0, [])


def test_closing_ends_those_who_wait_and_lets_those_under_way_finish() -> None:
    world = World(max_size=2, timeout_s=1, health_check_interval_s=1)
    world.nodes[0].delay_s = 0.1
    calls = [world.get("k") for _ in range(6)]
    world.run(0.05)
    world.close()
    assert [call.ended_as for call in calls] == ["open"] * 2 + ["ClientClosed"] * 4
    assert world.closed_ns is None
    assert world.get("k").ended_as == "ClientClosed"
    world.run(0.1)
    assert ends(calls[:2]) == {"ok"}
    assert world.closed_ns is not None
    assert world.core.next_ns() is None


def test_closing_takes_no_longer_than_the_timeout_when_the_node_hangs() -> None:
    world = World(max_size=2, timeout_s=0.5)
    world.get("k")
    world.run(0.1)
    world.nodes[0].hang()
    calls = [world.get("k"), world.get("k")]
    world.close()
    world.run(0.6)
    assert world.closed_ns == 600_000_000
    assert "open" not in ends(calls)


def test_an_error_names_node_and_key_and_its_text_never_has_the_key() -> None:
    world = World(nodes=2, timeout_s=0.1, breaker_min_requests=2, max_size=1)
    world.nodes[0].refuses = world.nodes[1].refuses = True
    calls = []
    for n in range(40):
        calls.append(world.get(f"secret{n}"))
        world.run(0.02)
    assert ends(calls) == {"ConnectionRefused", "BreakerOpen"}
    for n, call in enumerate(calls):
        assert call.error is not None
        assert (call.error.node, call.error.key) == (call.request.node, b"secret%d" % n)
        assert "secret" not in str(call.error)
        assert f"node{call.request.node}:11211" in str(call.error)
    assert isinstance(calls[0].error, ConnectionRefused)


@pytest.mark.parametrize("pool", KINDS)
@pytest.mark.parametrize("seed", range(10))
def test_a_storm_of_faults_leaves_nothing_behind(pool: str, seed: int) -> None:
    """Nodes hang, die, refuse and are slow at random, calls are cancelled: the client is as new after it."""
    import random

    drawn = random.Random(seed)
    world = World(
        nodes=3,
        pool=pool,
        timeout_s=0.2,
        max_size=4,
        retries=seed % 2,
        failover=seed % 3 == 0,
        health_check_interval_s=0.5,
        max_conn_lifetime_s=2,
        breaker_timeout_s=0.5,
    )
    calls: list[Call] = []
    for _ in range(600):
        server = drawn.choice(world.nodes)
        trouble = drawn.random()
        if trouble < 0.05:
            server.hang()
        elif trouble < 0.08:
            server.kill()
        elif trouble < 0.1:
            server.silent_to_dials = not server.silent_to_dials
        elif trouble < 0.13:
            server.delay_s = drawn.choice((0, 0.05, 0.19, 0.21, 0.5))
        elif trouble < 0.2:
            server.start()
            server.resume()
        key = f"k{drawn.randrange(50)}"
        calls.append(world.get(key) if drawn.random() < 0.5 else world.set(key, key.encode()))
        if drawn.random() < 0.1 and (open_calls := [call for call in calls if call.ended_ns is None]):
            cancelled = drawn.choice(open_calls)
            world.cancel(cancelled)
            calls.remove(cancelled)
        world.run(drawn.choice((0, 0.001, 0.02, 0.1)))
    for server in world.nodes:
        server.start()
        server.resume()
        server.silent_to_dials, server.delay_s = False, 0
    world.run(2)
    assert "open" not in ends(calls)
    assert all(call.took_s <= 0.2 for call in calls)
    # By then every breaker lets probes pass; three on each node close it.
    for _ in range(3):
        for n in range(50):
            world.get(f"k{n}")
        world.run(0.5)
    fresh = [world.get(f"k{n}") for n in range(50)]
    world.run(0.5)
    assert ends(fresh) == {"ok"}
    assert all(call.reply in (None, b"k%d" % n) for n, call in enumerate(fresh))
    assert world.core.stats(world.now_ns).under_way == 0
    assert {world.stats(node).pool.active for node in range(3)} == {0}
    world.close()
    world.run(1)
    assert world.closed_ns is not None
    assert {world.stats(node).pool.total for node in range(3)} == {0}


def with_a_request_on_its_way() -> tuple[World, Call]:
    """A connection that is open, and has a request whose reply is outstanding; four more wait for the connection."""
    world = World(timeout_s=0.1, max_size=1, breaker=False)
    world.get("k")
    world.run(0.05)
    world.nodes[0].hang()
    calls = [world.get("k") for _ in range(5)]
    world.run(0.01)
    assert (world.stats().pool.active, world.stats().pool.waiting, world.stats().abandoned) == (1, 4, 0)
    return world, calls[0]


def test_a_connection_that_is_closed_with_a_reply_outstanding_is_counted_as_abandoned() -> None:
    """By a deadline or by its caller. One that the other side ends is not, and neither is a request that waited."""
    world, call = with_a_request_on_its_way()
    world.run(0.2)
    assert call.ended_as == "CacheTimeout"
    assert world.stats().abandoned == world.stats().pool.closed == 1
    world, call = with_a_request_on_its_way()
    world.cancel(call)
    assert world.stats().abandoned == 1
    world, call = with_a_request_on_its_way()
    world.nodes[0].kill()
    world.run(0.01)
    assert (call.ended_as, world.stats().abandoned) == ("ConnectionLost", 0)
