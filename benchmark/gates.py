"""Measure how often `loadgen gate` is right on this host.

.venv/bin/python benchmark/gates.py            20 gates of each kind, as in `make gates`: an hour or more
.venv/bin/python benchmark/gates.py --only planted --gates 5

A gate of a server against itself should fail in at most 1 of 20. A gate of a server against itself with 5 % more
service time should fail in at least 18 of 20, and its interval should cover the planted difference in as many.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOADGEN = [sys.executable, "-m", "loadgen"]
CONFIG = ROOT / "benchmark/config/gate.toml"
REDIS = ROOT / "server/config/redis.toml"

# Long beside the rest of a request's service time, and short enough that the server spins through the delay, so that
# the delay is CPU time too.
DELAY_NS = 50_000
PLANTED = 0.05

# The exit statuses of a gate that was held. 2, a wrong config, is not one of them.
ANSWERED = (0, 1, 4)

SERVER_FILE = """\
[target]
protocol = "resp"

[target.server]
command = ["loadgen", "serve", "--host", "{{host}}", "--port", "{{port}}", "--delay", "{delay_ns}ns"]
"""


class NoGate(Exception):
    """A gate could not be held, in a sentence."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate's verdict, and what it rests on."""

    verdict: str
    rounds: int
    took_s: float
    metrics: dict[str, dict[str, Any]]
    why: str

    def __str__(self) -> str:
        cells = [
            f"{name} {row['answer']} {percent(row['effect'])} [{percent(row['ci_low'])}, {percent(row['ci_high'])}]"
            for name, row in self.metrics.items()
        ]
        return f"{self.verdict:<13}{self.rounds:>3} rounds {self.took_s:>5.0f} s   {'; '.join(cells)} {self.why}"


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:+.2f}%"


def hold(baseline: Path, candidate: Path, seed: int, options: Sequence[str]) -> Gate:
    """One gate, run as a user runs it."""
    began_s = time.monotonic()
    command = [*LOADGEN, "gate", str(CONFIG), "--baseline", str(baseline), "--server", str(candidate)]
    done = subprocess.run(
        [*command, "--seed", str(seed), "--format", "json", *options], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode not in ANSWERED:
        raise NoGate(f"{' '.join(command)} ended with exit status {done.returncode}: {done.stderr.strip()}")
    [record] = [each for line in done.stdout.splitlines() if (each := json.loads(line))["type"] == "comparison"]
    took_s = time.monotonic() - began_s
    return Gate(record["answer"], len(record["rounds"]), took_s, record["metrics"], record["refused"] or "")


def throughput_of(server: Path) -> float:
    """What the closed loop reaches, in requests per second: the median of three runs."""
    reached = []
    for _ in range(3):
        command = [*LOADGEN, "run", str(CONFIG), "--server", str(server), "--duration", "2s", "--warmup", "300ms"]
        done = subprocess.run([*command, "--format", "json"], cwd=ROOT, capture_output=True, text=True, check=True)
        reached.append(float(json.loads(done.stdout.splitlines()[-1])["throughput"]))
    return statistics.median(reached)


def itself(name: str, server: Path, options: argparse.Namespace) -> Iterator[str]:
    """A server against itself: every red is false."""
    yield f"## {name} against itself, {options.gates} gates"
    gates = []
    for seed in range(1, options.gates + 1):
        gates.append(hold(server, server, seed, options.rest))
        yield f"{seed:>3} {gates[-1]}"
    yield summary(gates)


def planted(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """The built-in server against itself with 5 % more service time: every red is right."""
    baseline, candidate = folder / "delay.toml", folder / "delay-and-5-percent.toml"
    baseline.write_text(SERVER_FILE.format(delay_ns=DELAY_NS))
    # The delay is not all of the service time. The planted difference is 5 % of the whole, as seen from outside.
    whole_ns = 1e9 / throughput_of(baseline)
    candidate.write_text(SERVER_FILE.format(delay_ns=DELAY_NS + round(PLANTED * whole_ns)))
    effect = 1 / (1 + PLANTED) - 1
    yield f"## built-in server, {PLANTED:.0%} of its {whole_ns / 1e3:.2f} µs per request planted, {options.gates} gates"
    gates, covered = [], 0
    for seed in range(1, options.gates + 1):
        gates.append(hold(baseline, candidate, seed, options.rest))
        row = gates[-1].metrics["throughput"]
        covers = row["ci_low"] <= effect <= row["ci_high"]
        covered += covers
        yield f"{seed:>3} {gates[-1]}  {'covers' if covers else 'misses'} {percent(effect)}"
    yield summary(gates)
    yield f"the interval of throughput covers {percent(effect)} in {covered} of {len(gates)}"


def summary(gates: Sequence[Gate]) -> str:
    verdicts = Counter(gate.verdict for gate in gates)
    listed = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    rounds = statistics.fmean(gate.rounds for gate in gates)
    return f"= {listed}; {rounds:.1f} rounds and {statistics.fmean(gate.took_s for gate in gates):.0f} s on average"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gates", type=int, default=20, metavar="N", help="of each kind (default: 20)")
    parser.add_argument("--only", choices=("redis", "planted"), help="one kind only")
    options, options.rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        kinds: dict[str, Callable[[], Iterator[str]]] = {
            "planted": lambda: planted(Path(folder), options),
            "redis": lambda: itself("redis-server", REDIS, options),
        }
        try:
            for name, lines in kinds.items():
                if options.only in (None, name):
                    for line in lines():
                        print(line, flush=True)
        except NoGate as error:
            print(error, file=sys.stderr)
            return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
