"""The time and memory that `loadgen check` takes for a million operations, and the checker alone on small histories.

The histories are legal, of 64 processes whose operations overlap. Each is checked by a process of its own, which reads
the file, judges it and prints a line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from table import Goal, goals_table, spread, table

from loadgen.verify.checkers._register import Register
from loadgen.verify.history._operations import MISS, OK, READ, WRITE, Operations
from loadgen.verify.history.file import Metadata, Writer

PROCESSES = 64
BLOCK = 65_536
SMALL = 1000
"""Operations of the histories that the checker is given alone, as a simulation does."""


def history(count: int, keys: int, *, values: int = 0, seed: int = 1) -> Operations:
    """Return a history. A key's values come again after `values` writes; 0: never."""
    random, found = Random(seed), Operations()
    written, present = [0] * keys, [False] * keys
    for number in range(count):
        key, effect = int(random.random() ** 3 * keys), 100 * number
        call, end = effect - random.randrange(1, 3000), effect + random.randrange(1, 3000)
        lot, value = random.random(), 0
        if lot < 0.4:
            written[key] += 1
            present[key] = True
        elif lot < 0.41:
            # Evicted; the next write brings another value.
            present[key] = False
        if present[key]:
            value = 1 + (written[key] % values if values else (written[key] << 20) + key)
        op = WRITE if lot < 0.4 else READ
        found.append(op, key, value, call, end, number % PROCESSES, OK if value else MISS)
    return found


_MEASURED = """
import resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)
seconds = time.perf_counter() - began
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, done.stdout, end="")
"""
"""A small process that starts the command: the peak of a process has the memory of the one that it was forked from."""


def checked(path: Path) -> tuple[float, float, str]:
    """Return the seconds and the MB that the command takes, and its line."""
    command = [sys.executable, "-m", "loadgen", "check", str(path), "--format", "quiet"]
    done = subprocess.run([sys.executable, "-c", _MEASURED, *command], capture_output=True, text=True)
    seconds, megabytes, line = done.stdout.split(" ", 2)
    return float(seconds), float(megabytes), line


def alone(keys: int, rounds: int) -> list[float]:
    """Return the operations per second of the checker on small histories, in memory, for each round.

    Each is another one, so that the processor cannot learn it.
    """
    register = Register()
    small = [history(SMALL, keys, seed=seed) for seed in range(100)]
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        for each in small:
            register.judged(each)
        found.append(len(small) * SMALL / (time.perf_counter() - began))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="every figure of every round")
    options = parser.parse_args()
    ways = {
        "1 key": history(options.operations, 1),
        "1,000 keys": history(options.operations, 1000),
        "100,000 keys": history(options.operations, 100_000),
        "1,000 keys, 1,000 values again: searched": history(options.operations, 1000, values=1000),
    }
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="lg-histories-") as folder:
        for name, operations in ways.items():
            path = Path(folder, "history")
            with Writer(path, Metadata("benchmark/histories.py")) as writer:
                for start in range(0, len(operations), BLOCK):
                    writer.write(operations.chosen(range(start, min(start + BLOCK, len(operations)))))
            figures = found[name] = {"seconds": [], "megabytes": [], "per_s": []}
            for _ in range(options.rounds):
                seconds, megabytes, line = checked(path)
                if not line.startswith("LEGAL"):
                    print(f"{name}: {line}", file=sys.stderr)
                    return 3
                figures["seconds"].append(seconds)
                figures["megabytes"].append(megabytes)
                figures["per_s"].append(len(operations) / seconds)
    for keys in (1, 10):
        found[f"{SMALL:,} operations, keys: {keys}, in memory"] = {"per_s": alone(keys, options.rounds)}
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    rows = [
        (
            name,
            *(spread(figures[each]) if each in figures else "" for each in ("seconds", "megabytes")),
            spread([value / 1e6 for value in figures["per_s"]]),
        )
        for name, figures in found.items()
    ]
    print(table("Histories", (f"{options.operations:,} operations", "s", "MB", "million operations/s"), rows))
    print()
    goals = [
        goal
        for name in ("1 key", "1,000 keys", "100,000 keys")
        for goal in (
            Goal(f"{name}: time", tuple(found[name]["seconds"]), 10, " s"),
            Goal(f"{name}: memory", tuple(found[name]["megabytes"]), 1000, " MB"),
            Goal(f"{name}: time for each operation", tuple(1e6 / each for each in found[name]["per_s"]), 4, " µs"),
        )
    ]
    print(goals_table(goals))
    return 0 if all(goal.met for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
