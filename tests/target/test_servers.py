"""The servers of a load: given addresses, and servers that loadgen starts."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from builtin_servers import HOST
from real_servers import ask

from loadgen.plan import Endpoint, Target
from loadgen.server_plan import builtin
from loadgen.target import port
from loadgen.target.servers import GivenEndpoints, Managed, servers_of

HERE = Endpoint(HOST, 1, HOST)


def test_endpoints_that_are_given_are_taken_as_they_are_and_nothing_is_started() -> None:
    with GivenEndpoints((HERE, HERE)).up(lambda progress: None) as up:
        assert (up.endpoints, up.server) == ((HERE, HERE), None)


def test_a_managed_server_answers_where_it_says_until_it_is_taken_down() -> None:
    with Managed(builtin()).up(lambda progress: None) as up:
        [there] = up.endpoints
        assert up.server is not None
        assert (there.host, there.port, there.address) == (HOST, up.server.port, HOST)
        assert ask(there.port, b"PING\r\n", b"\r\n") == b"+PONG\r\n"
        assert up.server.exit_report() == ""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((there.host, there.port))


def test_a_managed_server_takes_the_place_of_a_targets_endpoints() -> None:
    target, plan = Target("resp", (HERE,)), builtin("memcache", "--null")
    assert servers_of(target, None) == GivenEndpoints((HERE,))
    assert servers_of(target, plan) == Managed(plan)
    assert plan.command[-3:] == ("--protocol", "memcache", "--null")


@pytest.mark.skipif(sys.platform != "linux", reason="where other systems take the ports of connections is not asked")
def test_no_outgoing_connection_takes_the_port_of_a_server_that_is_started_again() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    if first <= 11_000:
        pytest.skip("outgoing connections may have any port here")
    found = {port.free(HOST) for _ in range(200)}
    assert len(found) > 150
    assert not any(first <= each <= last for each in found)
    with socket.create_server((HOST, found.pop())):
        pass
