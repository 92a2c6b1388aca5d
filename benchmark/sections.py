"""The measurements of the benchmark, a section each.

Rounds are interleaved: both sides of a ratio run within one round, in an order that rotates from round to round. A
ratio is taken within its round, and the median is that of the ratios.
"""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import micro
import servers
from peers import KEYS, ROOT, USUAL_FILES, VALUE_BYTES, Figures, Floor, Loadgen, Peer, Shape, every_key, loadgen_result
from processes import BenchmarkError, run
from table import Goal, number, spread, table

LARGE_VALUE_BYTES = 1 << 20
LARGE_VALUES = 10
LARGE_SHAPE = Shape(4, 1)
FEW_CONNECTIONS = 10
LEAST_STARTS = 15

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Settings:
    rounds: int
    seconds: float
    """How long one run of a generator lasts, about."""
    server_cpu: int | None
    generator_cpu: int | None
    shapes: tuple[Shape, ...]
    connections: int
    """How many connections the section of that name opens."""
    micro_calls: int
    starts: int
    folder: Path
    """For what is built."""
    floor: Floor
    paced: Path
    """Bare C in an open loop."""
    given_floor: Floor | None
    against: Loadgen | None
    others: tuple[Peer, ...]

    @property
    def peers(self) -> list[Peer]:
        ours = [Loadgen(), *([self.against] if self.against else [])]
        return [self.floor, *([self.given_floor] if self.given_floor else []), *ours, *self.others]

    @property
    def yardstick(self) -> Floor:
        """The floor that loadgen is divided by on redis."""
        return self.given_floor or self.floor


@dataclass(frozen=True, slots=True)
class Report:
    tables: tuple[str, ...]
    goals: tuple[Goal, ...]
    figures: dict[str, Any]
    """All that was measured, for JSON."""


def rotated(items: Sequence[Item], by: int) -> list[Item]:
    at = by % len(items) if items else 0
    return [*items[at:], *items[:at]]


def ratios(above: Sequence[float], below: Sequence[float]) -> tuple[float, ...]:
    return tuple(a / b for a, b in zip(above, below, strict=True))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ── CPU per request ─────────────────────────────────────────────────────────────────────────────────────────────────


Measured = dict[tuple[str, Shape, str], list[Figures]]
"""By server, shape and generator: a run from each round."""


def load_shapes(settings: Settings) -> Report:
    """Every generator at every shape, on every server that is installed."""
    kinds = [kind for kind in servers.PROGRAMS if servers.installed(kind)]
    measured: Measured = {}
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(servers.started(kind, settings.server_cpu)) for kind in kinds]
        for server in running:
            server.fill(dict.fromkeys(every_key()), VALUE_BYTES)
        for turn in range(settings.rounds):
            for shape in settings.shapes:
                say(f"shapes: round {turn + 1} of {settings.rounds}, {shape}")
                runs = [(server, peer) for server in running for peer in settings.peers if peer.loads(server)]
                for server, peer in rotated(runs, turn):
                    figures = peer.measure(server, shape, settings.seconds, settings.generator_cpu)
                    measured.setdefault((server.kind, shape, peer.name), []).append(figures)
        for server in running:
            if server.misses():
                raise BenchmarkError(
                    f"{server.misses()} GETs missed on {server.kind}: the generators did not do the same work"
                )
    tables = [shape_table(settings, kind, shape, measured) for kind in kinds for shape in settings.shapes]
    goals = [goal for shape in settings.shapes for goal in shape_goals(settings, shape, measured)]
    plain = [
        {"server": kind, "shape": str(shape), "generator": name, "rounds": [asdict(figures) for figures in rounds]}
        for (kind, shape, name), rounds in measured.items()
    ]
    return Report(tuple(tables), tuple(goals), {"runs": plain})


def cpu(measured: Measured, kind: str, shape: Shape, name: str) -> list[float]:
    return [figures.cpu_us_per_request for figures in measured.get((kind, shape, name), [])]


def shape_table(settings: Settings, kind: str, shape: Shape, measured: Measured) -> str:
    yardstick = settings.yardstick if (kind, shape, settings.yardstick.name) in measured else settings.floor
    floor = cpu(measured, kind, shape, yardstick.name)
    rows = []
    for peer in settings.peers:
        rounds = measured.get((kind, shape, peer.name))
        if rounds:
            own = cpu(measured, kind, shape, peer.name)
            rows.append(
                (
                    peer.name,
                    spread(own),
                    spread(ratios(own, floor)),
                    number(statistics.median(one.requests_per_s for one in rounds)),
                    f"{statistics.median(one.peak_rss_bytes for one in rounds) / 1e6:.1f}",
                    number(statistics.median(one.whole_cpu_us_per_request for one in rounds)),
                )
            )
    title = f"{kind}, {shape.connections} connections × {shape.depth} in flight"
    return table(title, ("", "CPU µs/request", f"÷ {yardstick.name}", "requests/s", "peak MB", "whole µs"), rows)


def shape_goals(settings: Settings, shape: Shape, measured: Measured) -> Iterator[Goal]:
    ours = cpu(measured, "redis", shape, "loadgen")
    if ours:
        floor = settings.yardstick.name
        yield Goal(f"{shape} redis: loadgen ÷ {floor}", ratios(ours, cpu(measured, "redis", shape, floor)), 1.12)
    for peer in (*settings.others, *([settings.against] if settings.against else [])):
        theirs = cpu(measured, "redis", shape, peer.name)
        if theirs:
            limit = 1.0 if peer.name == "redis-benchmark" else None
            yield Goal(f"{shape} redis: loadgen ÷ {peer.name}", ratios(ours, theirs), limit)
    memcache = cpu(measured, "memcached", shape, "loadgen")
    if ours and memcache:
        yield Goal(f"{shape} loadgen: memcached ÷ redis", ratios(memcache, ours), 1.25)
        name = settings.floor.name
        both = ratios(cpu(measured, "memcached", shape, name), cpu(measured, "redis", shape, name))
        yield Goal(f"{shape} {name}: memcached ÷ redis", both)


# ── One call ────────────────────────────────────────────────────────────────────────────────────────────────────────

CALL_LIMITS_NS = {"encode GET": 40.0, "decode 64 B GET reply": 40.0, "record": 10.0}


def calls(settings: Settings) -> Report:
    """The functions that every request goes through, alone."""
    say("micro: building")
    micro.build(settings.folder)
    rounds = [
        micro.measure(settings.folder, settings.micro_calls, settings.generator_cpu) for _ in range(settings.rounds)
    ]
    by_name = {name: tuple(one[name] for one in rounds) for name in rounds[0]}
    goals = tuple(
        Goal(name, values, CALL_LIMITS_NS[name.split(",")[0]], " ns")
        for name, values in by_name.items()
        if name.split(",")[0] in CALL_LIMITS_NS
    )
    rows = [(name, spread(values)) for name, values in by_name.items()]
    return Report((table("One call", ("", "CPU ns"), rows),), goals, by_name)


# ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────────


def connections(settings: Settings) -> Report:
    """Many connections at depth 1: whether they work, and what each costs the worker in memory."""
    many = settings.connections
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < servers.MOST_CONNECTIONS + 100:
        raise BenchmarkError(f"{many} connections need a hard limit of 12,100 open files: raise `ulimit -Hn`")
    bytes_each: list[float] = []
    all_work: list[float] = []
    with servers.started("redis", settings.server_cpu) as server:
        server.fill((f"{key:016x}" for key in range(KEYS)), VALUE_BYTES)
        for turn in range(settings.rounds):
            say(f"connections: round {turn + 1} of {settings.rounds}")
            peaks = {}
            for count in rotated((FEW_CONNECTIONS, many), turn):
                options = ["-c", str(count), "-P", "1", "--keys", str(KEYS), "--value-length", str(VALUE_BYTES)]
                seconds = max(settings.seconds, 1.0)
                result, ended = loadgen_result(server, settings.generator_cpu, ROOT / "src", seconds, options)
                peaks[count] = ended.child_rss_bytes or result["client"]["max_rss_bytes"]
                if count == many:
                    all_work.append(result["conns_active"])
            bytes_each.append((peaks[many] - peaks[FEW_CONNECTIONS]) / (many - FEW_CONNECTIONS))
    if min(all_work) != many:
        raise BenchmarkError(f"of {many} connections, {min(all_work):.0f} were active at the end")
    what = f"memory of each of {many:,} connections"
    rows = [
        ("connections active at the end, without an error", spread(all_work)),
        ("soft limit on open files at the start", number(USUAL_FILES)),
        ("bytes of the worker's memory per connection", spread(bytes_each)),
    ]
    goal = Goal(what, tuple(each / 1024 for each in bytes_each), 8.0, " KiB")
    return Report(
        (table(f"{many:,} connections, redis", ("", ""), rows),), (goal,), {"bytes_per_connection": bytes_each}
    )


# ── Large values ────────────────────────────────────────────────────────────────────────────────────────────────────


def large_values(settings: Settings) -> Report:
    """GETs of 1 MiB: CPU per byte beside a loop that only receives."""
    bare = {"recv": "bare recv into 256 KiB"}
    if sys.platform == "linux":
        bare["discard"] = "bare recv with MSG_TRUNC"
    rates: dict[str, float] = {}
    us_per_mib: dict[str, list[float]] = {name: [] for name in (*bare.values(), "loadgen")}
    with servers.started("redis", settings.server_cpu) as server:
        server.fill((f"{key:016d}" for key in range(LARGE_VALUES)), LARGE_VALUE_BYTES)

        def receive(mode: str, requests: int) -> dict[str, float]:
            shape = [str(LARGE_SHAPE.connections), str(LARGE_SHAPE.depth), str(requests)]
            command = [str(settings.floor.program), str(server.port), *shape, mode, str(LARGE_VALUE_BYTES)]
            said: dict[str, float] = json.loads(run(command, settings.generator_cpu).stdout)
            return said

        def loadgen() -> float:
            options = ["-c", str(LARGE_SHAPE.connections), "-P", str(LARGE_SHAPE.depth), "--mix", "get=1"]
            options += ["--keys", str(LARGE_VALUES), "--value-length", str(LARGE_VALUE_BYTES)]
            result, _ = loadgen_result(server, settings.generator_cpu, ROOT / "src", settings.seconds, options)
            return float(result["client"]["cpu_s"] / result["rx_bytes"])

        def bare_loop(mode: str) -> float:
            if mode not in rates:
                rates[mode] = receive(mode, 100)["req_s"]
            said = receive(mode, max(100, int(rates[mode] * settings.seconds)))
            return said["cpu_s"] / said["bytes"]

        for turn in range(settings.rounds):
            say(f"bytes: round {turn + 1} of {settings.rounds}")
            for mode in rotated(("loadgen", *bare), turn):
                cpu_s = loadgen() if mode == "loadgen" else bare_loop(mode)
                us_per_mib[bare.get(mode, mode)].append(cpu_s * LARGE_VALUE_BYTES * 1e6)
    recv = us_per_mib[bare["recv"]]
    rows = [(name, spread(values), spread(ratios(values, recv))) for name, values in us_per_mib.items()]
    title = f"redis, GET of 1 MiB values, {LARGE_SHAPE.connections} connections × {LARGE_SHAPE.depth}"
    goal = Goal("1 MiB values: CPU per byte, loadgen ÷ bare recv", ratios(us_per_mib["loadgen"], recv), 1.2)
    return Report((table(title, ("", "CPU µs/MiB", "÷ bare recv"), rows),), (goal,), {"cpu_us_per_mib": us_per_mib})


# ── Starting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def starts(settings: Settings) -> Report:
    """`loadgen --version` beside the emptiest Python program."""
    script = shutil.which("loadgen", path=str(Path(sys.executable).parent))
    ours = [script] if script else [sys.executable, "-m", "loadgen"]
    commands = {"loadgen --version": [*ours, "--version"], "python -c pass": [sys.executable, "-c", "pass"]}
    wall_ms: dict[str, list[float]] = {name: [] for name in commands}
    say(f"start: {settings.starts} runs each")
    environment = {} if script else {"PYTHONPATH": str(ROOT / "src")}
    for turn in range(settings.starts):
        for name in rotated(tuple(commands), turn):
            ended = run(commands[name], settings.generator_cpu, environment, look=False)
            wall_ms[name].append(ended.wall_s * 1e3)
    rows = [(name, spread(values)) for name, values in wall_ms.items()]
    goal = Goal("loadgen --version ÷ python -c pass", ratios(*wall_ms.values()), 4.0)
    title = f"Starting{'' if script else ' (as python -m loadgen: the command is not installed)'}"
    return Report((table(title, ("", "wall ms"), rows),), (goal,), {"wall_ms": wall_ms})


SECTIONS: dict[str, Callable[[Settings], Report]] = {
    "shapes": load_shapes,
    "micro": calls,
    "connections": connections,
    "bytes": large_values,
    "start": starts,
}
