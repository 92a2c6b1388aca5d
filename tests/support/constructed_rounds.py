"""Rounds of comparisons that did not run, with made-up values: for tests of what is done with rounds."""

from __future__ import annotations

import math
import random
from collections.abc import Container, Mapping
from dataclasses import replace

import pytest

from loadgen.compare.round import Round
from loadgen.compare.rounds import Rounds
from loadgen.percentiles import COMPARED
from loadgen.reason import Code, Reason
from loadgen.severity import Severity

USUAL = {
    "throughput": 100_000.0,
    "p50": 90_000.0,
    "p99": 300_000.0,
    "p999": 900_000.0,
    "server_cpu": 8000.0,
    "rss": 3e7,
}

LATENCIES = tuple(percentile.name for percentile in COMPARED)

Effects = Mapping[str, float]


class Constructed:
    """Rounds whose values are USUAL, times the candidate's effects, times noise of each candidate and metric.

    In the rounds of the numbers `late`, the generator ran late under the last candidate's load.
    """

    def __init__(self, effects: list[Effects], sigma: float, seed: int, late: Container[int] = ()) -> None:
        self.effects, self.sigma, self.late = effects, sigma, late
        self.random = random.Random(seed)
        self.number = 0
        self.rate_per_s = 60_000.0
        self.identities = ["server 1"] * len(effects)
        self.notes: dict[str, Code] = {}

    def next(self) -> Round:
        self.number += 1
        values = [self.values(effects) for effects in self.effects]
        if self.number not in self.late:
            return Round(self.number, (0, 1, 1, 0), tuple(values), took_s=2.0)
        values[-1] = {name: value for name, value in values[-1].items() if name not in LATENCIES}
        words = f"the generator was late in round {self.number}"
        doubt = (Reason(Code.GENERATOR_LATE, words, Severity.INVALID),)
        nothing = ((),) * (len(values) - 1)
        return Round(self.number, (0, 1, 1, 0), tuple(values), doubt, (*nothing, LATENCIES), repeated=3, took_s=2.0)

    def values(self, effects: Effects) -> dict[str, float]:
        return {
            name: usual * effects.get(name, 1.0) * math.exp(self.random.gauss(0, self.sigma / math.sqrt(2)))
            for name, usual in USUAL.items()
        }


def run_first_rounds_only(patch: pytest.MonkeyPatch) -> None:
    """Has each comparison run its first round; every later round has the values of the first, times noise."""
    drawn, run = random.Random(1), Rounds.next
    firsts: dict[Rounds, Round] = {}

    def next_round(rounds: Rounds) -> Round:
        if rounds not in firsts:
            return firsts.setdefault(rounds, run(rounds))
        rounds.number += 1
        first = firsts[rounds]
        values = [{name: value * drawn.lognormvariate(0, 0.01) for name, value in own.items()} for own in first.values]
        return replace(first, number=rounds.number, values=tuple(values))

    patch.setattr(Rounds, "next", next_round)
