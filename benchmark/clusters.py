"""What a cluster costs: CPU time per request on three nodes of a Redis Cluster, on three servers and on one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import servers
from peers import KEYS, ROOT, VALUE_BYTES, Shape, loadgen_result
from processes import BenchmarkError
from sections import Report, Settings, ratios, rotated, say
from servers import Server, connected, read_exactly, resp
from table import Goal, spread, table

WAYS = ("one server", "three servers", "cluster")
NODES = 3
SLOTS = 16_384
MOST = 1.2
"""The most that a request may cost on the cluster, as a multiple of one on a single server."""
FORMED_S = 20.0


def clusters(settings: Settings) -> Report:
    """All, in turn, at every shape but the widest."""
    shapes = [shape for shape in settings.shapes if shape.connections <= 1000]
    measured: dict[tuple[Shape, str], list[float]] = {}
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(servers.started("redis", settings.server_cpu)) for _ in range(NODES)]
        node = stack.enter_context(formed(settings))
        endpoints = ", ".join(f'"{servers.HOST}:{each.port}"' for each in several)
        of_way = {
            WAYS[0]: (several[0], []),
            WAYS[1]: (several[0], ["--set", f"target.endpoints=[{endpoints}]"]),
            WAYS[2]: (node, ["--cluster"]),
        }
        for turn in range(settings.rounds):
            for shape in shapes:
                say(f"clusters: round {turn + 1} of {settings.rounds}, {shape}")
                for way in rotated(WAYS, turn):
                    server, options = of_way[way]
                    cpu_us = cpu_us_per_request(settings, server, shape, options)
                    measured.setdefault((shape, way), []).append(cpu_us)
    rows, goals = [], []
    for shape in shapes:
        single_us, several_us, cluster_us = (measured[shape, way] for way in WAYS)
        rows.append((f"redis {shape}", spread(single_us), spread(several_us), spread(cluster_us)))
        goals.append(Goal(f"redis {shape}: CPU on a cluster ÷ on one server", ratios(cluster_us, single_us), MOST))
        goals.append(Goal(f"redis {shape}: CPU on a cluster ÷ on three servers", ratios(cluster_us, several_us)))
    plain = {" ".join(map(str, key)): values for key, values in measured.items()}
    return Report((table("CPU µs per request, by what is under load", ("", *WAYS), rows),), tuple(goals), plain)


@contextlib.contextmanager
def formed(settings: Settings) -> Iterator[Server]:
    """Masters that divide the slots among them; yields one of them. Raises BenchmarkError when they do not agree."""
    with contextlib.ExitStack() as stack:
        options = ("--cluster-enabled", "yes")
        nodes = [stack.enter_context(servers.started("redis", settings.server_cpu, options)) for _ in range(NODES)]
        for place, node in enumerate(nodes):
            first, last = place * SLOTS // NODES, (place + 1) * SLOTS // NODES - 1
            ask(node, b"CLUSTER", b"ADDSLOTSRANGE", b"%d" % first, b"%d" % last)
            for other in nodes[:place]:
                ask(node, b"CLUSTER", b"MEET", servers.HOST.encode(), b"%d" % other.port)
        until_s = time.monotonic() + FORMED_S
        while not all(is_whole(node) for node in nodes):
            if time.monotonic() > until_s:
                raise BenchmarkError(f"{NODES} nodes of redis-server did not form a cluster within {FORMED_S:.0f} s")
            time.sleep(0.1)
        yield nodes[0]


def ask(node: Server, *words: bytes) -> None:
    with connected(node.port) as connection:
        connection.sendall(resp(*words))
        answer = read_exactly(connection, 5)
        if answer != b"+OK\r\n":
            raise BenchmarkError(f"redis-server answers {words[:2]!r} with {answer!r}")


def is_whole(node: Server) -> bool:
    """True when a node knows the others and who has all slots."""
    with connected(node.port) as connection:
        connection.sendall(resp(b"CLUSTER", b"INFO"))
        said = connection.recv(4096)
    return b"cluster_state:ok" in said and b"cluster_known_nodes:%d" % NODES in said


def cpu_us_per_request(settings: Settings, server: Server, shape: Shape, more: list[str]) -> float:
    connections = max(shape.connections, NODES)
    options = ["-c", str(connections), "-P", str(shape.depth), "--mix", "get=80,set=20", "--prefill"]
    options += ["--keys", str(KEYS), "--value-length", str(VALUE_BYTES), *more]
    result, _ = loadgen_result(server, settings.generator_cpu, ROOT / "src", settings.seconds, options)
    return float(result["client"]["cpu_us_per_request"])
