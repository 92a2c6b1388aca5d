"""Loads on real clusters, with something done meanwhile, and what the nodes count of them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from real_cluster import RealCluster
from runs import described

import loadgen
from loadgen.events import Event, PhaseBegan, Result, TopologyChanged

COMMANDS = ("get", "set")


def port_of(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


def load(
    endpoint: str, *settings: str, meanwhile: Callable[[], object] | None = None, events: list[Event] | None = None
) -> tuple[Result, list[Event]]:
    """Run a load on the cluster of a node, and something else once its measure window has begun."""
    events = [] if events is None else events
    failures: list[Exception] = []
    begun = threading.Event()

    def heard(event: Event) -> None:
        events.append(event)
        if isinstance(event, PhaseBegan) and event.phase == "measure":
            begun.set()

    def work() -> None:
        begun.wait(30)
        try:
            if meanwhile is not None:
                meanwhile()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    own = ("general.duration=30s", "target.cluster=true", "connection.connections=12", "connection.pipeline_depth=4")
    try:
        result = loadgen.run(described(port_of(endpoint), *own, *settings), on_event=heard)
    finally:
        begun.set()
        thread.join()
    assert not failures, failures
    total = result.measured.total
    assert result.unaccounted == 0
    assert total.planned == total.ok + total.not_ok
    return result, events


def calls(cluster: RealCluster) -> dict[str, int]:
    """What each live node has executed of GET and SET, by its endpoint; a replica executes the SETs of its master."""
    counted = {
        name: sum(calls.get(command, 0) for command in COMMANDS) for name, calls in cluster.commandstats().items()
    }
    return {node.endpoint: counted[node.endpoint] for node in cluster.masters()}


def told(events: list[Event]) -> list[str]:
    """What has changed among the nodes, as far as was told."""
    return [words for event in [*events] if isinstance(event, TopologyChanged) for words in event.words]


def sent(result: Result) -> int:
    return sum(tally.sent for command, tally in result.overall.tallies.items() if command in COMMANDS)
