"""A proxy that loadgen starts for itself: the process, its API, and faults carried out by it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from loadgen.faults.fault import Fault, Layer
from loadgen.faults.interpreter import FaultError
from loadgen.faults.kinds import KINDS
from loadgen.faults.proxy.client import ProxyApiError
from loadgen.faults.proxy.interpreter import ATTRIBUTES, ProxyInterpreter, toxic_of
from loadgen.faults.proxy.managed import ManagedProxy
from loadgen.plan import Endpoint

HOST = "127.0.0.1"


@contextmanager
def echo() -> Iterator[Endpoint]:
    """A server that sends back what it receives."""
    with socket.create_server((HOST, 0)) as listener:

        def serve(client: socket.socket) -> None:
            with client:
                try:
                    while received := client.recv(65536):
                        client.sendall(received)
                except OSError:
                    pass

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield Endpoint(HOST, listener.getsockname()[1], HOST)
        listener.shutdown(socket.SHUT_RDWR)


def fault_of(kind: str, **parameters: int | float | str) -> Fault:
    return Fault(kind, Layer.PROXY, parameters=KINDS[kind].defaults() | parameters, seed=7)


@pytest.fixture(scope="module")
def managed() -> Iterator[ManagedProxy]:
    with ManagedProxy(seed=1) as proxy:
        yield proxy


def connected(endpoint: Endpoint) -> socket.socket:
    return socket.create_connection((endpoint.address, endpoint.port), timeout=10)


def test_bytes_go_through_a_managed_proxy(managed: ManagedProxy) -> None:
    with echo() as server:
        endpoint = managed.create("through", server)
        with connected(endpoint) as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
        counted = managed.api.effects()
        assert counted is not None
        assert counted["through"]["connections"]["accepted"] == 1
        managed.delete("through")
        assert "through" not in managed.api.proxies()


def test_the_process_ends_with_the_context() -> None:
    with ManagedProxy() as proxy:
        pid = proxy.server.pid
        api = proxy.api
    assert pid
    with pytest.raises(ProxyApiError, match="does not answer"):
        api.version()


def test_every_kind_of_the_layer_has_a_toxic_or_is_down() -> None:
    kinds = {name for name, kind in KINDS.items() if kind.layer is Layer.PROXY}
    assert kinds == {*ATTRIBUTES, "down"}
    for kind in ATTRIBUTES:
        parameters = {parameter.name for parameter in KINDS[kind].parameters}
        assert parameters == {name for name, _ in ATTRIBUTES[kind].values()} | {"stream", "toxicity"}


@pytest.mark.parametrize(
    ("kind", "parameters", "attributes"),
    [
        ("latency", {"delay": 250_000_000, "jitter": 20_000_000}, {"latency": 250, "jitter": 20}),
        ("latency", {"delay": 1_600_000}, {"latency": 2, "jitter": 0}),
        # 0 is another fault, or none.
        ("latency", {"delay": 1_000}, {"latency": 1, "jitter": 0}),
        ("bandwidth", {"rate": 125_000}, {"rate": 125}),
        ("bandwidth", {"rate": 1}, {"rate": 1}),
        ("bandwidth", {}, {"rate": 0}),
        ("timeout", {"timeout": 100_000_000}, {"timeout": 100}),
        ("slicer", {"delay": 10_000}, {"average_size": 64, "size_variation": 16, "delay": 10}),
        ("limit_data", {"bytes": 77}, {"bytes": 77}),
    ],
)
def test_parameters_become_attributes_in_the_units_of_the_api(
    kind: str, parameters: dict[str, int], attributes: dict[str, int]
) -> None:
    made = toxic_of(fault_of(kind, **parameters, toxicity=0.5, stream="upstream"), "name")
    assert made.attributes == attributes
    assert (made.name, made.type, made.stream, made.toxicity, made.seed) == ("name", kind, "upstream", 0.5, 7)


def test_a_fault_takes_effect_is_counted_and_ends(managed: ManagedProxy) -> None:
    with echo() as server:
        interpreter = ProxyInterpreter(managed.api, {1: "delayed"})
        fault = fault_of("latency", delay=50_000_000)
        with connected(managed.create("delayed", server)) as client:
            interpreter.begin(fault, 1)
            began = time.monotonic()
            client.sendall(b"x")
            assert client.recv(10) == b"x"
            assert time.monotonic() - began >= 0.05
            assert interpreter.effects(fault, 1) == 1
            interpreter.end(fault, 1)
            client.sendall(b"y")
            assert client.recv(10) == b"y"
            # The counter stays after the end, and goes on in the next spell.
            assert interpreter.effects(fault, 1) == 1
            interpreter.begin(fault, 1)
            client.sendall(b"z")
            assert client.recv(10) == b"z"
            assert interpreter.effects(fault, 1) == 2
        managed.delete("delayed")


def test_down_closes_connections_and_counts_them(managed: ManagedProxy) -> None:
    with echo() as server:
        endpoint = managed.create("down", server)
        interpreter, fault = ProxyInterpreter(managed.api, {1: "down"}), fault_of("down")
        with connected(endpoint) as client:
            client.sendall(b"x")
            assert client.recv(10) == b"x"
            assert interpreter.effects(fault, 1) == 0
            interpreter.begin(fault, 1)
            assert client.recv(10) == b""
        with pytest.raises(ConnectionRefusedError):
            connected(endpoint)
        interpreter.end(fault, 1)
        assert interpreter.effects(fault, 1) == 1
        with connected(endpoint) as client:
            client.sendall(b"y")
            assert client.recv(10) == b"y"
        assert interpreter.effects(fault, 1) == 1
        managed.delete("down")


def test_a_fault_on_a_node_without_a_proxy_is_refused_in_a_sentence(managed: ManagedProxy) -> None:
    with pytest.raises(FaultError, match="Node 2 has no proxy"):
        ProxyInterpreter(managed.api, {1: "one"}).begin(fault_of("latency"), 2)
