"""Faults of each layer on nodes of a Redis Cluster that loadgen starts: who takes over, and for how long keys failed.

A row is one run of benchmark/config/fault-cluster.toml with another fault. It holds if the run does (exit status 0:
every failure is the fault's, and the fault had an effect), if everything is accounted for, and if another node took
over where one should. How late the generator was is not judged: nothing here is about microseconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "benchmark/config/fault-cluster.toml"
BRIEF = (
    *("general.warmup=1s", "general.duration=14s", "workload.rate_limit=2000", "connection.request_timeout=1s"),
    *("verdict.lag=30s", "verdict.shortfall=1"),
)


@dataclass(frozen=True)
class Row:
    """A fault, and what it is to lead to."""

    fault: str
    takes_over: bool = True
    settings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.fault, *self.settings])


ON_MASTER = 'on = "master 1", at = "3s", for = "5s"'
ROWS = (
    Row(f'kind = "kill", {ON_MASTER}'),
    Row(f'kind = "kill", {ON_MASTER}', settings=('target.read_from="all"',)),
    Row(f'kind = "pause", {ON_MASTER}'),
    Row(f'kind = "black_hole", {ON_MASTER}'),
    Row(f'kind = "link_down", {ON_MASTER}'),
    Row('kind = "kill", on = "master 1", at = "3s", for = "3s", every = "5s", times = 2'),
    Row('kind = "kill", on = ["master 1", "master 3"], at = "3s", for = "5s", stagger = "6s"'),
    Row('kind = "kill", on = "replica 1", at = "3s", for = "3s"', takes_over=False),
    Row('kind = "delay", on = "master 2", at = "3s", for = "3s", delay = "20ms"', takes_over=False),
    Row('kind = "loss", on = "all", at = "3s", for = "3s", probability = 0.02', takes_over=False),
    Row('kind = "down", on = "master 2", at = "3s", for = "2s"', takes_over=False),
)


def run(row: Row) -> tuple[int, dict[str, Any], str]:
    """Run a row; return its exit status, its result (empty where it has none) and what it said."""
    settings = (*BRIEF, *row.settings, f"fault=[{{{row.fault}}}]")
    words = [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(
        [sys.executable, "-m", "loadgen", str(CONFIG), "--format", "json", *words],
        capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    records = [json.loads(line) for line in done.stdout.splitlines()]
    result = next((record for record in records if record["type"] == "result"), {})
    return done.returncode, result, done.stderr.strip()


def judged(row: Row, status: int, result: dict[str, Any], said: str) -> tuple[bool, str]:
    """Return whether a row holds, and what it came to, in words."""
    if status != 0:
        return False, f"exit status {status}: {said.splitlines()[-1] if said else 'nothing was said'}"
    changes = [words for change in result.get("changes", ()) for words in change["words"]]
    took_over = any("serves instead of" in words for words in changes)
    out_s = [
        each["last_failed_secs"] - each["first_failed_secs"]
        for each in result.get("outages", ())
        if each["first_failed_secs"] is not None
    ]
    worst = f"failing for {max(out_s):.2f} s" if out_s else "nothing failed"
    failed = result["requests"] - sum(node["ok"] for node in result["nodes"])
    words = f"{worst}, {failed:,} of {result['requests']:,} requests failed, {'; '.join(changes) or 'no change'}"
    if result["unaccounted"]:
        return False, f"{result['unaccounted']} requests are not accounted for"
    return took_over == row.takes_over, words


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--only", default="", help="rows whose text has this")
    only = asked.parse_args().only
    failed = 0
    for row in ROWS:
        if only not in str(row):
            continue
        holds, words = judged(row, *run(row))
        print(f"{'holds' if holds else 'FAILS'}  {row}\n       {words}", flush=True)
        failed += not holds
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
