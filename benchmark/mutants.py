"""Whether `loadgen simulate` finds every mutant, after how many seeds, and how small it makes the case.

Each mutant is planted, and its kind of cases is run from several first seeds: up to the first failure, or 1,000 seeds.
The failure is shrunk, and the shrunk case run 20 times again. The same seeds pass without the mutant.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from table import spread, table

from loadgen.verify.case import Kind
from loadgen.verify.kinds import selected
from loadgen.verify.mutants.mutant import Mutant
from loadgen.verify.mutants.proof import REPLAYS, SHRINK_RUNS, IsOver, Proof, search
from loadgen.verify.mutants.registry import MUTANTS
from loadgen.verify.tape import Tape

MOST_SEEDS = 1000
SHRINK_S = 30
CAMPAIGNS = 5
APART = 100_000
"""From the first seed of a campaign to that of the next."""
MOST_OPERATIONS, MOST_FAULTS = 10, 2
"""The goals: medians of the shrunk cases of all mutants."""


@dataclass(frozen=True, slots=True)
class Row:
    """A mutant and its campaigns."""

    mutant: Mutant
    proofs: Sequence[Proof]
    took_s: float

    @property
    def found(self) -> int:
        return sum(proof.found is not None for proof in self.proofs)

    @property
    def laws(self) -> list[str]:
        """The invariants that were broken, the most frequent first."""
        return [law for law, _ in Counter(proof.found.invariant for proof in self.proofs if proof.found).most_common()]

    @property
    def replays(self) -> int:
        """The least of all campaigns."""
        return min(proof.replays for proof in self.proofs)

    def document(self) -> dict[str, object]:
        return {
            "mutant": self.mutant.name,
            "breaks": self.mutant.breaks,
            "where": self.mutant.where,
            "kind": self.mutant.kind,
            "found_by": self.laws,
            "found": self.found,
            "campaigns": len(self.proofs),
            "seeds": [proof.seeds for proof in self.proofs],
            "shrunk_ops": [proof.operations for proof in self.proofs],
            "shrunk_faults": [proof.faults for proof in self.proofs],
            "replays": [proof.replays for proof in self.proofs],
            "took_s": round(self.took_s, 1),
        }


def budget() -> IsOver:
    """Return what tells when SHRINK_S have passed from now on, the time that `simulate` has to shrink a failure."""
    until_s = time.monotonic() + SHRINK_S
    return lambda: time.monotonic() >= until_s


def proved(mutant: Mutant, campaigns: int, operations: int, runs: int) -> Row:
    """Look for a mutant from several first seeds."""
    began_s = time.monotonic()
    suite = selected(mutant.kind).suite
    options = {**suite.options, "ops": str(operations)}
    proofs = []
    with mutant.planted(), suite.opened([mutant.kind], options, lambda _: None) as opened:
        for number in range(campaigns):
            first = number * APART
            proofs.append(
                search(mutant.name, opened.kinds[0], range(first, first + MOST_SEEDS), runs=runs, budget=budget)
            )
    return Row(mutant, proofs, time.monotonic() - began_s)


def control(kind: str, counts: Sequence[int], operations: int) -> list[int]:
    """Return the seeds of a kind that fail without a mutant, of as many of each campaign as were run."""
    suite = selected(kind).suite
    with suite.opened([kind], {**suite.options, "ops": str(operations)}, lambda _: None) as opened:
        return [seed for n, count in enumerate(counts) for seed in _failing(opened.kinds[0], n * APART, count)]


def _failing(kind: Kind, first: int, count: int) -> list[int]:
    return [seed for seed in range(first, first + count) if kind.run(Tape.seeded(kind.name, seed)).failed]


def shown(rows: Sequence[Row]) -> str:
    cells = [
        (
            row.mutant.name,
            row.mutant.kind,
            f"{row.found}/{len(row.proofs)}",
            spread([proof.seeds for proof in row.proofs]),
            spread([proof.operations for proof in row.proofs]),
            spread([proof.faults for proof in row.proofs]),
            f"{row.replays}/{REPLAYS}",
            row.laws[0] if row.laws else "",
        )
        for row in rows
    ]
    head = ("mutant", "kind", "found", "seeds", "operations", "faults", "replays", "law")
    return table("Mutants: median (least–most) of campaigns", head, cells)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="mutants; all by default")
    parser.add_argument("--campaigns", type=int, default=CAMPAIGNS)
    parser.add_argument("--ops", type=int, default=300, help="operations of each case (default: 300)")
    parser.add_argument("--shrink-runs", type=int, default=SHRINK_RUNS)
    parser.add_argument("--no-control", action="store_true", help="do not run the seeds without a mutant")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file, too")
    given = parser.parse_args()
    mutants = [MUTANTS[name] for name in given.names] or [mutant for mutant in MUTANTS.values() if mutant.kind]
    rows = []
    for mutant in mutants:
        rows.append(row := proved(mutant, given.campaigns, given.ops, given.shrink_runs))
        print(f"{mutant.name}: {row.found}/{len(row.proofs)} found, {row.took_s:.1f} s", file=sys.stderr)
    alarms: dict[str, list[int]] = {}
    if not given.no_control:
        for kind in dict.fromkeys(mutant.kind for mutant in mutants):
            campaigns = zip(*([p.seeds for p in row.proofs] for row in rows if row.mutant.kind == kind), strict=True)
            alarms[kind] = control(kind, [max(counts) for counts in campaigns], given.ops)
    found = [proof for row in rows for proof in row.proofs if proof.found is not None]
    operations = statistics.median([proof.operations for proof in found] or [0])
    faults = statistics.median([proof.faults for proof in found] or [0])
    goals = {
        "every campaign finds its mutant within 1,000 seeds": len(found) == sum(len(row.proofs) for row in rows),
        f"every shrunk case fails in {REPLAYS} of {REPLAYS} replays": all(proof.replays == REPLAYS for proof in found),
        f"shrunk cases have {operations:g} operations in the median, of {MOST_OPERATIONS}": operations
        <= MOST_OPERATIONS,
        f"and {faults:g} faults, of {MOST_FAULTS}": faults <= MOST_FAULTS,
        f"without a mutant no seed fails: {sum(map(len, alarms.values()))} do": not any(alarms.values()),
    }
    print(shown(rows))
    for goal, met in goals.items():
        print(f"{'met   ' if met else 'MISSED'}  {goal}")
    if given.json is not None:
        document = {"mutants": [row.document() for row in rows], "false_alarms": alarms, "goals": goals}
        given.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0 if all(goals.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
