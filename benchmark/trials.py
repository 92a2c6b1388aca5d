"""The trials that take too long for `make test`: acceptance by figures, the clients' table, and every scenario once.

    make trials                     all of it, within the hour; as root, so that faults of the network can come
    make trials ARGS="--only 4.6"   one of them

Each trial is a `loadgen chaos` of its own; what its record must say is a function here. The log is Markdown, printed,
and written to benchmark/results/trials.md. The exit status is 1 when a figure is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadgen.config import catalogue

Record = dict[str, Any]
Judge = Callable[[Record], Iterator[tuple[str, bool]]]

HERE = Path(__file__).parent
CLIENTS = "builtin,pymemcache,aiomcache,redis-py,valkey-py,coredis"
BRIEF = ("phases.settle=1s", "phases.baseline=2s", "phases.recovery=4s", "limits.recovery=4s")
"""The phases of a matrix of all scenarios, which asks whether each runs and its accounts add up."""


def chaos(*words: str, timeout_s: float = 900.0) -> tuple[int, list[Record]]:
    """Run the command, and return its exit status and the record of each trial."""
    command = [sys.executable, "-m", "loadgen", "chaos", *words, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
    if not done.stdout:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done.returncode, json.loads(done.stdout)["results"]


def checked(trial: Record, name: str) -> Record:
    return next(check for check in trial["checks"] if check["name"] == name)


def right(trial: Record) -> Iterator[tuple[str, bool]]:
    """Of every trial: it was run, no answer was wrong, and nothing was left."""
    for name in ("fault fired", "answers right", "nothing left"):
        check = checked(trial, name)
        yield f"{name}: {check['found']}", check["passed"] is True


# ── Acceptance ────────────────────────────────────────────────────────────────────────────────────────────────────────


def loss(trial: Record) -> Iterator[tuple[str, bool]]:
    """4.3: retransmissions at the least time of TCP, and no connection closed."""
    yield from right(trial)
    most_s = trial["phases"]["fault"]["by_node"]["1"]["latency"]["max_ns"] / 1e9
    yield f"the slowest operation on node 1 took {most_s:.3f} s: a packet was repeated", most_s >= 0.2
    state = trial["phases"]["recovery"]["states"]["1"]
    yield f"connections closed on node 1: {state['closed']}", state["closed"] == 0
    median_s = trial["phases"]["fault"]["by_node"]["2"]["latency"]["p50_ns"] / 1e9
    yield f"p50 of a node without loss: {1e3 * median_s:.2f} ms", median_s < 0.1


def killed(trial: Record) -> Iterator[tuple[str, bool]]:
    """4.6: open within 2 s; refusals fast; closed within 6 s of the restart."""
    yield from right(trial)
    changes = [each for each in trial["transitions"] if each["node"] == 1]
    [spell] = trial["faults"][0]["spells"]
    opened = [each["at_secs"] - spell["began_secs"] for each in changes if each["after"] == "open"]
    yield f"opened {min(opened, default=math.inf):.2f} s after the kill", min(opened, default=math.inf) <= 2.0
    closed = [each["at_secs"] - spell["ended_secs"] for each in changes if each["after"] == "closed"]
    yield f"closed {max(closed, default=math.inf):.2f} s after the restart", max(closed, default=math.inf) <= 6.5
    yield f"refusals: {checked(trial, 'refusals fast')['found']}", checked(trial, "refusals fast")["passed"] is True


def paused(trial: Record) -> Iterator[tuple[str, bool]]:
    """4.7 and 4.8: no operation over 300 ms with a deadline of 200 ms, the others keep their rate, never stuck."""
    yield from right(trial)
    slowest_s = max(trial["phases"][phase]["slowest_secs"] for phase in ("fault", "recovery"))
    yield f"the slowest operation took {slowest_s:.3f} s", slowest_s <= 0.3
    yield (
        f"healthy nodes: {checked(trial, 'healthy nodes')['found']}",
        checked(trial, "healthy nodes")["passed"] is True,
    )
    yield f"breaker: {checked(trial, 'breaker')['found']}", checked(trial, "breaker")["passed"] is True


def spiky(trial: Record) -> Iterator[tuple[str, bool]]:
    """4.9: operations time out, and no late reply is delivered."""
    yield from right(trial)
    timeouts = trial["phases"]["fault"]["all"]["errors"].get("timeout", 0)
    yield f"timeouts: {timeouts}", timeouts >= 1


def served(least: float, most: float) -> Judge:
    """4.12: the share of operations that succeed while nodes are down."""

    def judge(trial: Record) -> Iterator[tuple[str, bool]]:
        yield from right(trial)
        share = trial["phases"]["fault"]["all"]["success"]
        yield f"successes {100 * share:.1f} % (from {100 * least:.0f} to {100 * most:.0f})", least <= share <= most

    return judge


@dataclass(frozen=True)
class Row:
    """One acceptance."""

    name: str
    words: tuple[str, ...]
    judge: Judge


ROWS = (
    Row("4.3 packet-loss-5-pct", ("--scenario", "packet-loss-5-pct", "--quick", "--duration", "30s"), loss),
    Row("4.6 kill", ("--scenario", "kill-1-of-3", "--quick", "--duration", "5s", "--set", "phases.recovery=12s"),
        killed),
    Row("4.7 pause", ("--scenario", "pause-1-of-3", "--quick", "--duration", "8s", "--set", "phases.recovery=12s"),
        paused),
    Row("4.9 latency spikes", ("--scenario", "latency-spikes", "--quick", "--duration", "30s"), spiky),
    Row("4.12 one of 3 down", ("--scenario", "kill-1-of-3", "--quick", "--duration", "20s", "--workload", "get-heavy",
                               "--set", "rate=600"), served(0.62, 0.72)),
    Row("4.12 two of 3 down", ("--scenario", "kill-2-of-3", "--quick", "--duration", "20s", "--workload", "get-heavy",
                               "--set", "rate=600"), served(0.28, 0.40)),
    Row("4.12 with failover", ("--scenario", "kill-1-of-3", "--quick", "--duration", "20s", "--workload", "get-heavy",
                               "--set", "rate=600", "--set", "client.failover=true"), served(0.95, 1.0)),
)  # fmt: skip


def acceptance(rows: Sequence[Row]) -> Iterator[tuple[str, bool]]:
    for row in rows:
        yield f"\n### {row.name}: `loadgen chaos {' '.join(row.words)} --seed 1`\n", True
        _, [trial] = chaos(*row.words, "--seed", "1")
        for words, holds in row.judge(trial):
            yield f"- {'ok' if holds else '**NOT OK**'} {words}", holds


# ── Tables ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def clients(scenarios: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield the table of clients: the README's, when the machine is calm."""
    for scenario in scenarios:
        yield f"\n### Clients under {scenario}\n", True
        _, trials = chaos("--scenario", scenario, "--client", CLIENTS, "--quick", "--seed", "1", "--set", "rate=300")
        yield (
            "| client | answer | detected | recovered | wrong | leaked | errors | p50 / p95 / p99 in the fault |",
            True,
        )
        yield "|---|---|---|---|---|---|---|---|", True
        for trial in trials:
            yield row_of(trial), True


def row_of(trial: Record) -> str:
    """Return a client's row of the table."""
    [node] = [each for each in trial["nodes"] if each["faulted"]][:1] or [{}]
    phases = [trial["phases"][name]["all"] for name in ("baseline", "fault", "recovery") if name in trial["phases"]]
    errors: dict[str, int] = {}
    for counts in phases:
        for name, count in counts["errors"].items():
            errors[name] = errors.get(name, 0) + count
    latency = trial["phases"].get("fault", {}).get("all", {}).get("latency", {})
    times = " / ".join(_ms(latency.get(f"{name}_ns")) for name in ("p50", "p95", "p99"))
    listed = ", ".join(f"{name} {count}" for name, count in sorted(errors.items(), key=lambda each: -each[1]))
    cells = (
        f"{trial['plan']['client']} ({trial['client_version']})",
        trial["verdict"],
        _s(node.get("detected_secs")),
        _s(node.get("recovered_secs")),
        str(sum(counts["wrong"] for counts in phases)),
        str(trial["leaked_sockets"]),
        listed or "none",
        times,
    )
    return f"| {' | '.join(cells)} |"


def _s(seconds: float | None) -> str:
    return "not" if seconds is None else f"{seconds:.2f} s"


def _ms(ns: int | None) -> str:
    return "-" if ns is None else f"{ns / 1e6:.2f} ms"


def matrix(names: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """4.18: every scenario with a client of each protocol: it runs, and every operation that began has ended."""
    yield "\n### Every scenario, briefly\n", True
    settings = [word for setting in BRIEF for word in ("--set", setting)]
    for name in names:
        asked = catalogue.scenario(name).protocol
        for client, protocol in (("builtin", "memcache"), ("redis-py", "resp")):
            if asked not in ("any", protocol):
                continue
            status, [trial] = chaos(
                "--scenario", name, "--client", client, "--duration", "2s", *settings, "--seed", "1", timeout_s=120
            )
            counted = [counts for phase in trial["phases"].values() for counts in phase["by_node"].values()]
            began = sum(counts["begun"] for counts in counted)
            ended = sum(counts["ok"] + counts["wrong"] + sum(counts["errors"].values()) for counts in counted)
            fired = [check["passed"] for check in trial["checks"] if check["name"] == "fault fired"] == [True]
            holds = status in (0, 1, 4) and began == ended > 0 and fired
            because = f": {'; '.join(trial['could_not_run'])}" if trial["could_not_run"] else ""
            yield (
                (
                    f"- {'ok' if holds else '**NOT OK**'} {name} with {client}: {trial['verdict']}, "
                    f"{began} operations began and {ended} ended, fault fired: {'yes' if fired else 'no'}{because}"
                ),
                holds,
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="acceptances that begin so, `clients`, or `matrix`")
    parser.add_argument("--scenarios", default="", help="the scenarios of the matrix, with commas between them")
    given = parser.parse_args()
    names = given.scenarios.split(",") if given.scenarios else [*catalogue.scenarios()]
    rows = [row for row in ROWS if row.name.startswith(given.only)]
    parts: list[Iterator[tuple[str, bool]]] = [acceptance(rows)] if rows else []
    if given.only in ("", "clients"):
        parts.append(clients(("kill-1-of-3", "pause-1-of-3", "total-packet-drop")))
    if given.only in ("", "matrix"):
        parts.append(matrix(names))
    began_s, good = time.monotonic(), True
    log = HERE / "results" / "trials.md"
    log.parent.mkdir(exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        for part in parts:
            for words, holds in part:
                good = good and holds
                print(words, flush=True)
                print(words, file=file, flush=True)
        took = f"\n{time.monotonic() - began_s:.0f} s"
        print(took)
        print(took, file=file)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
