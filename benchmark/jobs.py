"""The full set of tests of job queues: each of the acceptance's rows by the command that users type, and its answer.

    make jobs                        all of them, half an hour and more
    make jobs ARGS="--only 1.3,1.6"  some rows
    make jobs ARGS="--log FILE"      the table, as Markdown, into a file too

A row passes when each of its commands ends with the exit status and the figures that are expected of it. Nothing else
should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadgen.config.jobs_presets import UPSTREAM
from loadgen.jobs.load.plan import OURS

LOADGEN = [sys.executable, "-m", "loadgen", "jobs"]
LONGEST_S = 1_500.0

Result = dict[str, Any]
"""The record of one test."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command, with what is expected of it."""

    words: Sequence[str]
    finds: Callable[[list[Result]], str]
    """Returns the figures in words; raises AssertionError where they are not as expected."""
    status: int = 0
    needs: str = ""
    """The library without which the command is left out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the acceptance."""

    number: str
    what: str
    commands: Sequence[Command]


def rate(results: list[Result]) -> str:
    summary = results[0]["summary"]
    per_s = summary["jobs_per_s"]
    return f"{summary['completed']:,} jobs" + (f", {per_s:,.0f}/s" if per_s else "")


def counts(**expected: int) -> Callable[[list[Result]], str]:
    """Expect counts to be as given, and name the rate."""

    def finds(results: list[Result]) -> str:
        found = results[0]["counts"]
        for name, value in expected.items():
            assert found[name] == value, f"{name} is {found[name]:,}, not {value:,}"
        return f"{rate(results)}, {', '.join(f'{name} {value}' for name, value in expected.items())}"

    return finds


def killed(results: list[Result]) -> str:
    found, plan = results[0]["counts"], results[0]["plan"]
    assert found["lost"] == found["duplicate_effects"] == 0, found
    in_flight = results[0]["in_flight_at_kills"]
    assert found["duplicate_executions"] <= in_flight, found
    reclaim = results[0]["latency"]["reclaim"]
    limit_s = plan["queue"]["lease_secs"] + plan["queue"]["sweep_secs"] + 1
    assert reclaim["max_ns"] <= limit_s * 1e9, reclaim["max_ns"]
    return (
        f"{rate(results)}, lost 0, {found['duplicate_executions']} executed twice of {in_flight} in flight, effects "
        f"once, reclaim p50 {reclaim['p50_ns'] / 1e9:.2f} s, max {reclaim['max_ns'] / 1e9:.2f} s"
    )


def refused(results: list[Result]) -> str:
    found = results[0]["counts"]
    assert found["refused"] > 0, "no late end was refused"
    assert found["lost"] == found["duplicate_effects"] == 0, found
    return f"{found['refused']} late ends refused, {found['duplicate_executions']} executed elsewhere, effects once"


def lost(*, some: bool) -> Callable[[list[Result]], str]:
    """Expect jobs to be lost, or nothing that was acknowledged to be taken back."""

    def finds(results: list[Result]) -> str:
        found = results[0]["counts"]
        taken = found["lost"] + (0 if some else found["stuck"] + found["duplicate_effects"])
        assert (taken > 0) is some, f"lost {found['lost']}, stuck {found['stuck']}"
        return (
            f"{rate(results)}, lost {found['lost']}, ends taken back {found['stuck'] + found['duplicate_effects']}, "
            f"storage errors {found['storage_errors']}"
        )

    return finds


def at_least(per_s: float) -> Callable[[list[Result]], str]:
    def finds(results: list[Result]) -> str:
        found = results[0]["summary"]["jobs_per_s"]
        assert found >= per_s, f"{found:,.0f} jobs/s, not {per_s:,.0f}"
        return f"{found:,.0f} jobs/s (at least {per_s:,.0f})"

    return finds


def storm(results: list[Result]) -> str:
    found = results[0]["counts"]
    each = found["executions"] / found["executed"]
    dead = found["dead"] / found["executed"]
    assert abs(each - 2.44) <= 0.1, each
    assert abs(dead - 0.512) <= 0.05, dead
    assert found["retries_early"] == found["waits_outside"] == 0, found
    return f"{each:.3f} attempts a job, {dead:.1%} dead, no wait outside the backoff"


def scaled(results: list[Result]) -> str:
    rates = {each["plan"]["workers"]: each["summary"]["jobs_per_s"] for each in results}
    efficiency = {workers: per_s / workers / rates[1] for workers, per_s in rates.items()}
    said = ", ".join(f"{workers}: {rates[workers]:,.0f}/s {efficiency[workers]:.2f}" for workers in rates)
    assert efficiency[10] >= 0.8, said
    return said


def sized(results: list[Result]) -> str:
    cost = results[0]["cost"]
    facts = ", ".join(f"{name} {value:,}" for name, value in cost["facts"].items())
    before, most, after = (cost[f"bytes_{when}"] for when in ("before", "most", "after"))
    assert cost["facts"].get("stream_length", 0) <= 1_000
    return f"{rate(results)}, bytes before {before:,}, most {most:,}, after {after:,}; {facts}"


def trap(results: list[Result]) -> str:
    found = results[0]["counts"]
    assert found["lost"] == 100, found
    return f"{found['lost']} of 100 lost, the patience ended"


def censored(results: list[Result]) -> str:
    found = results[0]["counts"]
    assert found["lost"] == 0, found
    unreclaimed = results[0]["latency"].get("reclaim")
    told = f"reclaim max {unreclaimed['max_ns'] / 1e9:.1f} s" if unreclaimed else "no job of theirs began again"
    longest = results[0]["censored_secs"]
    return f"{told}{f', others > {longest:.0f} s' if longest else ''}, lost 0, held {found['held']}"


def command(*words: str, finds: Callable[[list[Result]], str] = rate, status: int = 0, needs: str = "") -> Command:
    return Command(words, finds, status, needs)


def on(adapter: str) -> tuple[str, str]:
    return "--adapter", adapter


KILL = ("run", "worker-kill")
NOOP = ("--set", "jobs.0.work=0s", "--set", "publish.batch=100", "--set", "queue.result_ttl=0s", "--concurrency", "100")

ROWS = (
    Row(
        "1.1",
        "upstream's twelve tests",
        [command("run", name, *on(adapter)) for adapter in ("sqlite", "streams") for name in UPSTREAM],
    ),
    Row(
        "1.2",
        "5 workers, 1,000 jobs of 10 ms",
        [
            command(
                *("run", "multi-worker", "--work", "10ms", *on(adapter)),
                finds=counts(lost=0, duplicate_executions=0, duplicate_effects=0),
            )
            for adapter in OURS
        ],
    ),
    Row("1.3", "2 of 5 workers killed among 5,000 jobs", [command(*KILL, *on(each), finds=killed) for each in OURS]),
    Row(
        "1.4",
        "a worker stopped for three leases",
        [
            command(
                *("run", "multi-worker", *on(each), "--set", "queue.lease=2s"),
                *("--set", 'fault=[{kind="pause",workers=1,at="30%",for="6s"}]', "--set", "check=[]"),
                finds=refused,
            )
            for each in OURS
        ],
    ),
    Row(
        "1.5",
        "jobs of three leases, with renewal and without",
        [
            command(
                *("run", "throughput", *on(each), "--jobs", "6", "--work", "6s", "--set", "queue.lease=2s"),
                *("--workers", "2", "--set", f"queue.renews={renews}", "--set", "check=[]"),
                finds=counts(duplicate_effects=0, **({"duplicate_executions": 0} if renews == "true" else {})),
                status=0 if renews == "true" else 1,
            )
            for each in OURS
            for renews in ("true", "false")
        ],
    ),
    Row(
        "1.6",
        "Redis killed, and its power cut, under load",
        [
            command(
                *("run", "crash-recovery", *on("streams"), "--rate", "1500", "--workers", "1"),
                *("--set", f"queue.durability={durability}", "--set", f"fault.0.kind={kind}", "--patience", "15s"),
                finds=lost(some=some),
                status=int(some),
            )
            for kind, durability, some in (
                ("kill", "everysec", False),
                ("power_cut", "everysec", True),
                ("power_cut", "always", False),
            )
        ],
    ),
    Row(
        "1.7",
        "the power cut under SQLite, FULL",
        [
            command(
                *("run", "crash-recovery", *on("sqlite"), "--rate", "300", "--set", "queue.durability=full"),
                *("--set", "fault.0.kind=power_cut", "--patience", "15s"),
                finds=lost(some=False),
            )
        ],
    ),
    Row("1.8", "a retry storm", [command("run", "retry-storm", *on(each), finds=storm) for each in OURS]),
    Row(
        "1.9",
        "1,000 keys, each by 5 producers at once",
        [
            command("run", "idempotency", *on(each), finds=counts(executions=1_000, deduplicated=4_000))
            for each in OURS
        ],
    ),
    Row(
        "1.11",
        "1, 2, 5 and 10 workers, jobs of 10 ms",
        [
            command("run", "throughput", "--jobs", "2000", "--sweep", "1,2,5,10", "--concurrency", "1", *on(each),
                    "--set", "check=[]", finds=scaled)
            for each in OURS
        ],
    ),
    Row(
        "1.12",
        "100,000 jobs",
        [command("run", "scale-100k", *on(each), "--workers", "5", finds=sized) for each in ("streams", "sqlite")],
    ),
    Row(
        "1.13",
        "taskiq: published before startup()",
        [
            command(
                *("run", "throughput", *on("taskiq"), "--jobs", "100", "--patience", "10s"),
                *("--set", "publish.before_workers=true", "--set", "settings.startup=false"),
                finds=trap,
                status=1,
                needs="taskiq",
            ),
            command(
                *("run", "throughput", *on("taskiq"), "--jobs", "100", "--patience", "10s"),
                finds=counts(lost=0),
                needs="taskiq",
            ),
        ],
    ),
    Row(
        "1.14",
        "libraries: a worker killed, patience 30 s",
        [
            command(
                *("run", "worker-kill", *on(each), "--jobs", "500", "--workers", "2", "--patience", "30s"),
                *("--set", 'fault=[{kind="kill",workers=1,at="30%"}]', "--set", "check=[]"),
                finds=censored,
                status=1,
                needs=each,
            )
            for each in ("rq", "celery", "dramatiq")
        ],
    ),
    Row("1.15", "10 minutes at a rate", [command("run", "soak", "--jobs", "30k", *on(each)) for each in OURS[:2]]),
    Row(
        "speed",
        "one worker: jobs of 10 ms at concurrency 6 in SQLite (bound 600/s), no-op jobs on Streams",
        [
            command("run", "scale-10k", *on("sqlite"), "--set", "baseline.jobs=1000", finds=at_least(500)),
            command("run", "scale-10k", *on("streams"), *NOOP, "--jobs", "50k", "--set", "check=[]",
                    finds=at_least(5_000)),
        ],
    ),
)  # fmt: skip


def carried_out(each: Command, folder: Path) -> tuple[bool, str]:
    """Carry out a command; return whether it was as expected, and what was found."""
    report = folder / "report.json"
    words = [*LOADGEN, *each.words, "--format", "json", "-o", str(report)]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST_S)
    try:
        results = json.loads(report.read_bytes())["results"]
        found = each.finds(results)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AssertionError) as error:
        said = ran.stderr.strip().splitlines()
        return False, f"{type(error).__name__}: {error}; exit {ran.returncode}; {said[-1] if said else ''}"
    failed = [
        f"{check['name']}: {check['found']}"
        for result in results
        for check in result["checks"]
        if check["passed"] is False
    ]
    wrong = ran.returncode != each.status
    return not wrong, found + (f"; exit {ran.returncode}, not {each.status}; {'; '.join(failed)}" if wrong else "")


def main() -> int:
    """Carry out the rows; exit status 1 when one was not as expected."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", default="", help="numbers of rows, such as 1.3,1.6")
    arguments.add_argument("--without", default="", help="numbers of rows that are left out")
    arguments.add_argument("--log", type=Path, help="a file for the table")
    given = arguments.parse_args()
    wanted, unwanted = {*filter(None, given.only.split(","))}, {*given.without.split(",")}
    lines = ["| row | command | found | s | |", "|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    all_well = True
    with tempfile.TemporaryDirectory() as name:
        for row in ROWS:
            if (wanted and row.number not in wanted) or row.number in unwanted:
                continue
            for each in row.commands:
                shown = f"`{' '.join(each.words)}`"
                if each.needs and shutil.which(each.needs) is None and not _importable(each.needs):
                    lines.append(f"| {row.number} | {shown} | {each.needs} is not installed | | skipped |")
                else:
                    began_s = time.monotonic()
                    well, found = carried_out(each, Path(name))
                    all_well &= well
                    took_s = time.monotonic() - began_s
                    lines.append(f"| {row.number} | {shown} | {found} | {took_s:.0f} | {'ok' if well else 'FAIL'} |")
                print(lines[-1], flush=True)
                if given.log:
                    given.log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0 if all_well else 1


def _importable(name: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
