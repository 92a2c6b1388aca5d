"""Servers that close each connection after some answers, as proxies do: every request works without a wait."""

from __future__ import annotations

import pytest
from builtin_servers import built_in
from faulty_server import FaultyServer, Script, closes, polite, resets
from in_process import invoked_load
from quiet import law_of_time

from loadgen.target.server import ManagedServer

HALF_A_SECOND = ("--duration", "500ms")

MOST_WITH_BACKOFF = 12
"""How often one connection can be opened in half a second and a bit, when it waits 50 ms at least in between."""


def recycling(protocol: str, every: int) -> ManagedServer:
    return built_in(protocol, options=["--close-after", str(every)])


@pytest.mark.parametrize(
    ("protocol", "every", "connections", "more"),
    [("resp", 1, 1, ()), ("resp", 20, 1, ()), ("memcache", 5, 8, ()), ("resp", 3, 2, ("--rate", "500"))],
)
@law_of_time
def test_a_connection_that_had_worked_is_reopened_at_once_and_nothing_fails(protocol, every, connections, more) -> None:
    load = ("--connections", str(connections), "--pipeline", "1", "--protocol", protocol, *HALF_A_SECOND, *more)
    with recycling(protocol, every) as server:
        finished = invoked_load(server.port, *load)
    assert finished.status == 0, finished.stderr
    counts, totals = finished.counts, finished.result["totals"]
    # The server answers whatever it receives, and what it did not receive goes out on the next connection.
    assert counts["ok"] == counts["planned"] == counts["planned"] - counts["lost"]
    # At the end, a new connection may be greeting the server.
    assert 0 <= totals["sent"] - totals["received"] <= connections
    assert finished.result["connections"]["reconnects"] > connections * MOST_WITH_BACKOFF
    assert finished.result["connections"]["failed"] == 0


@law_of_time
def test_what_a_server_has_received_when_it_closes_is_lost() -> None:
    depth = 8
    with recycling("resp", 20) as server:
        finished = invoked_load(server.port, "--connections", "1", "--pipeline", str(depth), *HALF_A_SECOND)
    counts, closed = finished.counts, finished.result["connections"]["closed"]
    assert closed > MOST_WITH_BACKOFF
    assert 0 < counts["lost"] <= closed * depth
    assert counts["ok"] + counts["lost"] == counts["planned"]


def test_a_prefill_over_recycled_connections_stores_every_key() -> None:
    with recycling("resp", 7) as server:
        finished = invoked_load(
            server.port, "--connections", "1", "--keys", "300", *("--set", "workload.prefill=true"), "--pipeline", "1"
        )
    assert finished.status == 0, finished.stderr
    assert finished.result["hit_pct"] == 100


@pytest.mark.parametrize(("ends", "answers"), [(closes, 0), (closes, 1), (resets, 1)])
@law_of_time
def test_the_next_connection_waits_only_after_one_that_answered_nothing(ends: Script, answers: int) -> None:
    with FaultyServer(polite(after=ends, requests=answers)) as server:
        finished = invoked_load(server.port, "--connections", "1", "--pipeline", "1", *HALF_A_SECOND)
        # At the end, whether the server is there is asked once more.
        assert (server.accepted <= MOST_WITH_BACKOFF + 1) == (answers == 0)
    assert finished.status != 3
    assert finished.counts["lost"] > 0
