"""The cost of a schedule in loadgen: an open loop at half of its closed loop's throughput, in the same round.

Bare C is measured beside loadgen at the same rate, and sleeps between due times as loadgen does.
"""

from __future__ import annotations

import json
from typing import Any

import servers
from peers import KEYS, ROOT, VALUE_BYTES, Shape, every_key, loadgen_result
from processes import run
from sections import Report, Settings, ratios, say
from table import Goal, spread, table

# Lag and shortfall are what is measured, so they must not make a run invalid.
OPEN_LOOP = ["--set", "verdict.lag=30s", "--set", "verdict.shortfall=1"]


def pacing(settings: Settings) -> Report:
    """At every shape but the widest, on redis."""
    shapes = [shape for shape in settings.shapes if shape.connections <= 1000]
    measured: dict[Shape, list[dict[str, float]]] = {shape: [] for shape in shapes}
    with servers.started("redis", settings.server_cpu) as server:
        server.fill(dict.fromkeys(every_key()), VALUE_BYTES)
        for turn in range(settings.rounds):
            for shape in shapes:
                say(f"pacing: round {turn + 1} of {settings.rounds}, {shape}")
                options = ["-c", str(shape.connections), "-P", str(shape.depth), "--mix", "get=80,set=20"]
                options += ["--keys", str(KEYS), "--value-length", str(VALUE_BYTES)]
                seconds = max(settings.seconds, 0.2)
                closed, _ = loadgen_result(server, settings.generator_cpu, ROOT / "src", seconds, options)
                rate = ["--rate", str(closed["throughput"] // 2)]
                paced, _ = loadgen_result(
                    server, settings.generator_cpu, ROOT / "src", seconds, [*options, *rate, *OPEN_LOOP]
                )
                command = [
                    settings.paced,
                    server.port,
                    shape.connections,
                    shape.depth,
                    closed["throughput"] // 2,
                    seconds,
                ]
                bare = json.loads(run([str(word) for word in command], settings.generator_cpu).stdout)
                measured[shape].append(figures(closed, paced, bare))
    rows, goals = [], []
    for shape, rounds in measured.items():
        by_name = {name: tuple(one[name] for one in rounds) for name in rounds[0]}
        cost = ratios(by_name["open_cpu_us"], by_name["closed_cpu_us"])
        rows.append((str(shape), *(spread(by_name[name]) for name in by_name if name != "rate")))
        goals.append(Goal(f"{shape} open loop: CPU ÷ closed loop's", cost, 1.5))
        floor = ratios(by_name["open_cpu_us"], by_name["bare_cpu_us"])
        goals.append(Goal(f"{shape} open loop: CPU ÷ bare C's", floor))
        goals.append(Goal(f"{shape} open loop: p99 of our lag", by_name["lag_p99_us"], 100.0, " µs"))
    columns = ("", "closed CPU µs", "open CPU µs", "bare C µs", "our lag p50 µs", "p99 µs")
    title = "Open loop at half of the closed loop's rate, redis, Poisson"
    plain = {str(shape): rounds for shape, rounds in measured.items()}
    return Report((table(title, columns, rows),), tuple(goals), plain)


def figures(closed: dict[str, Any], paced: dict[str, Any], bare: dict[str, Any]) -> dict[str, float]:
    return {
        "rate": paced["throughput"],
        "closed_cpu_us": closed["client"]["cpu_us_per_request"],
        "open_cpu_us": paced["client"]["cpu_us_per_request"],
        "bare_cpu_us": bare["cpu_us_per_request"],
        "lag_p50_us": paced["lag"]["ours"]["p50_ns"] / 1e3,
        "lag_p99_us": paced["lag"]["ours"]["p99_ns"] / 1e3,
    }
