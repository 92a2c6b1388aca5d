"""Effects of faults where the proxy does not count: probes of our own meet them. On a Toxiproxy, and on ours, mute."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import toxiproxy_script as script

from loadgen.faults.fault import Fault, Layer
from loadgen.faults.interpreter import EffectsUnknownError, FaultError
from loadgen.faults.kinds import KINDS
from loadgen.faults.proxy.client import ProxyApi
from loadgen.faults.proxy.interpreter import ProxyInterpreter
from loadgen.faults.proxy.managed import ManagedProxy

HOST = "127.0.0.1"
MS = 1_000_000


class Mute(ProxyApi):
    """The API of a proxy that does not count."""

    def effects(self) -> Mapping[str, Mapping[str, Any]] | None:
        return None


@contextmanager
def server() -> Iterator[str]:
    """A server that answers `version`, and closes the connection at `quit`."""

    def serve(client: socket.socket) -> None:
        with client, client.makefile("rwb", buffering=0) as lines:
            try:
                for line in lines:
                    if line == b"quit\r\n":
                        return
                    lines.write(b"VERSION 1.6\r\n")
            except OSError:
                pass

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server((HOST, 0), backlog=64) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"{HOST}:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module", params=["loadgen, mute", "toxiproxy"])
def api(request: pytest.FixtureRequest) -> Iterator[ProxyApi]:
    if request.param != "toxiproxy":
        with ManagedProxy(seed=1) as proxy:
            yield Mute(proxy.url)
        return
    built = script.program()
    if built is None:
        pytest.skip(f"toxiproxy {script.VERSION} is not built here: {script.BUILD}=1 has the tests build it, with Go")
    with script.running(built) as url:
        yield ProxyApi(url)


@pytest.fixture
def interpreter(api: ProxyApi) -> Iterator[ProxyInterpreter]:
    with server() as upstream:
        api.create("node", f"{HOST}:0", upstream)
        yield ProxyInterpreter(api, {1: "node"})
        api.delete("node")


def fault_of(kind: str, **parameters: int | float | str) -> Fault:
    return Fault(kind, Layer.PROXY, parameters=KINDS[kind].defaults() | parameters)


FAULTS = [
    fault_of("latency", delay=500 * MS),
    fault_of("latency", delay=500 * MS, stream="upstream"),
    fault_of("bandwidth"),
    fault_of("timeout"),
    fault_of("timeout", timeout=100 * MS, stream="upstream"),
    fault_of("reset_peer"),
    fault_of("slow_close", delay=500 * MS),
    fault_of("limit_data", bytes=100),
    fault_of("down"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.kind} {fault.parameters.get('stream')}" for fault in FAULTS])
def test_a_probe_meets_the_fault_once_in_each_spell(interpreter: ProxyInterpreter, fault: Fault) -> None:
    for spell in (1, 2):
        interpreter.begin(fault, 1)
        interpreter.end(fault, 1)
        assert interpreter.effects(fault, 1) == spell


def test_a_fault_on_no_connection_is_not_met(interpreter: ProxyInterpreter) -> None:
    fault = fault_of("bandwidth", toxicity=0.0)
    interpreter.begin(fault, 1)
    interpreter.end(fault, 1)
    assert interpreter.effects(fault, 1) == 0


def test_a_fault_on_a_share_is_met_by_some_of_20(interpreter: ProxyInterpreter) -> None:
    fault = fault_of("timeout", toxicity=0.5)
    interpreter.begin(fault, 1)
    interpreter.end(fault, 1)
    # 2^-20 for each bound.
    assert 1 <= interpreter.effects(fault, 1) <= 19


@pytest.mark.parametrize("fault", [fault_of("slicer"), fault_of("latency", delay=2 * MS)], ids=str)
def test_what_no_probe_can_tell_is_said_to_be_unknown(interpreter: ProxyInterpreter, fault: Fault) -> None:
    interpreter.begin(fault, 1)
    interpreter.end(fault, 1)
    with pytest.raises(EffectsUnknownError, match="does not count what its toxics do"):
        interpreter.effects(fault, 1)


def test_a_toxic_that_only_loadgen_has_is_refused_in_a_sentence_by_toxiproxy(api: ProxyApi) -> None:
    with server() as upstream:
        api.create("node", f"{HOST}:0", upstream)
        interpreter = ProxyInterpreter(api, {1: "node"})
        if isinstance(api, Mute):
            interpreter.begin(fault_of("cut"), 1)
        else:
            with pytest.raises(FaultError, match="has no such toxic; use loadgen proxy"):
                interpreter.begin(fault_of("cut"), 1)
        api.delete("node")
