"""The sockets that this process has to a node, by the kernel's own word."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import pytest

from loadgen.plan import Endpoint
from loadgen.trial import caller as caller_module
from loadgen.trial.caller import Caller
from loadgen.trial.observed import NodeState
from loadgen.trial.sockets import open_sockets

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel says it on Linux only")


def listener(family: socket.AddressFamily, host: str) -> tuple[socket.socket, Endpoint]:
    listening = socket.socket(family)
    listening.bind((host, 0))
    listening.listen()
    return listening, Endpoint(host, listening.getsockname()[1], host)


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_sockets_are_counted_by_node_until_they_are_closed(family: socket.AddressFamily, host: str) -> None:
    try:
        one, first = listener(family, host)
    except OSError:
        pytest.skip("this machine has no IPv6")
    other, second = listener(family, host)
    with one, other:
        assert open_sockets([first, second]) == {1: 0, 2: 0}
        mine = [socket.create_connection((host, node.port)) for node in (first, second, second)]
        assert open_sockets([first, second]) == {1: 1, 2: 2}
        mine[2].close()
        assert open_sockets([first, second]) == {1: 1, 2: 1}
        # Closed by the peer, and not by this process: still a socket of this process.
        theirs, _ = one.accept()
        theirs.close()
        assert mine[0].recv(1) == b""
        assert open_sockets([first, second]) == {1: 1, 2: 1}
        for connection in mine:
            connection.close()
        assert open_sockets([first, second]) == {1: 0, 2: 0}


def test_counting_many_sockets_takes_a_small_part_of_the_callers_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns, counted_at_ms = 0, []

    def takes_2_ms(nodes: object) -> dict[int, int]:
        nonlocal now_ns
        counted_at_ms.append(now_ns // 1_000_000)
        now_ns += 2_000_000
        return {1: 1000}

    monkeypatch.setattr(caller_module, "open_sockets", takes_2_ms)
    caller = SimpleNamespace(plan=SimpleNamespace(nodes=()), count_ns=0, now=lambda: now_ns)
    for _ in range(10):
        states = Caller._with_sockets(caller, {1: NodeState()})  # type: ignore[arg-type]
        assert (states[1].sockets == 1000) == (counted_at_ms[-1] * 1_000_000 == now_ns - 2_000_000)
        now_ns += 200_000_000
    assert counted_at_ms == [0, 802, 1604]


def test_a_socket_of_the_server_itself_is_none_of_the_clients() -> None:
    listening, node = listener(socket.AF_INET, "127.0.0.1")
    with listening, socket.create_connection(("127.0.0.1", node.port)) as mine:
        theirs, _ = listening.accept()
        with theirs:
            assert open_sockets([node]) == {1: 1}
            assert open_sockets([Endpoint("127.0.0.1", mine.getsockname()[1], "127.0.0.1")]) == {1: 1}
