"""The servers of a load: given addresses, and servers that loadgen starts."""

from __future__ import annotations

import socket

import pytest
from builtin_servers import HOST
from real_servers import ask

from loadgen.plan import Endpoint, Target
from loadgen.server_plan import builtin
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
