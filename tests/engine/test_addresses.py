"""A host with several addresses, in a world in which time is a number: which are tried, when, and what counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from runs import plan
from stages import PORT, Connection, Stage

from loadgen.engine._engine import Engine
from loadgen.plan import Endpoint
from loadgen.verify.world._network import UNANSWERING

MS = 1_000_000
S = 1_000 * MS
NOWHERE = "192.0.2.1"
"""An address to which this world has no route."""


@dataclass
class Ponging:
    """A server that answers every PING, and notes when it was asked first."""

    stage: Stage | None = None
    asked_ns: list[int] = field(default_factory=list)

    def received(self, connection: Connection, data: bytes) -> None:
        assert self.stage is not None
        self.asked_ns.append(self.stage.now_ns)
        self.stage.reply(connection, self.stage.now_ns, b"+PONG\r\n" * data.count(b"PING"))


class Tried:
    """An engine with four connections to a host of these addresses, led through connecting."""

    def __init__(self, *addresses: str, silent: bool = False, port: int = PORT) -> None:
        self.server = Ponging()
        self.stage = self.server.stage = Stage(self.server, S)
        far, near = self.stage.far.address, self.stage.host.address
        if silent:
            self.stage.network.set_listener(self.stage.host, PORT, UNANSWERING)
        first, *others = ({"far": far, "near": near}.get(each, each) for each in addresses)
        told = plan(1, "connection.connections=4", "connection.connect_timeout=3s", "target.protocol=ping")
        told = told.at(Endpoint("cache", port, first, tuple(others)))
        self.heard: list[str] = []
        self.engine = Engine(told, 0, self.heard.append, self.stage.reactor, self.stage.reactor.net)

    def connected(self, until_ns: int = 100 * S) -> tuple[int, int, dict[str, int]]:
        """Return how many connections opened, how many failed, and the failures by their reason."""
        self.engine.connect()
        self.stage.run(until_ns)
        assert self.heard == ["connected"]
        counts = self.engine.connection_counts()
        return counts["opened"], counts["failed"], dict(self.engine.failure_counts())


@pytest.mark.parametrize("dead", [("near",), (NOWHERE,), (NOWHERE, "near", NOWHERE)])
def test_a_refused_and_an_unreachable_address_lead_to_the_next_at_once_and_count_as_no_failure(
    dead: tuple[str, ...],
) -> None:
    tried = Tried(*dead, "far")
    assert tried.connected() == (4, 0, {})
    assert max(tried.server.asked_ns) < S + 10 * MS


def test_a_silent_address_takes_its_part_of_the_connect_timeout_and_no_more() -> None:
    tried = Tried("near", "near", "far", silent=True)
    assert tried.connected() == (4, 0, {})
    # Each of three addresses has a third of what is left: 1 s, then half of 2 s.
    assert min(tried.server.asked_ns) - S == pytest.approx(2 * S, abs=200 * MS)


def test_an_attempt_fails_once_when_all_addresses_have_failed() -> None:
    tried = Tried(NOWHERE, "near")
    assert tried.connected(2 * S) == (0, 4, {"refused": 4})


def test_a_connection_begins_with_the_address_that_was_reached_last() -> None:
    tried = Tried("near", "far", silent=True)
    tried.connected()
    first_ns = min(tried.server.asked_ns)
    tried.heard.clear()
    again_ns = tried.stage.now_ns
    tried.server.asked_ns.clear()
    tried.engine.connect(True)
    tried.stage.run(again_ns + 100 * S)
    assert first_ns - S == pytest.approx(1500 * MS, abs=200 * MS)
    assert max(tried.server.asked_ns) - again_ns < 10 * MS


def test_other_addresses_are_part_of_an_endpoint_and_not_of_its_name() -> None:
    endpoint = Endpoint("cache", 1, "10.0.0.1", ("::1",))
    assert (endpoint.addresses, str(endpoint)) == (("10.0.0.1", "::1"), "cache:1")
    assert str(replace(endpoint, host="::1")) == "[::1]:1"
    assert (str(Endpoint.at_path("/a")), Endpoint.at_path("/a").addresses) == ("unix:/a", ())
