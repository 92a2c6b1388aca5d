"""Find what the generator itself can do on this host, against a server that does nothing, and keep it.

Later runs say where they stood: which share of this ceiling, and how much of their latency is the floor's.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime

from loadgen import __version__, config, output
from loadgen.cli import interrupts
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import ValueKind, choice
from loadgen.errors import ExitCode, WorkerError
from loadgen.events import Event, Overall, Part, Progress, Result
from loadgen.host import machine, neighbours
from loadgen.host.neighbours import Busy
from loadgen.judge.verdict import VerdictLimits
from loadgen.output.paper.sink import Sink
from loadgen.runner.run import Run
from loadgen.runner.stop import Stop
from loadgen.selftest.reach import Reach, SelfTest, keep
from loadgen.server_plan import builtin
from loadgen.target.server import ManagedServer
from loadgen.units import NS_PER_S, parse_duration, shown

DEPTHS = (1, 8, 32)
CONNECTIONS = 50
FLOOR_RATE_PER_S = 1000
# An open loop's ceiling is looked for as a part of the closed loop's, halving so many times.
HALVINGS = 6
# A rate that achieves less was beyond the server, so it says nothing of the generator.
LEAST_ACHIEVED = 0.99
# As a part of a measurement.
WARMUP = 0.2
# What starting, connecting and draining take beside, and no more than that.
AROUND_S = 1.0
MEASUREMENTS = len(DEPTHS) * (1 + HALVINGS) + 1


def _seconds(word: str) -> float:
    seconds = parse_duration(word) / NS_PER_S
    if not 0.05 <= seconds <= 60:
        raise ValueError(f"{shown(word)} is not a time from 0.05 to 60 seconds")
    return seconds


SYNTAX = Syntax(
    (
        OptionGroup(
            "options",
            (
                Option(("--format",), "how it is printed", choice(("clean", "json")), default="clean"),
                Option(
                    ("--seconds",),
                    "how long each measurement lasts (default: 1)",
                    ValueKind("S", _seconds),
                    default=1.0,
                ),
                Option(("--keep-anyway",), "keep the figures even where the host was busy while they were taken"),
            ),
        ),
    )
)


def run(args: Given) -> int:
    """Measures, prints and keeps. Raises LoadgenError when the built-in server or a worker cannot run."""
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    say = _print if args.format == "clean" else _say_nothing
    bar = output.create_progress(sys.stderr)
    watch, began_s = neighbours.NeighbourWatch(), time.monotonic()
    null = replace(builtin("resp", "--null"), cpus=tuple(cpus[-1:]) if len(cpus) > 1 else ())
    with contextlib.closing(bar), ManagedServer(null) as server:
        pins = ["general.threads=1"]
        where = "server and worker on the only CPU: the ceiling is theirs together"
        if len(cpus) > 1:
            pins.append(f'general.cpu_list="{cpus[0]}"')
            where = f"one worker on CPU {cpus[0]}, null server on CPU {cpus[-1]}"
        bench = _Bench(f"127.0.0.1:{server.port}", args.seconds, pins, bar.emit)
        say(f"loadgen {__version__} selftest on {machine.fingerprint()}")
        say(f"{where}, {CONNECTIONS} connections\n")
        say(f"{'depth':>5}{'closed loop':>20}{'open loop, valid up to':>28}")
        reaches = []
        for reach in bench.reaches():
            reaches.append(reach)
            bar.close()
            bound = "≥ " if reach.closed_is_bound else ""
            say(
                f"{reach.depth:>5}{bound + f'{reach.closed_per_s:,.0f}' + ' req/s':>20}"
                f"{f'{reach.open_per_s:,.0f} req/s':>28}"
            )
        p50_ns, p99_ns = bench.floor()
    say(f"\nfloor at {FLOOR_RATE_PER_S:,} req/s: p50 {p50_ns / 1e3:.1f} µs, p99 {p99_ns / 1e3:.1f} µs")
    if any(reach.closed_is_bound for reach in reaches):
        say("≥ the server was busier than the worker, which could have done more")
    say(output.count(bench.begun, "measurement", time.monotonic() - began_s))
    taken = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    test = SelfTest(__version__, machine.fingerprint(), taken, tuple(reaches), p50_ns, p99_ns)
    if args.format == "json":
        _print(json.dumps({"type": "selftest", **asdict(test)}))
    return kept(test, watch.busy(bench.waited), anyway=bool(args.keep_anyway))


def kept(test: SelfTest, busy: Busy, *, anyway: bool = False) -> ExitCode:
    """Keeps the figures, unless others had too much of this host while they were taken: YES or CANNOT_TELL."""
    if busy.reasons and not anyway:
        output.remark(
            f"loadgen: the figures are not kept, as this host was busy: {'; '.join(busy.reasons)}. Stop what else runs "
            "and repeat the self-test, or keep them with --keep-anyway."
        )
        return ExitCode.CANNOT_TELL
    if not keep(test):
        output.remark("warning: the self-test could not be kept: no directory for it can be written (XDG_STATE_HOME)")
    return ExitCode.YES


class _Bench:
    """One worker against one null server, measured again and again."""

    def __init__(self, endpoint: str, seconds: float, pins: list[str], emit: Callable[[Event], None]) -> None:
        self._seconds = seconds
        self._emit = emit
        self.begun = 0
        """How many measurements have begun."""
        self._wall_ns = self._waited_ns = 0
        self._settings = [
            f'target.endpoints=["{endpoint}"]',
            f"connection.connections={CONNECTIONS}",
            f"general.warmup={WARMUP * seconds:.3f}s",
            f"general.duration={seconds:.3f}s",
            "general.seed=1",
            *pins,
        ]

    def measure(self, depth: int, rate_per_s: float = 0.0) -> Result:
        settings = [f"connection.pipeline_depth={depth}", f"workload.rate_limit={rate_per_s:.3f}"]
        plan = config.resolve(config.load(None, [*self._settings, *settings]))
        self.begun += 1
        stop = Stop()
        with interrupts.caught(stop):
            result = Run(plan, self.tell, stop=stop).result()
        if result.interrupted:
            raise KeyboardInterrupt
        if result.failure:
            raise WorkerError(result.failure)
        self._wall_ns += sum(worker.wall_ns for worker in result.signs.workers)
        self._waited_ns += sum(worker.queued_ns or 0 for worker in result.signs.workers)
        return result

    @property
    def waited(self) -> float:
        """The share of all measurements' time in which the worker was ready to run and had no CPU."""
        return self._waited_ns / self._wall_ns if self._wall_ns else 0.0

    def tell(self, event: Event) -> None:
        """Passes on how far all measurements have come."""
        if isinstance(event, Progress):
            each_s = AROUND_S + (1 + WARMUP) * self._seconds
            rest_ns = round((MEASUREMENTS - self.begun + 1) * each_s * NS_PER_S)
            self._emit(replace(event, overall=Overall((Part("measurement", self.begun, MEASUREMENTS),), rest_ns)))

    def reaches(self) -> Iterator[Reach]:
        for depth in DEPTHS:
            closed = self.measure(depth)
            [worker] = closed.signs.workers
            is_bound = worker.cpu_ns < VerdictLimits().cpu_share * worker.wall_ns
            yield Reach(depth, closed.throughput_per_s, is_bound, self.open_ceiling(depth, closed.throughput_per_s))

    def open_ceiling(self, depth: int, closed_per_s: float) -> float:
        """The highest rate, to a 64th of the closed loop's, that is kept up with a valid verdict."""
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            result = self.measure(depth, middle * closed_per_s)
            if (
                result.valid
                and result.throughput_per_s >= LEAST_ACHIEVED * result.measured.total.planned / self._seconds
            ):
                low = middle
            else:
                high = middle
        return low * closed_per_s

    def floor(self) -> tuple[int, int]:
        """p50 and p99 of response time at a rate that nobody has to wait at."""
        latency = self.measure(1, FLOOR_RATE_PER_S).measured.latency()
        return latency.quantile(0.5), latency.quantile(0.99)


def _print(line: str) -> None:
    Sink(sys.stdout).write(line + "\n")


def _say_nothing(line: str) -> None:
    pass
