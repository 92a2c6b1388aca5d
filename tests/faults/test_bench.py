"""The bench: nodes that are given or started, and faults that cannot be carried out on them."""

import socket
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from loadgen.errors import ExitCode, LoadgenError
from loadgen.events import FaultEnded
from loadgen.faults.bench import Bench, BenchUp
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import KINDS, Need
from loadgen.faults.needs import Missing
from loadgen.faults.node import Node, OnNodes
from loadgen.faults.timeline import steps
from loadgen.plan import Endpoint, Target
from loadgen.reason import Code
from loadgen.server_plan import ServerPlan, builtin
from loadgen.target.server import ManagedServer

GIVEN = tuple(Endpoint("127.0.0.1", port, "127.0.0.1") for port in (1, 2, 3))


def refused(bench: Bench) -> tuple[ExitCode, str]:
    with pytest.raises(LoadgenError) as raised, bench.up(lambda progress: None):
        pass
    return raised.value.exit_code, str(raised.value)


def test_given_nodes_are_taken_as_they_are() -> None:
    with Bench(given=GIVEN).up(lambda progress: None) as up:
        assert (up.endpoints, up.groups, up.server, up.servers) == (GIVEN, (GIVEN,), None, ())
        assert up.operator.finish() == ()


def test_managed_nodes_answer_until_the_bench_is_taken_down() -> None:
    with Bench(managed=(builtin(), builtin("memcache"))).up(lambda progress: None) as up:
        assert len(up.endpoints) == 2
        assert up.server is None  # which of the two would a load watch?
        for endpoint in up.endpoints:
            socket.create_connection((endpoint.host, endpoint.port)).close()
    for endpoint in up.endpoints:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((endpoint.host, endpoint.port))


MEETS = """
import pathlib, signal, socket, sys, time
folder, name, port = sys.argv[1:]
def meet(number, frame):
    pathlib.Path(folder, name).touch()
    while not all(pathlib.Path(folder, each).exists() for each in "ab"):
        time.sleep(0.01)
    pathlib.Path(folder, f"{name} met").touch()
    sys.exit()
signal.signal(signal.SIGTERM, meet)
listener = socket.create_server(("127.0.0.1", int(port)))
while True:
    listener.accept()
"""
"""A server that is asked to end, and does so when another has been asked, too."""


def test_nodes_end_at_the_same_time(tmp_path: Path) -> None:
    target = Target("memcache", (Endpoint("127.0.0.1", 0, "127.0.0.1"),), precheck="none")
    nodes = [
        ServerPlan(name, (sys.executable, "-c", MEETS, str(tmp_path), name, "{port}"), target) for name in ("a", "b")
    ]
    with Bench(managed=tuple(nodes)).up(lambda progress: None) as up:
        ended = [psutil.Process(server.pid) for server in up.servers]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a met", "b", "b met"]
    assert not any(process.is_running() for process in ended)


def test_the_only_managed_node_can_be_watched() -> None:
    with Bench(managed=(builtin(),)).up(lambda progress: None) as up:
        assert up.server is not None
        assert up.server.name == "loadgen serve"
        assert up.server.usage() is not None
        assert up.server.exit_report() == ""


@pytest.mark.parametrize(("layer", "kind"), [(Layer.PROCESS, "kill"), (Layer.NET, "loss"), (Layer.DISK, "disk_full")])
def test_a_fault_that_takes_a_server_of_ours_is_refused_on_given_nodes(layer: Layer, kind: str) -> None:
    code, words = refused(Bench(given=GIVEN, faults=(Fault(kind, layer, on=(2,)),)))
    assert code == ExitCode.COULD_NOT_RUN
    assert words.startswith(f"[[fault]] 1, {kind} ({layer}) on node 2: loadgen did not start this server")


def test_a_fault_on_a_node_that_is_not_there_is_refused() -> None:
    code, words = refused(Bench(given=GIVEN, faults=(Fault("latency", Layer.PROXY, on=(1, 4)),)))
    assert code == ExitCode.USAGE
    assert "there are 3 nodes, and no node 4" in words
    code, words = refused(Bench(managed=(builtin(),), faults=(Fault("kill", Layer.PROCESS, on=(2,)),)))
    assert code == ExitCode.USAGE
    assert "there is 1 node, and no node 2" in words


def test_groups_number_the_proxies_of_each_node_one_after_another() -> None:
    code, words = refused(Bench(given=GIVEN, groups=2, faults=(Fault("down", Layer.PROXY, on=(6, 7)),)))
    assert code == ExitCode.USAGE
    assert "there are 6 nodes, and no node 7" in words


def test_a_fault_that_takes_what_this_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lacks = (Missing(Need.NFT, "the command nft is not installed: apt-get install nftables"),)
    monkeypatch.setattr("loadgen.faults.bench.missing", lambda needs: lacks if Need.NFT in needs else ())
    code, words = refused(Bench(managed=(builtin(),), faults=(Fault("loss", Layer.NET),)))
    assert code == ExitCode.COULD_NOT_RUN
    assert words == (
        "[[fault]] 1, loss (net) on every node: this machine lacks what the fault needs: nft: the command nft is not "
        "installed: apt-get install nftables."
    )


def carried_out(up: BenchUp, *, begins: bool) -> None:
    """Do every beginning, or every end, of the bench's faults, and wait for the events."""
    expected = [step for step in steps(up.faults, len(up.endpoints), 1) if step.begins is begins]
    for step in expected:
        up.operator.post(step)
    seen, deadline = 0, time.monotonic() + 30
    while seen < len(expected) and time.monotonic() < deadline:
        events = up.operator.news()
        assert not [event for event in events if isinstance(event, FaultEnded) and event.failure]
        seen += len(events)
        time.sleep(0.01)
    assert seen == len(expected)


def ping(endpoint: Endpoint) -> bytes:
    with socket.create_connection((endpoint.host, endpoint.port), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(100)


def test_a_kill_is_no_death_of_a_watched_node_and_the_node_is_back_after_it() -> None:
    kill = Fault("kill", Layer.PROCESS, parameters=KINDS["kill"].defaults())
    with Bench(managed=(builtin(),), faults=(kill,)).up(lambda progress: None) as up:
        carried_out(up, begins=True)
        with pytest.raises(ConnectionRefusedError):
            ping(up.endpoints[0])
        assert up.server is not None
        assert up.server.exit_report() == ""
        assert up.server.usage() is None
        carried_out(up, begins=False)
        assert ping(up.endpoints[0]) == b"+PONG\r\n"
        assert up.server.usage() is not None
        assert not up.server.restarted()
        [report] = up.operator.finish()
        assert report.fired


def test_a_proxy_stands_before_the_nodes_that_a_fault_of_its_layer_is_on_for_each_group() -> None:
    down = Fault("down", Layer.PROXY, on=(1, 4), parameters=KINDS["down"].defaults())
    bench = Bench(managed=(builtin(), builtin()), faults=(down,), groups=2)
    with bench.up(lambda progress: None) as up:
        (first, second), (again, third) = up.groups
        nodes = [Endpoint(each.host, each.port, each.host) for each in up.servers]
        assert (second, again) == (nodes[1], nodes[0])
        assert first not in nodes
        assert third not in nodes
        assert [ping(each) for group in up.groups for each in group] == 4 * [b"+PONG\r\n"]
        assert [note.code for note in up.notes] == [Code.PROXY_COST]
        assert "µs to the median round trip" in up.notes[0].words
        carried_out(up, begins=True)
        for cut_off in (first, third):
            with pytest.raises(ConnectionRefusedError):
                ping(cut_off)
        assert [ping(node) for node in nodes] == 2 * [b"+PONG\r\n"]
        carried_out(up, begins=False)
        assert [ping(each) for group in up.groups for each in group] == 4 * [b"+PONG\r\n"]


class Slow:
    """An interpreter that takes as long as it is told to."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def begin(self, fault: Fault, node: int) -> None:
        self.begun.set()
        assert self.go.wait(10)

    def end(self, fault: Fault, node: int) -> None: ...

    def effects(self, fault: Fault, node: int) -> int:
        return 1

    def seen(self, fault: Fault, node: int) -> int | None:
        return None


def test_the_leader_of_a_load_does_not_wait_for_a_fault_to_begin() -> None:
    with ManagedServer(builtin()) as server:
        node, slow = Node(server), Slow()
        faults = OnNodes(slow, (node,))
        thread = threading.Thread(target=faults.begin, args=(Fault("kill", Layer.PROCESS), 1))
        thread.start()
        assert slow.begun.wait(10)
        assert (node.usage(), node.exit_report()) == (None, "")
        slow.go.set()
        thread.join()
        assert node.usage() is not None
