"""Real connections through a proxy: every toxic once, and what happens to connections. Of loadgen and of Toxiproxy.

The tests run on both, where the real server is built: what is asserted is a fact about both. Times are lower bounds of
the proxy's own waits; the exact ones are in test_toxics, and those against a clock are laws of time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import toxiproxy_script as script
from quiet import law_of_time

from loadgen.faults.proxy.client import NewToxic, ProxyApi
from loadgen.faults.proxy.managed import ManagedProxy

HOST = "127.0.0.1"
LONG_S = 20
"""The longest wait for anything: a test that waits this long fails."""


@pytest.fixture(scope="module", params=["loadgen", "toxiproxy"])
def api(request: pytest.FixtureRequest) -> Iterator[ProxyApi]:
    if request.param == "loadgen":
        with ManagedProxy(seed=1) as proxy:
            yield proxy.api
        return
    built = script.program()
    if built is None:
        pytest.skip(f"toxiproxy {script.VERSION} is not built here: {script.BUILD}=1 has the tests build it, with Go")
    with script.running(built) as url:
        yield ProxyApi(url)


@dataclass(slots=True)
class Bench:
    """A proxy before a server whose connections the test accepts itself."""

    api: ProxyApi
    listener: socket.socket
    address: tuple[str, int]

    def connected(self) -> tuple[socket.socket, socket.socket]:
        """Return the ends of a new connection: the client's and the server's."""
        client = socket.create_connection(self.address, LONG_S)
        server = self.accepted()
        return client, server

    def accepted(self) -> socket.socket:
        server, _ = self.listener.accept()
        server.settimeout(LONG_S)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server

    def toxic(self, kind: str, stream: str = "downstream", name: str = "", **attributes: int) -> None:
        self.api.add_toxic("bench", NewToxic(name or kind, kind, stream, attributes=attributes))

    def remove(self, name: str) -> None:
        self.api.remove_toxic("bench", name)

    @contextlib.contextmanager
    def under(self, kind: str, **attributes: int) -> Iterator[None]:
        """Have a toxic on the proxy in a block, which may be entered again."""
        self.toxic(kind, **attributes)
        try:
            yield
        finally:
            self.remove(kind)


@pytest.fixture
def bench(api: ProxyApi) -> Iterator[Bench]:
    with made(api) as found:
        yield found


@contextlib.contextmanager
def made(api: ProxyApi) -> Iterator[Bench]:
    with socket.create_server((HOST, 0), backlog=512) as listener:
        listener.settimeout(LONG_S)
        listen = api.create("bench", f"{HOST}:0", f"{HOST}:{listener.getsockname()[1]}")
        try:
            yield Bench(api, listener, (HOST, int(listen.rpartition(":")[2])))
        finally:
            if "bench" in api.proxies():
                api.delete("bench")


def passes(sender: socket.socket, receiver: socket.socket, data: bytes = b"hello") -> float:
    """Send a message and receive it; return the seconds that this took."""
    began = time.monotonic()
    sender.sendall(data)
    received = b""
    while len(received) < len(data):
        piece = receiver.recv(65536)
        assert piece, f"the connection ended after {received!r}"
        received += piece
    assert received == data
    return time.monotonic() - began


def is_at_end(end: socket.socket) -> bool:
    """True when the stream ends: without a reset."""
    return end.recv(1) == b""


def receives_nothing(end: socket.socket, for_s: float) -> bool:
    end.settimeout(for_s)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(LONG_S)
    return False


# ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("direction", ["upstream", "downstream"])
def test_many_bytes_pass_unchanged(bench: Bench, direction: str) -> None:
    data = os.urandom(8 << 20)
    client, server = bench.connected()
    with client, server:
        sender, receiver = (client, server) if direction == "upstream" else (server, client)
        thread = threading.Thread(target=sender.sendall, args=(data,))
        thread.start()
        digest, missing = hashlib.sha256(), len(data)
        while missing:
            piece = receiver.recv(1 << 20)
            assert piece
            digest.update(piece)
            missing -= len(piece)
        thread.join()
    assert digest.digest() == hashlib.sha256(data).digest()


def test_many_connections_at_once(bench: Bench) -> None:
    with contextlib.ExitStack() as stack:
        ends = [bench.connected() for _ in range(100)]
        for client, server in ends:
            stack.enter_context(client)
            stack.enter_context(server)
        for number, (client, server) in enumerate(ends):
            client.sendall(b"to %d" % number)
            server.sendall(b"from %d" % number)
        for number, (client, server) in enumerate(ends):
            assert server.recv(100) == b"to %d" % number
            assert client.recv(100) == b"from %d" % number


def test_a_receiver_that_does_not_read_holds_up_the_sender(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        client.setblocking(False)
        piece, sent = os.urandom(1 << 16), 0
        last = time.monotonic()
        while time.monotonic() < last + 0.5:
            try:
                sent += client.send(piece)
                last = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
            assert sent < 256 << 20, "the proxy takes everything"
        received = 0
        while received < sent:
            received += len(server.recv(1 << 20))
        client.settimeout(LONG_S)
        assert passes(client, server) < LONG_S


@pytest.mark.parametrize("first", ["client", "server"])
def test_the_end_of_one_side_ends_the_other(bench: Bench, first: str) -> None:
    client, server = bench.connected()
    with client, server:
        passes(client, server)
        one, other = (client, server) if first == "client" else (server, client)
        one.close()
        assert is_at_end(other)


def test_a_half_close_ends_both_directions(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        passes(client, server)
        client.shutdown(socket.SHUT_WR)
        assert is_at_end(server)
        assert is_at_end(client)


def test_what_was_sent_before_the_end_arrives(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        server.sendall(b"x" * 100_000)
        server.close()
        received = 0
        while piece := client.recv(65536):
            received += len(piece)
        assert received == 100_000


def test_a_client_is_accepted_and_closed_when_the_upstream_cannot_be_reached(bench: Bench) -> None:
    bench.listener.close()
    with socket.create_connection(bench.address, LONG_S) as client:
        assert is_at_end(client)


def test_disabling_closes_and_refuses_and_enabling_accepts_on_the_same_port(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        passes(client, server)
        bench.api.enable("bench", False)
        assert is_at_end(client)
        assert is_at_end(server)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(bench.address, LONG_S)
    bench.api.enable("bench", True)
    client, server = bench.connected()
    with client, server:
        passes(client, server)


def test_toxics_stay_while_a_proxy_is_disabled(bench: Bench) -> None:
    bench.toxic("latency", latency=100)
    bench.api.enable("bench", False)
    bench.api.enable("bench", True)
    client, server = bench.connected()
    with client, server:
        assert passes(server, client) >= 0.1


def test_deleting_closes_and_a_changed_address_too(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        bench.api._call("PATCH", "/proxies/bench", {"upstream": f"localhost:{bench.listener.getsockname()[1]}"})
        assert is_at_end(client)
    # The new upstream is a name.
    client, server = bench.connected()
    with client, server:
        passes(client, server)
        bench.api.delete("bench")
        assert is_at_end(client)


def test_reset_enables_and_removes_everything(bench: Bench) -> None:
    bench.toxic("bandwidth", rate=0)
    bench.api.enable("bench", False)
    bench.api.reset()
    client, server = bench.connected()
    with client, server:
        passes(server, client)


# ── Toxics ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_latency(bench: Bench, stream: str) -> None:
    client, server = bench.connected()
    with client, server:
        bench.toxic("latency", stream, latency=100)
        sender, receiver = (client, server) if stream == "upstream" else (server, client)
        assert passes(sender, receiver) >= 0.1
        sender.sendall(b"waits")
        bench.remove("latency")
        assert receiver.recv(10) == b"waits"
        assert passes(sender, receiver) < LONG_S


def test_bandwidth(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        bench.toxic("bandwidth", rate=100)
        assert passes(server, client, b"x" * 20_000) >= 0.19


def test_a_rate_of_0_stalls_and_its_removal_flushes(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        bench.toxic("bandwidth", rate=0)
        server.sendall(b"stalled")
        assert receives_nothing(client, 0.3)
        bench.remove("bandwidth")
        assert client.recv(100) == b"stalled"


def test_slow_close(bench: Bench) -> None:
    bench.toxic("slow_close", delay=200)
    client, server = bench.connected()
    with client, server:
        passes(server, client)
        began = time.monotonic()
        server.close()
        assert is_at_end(client)
        assert time.monotonic() - began >= 0.2


def test_timeout_is_put_off_by_data_and_its_removal_closes(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        bench.toxic("timeout", timeout=600)
        began = time.monotonic()
        while time.monotonic() < began + 1.5:
            server.sendall(b"dropped")
            assert receives_nothing(client, 0.1), "a connection with data was closed"
        bench.remove("timeout")
        assert is_at_end(client)


def test_timeout_closes_without_data(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        began = time.monotonic()
        bench.toxic("timeout", timeout=100)
        assert is_at_end(client)
        assert time.monotonic() - began >= 0.1


def test_reset_peer_resets_new_connections_and_ends_old_ones(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        bench.toxic("reset_peer", timeout=50)
        server.sendall(b"x")
        assert is_at_end(client)
    client, server = bench.connected()
    with client, server:
        server.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_slicer(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        bench.toxic("slicer", average_size=10, size_variation=2, delay=20_000)
        server.sendall(b"0123456789" * 10)
        pieces = []
        while sum(map(len, pieces)) < 100:
            pieces.append(client.recv(100))
        assert b"".join(pieces) == b"0123456789" * 10
        assert len(pieces) > 4


def test_limit_data(bench: Bench) -> None:
    bench.toxic("limit_data", bytes=100)
    client, server = bench.connected()
    with client, server:
        passes(server, client, b"x" * 60)
        server.sendall(b"y" * 60)
        received = b""
        while piece := client.recv(100):
            received += piece
        assert received == b"y" * 40


def test_a_stalled_connection_keeps_stalling_and_the_others_pass(bench: Bench) -> None:
    bench.api.add_toxic("bench", NewToxic("half", "bandwidth", toxicity=0.5, attributes={"rate": 0}))
    with contextlib.ExitStack() as stack:
        ends = [bench.connected() for _ in range(40)]
        for client, server in ends:
            stack.enter_context(client)
            stack.enter_context(server)
        stalled = []
        for _ in range(2):
            for _, server in ends:
                server.sendall(b"x")
            time.sleep(0.3)
            stalled.append([number for number, (client, _) in enumerate(ends) if receives_nothing(client, 0.001)])
        assert stalled[0] == stalled[1]
        # 2^-34 for each bound.
        assert 2 < len(stalled[0]) < 38


def test_removal_of_a_stalled_flood_loses_nothing(bench: Bench) -> None:
    client, server = bench.connected()
    with client, server:
        bench.toxic("bandwidth", rate=0)
        data = os.urandom(4 << 20)
        thread = threading.Thread(target=server.sendall, args=(data,))
        thread.start()
        time.sleep(0.2)
        bench.remove("bandwidth")
        received = bytearray()
        while len(received) < len(data):
            piece = client.recv(1 << 20)
            assert piece
            received += piece
        thread.join()
        assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()


# ── loadgen's own ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def managed() -> Iterator[ManagedProxy]:
    with ManagedProxy(seed=1) as proxy:
        yield proxy


@pytest.fixture
def own(managed: ManagedProxy) -> Iterator[Bench]:
    with made(managed.api) as found:
        yield found


def test_the_end_is_seen_when_it_comes_with_the_last_bytes(managed: ManagedProxy, own: Bench) -> None:
    client, server = own.connected()
    with client, server:
        passes(server, client)
        managed.server.pause()
        server.sendall(b"last")
        server.close()
        managed.server.resume()
        assert client.recv(10) == b"last"
        assert is_at_end(client)


def test_cut_closes_at_a_drawn_byte(own: Bench) -> None:
    own.toxic("cut", bytes=1000)
    cuts = []
    for _ in range(5):
        client, server = own.connected()
        with client, server:
            with contextlib.suppress(OSError):
                server.sendall(b"x" * 5000)
            received = 0
            with contextlib.suppress(ConnectionResetError):
                while piece := client.recv(65536):
                    received += len(piece)
            cuts.append(received)
    assert all(1 <= cut <= 1999 for cut in cuts)
    assert len(set(cuts)) > 1
    counted = own.api.effects()
    assert counted is not None
    assert counted["bench"]["toxics"]["cut"]["count"] == 5


def test_effects_bytes_and_connections_are_counted(own: Bench) -> None:
    client, server = own.connected()
    with client, server:
        own.toxic("latency", latency=10)
        passes(client, server, b"12345")
        passes(server, client, b"123")
        passes(server, client, b"123")
        counted = own.api.effects()
        assert counted is not None
        found = counted["bench"]
        assert found["toxics"]["latency"]["count"] == 2
        assert found["bytes"] == {"upstream": {"received": 5, "sent": 5}, "downstream": {"received": 6, "sent": 6}}
        assert found["connections"] == {"accepted": 1, "unreachable": 0, "closed_by_stop": 0, "open": 1}
        own.api.enable("bench", False)
        own.api.enable("bench", True)
    own.listener.close()
    with socket.create_connection(own.address, LONG_S) as client:
        assert is_at_end(client)
    counted = own.api.effects()
    assert counted is not None
    assert counted["bench"]["connections"] == {"accepted": 2, "unreachable": 1, "closed_by_stop": 1, "open": 0}


def test_a_reset_of_the_client_is_no_trouble(own: Bench) -> None:
    for _ in range(20):
        client, server = own.connected()
        with client, server:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            server.sendall(b"x" * 1000)
            client.close()
            with contextlib.suppress(ConnectionResetError):
                assert is_at_end(server)
    client, server = own.connected()
    with client, server:
        passes(client, server)


# ── Against a clock ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "attributes", "due_s"),
    [
        ("latency", {"latency": 100}, 0.1),
        ("bandwidth", {"rate": 50}, 0.1),
        ("slicer", {"average_size": 1000, "delay": 20_000}, 0.16),
    ],
)
@law_of_time
def test_a_toxic_takes_its_time_within_20_ms(bench: Bench, kind: str, attributes: dict[str, int], due_s: float) -> None:
    client, server = bench.connected()
    with client, server, bench.under(kind, **attributes):
        passes(server, client, b"x" * 5000)
        # The slicer's delay follows the last piece too, so the next message waits for it.
        took = sorted(passes(server, client, b"x" * 5000) for _ in range(3))
        assert took[1] == pytest.approx(due_s, abs=0.02)


@pytest.mark.parametrize(
    ("kind", "attributes", "due_s"),
    [
        ("slow_close", {"delay": 100}, 0.1),
        ("timeout", {"timeout": 100}, 0.1),
        ("reset_peer", {"timeout": 100}, 0.1),
        ("limit_data", {"bytes": 1}, 0.0),
    ],
)
@law_of_time
def test_a_toxic_closes_at_its_time_within_20_ms(
    bench: Bench, kind: str, attributes: dict[str, int], due_s: float
) -> None:
    took = []
    for _ in range(3):
        with bench.under(kind, **attributes):
            client, server = bench.connected()
            with client, server:
                server.sendall(b"x")
                began = time.monotonic()
                if kind == "slow_close":
                    server.close()
                with contextlib.suppress(ConnectionResetError):
                    while client.recv(10):
                        pass
                took.append(time.monotonic() - began)
    assert sorted(took)[1] == pytest.approx(due_s, abs=0.02)
