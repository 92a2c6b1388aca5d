"""The values that an expression is evaluated on: known ones, bounds, unknown ones, and series over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A value that is known only to be at least `least`; None: above every limit."""

    least: Fraction | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value or an answer that there is not, and the reason in words that follow "cannot tell: "."""

    reason: str


@dataclass(frozen=True, slots=True)
class Between:
    """A value that was estimated: it lies from `low` to `high`, as sure as an estimate is."""

    low: Fraction
    high: Fraction
    why: str
    """What makes the interval as wide as it is: "300 samples, which count as 40 independent ones"."""


Scalar = Fraction | AtLeast | Between | Unknown


def exact(number: float | Fraction) -> Fraction:
    """Return a finite number as a fraction; a float by its shortest text, so that 10.2 is 51/5 as in an expression."""
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


@dataclass(frozen=True, slots=True)
class Series:
    """A value over time: for each point its time in ns and its value in base units, in the order of time."""

    points: tuple[tuple[int, float], ...]
    from_ns: int | None = None
    """The beginning of the first interval, where each value is a count of the interval before its time; None where each
    value is that of the time itself."""


class Environment(Protocol):
    """What was measured. `chosen` has, by axis of the vocabulary, the word or the number that a selector names."""

    def scalar(self, name: str, chosen: Mapping[str, str | int]) -> Scalar:
        """Return the value of a name in base units."""

    def series(self, name: str, chosen: Mapping[str, str | int]) -> Series | Unknown:
        """Return the series of a name."""


@runtime_checkable
class Parted(Environment, Protocol):
    """An environment in which selectors can name every part of a kind."""

    def parts(self, axis: str) -> int:
        """Return the number of parts, which are numbered from 1, of a counted axis of the vocabulary."""


@runtime_checkable
class Estimating(Environment, Protocol):
    """An environment that estimates growth itself, where the line of least squares would claim too much."""

    def growth(
        self, name: str, chosen: Mapping[str, str | int], by: tuple[str, Mapping[str, str | int]] | None
    ) -> Scalar:
        """Return the growth of a series per ns, or per unit of the total of another one, in base units."""
