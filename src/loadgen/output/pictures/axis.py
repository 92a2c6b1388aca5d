"""An axis of values in a picture: round ticks, and their words with as many digits as tell them apart. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from loadgen.judge.expression.dimension import Dimension, Kind
from loadgen.units import NS_PER_MIN, NS_PER_MS, NS_PER_S, NS_PER_US

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)

_PLAIN = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_BYTES = {" B": 1.0, " KB": 1e3, " MB": 1e6, " GB": 1e9, " TB": 1e12}
_TIMES = {" ns": 1.0, " µs": float(NS_PER_US), " ms": float(NS_PER_MS), " s": float(NS_PER_S)}
_PER_TIME = {
    "/min": 1 / NS_PER_MIN,
    "/s": 1 / NS_PER_S,
    "K/s": 1e3 / NS_PER_S,
    "M/s": 1e6 / NS_PER_S,
}
_BYTES_PER_TIME = {f"{unit}/s": size / NS_PER_S for unit, size in _BYTES.items()}
_SHARES = {" %": 0.01}

_BY_DIMENSION = {(0, 1): _BYTES, (1, 0): _TIMES, (-1, 0): _PER_TIME, (-1, 1): _BYTES_PER_TIME}


def units_of(dimension: Dimension) -> Mapping[str, float]:
    """Return the units in which values of a dimension are written, the smallest first."""
    if dimension.kind is Kind.SHARE and dimension.is_plain:
        return _SHARES
    return _BY_DIMENSION.get((dimension.time, dimension.size), _PLAIN)


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values, which is not empty, and its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    step: float

    @classmethod
    def over(cls, low: float, high: float, most: int, whole: bool = False) -> Axis:
        """Return an axis from `low` to `high` with at most `most` ticks, 2 at least; `whole`: ticks at whole numbers.

        A range that is empty is widened on both sides.
        """
        if high - low <= 1e-9 * max(abs(low), abs(high)):
            room = max(abs(low) * 0.05, 1.0)
            low, high = low - room, high + room
        step = _round_step((high - low) / most)
        if whole:
            step = max(1.0, math.ceil(step))
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return cls(low, high, tuple(number * step for number in range(first, last + 1)), step)

    def at(self, value: float) -> float:
        """Return the position of a value, 0 at `low` and 1 at `high`; beyond these, outside of 0 to 1."""
        return (value - self.low) / (self.high - self.low)

    def words(self, dimension: Dimension) -> list[str]:
        """Return the words of each tick, all in one unit."""
        unit, scale = _unit(units_of(dimension), max(abs(self.low), abs(self.high)))
        decimals = _decimals(self.step / scale)
        return [f"{tick / scale:.{decimals}f}{unit if tick or unit == ' %' else ''}" for tick in self.ticks]


def spelled(value: float, dimension: Dimension) -> str:
    """Return one value in words, with three significant digits; counts below 10,000 as they are."""
    units = units_of(dimension)
    if units is _PLAIN and abs(value) < 10_000 and value == int(value):
        return str(int(value))
    unit, scale = _unit(units, abs(value))
    number = value / scale
    decimals = 2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0
    text = f"{number:.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}{unit}"


def _unit(units: Mapping[str, float], most: float) -> tuple[str, float]:
    fit = [(unit, scale) for unit, scale in units.items() if most >= 0.9995 * scale]
    return fit[-1] if fit else next(iter(units.items()))


def _round_step(rough: float) -> float:
    """Return the least round number that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in _STEPS if power * factor >= rough * (1 - 1e-9))


def _decimals(step: float) -> int:
    """Return the decimals that tell ticks of this step apart."""
    for decimals in range(10):
        if abs(round(step, decimals) - step) < 1e-6 * step:
            return decimals
    return 10
