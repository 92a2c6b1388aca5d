"""Growth of a series as an interval, to be held against a limit: a leak is growth that lasts, and is above the limit.

The interval is made for a verdict that raises few false alarms, on series that warm up, repeat themselves, move in
steps and depend on their own past. `docs/SOAK.md` has the rates at which it errs, of `make soak-rates`.

Growth is Theil and Sen's slope over two windows: the last three quarters of the series and its last third. Growth that
lasts shows in both. A warm-up has ended before the last third. The uncertainty of each slope is that of the noise about
its line: an autoregression of the first order takes the memory out of the noise, what is left is resampled in blocks
of a sixth of the window, so that periods shorter than that stay whole, and the memory is put in again (prewhitened
block bootstrap: Andrews and Monahan, Econometrica 60, 1992; Davison and Hinkley, Bootstrap Methods, 1997, §8.2). The
memory of a short series is estimated too low, and is corrected for that (Kendall, Biometrika 41, 1954).

A restart or a step of level cuts the series into segments, and the largest growth of a segment is the series' own. A
series of more than `MOST_POINTS` is thinned to medians of neighbours.

The functions take xs and values of equal length, xs in ascending order: times of any unit, or another counter's totals.
Growth is per unit of x. They know no units, no names and no limits but those that they are given.
"""

from __future__ import annotations

import math
import statistics
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from loadgen.stats._slope import resampled, theil_sen

ENOUGH_SAMPLES = 180
"""So many samples are enough, however much they depend on each other: the interval knows that they do."""

ENOUGH_EFFECTIVE = 30.0
"""So many independent samples are enough too; a series with memory ρ counts as n (1 − ρ) / (1 + ρ) of them."""

LEAST_SAMPLES = 12
"""With fewer samples in a window, not even their memory can be estimated."""

MOST_POINTS = 360
"""A longer series is thinned to the medians of as many stretches."""

MISSES = 0.05
"""How often growth may be below `low`, and how often above `high`."""

CUTTING = 10.0
"""A step cuts the series when it is above so many times the median step."""

_ROUNDS = 400
_WINDOWS = (3 / 4, 1 / 3)
_BLOCKS = 6
"""Blocks in a window."""
_MOST_MEMORY = 0.99
# A step happens within so many samples; what takes longer is growth, of which the windows take care.
_LONGEST_STEP = 5
# More steps in one direction are the way in which the series moves: a staircase, or a sawtooth.
_MOST_STEPS = 2
# A shorter segment says how the series behaves for a while only, such as while it warms up.
_LEAST_PART = 1 / 4


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth of a series per unit of x, as far as it lasts."""

    low: float
    high: float
    """Growth lies between the two; 0 where growth of one window does not last in the other. Without meaning where
    `why_not` says something."""
    slope: float
    """The best estimate, of the last third or the last three quarters, whichever is nearer to 0."""
    samples: int
    """The samples of the segments that were judged."""
    effective: float
    """How many independent samples they count as; of several segments, the least."""
    segments: int = 1
    """The segments that were judged."""
    why_not: str = ""
    """Why growth cannot be told, in words that follow "cannot tell: "; empty where it can."""

    def exceeds(self, limit: float) -> bool | None:
        """Return True when growth is above a limit, False when it is not; None when that cannot be told."""
        if self.why_not:
            return None
        return True if self.low > limit else False if self.high < limit else None

    def per(self, factor: float) -> Growth:
        """Return growth per `factor` units of x; `factor` is above 0."""
        return replace(self, low=self.low * factor, high=self.high * factor, slope=self.slope * factor)


@dataclass(frozen=True, slots=True)
class Window:
    """The slope of one window, with its interval."""

    slope: float
    low: float
    high: float
    """Bounds for a claim that all windows have to support: each misses the slope with a probability of `MISSES`."""
    lowest: float
    highest: float
    """Bounds for a claim that one window is enough for, with a share of that probability for each of them."""
    effective: float
    """How many independent samples the window counts as."""


def growth(xs: Sequence[float], values: Sequence[float], begins: Iterable[int] = (), *, seed: int = 1) -> Growth:
    """Return the growth of a series; of its segments, the largest.

    `begins` are the indexes of samples before which the series began anew, as by a restart.
    """
    parts = segments(xs, values, begins)
    length = xs[-1] - xs[0] if parts else 0.0
    large = [(a, b) for a, b in parts if xs[b - 1] - xs[a] >= length * _LEAST_PART]
    judged = [_of_segment(xs[a:b], values[a:b], seed) for a, b in large]
    known = [each for each in judged if not each.why_not]
    if not known:
        return _longest(parts, judged)
    return Growth(
        low=max(each.low for each in known),
        high=max(each.high for each in known),
        slope=max(each.slope for each in known),
        samples=sum(each.samples for each in known),
        effective=min(each.effective for each in known),
        segments=len(known),
    )


def _longest(parts: Sequence[tuple[int, int]], judged: Sequence[Growth]) -> Growth:
    """Return why growth cannot be told of any segment, by the longest of them."""
    if not parts:
        return unknown(0, 0.0, "there are no samples")
    if not judged:
        why_not = f"{len(parts)} segments between restarts and steps, each less than {_LEAST_PART:.0%} of the time"
        return unknown(max(b - a for a, b in parts), 0.0, why_not)
    longest = max(judged, key=lambda each: each.samples)
    if len(parts) > 1:
        return replace(longest, why_not=f"in the longest of {len(parts)} segments, {longest.why_not}")
    return longest


def drift(xs: Sequence[float], values: Sequence[float], *, seed: int = 1) -> Growth:
    """Return how much values change by over all of their xs, as a share of their median: for throughput and latency.

    Nothing cuts the series: a step of level is no other beginning here. A step is no drift either, as it does not last.
    """
    if not values:
        return unknown(0, 0.0, "there are no samples")
    middle = statistics.median(values)
    if middle <= 0:
        return unknown(len(values), 0.0, "the median is 0, and a change is no share of it")
    return _of_segment(xs, values, seed).per((xs[-1] - xs[0]) / middle)


def reached(totals: Iterable[float]) -> list[float]:
    """Return what a counter has reached at each of its readings, counted on where it began anew, from 0."""
    sums, so_far, before = [], 0.0, None
    for total in totals:
        so_far += total if before is None or total < before else total - before
        before = total
        sums.append(so_far)
    return sums


# ── Segments ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def segments(xs: Sequence[float], values: Sequence[float], begins: Iterable[int] = ()) -> list[tuple[int, int]]:
    """Return the stretches between restarts and steps, as indexes of their first sample and of the one after the last.

    The samples of a step itself belong to none.
    """
    if not values:
        return []
    bounds = sorted({0, *(at for at in begins if 0 < at < len(values)), len(values)})
    parts = []
    for begin, end in pairwise(bounds):
        since = begin
        for before, after in steps(values[begin:end]):
            parts.append((since, begin + before + 1))
            since = begin + after
        parts.append((since, end))
    return parts


def steps(values: Sequence[float]) -> list[tuple[int, int]]:
    """Return the steps from one level to another: the index of the last sample before each and of the first after.

    A step is above `CUTTING` times the median of all moves between neighbours, and one of few: where three or more lead
    in the same direction, those of the usual height are a staircase or a sawtooth. A spike leads back within a step.
    """
    moves = [after - before for before, after in pairwise(values)]
    sizes = [abs(move) for move in moves if move]
    if not sizes:
        return []
    limit = CUTTING * statistics.median(sizes)
    found = [
        (before, after)
        for before, after in _runs([at for at, move in enumerate(moves) if abs(move) > limit])
        if abs(values[after] - values[before]) > limit
    ]
    return sorted(step for rises in (True, False) for step in _rare(values, found, rises=rises))


def _runs(moves: Sequence[int]) -> list[tuple[int, int]]:
    """Return large moves close to each other as one from the first to the last; a long one is no step."""
    runs: list[tuple[int, int]] = []
    for at in moves:
        if runs and at - runs[-1][1] < _LONGEST_STEP:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    return [(before, after) for before, after in runs if after - before <= _LONGEST_STEP]


def _rare(values: Sequence[float], found: Iterable[tuple[int, int]], *, rises: bool) -> list[tuple[int, int]]:
    moves = {(before, after): values[after] - values[before] for before, after in found}
    heights = {step: abs(move) for step, move in moves.items() if (move > 0) is rises}
    if len(heights) <= _MOST_STEPS:
        return list(heights)
    usual = statistics.median(heights.values())
    return [step for step, height in heights.items() if height > CUTTING * usual]


# ── Windows ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_segment(xs: Sequence[float], values: Sequence[float], seed: int) -> Growth:
    samples = len(values)
    xs, values = thinned(xs, values)
    windows = []
    for number, share in enumerate(_WINDOWS):
        since = bisect_left(xs, xs[-1] - share * (xs[-1] - xs[0]))
        if len(xs) - since < LEAST_SAMPLES or xs[since] == xs[-1]:
            return unknown(samples, 0.0, f"{_samples(samples)}, and growth needs {ENOUGH_SAMPLES}")
        windows.append(window(xs[since:], values[since:], seed * len(_WINDOWS) + number))
    effective = windows[0].effective / _WINDOWS[0]
    if samples < ENOUGH_SAMPLES and effective < ENOUGH_EFFECTIVE:
        worth = f"which count as {effective:.0f} independent ones"
        needed = f"growth needs {ENOUGH_SAMPLES}, or {ENOUGH_EFFECTIVE:.0f} independent ones"
        return unknown(samples, effective, f"{_samples(samples)}, {worth}; {needed}")
    return lasting(windows, samples, effective)


def lasting(windows: Sequence[Window], samples: int, effective: float) -> Growth:
    """Return the growth that all windows show.

    A series rises for certain when all of them do, and then by no more than any of them; falling is the mirror image.
    Otherwise growth that lasts may be 0.
    """
    low, high = min(each.low for each in windows), max(each.high for each in windows)
    lowest, highest = max(each.lowest for each in windows), min(each.highest for each in windows)
    if low > 0:
        high = highest
    elif high < 0:
        low = lowest
    else:
        low, high = min(0.0, lowest), max(0.0, highest)
    nearest = min((each.slope for each in windows), key=abs)
    return Growth(low, high, nearest, samples, effective)


def window(xs: Sequence[float], values: Sequence[float], seed: int) -> Window:
    """Return the slope of one window, with its interval."""
    places = array("d", xs)
    slope = theil_sen(places, array("d", values))
    noise = [value - slope * (x - xs[0]) for x, value in zip(xs, values, strict=True)]
    middle = statistics.fmean(noise)
    noise = [each - middle for each in noise]
    memory = _memory(noise)
    shocks = [after - memory * before for before, after in pairwise(noise)]
    block = max(len(noise) // _BLOCKS, 1)
    # What is left is less than the noise was, by the three numbers that were fitted. The sums of blocks, which slopes
    # are made of, are less by twice a block's share of the window, as the line through them was taken out.
    fitted = 1 / math.sqrt((1 - 3 / len(noise)) * (1 - 2 * block / len(noise)))
    middle = statistics.fmean(shocks)
    shocks = [fitted * (each - middle) for each in shocks]
    drawn = sorted(resampled(places, array("d", shocks), memory, block, _ROUNDS, seed))
    outer, inner = (round(share * _ROUNDS) for share in (MISSES / len(_WINDOWS), MISSES))
    low, lowest = (slope - drawn[-1 - outside] for outside in (inner, outer))
    high, highest = (slope - drawn[outside] for outside in (inner, outer))
    return Window(slope, low, high, lowest, highest, len(noise) * (1 - memory) / (1 + memory))


def _memory(noise: Sequence[float]) -> float:
    """Return the correlation of neighbours, from 0 to `_MOST_MEMORY`, without the bias of a series about its line."""
    n, square = len(noise), math.fsum(each * each for each in noise)
    if not square:
        return 0.0
    found = math.fsum(before * after for before, after in pairwise(noise)) / square
    # Its expectation is ρ - (2 + 4ρ) / n.
    return min(max((n * found + 2) / (n - 4), 0.0), _MOST_MEMORY)


def thinned(xs: Sequence[float], values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """Return at most `MOST_POINTS` points: medians of the xs and of the values of as many stretches of samples."""
    n = len(values)
    if n <= MOST_POINTS:
        return xs, values
    bounds = [n * number // MOST_POINTS for number in range(MOST_POINTS + 1)]
    parts = list(pairwise(bounds))
    return [statistics.median(xs[a:b]) for a, b in parts], [statistics.median(values[a:b]) for a, b in parts]


def unknown(samples: int, effective: float, why_not: str) -> Growth:
    """Return a growth that cannot be told."""
    return Growth(-math.inf, math.inf, 0.0, samples, effective, segments=0, why_not=why_not)


def _samples(count: int) -> str:
    return "1 sample" if count == 1 else f"{count:,} samples"
