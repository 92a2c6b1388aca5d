"""What a history costs: CPU time per request of loads with one, with one of a hundredth of the keys, and without."""

from __future__ import annotations

import tempfile
from pathlib import Path

import servers
from peers import KEYS, ROOT, VALUE_BYTES, Shape, loadgen_result
from sections import Report, Settings, ratios, rotated, say
from servers import Server
from table import Goal, spread, table

PATTERNS = ("no history", "all keys", "1 % of keys")
MOST = 1.15
"""The most that a history of all keys may cost, as a multiple of the CPU time without one."""


def recording(settings: Settings) -> Report:
    """All three patterns, in turn, over RESP and memcache, at every shape but the widest."""
    shapes = [shape for shape in settings.shapes if shape.connections <= 1000]
    measured: dict[tuple[str, Shape, str], list[float]] = {}
    kinds = ("redis", "memcached")
    for kind in kinds:
        with servers.started(kind, settings.server_cpu) as server:
            for turn in range(settings.rounds):
                for shape in shapes:
                    say(f"recording: {kind}, round {turn + 1} of {settings.rounds}, {shape}")
                    for pattern in rotated(PATTERNS, turn):
                        cpu_us = cpu_us_per_request(settings, server, shape, pattern)
                        measured.setdefault((kind, shape, pattern), []).append(cpu_us)
    rows, goals = [], []
    for kind in kinds:
        for shape in shapes:
            without, full, sampled = (measured[kind, shape, pattern] for pattern in PATTERNS)
            rows.append((f"{kind} {shape}", spread(without), spread(full), spread(sampled)))
            name = f"{kind} {shape}: CPU with a history ÷ without"
            goals += [Goal(name, ratios(full, without), MOST), Goal(f"{name}, 1 % of keys", ratios(sampled, without))]
    plain = {" ".join(map(str, key)): values for key, values in measured.items()}
    return Report((table("CPU µs per request, by what is recorded", ("", *PATTERNS), rows),), tuple(goals), plain)


def cpu_us_per_request(settings: Settings, server: Server, shape: Shape, pattern: str) -> float:
    options = ["-c", str(shape.connections), "-P", str(shape.depth), "--mix", "get=80,set=20", "--prefill"]
    options += ["--keys", str(KEYS), "--value-length", str(VALUE_BYTES)]
    with tempfile.TemporaryDirectory(prefix="loadgen-bench-") as folder:
        if pattern != PATTERNS[0]:
            options += ["--history", str(Path(folder) / "history")]
        if pattern == PATTERNS[2]:
            options += ["--history-keys", "1%"]
        result, _ = loadgen_result(server, settings.generator_cpu, ROOT / "src", settings.seconds, options)
    return float(result["client"]["cpu_us_per_request"])
