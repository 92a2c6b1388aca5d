"""The rows of several servers against what each of these servers has counted itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from real_servers import RealServer
from runs import measure, redis_calls

from loadgen.events import Event, Result, Sample
from loadgen.output.words import nodes
from loadgen.snapshot import NodeCounts

# Of the measure window alone are the requests of each node, so there is no other phase with keys.
SETTINGS = ("general.warmup=0s", "general.threads=2", "connection.connections=12", "general.interval=50ms")


Ran = tuple[Result, list[Event], dict[str, dict[str, int]]]
"""The result, the events, and by server how often each command was called."""


@pytest.fixture(scope="module")
def ran() -> Iterator[Ran]:
    with ExitStack() as stack:
        servers = tuple(stack.enter_context(RealServer.redis()) for _ in range(3))
        events: list[Event] = []
        result = measure(servers, *SETTINGS, events=events)
        yield result, events, {f"127.0.0.1:{server.port}": redis_calls(server) for server in servers}


def test_each_server_has_counted_the_requests_that_its_row_says_were_sent(
    ran: Ran,
) -> None:
    result, _, calls = ran
    counted = {name: calls["get"] + calls["set"] for name, calls in calls.items()}
    assert {name: node.sent for name, node in result.measured.nodes.items()} == counted
    assert all(counted.values())


def test_rows_over_two_workers_add_up_to_the_total(ran: Ran) -> None:
    result, _, _ = ran
    whole, total = sum(result.measured.nodes.values(), NodeCounts()), result.measured.total
    assert (whole.ok, whole.requests, whole.sent) == (total.ok, total.planned, total.sent)
    assert whole.latency == result.measured.latency()
    assert whole.answered_in_time == result.measured.answered_in_time
    get = result.measured.tally("get")
    assert (whole.hits, whole.misses) == (get.hits, get.misses)
    assert sum(node.intended or 0 for node in nodes.nodes(result.measured)) == pytest.approx(1)


def test_connections_of_nodes_are_those_of_the_run(ran: Ran) -> None:
    result, _, calls = ran
    assert [node.opened for node in result.overall.nodes.values()] == [4, 4, 4]
    assert [node.ready for node in result.measured.nodes.values()] == [4, 4, 4]
    assert [calls["ping"] for calls in calls.values()] == [4, 4, 4]


def test_intervals_of_nodes_add_up_to_the_window(ran: Ran) -> None:
    result, events, _ = ran
    samples = [event.interval for event in events if isinstance(event, Sample) and event.phase == "measure"]
    assert len(samples) > 1
    for sample in samples:
        assert sum(node.ok for node in sample.nodes.values()) == sample.total.ok
    assert {*samples[0].nodes} == {*result.measured.nodes}
