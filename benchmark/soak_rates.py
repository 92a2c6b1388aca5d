"""Measure how often the verdict on growth is wrong, with the code that ships: `make soak-rates`.

Series are simulated, so that the truth is known. Seeds are fixed: the numbers are the same every time. The tables are
those of docs/SOAK.md.
"""

from __future__ import annotations

import argparse
import math
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from loadgen.stats.growth import Growth, growth
from loadgen.stats.trend import trend

LIMIT = 0.03
"""In units per sample."""
SIGMA = 3.0
SAMPLES = 180
TRUTHS = (0.0, 1.0, 3.3, 6.7)
"""Growth in multiples of the limit."""
LENGTHS = (15, 60, 180)
_RUN_IN = 200
# The 95th percentile of the normal distribution.
_ONE_SIDED = 1.645


@dataclass(frozen=True, slots=True)
class Kind:
    """A way in which a series behaves beside its growth."""

    name: str
    draw: Callable[[random.Random, int, float], list[float]]
    """Of random numbers, the number of samples, and the growth per sample."""
    samples: int = SAMPLES
    begins: tuple[int, ...] = ()
    """The samples before which it began anew."""


def white(chance: random.Random, n: int, grows: float) -> list[float]:
    return [grows * t + chance.gauss(0, SIGMA) for t in range(n)]


def remembering(memory: float, chance: random.Random, n: int, grows: float) -> list[float]:
    """An autoregression of the first order."""
    own, value, values = SIGMA * math.sqrt(1 - memory**2), 0.0, []
    for t in range(-_RUN_IN, n):
        value = memory * value + chance.gauss(0, own)
        values.append(grows * t + value)
    return values[_RUN_IN:]


def descriptors(chance: random.Random, n: int, grows: float) -> list[float]:
    """A whole number, of which one sample in twenty has one more."""
    phase = chance.random()
    return [math.floor(40 + phase + grows * t) + (chance.random() < 0.05) for t in range(n)]


def warming(chance: random.Random, n: int, grows: float) -> list[float]:
    return [20 * SIGMA * (1 - math.exp(-12 * t / n)) + each for t, each in enumerate(white(chance, n, grows))]


def plateau(chance: random.Random, n: int, grows: float) -> list[float]:
    """200 units more within the first third, and flat after it."""
    return [min(t / (n / 3), 1.0) * 200 + each for t, each in enumerate(white(chance, n, grows))]


def sawtooth(chance: random.Random, n: int, grows: float) -> list[float]:
    """A garbage collection of ten units every twenty samples."""
    phase = chance.randrange(20)
    return [grows * t + (t + phase) % 20 / 2 + chance.gauss(0, SIGMA / 6) for t in range(n)]


def staircase(chance: random.Random, n: int, grows: float) -> list[float]:
    """Equal steps every twenty samples, as of an allocator's blocks."""
    phase = chance.randrange(20)
    return [grows * ((t + phase) // 20 * 20) + chance.gauss(0, SIGMA / 30) for t in range(n)]


def resized(chance: random.Random, n: int, grows: float) -> list[float]:
    """One step of 200 units in the middle."""
    return [200.0 * (t >= n // 2) + each for t, each in enumerate(white(chance, n, grows))]


def restarted(chance: random.Random, n: int, grows: float) -> list[float]:
    """What has grown until the restart in the middle is gone after it."""
    return white(chance, n // 2, grows) + white(chance, n - n // 2, grows)


KINDS = (
    Kind("white noise", white),
    Kind("AR(1) 0.7", partial(remembering, 0.7)),
    Kind("AR(1) 0.95", partial(remembering, 0.95)),
    Kind("descriptors, 95 % ties", descriptors),
    Kind("warm-up, then flat", warming),
    Kind("sawtooth", sawtooth),
    Kind("staircase", staircase),
    Kind("+200 plateau", plateau),
    Kind("resize in the middle", resized, 2 * SAMPLES),
    Kind("restart in the middle", restarted, 2 * SAMPLES, (SAMPLES,)),
    Kind("20 samples only", white, 20),
)


@dataclass(frozen=True, slots=True)
class Rates:
    """What was said of series of one kind that grow alike, as shares of them."""

    leak: float
    passed: float
    """`growth(x) < limit` holds for the whole interval."""
    passed_twice: float
    """The interval ends below twice the limit: the rule that is not used."""
    naive: float
    """The last value less the first, over the time, is above the limit."""

    @property
    def untold(self) -> float:
        return max(0.0, 1 - self.leak - self.passed)


def drawn(kind: Kind, number: int, samples: int, grows: float, seed: int) -> list[float]:
    """Return one series; its noise is the same whatever it grows by."""
    return kind.draw(random.Random(f"{seed} {kind.name} {number}"), samples, grows)


def judged(kind: Kind, truth: float, number: int, seed: int) -> tuple[Growth, bool]:
    """Return the growth of a series, and whether the line from its first value to its last exceeds the limit."""
    values = drawn(kind, number, kind.samples, truth * LIMIT, seed)
    naive = (values[-1] - values[0]) / (len(values) - 1) > LIMIT
    return growth(range(len(values)), values, kind.begins), naive


def rates(kind: Kind, truth: float, series: int, seed: int) -> Rates:
    counted: Counter[str] = Counter()
    for number in range(series):
        found, naive = judged(kind, truth, number, seed)
        counted["leak"] += found.exceeds(LIMIT) is True
        counted["passed"] += found.exceeds(LIMIT) is False
        counted["twice"] += found.exceeds(2 * LIMIT) is False
        counted["naive"] += naive
    return Rates(*(counted[what] / series for what in ("leak", "passed", "twice", "naive")))


def against_zero(kind: Kind, samples: int, series: int, seed: int) -> tuple[float, float, float]:
    """Return how often nothing is called growth above 0: by the interval, by least squares and by Mann and Kendall."""
    ours = line = ranks = 0
    for number in range(series):
        values = drawn(kind, number, samples, 0.0, seed)
        ours += growth(range(samples), values).exceeds(0.0) is True
        line += slope_in_errors(values) > _ONE_SIDED
        found = trend(values)
        ranks += found.s > 0 and found.p < 2 * 0.05
    return ours / series, line / series, ranks / series


def slope_in_errors(values: Sequence[float]) -> float:
    """Return the slope of the line of least squares in standard errors of independent noise."""
    n = len(values)
    mid_x, mid_y = (n - 1) / 2, math.fsum(values) / n
    across = n * (n * n - 1) / 12
    slope = math.fsum((t - mid_x) * (value - mid_y) for t, value in enumerate(values)) / across
    square = math.fsum((value - mid_y - slope * (t - mid_x)) ** 2 for t, value in enumerate(values))
    return slope / math.sqrt(square / (n - 2) / across) if square else 0.0


def percent(share: float) -> str:
    return f"{100 * share:.3g}"


def verdict_row(found: Sequence[Rates]) -> list[str]:
    """A line of the table of verdicts."""
    none, same, some, more = found
    caught = " / ".join(map(percent, (some.leak, some.untold, some.passed)))
    return [*map(percent, (none.leak, none.untold, none.naive, same.leak, same.passed)), caught, percent(more.leak)]


def rule_row(found: Sequence[Rates]) -> list[str]:
    """A line of the table of the two rules: passing below the limit, and below twice the limit."""
    return [f"{percent(each.passed)} / {percent(each.passed_twice)}" for each in found]


def zero_row(found: Sequence[tuple[float, float, float]]) -> list[str]:
    """A line of the table of tests against zero."""
    return [" / ".join(map(percent, of_lengths)) for of_lengths in zip(*found, strict=True)]


def rows(kind: Kind, series: int, seed: int) -> tuple[list[str], ...]:
    """A line of each table; the tables of tests that depend on noise alone have the first six kinds."""
    verdicts = [rates(kind, truth, series, seed) for truth in TRUTHS]
    if kind.name not in NOISES:
        return (verdict_row(verdicts),)
    zeros = [against_zero(kind, samples, series, seed) for samples in LENGTHS]
    return verdict_row(verdicts), rule_row(verdicts), zero_row(zeros)


NOISES = tuple(kind.name for kind in KINDS[:6])
TABLES = (
    (
        "The verdict, in % of series",
        (
            "no leak: called leak",
            "no leak: can't tell",
            "no leak: (last − first)/time says leak",
            "at the limit: called leak",
            "at the limit: passes",
            "3.3 × limit: caught / can't tell / passes",
            "6.7 × limit: caught",
        ),
    ),
    (
        "Series that pass, in %, where the interval has to end below the limit / below twice the limit",
        ("no leak", "at the limit", "3.3 × limit", "6.7 × limit"),
    ),
    (
        f"Series without a leak that are said to grow, in %, of {' / '.join(map(str, LENGTHS))} samples",
        ("the interval is above 0", "least squares", "Mann–Kendall"),
    ),
)
"""The title and the head of each table."""


def tables(series: int, seed: int) -> list[list[str]]:
    """Return the lines of each table, as Markdown."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        of_kinds = list(pool.map(partial(rows, series=series, seed=seed), KINDS))
    found = []
    for number, (_, head) in enumerate(TABLES):
        cells = [[kind.name, *of[number]] for kind, of in zip(KINDS, of_kinds, strict=True) if number < len(of)]
        lines = [("series", *head), ["---"] * (1 + len(head)), *cells]
        found.append([f"| {' | '.join(line)} |" for line in lines])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200, metavar="N", help="series for each figure (default: 200)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the series (default: 1)")
    options = parser.parse_args()
    for (title, _), lines in zip(TABLES, tables(options.series, options.seed), strict=True):
        print(f"{title}; {options.series} series, seed {options.seed}\n")
        print("\n".join(lines), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
