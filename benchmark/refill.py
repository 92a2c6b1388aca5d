"""The effect of `connection.refill` on a closed loop's throughput: slot against drained, on redis.

Two more figures are measured, which other programs of the machine disturb less: the number of requests that the server
finds in one read, and the server's CPU time per request.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import servers
from peers import KEYS, ROOT, VALUE_BYTES, Shape, every_key, loadgen_result
from sections import Report, Settings, ratios, rotated, say
from servers import Server, resp
from table import Goal, spread, table

PATTERNS = ("slot", "drained")
HOLDS = {"req_s": "requests/s", "per_read": "requests per read", "server_us": "server's CPU per request"}


@dataclass(frozen=True, slots=True)
class Work:
    """What redis has done since it started."""

    requests: int
    reads: int
    cpu_ns: int
    """Of its main thread, which does all of the work."""

    @classmethod
    def of(cls, server: Server) -> Work:
        stats = resp(b"INFO", b"stats")
        pid = servers.counter(server.port, resp(b"INFO", b"server"), b"process_id:")
        return cls(
            servers.counter(server.port, stats, b"total_commands_processed:"),
            servers.counter(server.port, stats, b"total_reads_processed:"),
            int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]),
        )


def refill(settings: Settings) -> Report:
    """Both patterns at every shape but the widest, in turn."""
    shapes = [shape for shape in settings.shapes if shape.connections <= 1000]
    measured: dict[tuple[Shape, str], list[dict[str, float]]] = {}
    with servers.started("redis", settings.server_cpu) as server:
        server.fill(dict.fromkeys(every_key()), VALUE_BYTES)
        for turn in range(settings.rounds):
            for shape in shapes:
                say(f"refill: round {turn + 1} of {settings.rounds}, {shape}")
                for pattern in rotated(PATTERNS, turn):
                    measured.setdefault((shape, pattern), []).append(figures(settings, server, shape, pattern))
    rows, goals = [], []
    for shape in shapes:
        slot, drained = (
            {name: [one[name] for one in measured[shape, pattern]] for name in HOLDS} for pattern in PATTERNS
        )
        rows += [
            (f"{shape} {pattern}", *map(spread, by_name.values()))
            for pattern, by_name in zip(PATTERNS, (slot, drained), strict=True)
        ]
        goals += [
            Goal(f"{shape} drained ÷ slot: {words}", ratios(drained[name], slot[name])) for name, words in HOLDS.items()
        ]
    columns = ("", "requests/s", "requests per read", "server CPU µs")
    plain = {f"{shape} {pattern}": rounds for (shape, pattern), rounds in measured.items()}
    return Report((table("When a closed loop refills a pipeline, redis", columns, rows),), tuple(goals), plain)


def figures(settings: Settings, server: Server, shape: Shape, pattern: str) -> dict[str, float]:
    options = ["-c", str(shape.connections), "-P", str(shape.depth), "--refill", pattern, "--mix", "get=80,set=20"]
    options += ["--keys", str(KEYS), "--value-length", str(VALUE_BYTES)]
    before = Work.of(server)
    result, _ = loadgen_result(server, settings.generator_cpu, ROOT / "src", settings.seconds, options)
    after = Work.of(server)
    requests = after.requests - before.requests
    return {
        "req_s": result["responses"] / result["duration_secs"],
        "per_read": requests / (after.reads - before.reads),
        "server_us": (after.cpu_ns - before.cpu_ns) / requests / 1e3,
    }
