"""The baseline of a server before a fault, and the time from which the server is back inside the baseline's interval.

The interval has two sides that matter: a rate of good operations that is not lower, and a p99 that is not higher. Each
bound is a distance from the median of the samples before the fault: three times their noise (`stats.noise`), at least a
tenth of the median, because a quiet baseline would make a bound of nothing, and at least so far that nine tenths of the
samples themselves are inside, because p99s have a long tail. Medians and their distances tolerate the few samples that
something else disturbed. No more of the operations may fail than failed in nine tenths of the samples, or a hundredth.

One sample says little: of the samples in the second after the time of recovery, seven tenths have to be inside. Samples
of any length will do, as long as those of the baseline and of the recovery are alike. Times are int nanoseconds.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadgen.stats.noise import noise

LEAST_SAMPLES = 5
"""With fewer samples there is no baseline."""

HOLD_NS = 1_000_000_000
"""The time for which a server must stay inside."""

MOST_FAILED = 0.01
"""The share of failed operations that is inside any interval."""

STEADY = 0.7
"""The share of the samples in that time that must be inside."""

_NOISES = 3.0
_LEAST_DISTANCE = 0.1
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Level:
    """One sample: the good operations that ended in a stretch of time, and the p99 of their response times."""

    from_ns: int
    to_ns: int
    good: int
    p99_ns: int | None
    """None where no operation ended well."""
    failed: int = 0
    """The operations that ended badly in that time."""

    @property
    def failed_share(self) -> float:
        """The part of the operations that ended badly; 0 without any."""
        return self.failed / (self.good + self.failed) if self.failed else 0.0

    @property
    def rate_per_s(self) -> float:
        """Good operations per second."""
        return self.good * _NS_PER_S / (self.to_ns - self.from_ns)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The interval of a server without faults."""

    least_per_s: float
    """The least rate of good operations that is inside."""
    most_p99_ns: float
    """The highest p99 that is inside."""
    most_failed: float = MOST_FAILED
    """The largest share of failed operations that is inside."""

    def has(self, level: Level) -> bool:
        """Return True when a sample is inside."""
        return (
            level.p99_ns is not None
            and level.rate_per_s >= self.least_per_s
            and level.p99_ns <= self.most_p99_ns
            and level.failed_share <= self.most_failed
        )


def baseline(levels: Iterable[Level], floor_ns: int = 0) -> Baseline | None:
    """Return the interval of these samples; None for fewer than LEAST_SAMPLES, or when half of them have no p99.

    A p99 up to `floor_ns` is inside whatever the samples are.
    """
    known = list(levels)
    p99s_ns = [level.p99_ns for level in known if level.p99_ns is not None]
    if len(known) < LEAST_SAMPLES or 2 * len(p99s_ns) <= len(known):
        return None
    rates = [level.rate_per_s for level in known]
    return Baseline(
        least_per_s=min(statistics.median(rates) - _distance(rates), -_ninth_tenth([-rate for rate in rates])),
        most_p99_ns=max(statistics.median(p99s_ns) + _distance(p99s_ns), _ninth_tenth(p99s_ns), floor_ns),
        most_failed=max(_ninth_tenth([level.failed_share for level in known]), MOST_FAILED),
    )


def back_at(levels: Sequence[Level], inside: Baseline, from_ns: int, until_ns: int | None = None) -> int | None:
    """Return the time from which a server is back inside, not before `from_ns`; None when it is not back.

    `levels` are in the order of time. Those that end after `until_ns`, such as the beginning of the next fault, are
    not looked at. Where less than HOLD_NS is left until then, the rest has to do, if there are LEAST_SAMPLES.
    """
    after = [level for level in levels if level.to_ns > from_ns and (until_ns is None or level.to_ns <= until_ns)]
    for index, first in enumerate(after):
        held = [level for level in after[index:] if level.from_ns < first.from_ns + HOLD_NS]
        if len(held) < LEAST_SAMPLES and held[-1] is after[-1]:
            return None
        if inside.has(first) and sum(map(inside.has, held)) >= STEADY * len(held):
            return max(from_ns, first.from_ns)
    return None


def _distance(values: Sequence[float]) -> float:
    """Return the distance of a bound from the median of the values."""
    return max(_NOISES * noise(values), _LEAST_DISTANCE * statistics.median(values))


def _ninth_tenth(values: Sequence[float]) -> float:
    """Return the least value that nine tenths of the values do not exceed."""
    return sorted(values)[-(-9 * len(values) // 10) - 1]
