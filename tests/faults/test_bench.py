"""The bench: nodes that are given or started, and faults that cannot be carried out on them."""

import socket

import pytest

from loadgen.errors import ExitCode, LoadgenError
from loadgen.faults.bench import Bench
from loadgen.faults.fault import Fault, Layer
from loadgen.plan import Endpoint
from loadgen.server_plan import builtin

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
