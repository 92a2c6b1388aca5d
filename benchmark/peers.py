"""The generators that are compared, one class each: the command for a shape of load, and the reading of its figures.

All generators have the same load: one thread, 80 % GET and 20 % SET, 10,000 keys of 16 bytes, all of which exist, and
values of 64 bytes. This file starts no server and judges nothing.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from processes import BenchmarkError, Ended, run
from servers import HOST, Server

ROOT = Path(__file__).resolve().parents[1]

KEYS = 10_000
VALUE_BYTES = 64
GETS = 0.8
FIRST_MEMTIER_KEY = 10_000_000

# The soft limit on open files that a login shell sets. loadgen has to raise the limit by itself.
USUAL_FILES = 1024

# loadgen's warm-up before the measured time.
WARMUP_S = 0.2

# The requests of the run that finds a generator's rate before the generator is measured, and the fewest of any run.
TRIAL_REQUESTS = 10_000


@dataclass(frozen=True, slots=True)
class Shape:
    connections: int
    depth: int

    def __str__(self) -> str:
        return f"{self.connections}×{self.depth}"


@dataclass(frozen=True, slots=True)
class Figures:
    """One run of one generator."""

    cpu_us_per_request: float
    """Of the load alone: what starting and connecting cost is not in it."""
    requests_per_s: float
    peak_rss_bytes: int
    """Of all its processes."""
    whole_cpu_us_per_request: float
    """Of all its processes from start to end, by all its requests."""


class Peer(Protocol):
    name: str

    def loads(self, server: Server) -> bool:
        """Whether it speaks the server's protocol."""

    def measure(self, server: Server, shape: Shape, seconds: float, cpu: int | None) -> Figures:
        """Runs it for about so many seconds."""


def every_key() -> Iterator[str]:
    """The keys of all generators; some are the same."""
    for number in range(KEYS):
        yield f"{number:016x}"  # loadgen
        yield f"{number:016d}"  # bare C
        yield f"key:{number:012d}"  # redis-benchmark, valkey-benchmark
        yield f"memtier-{FIRST_MEMTIER_KEY + number}"


def loadgen_result(
    server: Server, cpu: int | None, sources: Path, seconds: float, options: list[str], protocol: str = ""
) -> tuple[dict[str, Any], Ended]:
    """Runs the loadgen in `sources` for a while; its result record, and what became of its process.

    `protocol` is another than the server's usual one.
    """
    command = [sys.executable, "-m", "loadgen", "run", "--host", HOST, "--port", str(server.port)]
    command += ["--protocol", protocol or server.protocol, "--threads", "1", "--key-length", "16", "--format", "json"]
    command += ["--warmup", f"{WARMUP_S}s", "--duration", f"{seconds}s", *options]
    ended = run(command, cpu, {"PYTHONPATH": str(sources)}, USUAL_FILES)
    result = json.loads(ended.stdout.splitlines()[-1])
    if result["type"] != "result" or result["errors"] or result["misses"]:
        raise BenchmarkError(f"loadgen's run against {server.kind} had errors or misses: {result}")
    return result, ended


class Loadgen:
    """CPU is that of the worker in the measure phase, as its result says; `whole` has start-up and front end, too."""

    def __init__(self, name: str = "loadgen", sources: Path = ROOT / "src", more: tuple[str, ...] = ()) -> None:
        self.name = name
        self.sources = sources
        self.more = more
        """Further flags."""

    def loads(self, server: Server) -> bool:
        return True

    def measure(self, server: Server, shape: Shape, seconds: float, cpu: int | None) -> Figures:
        options = ["-c", str(shape.connections), "-P", str(shape.depth), "--mix", "get=80,set=20"]
        options += ["--keys", str(KEYS), "--value-length", str(VALUE_BYTES), *self.more]
        result, ended = loadgen_result(server, cpu, self.sources, seconds, options)
        return Figures(
            result["client"]["cpu_us_per_request"],
            result["responses"] / result["duration_secs"],
            ended.peak_rss_bytes,
            ended.cpu_s / result["totals"]["sent"] * 1e6,
        )


@dataclass
class Floor:
    """A program with the arguments of `floor/floor.c`. It says itself what its load cost, without connecting."""

    name: str
    program: Path
    knows_memcache: bool
    _rates: dict[tuple[str, Shape], float] = field(default_factory=dict)

    def loads(self, server: Server) -> bool:
        return self.knows_memcache or server.kind == "redis"

    def measure(self, server: Server, shape: Shape, seconds: float, cpu: int | None) -> Figures:
        at = (server.kind, shape)
        if at not in self._rates:
            self._rates[at] = self.load(server, shape, TRIAL_REQUESTS, cpu)[0]["req_s"]
        requests = max(TRIAL_REQUESTS, int(self._rates[at] * seconds))
        said, ended = self.load(server, shape, requests, cpu)
        return Figures(said["cpu_us_per_request"], said["req_s"], ended.peak_rss_bytes, ended.cpu_s / requests * 1e6)

    def load(self, server: Server, shape: Shape, requests: int, cpu: int | None) -> tuple[dict[str, float], Ended]:
        command = [str(self.program), str(server.port), str(shape.connections), str(shape.depth), str(requests)]
        ended = run(command + (["memcache"] if server.kind == "memcached" else []), cpu)
        return json.loads(ended.stdout), ended


@dataclass(frozen=True, slots=True)
class Load:
    """What a program that counts requests, and does not say what they cost, did."""

    requests: int
    requests_per_s: float
    ended: Ended


class Counted:
    """A program that is told how many requests to make. What starting and connecting cost is found once, by a run with
    as few requests as there are slots, and taken off."""

    def __init__(self) -> None:
        self.more: tuple[str, ...] = ()
        """Further flags."""
        self._known: dict[tuple[object, ...], tuple[Load, float]] = {}

    def marginal(self, load: Loader, key: tuple[object, ...], slots: int, seconds: float) -> tuple[float, Load]:
        """CPU µs per request of a run of about so many seconds, and that run."""
        if key not in self._known:
            self._known[key] = load(slots), load(max(TRIAL_REQUESTS, 4 * slots)).requests_per_s
        least, rate = self._known[key]
        run = load(max(TRIAL_REQUESTS, 4 * slots, int(rate * seconds)))
        return (run.ended.cpu_s - least.ended.cpu_s) / (run.requests - least.requests) * 1e6, run


class Loader(Protocol):
    def __call__(self, requests: int) -> Load:
        """Makes about so many requests, and at least one for each slot."""


class RedisBenchmark(Counted):
    """redis-benchmark, and valkey-benchmark, which has its options. They cannot mix: GET and SET run one after the
    other, and their figures are weighted."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self.name = program

    def loads(self, server: Server) -> bool:
        return server.kind == "redis"

    def measure(self, server: Server, shape: Shape, seconds: float, cpu: int | None) -> Figures:
        def loader(test: str) -> Loader:
            return lambda requests: self.load(server, shape, test, requests, cpu)

        slots = shape.connections * shape.depth
        get_us, gets = self.marginal(loader("get"), (shape, "get"), slots, seconds * GETS)
        set_us, sets = self.marginal(loader("set"), (shape, "set"), slots, seconds * (1 - GETS))
        whole = [load.ended.cpu_s / load.requests * 1e6 for load in (gets, sets)]
        return Figures(
            GETS * get_us + (1 - GETS) * set_us,
            1 / (GETS / gets.requests_per_s + (1 - GETS) / sets.requests_per_s),
            max(gets.ended.peak_rss_bytes, sets.ended.peak_rss_bytes),
            GETS * whole[0] + (1 - GETS) * whole[1],
        )

    def load(self, server: Server, shape: Shape, test: str, requests: int, cpu: int | None) -> Load:
        command = [self.name, "-h", HOST, "-p", str(server.port), "-t", test, "-n", str(requests), "--csv"]
        command += ["-c", str(shape.connections), "-P", str(shape.depth), "-r", str(KEYS), "-d", str(VALUE_BYTES)]
        ended = run([*command, *self.more], cpu)
        rows = [row for row in csv.reader(ended.stdout.splitlines()) if row and row[0] == test.upper()]
        if not rows:
            raise BenchmarkError(f"{self.name} said nothing of {test}: {ended.stdout!r}")
        return Load(requests, float(rows[0][1]), ended)


class Memtier(Counted):
    name = "memtier_benchmark"

    def loads(self, server: Server) -> bool:
        return True

    def measure(self, server: Server, shape: Shape, seconds: float, cpu: int | None) -> Figures:
        def load(requests: int) -> Load:
            return self.load(server, shape, requests, cpu)

        slots = shape.connections * shape.depth
        cpu_us, load_run = self.marginal(load, (server.kind, shape), slots, seconds)
        whole_us = load_run.ended.cpu_s / load_run.requests * 1e6
        return Figures(cpu_us, load_run.requests_per_s, load_run.ended.peak_rss_bytes, whole_us)

    def load(self, server: Server, shape: Shape, requests: int, cpu: int | None) -> Load:
        each = -(-requests // shape.connections)
        protocol = "memcache_text" if server.kind == "memcached" else "redis"
        command = [self.name, "-s", HOST, "-p", str(server.port), f"--protocol={protocol}", "--threads=1"]
        command += [f"--clients={shape.connections}", f"--pipeline={shape.depth}", f"--requests={each}", "--ratio=1:4"]
        command += ["--key-prefix=memtier-", f"--key-minimum={FIRST_MEMTIER_KEY}", "--key-pattern=R:R"]
        command += [f"--key-maximum={FIRST_MEMTIER_KEY + KEYS - 1}", f"--data-size={VALUE_BYTES}", "--hide-histogram"]
        ended = run([*command, *self.more], cpu)
        totals = [line.split() for line in ended.stdout.splitlines() if line.startswith("Totals")]
        if not totals:
            raise BenchmarkError(f"{self.name} printed no totals: {ended.stdout[-500:]!r}")
        return Load(each * shape.connections, float(totals[0][1]), ended)


def installed_peers() -> list[Peer]:
    """The other generators that this machine has."""
    peers: list[Peer] = [
        RedisBenchmark(program) for program in ("redis-benchmark", "valkey-benchmark") if shutil.which(program)
    ]
    return peers + ([Memtier()] if shutil.which(Memtier.name) else [])
