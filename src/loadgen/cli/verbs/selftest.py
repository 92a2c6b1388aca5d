"""Measure the limits of the generator itself on this host, against a server that does nothing, and keep the figures.

Later runs report their throughput as a share of this ceiling, beside the floor of latency.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime

import loadgen
from loadgen import output
from loadgen.cli import interrupts
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import ValueKind, choice
from loadgen.errors import ExitCode
from loadgen.host import machine, neighbours
from loadgen.host.neighbours import Busy
from loadgen.output.paper.sink import Sink
from loadgen.runner.stop import Stop
from loadgen.selftest.bench import FLOOR_RATE_PER_S, Bench
from loadgen.selftest.reach import SelfTest, keep
from loadgen.server_plan import builtin
from loadgen.units import NS_PER_S, parse_duration, shown
from loadgen.version import __version__

CONNECTIONS = 50
# The warm-up, as a share of a measurement.
WARMUP = 0.2


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
                Option(("--format",), "format of the figures", choice(("clean", "json")), default="clean"),
                Option(
                    ("--seconds",),
                    "length of each measurement, in seconds (default: 1)",
                    ValueKind("S", _seconds),
                    default=1.0,
                ),
                Option(("--keep-anyway",), "keep the figures even when the host was busy during the measurements"),
            ),
        ),
    )
)


def run(args: Given) -> int:
    """Measure, print and keep the figures. Raises LoadgenError when the built-in server or a worker cannot run."""
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    say = _print if args.format == "clean" else _say_nothing
    bar = output.create_progress(sys.stderr)
    watch, began_s = neighbours.NeighbourWatch(), time.monotonic()
    null = replace(builtin("resp", "--null"), cpus=tuple(cpus[-1:]) if len(cpus) > 1 else ())
    server = loadgen.Server(null, is_builtin=True)
    where = "server and worker on the only CPU: the ceiling is theirs together"
    if len(cpus) > 1:
        where = f"one worker on CPU {cpus[0]}, null server on CPU {cpus[-1]}"
    plan = plan_of(server, args.seconds, cpus[0] if len(cpus) > 1 else None)
    stop = Stop()
    with contextlib.closing(bar), server, interrupts.caught(stop):
        bench = Bench(plan, bar.emit, stop=stop)
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
    """Keep the figures, and return YES. Return CANNOT_TELL if other processes used too much of the host meanwhile."""
    if busy.reasons and not anyway:
        output.remark(
            f"loadgen: the figures are not kept, as this host was busy: {'; '.join(busy.reasons)}. Stop what else runs "
            "and repeat the self-test, or keep them with --keep-anyway."
        )
        return ExitCode.CANNOT_TELL
    if not keep(test):
        output.remark("warning: the self-test could not be kept: no directory for it can be written (XDG_STATE_HOME)")
    return ExitCode.YES


def plan_of(server: loadgen.Server, seconds: float, cpu: int | None) -> loadgen.Plan:
    """Return the plan of one worker in a closed loop for `seconds`, pinned to `cpu` if there is one."""
    return loadgen.Plan(
        server,
        connections=CONNECTIONS,
        warmup=f"{WARMUP * seconds:.3f}s",
        duration=f"{seconds:.3f}s",
        seed=1,
        threads=1,
        cpu_list=None if cpu is None else str(cpu),
    )


def _print(line: str) -> None:
    Sink(sys.stdout).write(line + "\n")


def _say_nothing(line: str) -> None:
    pass
