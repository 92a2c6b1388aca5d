"""What a Unix socket saves: CPU time per request over the socket and over TCP, of one redis-server that has both."""

from __future__ import annotations

import tempfile
from pathlib import Path

import servers
from peers import KEYS, ROOT, VALUE_BYTES, Shape, loadgen_result
from sections import Report, Settings, ratios, rotated, say
from servers import Server
from table import Goal, spread, table

WAYS = ("TCP", "Unix socket")
MOST = 1.0
"""The most that a request may cost over the socket, as a multiple of one over TCP."""


def sockets(settings: Settings) -> Report:
    """Both ways, in turn, at every shape but the widest."""
    shapes = [shape for shape in settings.shapes if shape.connections <= 1000]
    measured: dict[tuple[Shape, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="loadgen-bench-") as folder:
        path = Path(folder) / "redis.sock"
        with servers.started("redis", settings.server_cpu, ("--unixsocket", str(path))) as server:
            for turn in range(settings.rounds):
                for shape in shapes:
                    say(f"sockets: round {turn + 1} of {settings.rounds}, {shape}")
                    for way in rotated(WAYS, turn):
                        cpu_us = cpu_us_per_request(settings, server, shape, path if way == WAYS[1] else None)
                        measured.setdefault((shape, way), []).append(cpu_us)
    rows, goals = [], []
    for shape in shapes:
        tcp, unix = (measured[shape, way] for way in WAYS)
        rows.append((f"redis {shape}", spread(tcp), spread(unix)))
        goals.append(Goal(f"redis {shape}: CPU over a Unix socket ÷ over TCP", ratios(unix, tcp), MOST))
    plain = {" ".join(map(str, key)): values for key, values in measured.items()}
    return Report((table("CPU µs per request, by the way to the server", ("", *WAYS), rows),), tuple(goals), plain)


def cpu_us_per_request(settings: Settings, server: Server, shape: Shape, path: Path | None) -> float:
    options = ["-c", str(shape.connections), "-P", str(shape.depth), "--mix", "get=80,set=20", "--prefill"]
    options += ["--keys", str(KEYS), "--value-length", str(VALUE_BYTES)]
    if path is not None:
        options += ["--set", f'target.endpoints=["unix:{path}"]']
    result, _ = loadgen_result(server, settings.generator_cpu, ROOT / "src", settings.seconds, options)
    return float(result["client"]["cpu_us_per_request"])
