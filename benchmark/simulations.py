"""Simulate how often the rule of comparisons errs, with the code that ships: `make simulate`.

A suite is a comparison of one thing with itself, or with one that is 5 % worse, on a host whose noise is known. Seeds
are fixed, so that the numbers are the same every time.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from table import table

from loadgen.stats.sequential import Rule, Shift, Suite

THRESHOLD = 0.05
CORRELATION = 0.5
# One round in ten is spoilt, by a fifth up or down.
SPIKES, SPIKE = 0.1, 0.2
# The fewest degrees of freedom with which Student's distribution has a σ.
FREEDOM = 3


@dataclass(frozen=True, slots=True)
class Noise:
    """How a round's differences spread, as σ of logarithms."""

    sigma: float
    heavy: bool = False
    """Of Student's distribution with 3 degrees of freedom, scaled to σ; else normal."""
    spiked: bool = False

    def __str__(self) -> str:
        name = f"{'t₃' if self.heavy else 'normal'} {self.sigma:.0%}"
        return f"{name}, spiked" if self.spiked else name

    def draw(self, chance: random.Random, metrics: int) -> list[float]:
        """A round's differences of metrics that are correlated, and that a spoilt round spoils alike."""
        scale = self.sigma
        if self.heavy:
            # A normal deviate, divided by the root of the mean square of three others, has Student's distribution with
            # 3 degrees of freedom. Its variance is 3.
            scale /= math.sqrt(chance.gammavariate(FREEDOM / 2, 2) / FREEDOM) * math.sqrt(FREEDOM / (FREEDOM - 2))
        spike = chance.choice((-SPIKE, SPIKE)) if self.spiked and chance.random() < SPIKES else 0.0
        shared = math.sqrt(CORRELATION) * chance.gauss()
        own = math.sqrt(1 - CORRELATION)
        return [scale * (shared + own * chance.gauss()) + spike for _ in range(metrics)]


NOISES = (
    Noise(0.02),
    Noise(0.04),
    Noise(0.06),
    Noise(0.06, heavy=True),
    Noise(0.04, spiked=True),
    Noise(0.06, spiked=True),
)


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of suites, as shares of them."""

    found: float
    """A difference was found, of any metric."""
    caught: float
    """The first metric was found to be WORSE."""
    unclear: float
    """No difference was found, and not every metric has its answer."""
    rounds: float
    """Their mean number."""


def simulate(noise: Noise, shifts: Sequence[float], rule: Rule, suites: int, seed: int) -> Tally:
    """Suites in which each metric of B is worse by its shift, a share."""
    chance = random.Random(seed)
    names = [str(number) for number in range(len(shifts))]
    found = caught = unclear = rounds = 0
    for _ in range(suites):
        suite = Suite(dict.fromkeys(names, THRESHOLD), rule)
        while not suite.finished:
            drawn = noise.draw(chance, len(shifts))
            suite.add({n: math.log1p(shift) + d for n, shift, d in zip(names, shifts, drawn, strict=True)})
        answers = list(suite.answers.values())
        differs = Shift.WORSE in answers or Shift.BETTER in answers
        found += differs
        caught += answers[0] is Shift.WORSE
        unclear += not differs and Shift.UNCLEAR in answers
        rounds += suite.rounds
    return Tally(found / suites, caught / suites, unclear / suites, rounds / suites)


def rows(rule: Rule, metrics: int, suites: int, seed: int) -> list[list[str]]:
    """A line for each kind of noise: B is the same, B is worse in every metric, B is worse in the first one only."""
    lines = []
    for noise in NOISES:
        same = simulate(noise, [0.0] * metrics, rule, suites, seed)
        all_worse = simulate(noise, [THRESHOLD] * metrics, rule, suites, seed + 1)
        one_worse = simulate(noise, [THRESHOLD] + [0.0] * (metrics - 1), rule, suites, seed + 2)
        shares = (same.found, all_worse.found, all_worse.caught, one_worse.caught, same.unclear)
        lines.append([str(noise), *(f"{share:.1%}" for share in shares), f"{same.rounds:.1f}"])
    return lines


HEAD = ("noise, σ", "A/A false", "all worse: any", "each", "one worse: it", "A/A unclear", "A/A rounds")
RULES = (
    ("A gate of one metric", 1, True),
    ("A gate of three metrics", 3, True),
    ("A comparison of six metrics", 6, False),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suites", type=int, default=3000, metavar="N", help="suites for each figure (default: 3000)")
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="the most rounds of a suite (default: 20)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the suites (default: 1)")
    options = parser.parse_args()
    for title, metrics, one_sided in RULES:
        rule = Rule.within(options.rounds, metrics, one_sided=one_sided)
        looks = " ".join(f"{look} (α {alpha:g})" for look, alpha in zip(rule.looks, rule.alphas, strict=True))
        title = f"{title}: looks at {looks}; {options.suites:,} suites, seed {options.seed}"
        print(table(title, HEAD, rows(rule, metrics, options.suites, options.seed)), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
