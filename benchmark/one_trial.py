"""One `loadgen chaos` of its own, and what can be read from the record of each of its trials."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from loadgen.snapshot import decode_v2

Record = dict[str, Any]
Finding = tuple[str, bool]
"""A line of the log, and whether what it says is as it must be."""

LOADGEN = (sys.executable, "-m", "loadgen")
SEED = ("--seed", "1")


class CannotRunError(Exception):
    """The command gave no record; the text is what it said instead."""


def chaos(*words: str, timeout_s: float = 900.0) -> tuple[int, list[Record]]:
    """Run the command, and return its exit status and the record of each trial. Raises CannotRunError."""
    command = [*LOADGEN, "chaos", *words, *SEED, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
    if not done.stdout:
        raise CannotRunError(f"{' '.join(command[3:])}: exit status {done.returncode}: {done.stderr.strip()}")
    return done.returncode, json.loads(done.stdout)["results"]


def phases(settle: str = "1s", baseline: str = "5s", recovery: str = "10s") -> tuple[str, ...]:
    """Return the options that set the phases around the fault."""
    lengths = {"settle": settle, "baseline": baseline, "recovery": recovery}
    return tuple(word for name, length in lengths.items() for word in ("--set", f"phases.{name}={length}"))


def check_of(trial: Record, name: str) -> Record:
    return next((check for check in trial["checks"] if check["name"] == name), {"passed": None, "found": "not judged"})


def was_late(trial: Record) -> bool:
    """True when loadgen's own processes had no CPU when they were due: times say nothing then.

    The checks know that, so that a FAIL is one all the same.
    """
    return check_of(trial, "callers on time")["passed"] is not True and trial["verdict"] != "fail"


def passes(trial: Record) -> Iterator[Finding]:
    """Yield the verdict of a trial of the built-in client, and what kept it from PASS."""
    yield f"verdict: {trial['verdict']}", trial["verdict"] == "pass"
    for check in trial["checks"]:
        if check["vital"] and check["passed"] is not True:
            yield f"{check['name']}: {check['found']} (limit: {check['limit']})", False
    for why in trial["could_not_run"]:
        yield why, False
    wrong = sum(phase["all"]["wrong"] for phase in trial["phases"].values())
    yield f"wrong answers: {wrong}", wrong == 0


def at(trial: Record, phase: str, node: int | None = None) -> Record:
    """Return what was counted in a phase, on one node or on all; nothing where nothing was."""
    counts: Record = trial["phases"][phase]["all"] if node is None else trial["phases"][phase]["by_node"][str(node)]
    return counts


def spell_of(trial: Record, fault: int = 0) -> Record:
    """Return the first time that a fault was on its node."""
    first: Record = trial["faults"][fault]["spells"][0]
    return first


def changes(trial: Record, node: int) -> list[Record]:
    """Return the changes of the breaker of a node."""
    return [each for each in trial["transitions"] if each["node"] == node]


def counted(latency: Record, from_ms: float, to_ms: float) -> int:
    """Return how many response times of a histogram lie in [from, to)."""
    histogram = decode_v2(latency["histogram"])
    return histogram.above(round(from_ms * 1e6) - 1) - histogram.above(round(to_ms * 1e6) - 1)
