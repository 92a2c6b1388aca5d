"""Dimensions and units of the values in a check.

Values are fractions in base units: nanoseconds, bytes, and plain numbers. Rates are per nanosecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from loadgen.units import NS_PER_HOUR, NS_PER_MIN, NS_PER_MS, NS_PER_S, NS_PER_US


class Kind(Enum):
    """What a value without a unit is. A plain number may be either of the others."""

    NUMBER = "a number"
    COUNT = "a count"
    SHARE = "a share"


@dataclass(frozen=True, slots=True)
class Dimension:
    """The powers of time and size in a value; the kind of a value that has neither."""

    time: int = 0
    size: int = 0
    kind: Kind = Kind.NUMBER

    @property
    def is_plain(self) -> bool:
        """True for a value without a unit."""
        return not self.time and not self.size

    def __str__(self) -> str:
        """Return the dimension in words: "a time", "a size per time"."""
        named = _WORDS.get((self.time, self.size))
        if self.is_plain:
            return self.kind.value
        return named or f"a product of time^{self.time} and size^{self.size}"

    def times(self, other: Dimension, power: int = 1) -> Dimension:
        """Return the dimension of a product; of a quotient with a power of -1.

        A count or share of something stays that only where it is multiplied or divided by a plain number.
        """
        time, size = self.time + power * other.time, self.size + power * other.size
        kind = self.kind if other == NUMBER else other.kind if self == NUMBER and power == 1 else Kind.NUMBER
        return Dimension(time, size, kind if not time and not size else Kind.NUMBER)

    def agrees(self, other: Dimension) -> bool:
        """True when values of the two dimensions can be added and compared."""
        if (self.time, self.size) != (other.time, other.size):
            return False
        return Kind.NUMBER in (self.kind, other.kind) or self.kind is other.kind

    def joined(self, other: Dimension) -> Dimension:
        """Return the dimension of a sum of two values that agree."""
        return other if self.kind is Kind.NUMBER else self


NUMBER = Dimension()
COUNT = Dimension(kind=Kind.COUNT)
SHARE = Dimension(kind=Kind.SHARE)
TIME = Dimension(time=1)
SIZE = Dimension(size=1)
PER_TIME = Dimension(time=-1)
SIZE_PER_TIME = Dimension(time=-1, size=1)

_WORDS = {(1, 0): "a time", (0, 1): "a size", (-1, 0): "a rate", (-1, 1): "a size per time"}


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that a number is written in."""

    name: str
    factor: Fraction
    """How many base units it is."""
    dimension: Dimension


UNITS = {
    name: Unit(name, Fraction(factor), dimension)
    for dimension, factors in (
        (
            TIME,
            {
                "ns": 1,
                "us": NS_PER_US,
                "µs": NS_PER_US,
                "ms": NS_PER_MS,
                **dict.fromkeys(("s", "sec", "secs"), NS_PER_S),
                **dict.fromkeys(("min", "mins", "m"), NS_PER_MIN),
                **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), NS_PER_HOUR),
            },
        ),
        (
            SIZE,
            {
                "B": 1,
                "kB": 1000,
                **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
                **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)},
            },
        ),
        (NUMBER, {"k": 1000, "K": 1000, "M": 1000**2, "G": 1000**3}),
        (SHARE, {"%": Fraction(1, 100)}),
    )
    for name, factor in factors.items()
}
"""By name. As in configurations, KB is 1000 bytes, KiB is 1024, and m is a minute; M is a million."""

PER = tuple(name for name, unit in UNITS.items() if unit.dimension == TIME)
"""The units that may stand alone after a "/", as in 5/min."""
