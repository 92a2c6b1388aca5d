"""What each step from one worker to many machines gives, and what a leader pays for each of its agents.

The steps put the same load on one redis-server: by one worker, two workers, two agents, and two agents in network
namespaces of their own (as root). The leader's cost is the CPU time of its process in the measure window, by agent and
second: with agents that send a little, and with agents that only report, which may be many.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import servers
from pretended import REQUESTS, Pretended, allow_files
from table import spread, table

from loadgen import config
from loadgen.events import Event, PhaseBegan
from loadgen.fleet.fleet import launched
from loadgen.fleet.launchers import Launcher, launcher_of
from loadgen.host.machine import fingerprint
from loadgen.judge.judging import Judging
from loadgen.phase import Phase
from loadgen.runner.run import Run

NAMESPACES = ("lg-agents-a", "lg-agents-b")
BRIDGE = "lg-agents"
SUBNET = "198.19.77"
"""Of the block for benchmarks (RFC 2544)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One way to put the load on."""

    name: str
    words: tuple[str, ...]
    host: str = servers.HOST
    needs_root: bool = False


STEPS = (
    Step("1 worker", ("--threads", "1")),
    Step("2 workers", ("--threads", "2")),
    Step("2 agents", ("--threads", "1", "--on", "local:2")),
    Step(
        "2 agents in namespaces",
        ("--threads", "1", "--on", f"netns:{','.join(NAMESPACES)}"),
        f"{SUBNET}.1",
        needs_root=True,
    ),
)
LOADS = {
    "closed, 8 connections × 16": ("-c", "8", "-P", "16"),
    "20,000 req/s": ("-c", "8", "-P", "16", "--rate", "20000"),
}


@contextlib.contextmanager
def namespaces() -> Iterator[None]:
    """Two network namespaces on a bridge, which has the first address."""
    with contextlib.ExitStack() as stack:

        def ip(words: str, undo: str = "") -> None:
            if undo:
                stack.callback(subprocess.run, ["ip", *undo.split()], check=False, capture_output=True)
            subprocess.run(["ip", *words.split()], check=True, capture_output=True)

        ip(f"link add {BRIDGE} type bridge", f"link del {BRIDGE}")
        ip(f"addr add {SUBNET}.1/24 dev {BRIDGE}")
        ip(f"link set {BRIDGE} up")
        for number, name in enumerate(NAMESPACES):
            ip(f"netns add {name}", f"netns del {name}")
            ip(f"link add {BRIDGE}-{number} type veth peer name eth0 netns {name}")
            ip(f"link set {BRIDGE}-{number} master {BRIDGE} up")
            ip(f"-n {name} addr add {SUBNET}.{number + 2}/24 dev eth0")
            ip(f"-n {name} link set eth0 up")
            ip(f"-n {name} link set lo up")
        yield


def steps(seconds: float, rounds: int) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Return by load and step, for each round, what a run of so many seconds came to."""
    with_root = os.geteuid() == 0 and shutil.which("ip") is not None
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    with contextlib.ExitStack() as stack:
        if with_root:
            stack.enter_context(namespaces())
        more = ["--bind", "0.0.0.0", "--protected-mode", "no"] if with_root else []
        server = stack.enter_context(servers.started("redis", None, more))
        for _ in range(rounds):
            for load, of_load in LOADS.items():
                for step in STEPS:
                    if with_root or not step.needs_root:
                        figures = one(server.port, step, of_load, seconds)
                        found.setdefault(load, {}).setdefault(step.name, []).append(figures)
    return found


def one(port: int, step: Step, load: Sequence[str], seconds: float) -> dict[str, float]:
    """Put a load on by loadgen's command, and return its figures."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "run.json")
        command = [sys.executable, "-m", "loadgen", "run", "-h", step.host, "-p", str(port), *step.words, *load]
        command += ["--duration", f"{seconds}s", "--warmup", "500ms", "--keys", "10000", "-o", str(file)]
        command += ["--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not file.exists() or done.returncode not in (0, 4):
            raise SystemExit(f"{step.name}: {done.stderr}")
        records = [json.loads(line) for line in file.read_text().splitlines()]
    result = next(record for record in records if record["type"] == "result")
    return {
        "throughput_per_s": result["throughput"],
        "cpu_us": result["client"]["cpu_us_per_request"],
        "p99_us": result["latency"]["all"]["response"]["p99_ns"] / 1000,
    }


@dataclass(frozen=True, slots=True)
class Led:
    """What leading so many agents took."""

    agents: int
    launch_s: float
    cpu_ms: float
    """CPU time of the leader in the measure window, per agent and second."""
    busy: float
    """CPUs that the leader used in that window."""
    telling_ms: float
    """CPU time of the leader, per agent, to tell them the plan."""
    requests: int


def lead(launcher: Launcher | Pretended, count: int, port: int, seconds: float) -> Led:
    """Lead so many agents in this process, and return what it took."""
    allow_files(6 * count + 100)
    marks: dict[str, tuple[float, float]] = {}

    def emit(event: Event) -> None:
        if isinstance(event, PhaseBegan):
            marks[event.phase] = (time.process_time(), time.monotonic())

    settings = config.load(
        None,
        [f"general.duration={round(1000 * seconds)}ms", "general.warmup=0s", "general.threads=1"],
        {
            "target.endpoints": [f"{servers.HOST}:{port}"],
            "connection.connections": count,
            "workload.rate_limit": 10.0 * count,
            "workload.keyspace.count": 1000,
        },
    )
    plan = config.resolve(settings).spread(count)
    began_s = time.monotonic()
    with launched(launcher) as fleet:
        launch_s, launched_cpu_s = time.monotonic() - began_s, time.process_time()
        result = Run(plan, emit, judging=Judging(), members=fleet).result()
    if result.failure:
        raise SystemExit(f"{count} agents: {result.failure}")
    cpu_s, window_s = (after - before for after, before in zip(marks[Phase.DRAIN], marks[Phase.MEASURE], strict=True))
    cpu_ms = 1000 * cpu_s / count / window_s
    telling_ms = 1000 * (marks[Phase.CONNECT][0] - launched_cpu_s) / count
    return Led(count, launch_s, cpu_ms, cpu_s / window_s, telling_ms, result.measured.total.planned)


def leaders(real: Sequence[int], pretended: Sequence[int], seconds: float) -> dict[str, list[Led]]:
    """Return what leading agents took: those that send, and those that only report."""
    with servers.started("redis", None) as server:
        sending = [lead(launcher_of(f"local:{count}"), count, server.port, seconds) for count in real]
        reporting = [lead(Pretended(count), count, server.port, seconds) for count in pretended]
    for each in reporting:
        # The leader has the sum of all reports: a report each second, and the last.
        reported = each.agents * REQUESTS * math.ceil(seconds)
        if each.requests != reported:
            raise SystemExit(f"{each.agents} agents reported {reported} requests, and the leader has {each.requests}.")
    return {"agents that send 10 req/s": sending, "agents that only report": reporting}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--agents", default="1,8,32", help="numbers of agents that send")
    parser.add_argument("--pretended", default="1,8,32,100,1000", help="numbers of agents that only report")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    real, pretended = ([int(word) for word in words.split(",") if word] for words in (given.agents, given.pretended))
    print(fingerprint())
    by_load = steps(given.seconds, given.rounds) if given.rounds else {}
    for load, by_step in by_load.items():
        print()
        rows = [
            (name, *(spread([figures[key] for figures in all_of]) for key in ("throughput_per_s", "cpu_us", "p99_us")))
            for name, all_of in by_step.items()
        ]
        print(table(load, ("", "req/s", "CPU µs per request", "p99 µs"), rows))
    by_kind = leaders(real, pretended, given.seconds)
    for kind, found in by_kind.items():
        print()
        rows = [
            (
                str(led.agents),
                f"{led.cpu_ms:.2f}",
                f"{100 * led.busy:.1f}",
                f"{led.launch_s:.1f}",
                f"{led.telling_ms:.2f}",
            )
            for led in found
        ]
        head = ("agents", "CPU ms per agent and s", "CPU % of a core", "launched in s", "CPU ms per agent for the plan")
        print(table(kind, head, rows))
    if given.json:
        leader = {kind: [asdict(led) for led in found] for kind, found in by_kind.items()}
        given.json.write_text(json.dumps({"steps": by_load, "leader": leader}))


if __name__ == "__main__":
    main()
