"""The trials that take too long for `make test`: acceptance by figures, the clients' table, and every scenario once.

    make trials                     all of it, within the hour; as root, so that faults of the network can come
    make trials ARGS="--only 4.6"   one of them

The log is Markdown, printed, and written to benchmark/results/trials.md. A row for which the machine was late is tried
again, three times in all, and is unjudged then. The exit status is 1 when a figure is not as it must be, 4 when rows
are unjudged, else 0.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import acceptance
import every_scenario
import outside
from one_trial import CannotRunError, Finding, Record, chaos

from loadgen.config import catalogue

HERE = Path(__file__).parent
CLIENTS = "builtin,pymemcache,aiomcache,redis-py,valkey-py,coredis"
MOST_ATTEMPTS = 3
ROWS = (*acceptance.ROWS, *outside.ROWS)


class Log:
    """The log, with the count of what it says."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self.wrong = self.unjudged = self.held = 0

    def say(self, words: str) -> None:
        print(words, flush=True)
        print(words, file=self._file, flush=True)

    def finding(self, found: Finding, *, late: bool = False) -> None:
        words, holds = found
        mark = "ok" if holds else "unjudged" if late else "**NOT OK**"
        self.say(f"- {mark} {words}")

    def count(self, *, holds: bool, late: bool = False) -> None:
        self.held += holds
        self.unjudged += late and not holds
        self.wrong += not holds and not late

    @property
    def status(self) -> int:
        return 1 if self.wrong else 4 if self.unjudged else 0


def judged(log: Log, rows: Sequence[acceptance.Row | outside.OutsideRow]) -> None:
    """Run each row until it is judged, three times at most."""
    for row in rows:
        log.say(f"\n### {row.name}: `loadgen chaos {' '.join(row.words)} --seed 1`\n")
        findings: list[Finding] = []
        late = holds = False
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                findings, late = row.attempt()
            except (CannotRunError, AssertionError, subprocess.SubprocessError) as error:
                findings, late = [(f"{type(error).__name__}: {error}", False)], False
            holds = all(each for _, each in findings)
            if holds or not late:
                break
            log.say(f"- attempt {attempt}: the machine was late")
        for found in findings:
            log.finding(found, late=late)
        log.count(holds=holds, late=late)


# ── The table of clients ──────────────────────────────────────────────────────────────────────────────────────────────


def clients(log: Log, scenarios: Sequence[str]) -> None:
    """Write the README's table of clients, with the README's command."""
    for scenario in scenarios:
        words = ("--scenario", scenario, "--quick", "--client", CLIENTS)
        log.say(f"\n### Clients: `loadgen chaos {' '.join(words)} --seed 1`\n")
        try:
            _, trials = chaos(*words)
        except CannotRunError as error:
            log.finding((str(error), False))
            log.count(holds=False)
            continue
        log.say(
            "| client | answer | detected | recovered | wrong | leaked | errors "
            "| p50 / p95 / p99: before | fault | after |"
        )
        log.say("|---|---|---|---|---|---|---|---|---|---|")
        for trial in trials:
            log.say(row_of(trial))
        for trial in trials:
            name = trial["plan"]["client"]
            for why in trial["could_not_run"]:
                log.finding((f"{name}: {why}", False))
            is_ours = name == "builtin"
            late = every_scenario.was_late(trial)
            holds = not trial["could_not_run"] and (not is_ours or trial["verdict"] == "pass")
            unmet = [f"{each['name']} ({each['found']})" for each in trial["checks"] if each["passed"] is False]
            told = f"{name}: {trial['verdict']}{' by ' * bool(unmet)}{', '.join(unmet)}"
            # Verdicts on other people's clients are findings.
            log.finding((told, holds), late=late)
            log.count(holds=holds, late=late and not trial["could_not_run"])


def row_of(trial: Record) -> str:
    """Return a client's row of the table."""
    [node] = [each for each in trial["nodes"] if each["faulted"]][:1] or [{}]
    phases = {
        name: trial["phases"][name]["all"] for name in ("baseline", "fault", "recovery") if name in trial["phases"]
    }
    errors: dict[str, int] = {}
    for counts in phases.values():
        for name, count in counts["errors"].items():
            errors[name] = errors.get(name, 0) + count
    listed = ", ".join(f"{name} {count}" for name, count in sorted(errors.items(), key=lambda each: -each[1]))
    cells = (
        f"{trial['plan']['client']} ({trial['client_version']})",
        trial["verdict"],
        _s(node.get("detected_secs")),
        _s(node.get("recovered_secs")),
        str(sum(counts["wrong"] for counts in phases.values())),
        str(trial["leaked_sockets"]),
        listed or "none",
        *(_times(phases.get(name)) for name in ("baseline", "fault", "recovery")),
    )
    return f"| {' | '.join(cells)} |"


def _times(counts: Record | None) -> str:
    latency = counts["latency"] if counts is not None else {}
    return " / ".join(_ms(latency.get(f"{name}_ns")) for name in ("p50", "p95", "p99"))


def _s(seconds: float | None) -> str:
    return "not" if seconds is None else f"{seconds:.2f} s"


def _ms(ns: int | None) -> str:
    return "-" if ns is None else f"{ns / 1e6:.2f} ms"


# ── Every scenario ────────────────────────────────────────────────────────────────────────────────────────────────────


def matrix(log: Log, names: Sequence[str]) -> None:
    """Write 4.18: every scenario with a client of each protocol."""
    log.say("\n### 4.18 every scenario, briefly, with a client of each protocol\n")
    for name in names:
        for pairing in every_scenario.pairings(name):
            findings, late = pairing.attempt()
            holds = all(each for _, each in findings)
            # A scenario is tried again once: there are many, and an hour.
            if not holds and late:
                findings, late = pairing.attempt()
                holds = all(each for _, each in findings)
            shown = findings if holds else [each for each in findings if not each[1]]
            words = "; ".join(words for words, _ in shown)
            log.finding((f"{pairing}: {words}", holds), late=late)
            log.count(holds=holds, late=late)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="acceptances that begin so, `clients`, or `4.18`")
    parser.add_argument("--scenarios", default="", help="the scenarios of 4.18, with commas between them")
    given = parser.parse_args()
    names = given.scenarios.split(",") if given.scenarios else [*catalogue.scenarios()]
    began_s, log = time.monotonic(), Log(HERE / "results" / "trials.md")
    judged(log, [row for row in ROWS if row.name.startswith(given.only)])
    if given.only in ("", "clients"):
        clients(log, ("kill-1-of-3", "pause-1-of-3", "total-packet-drop"))
    if given.only in ("", "4.18"):
        matrix(log, names)
    counts = f"{log.held} as they must be, {log.wrong} not, {log.unjudged} unjudged as the machine was late"
    log.say(f"\n{counts}; {time.monotonic() - began_s:.0f} s")
    return log.status


if __name__ == "__main__":
    sys.exit(main())
