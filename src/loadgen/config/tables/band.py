"""`[[band]]`: how the growth of a series in a soak is graded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field, field_validator, model_validator

from loadgen.config.tables.table import Table
from loadgen.judge.expression.dimension import COUNT, NUMBER, TIME, Dimension
from loadgen.judge.expression.mistake import Malformed
from loadgen.judge.expression.parser import parse
from loadgen.judge.expression.syntax import Chain, Quantity
from loadgen.soak.bands import Band

_HINT = 'write a growth per time, such as "5/min" or "10MB/h"'
_LIMITS = ("bonus", "target", "warn", "red")


class BandTable(Table):
    """The grades of a series' growth: below bonus, below target, above warn, above red."""

    series: str = Field(description="The series, such as fds; docs/MONITORS.md has those of each kind of monitor.")
    monitor: str = Field(default="", description="The monitor, by its name; without it, every monitor's series.")
    bonus: str = Field(default="0/min", description="Better than asked for: a growth below this.")
    target: str = Field(default="0/min", description="As asked for: a growth below this.")
    warn: str = Field(description="A growth above this is said, and has no consequence.")
    red: str = Field(description="A growth above this fails the soak; one that may be above leaves it untold.")
    best: str = Field(default="bonus", description="What the best grade is called.")

    @field_validator(*_LIMITS)
    @classmethod
    def _is_growth(cls, text: str) -> str:
        growth(text)
        return text

    @model_validator(mode="after")
    def _in_order(self) -> BandTable:
        limits = [growth(getattr(self, name)) for name in _LIMITS]
        if len({dimension for value, dimension in limits if value}) > 1:
            raise ValueError("the limits of a band are all of one kind: counts per time, or sizes per time")
        for (name, (low, _)), (after, (high, _)) in zip(
            zip(_LIMITS, limits, strict=True), [*zip(_LIMITS, limits, strict=True)][1:], strict=False
        ):
            if low > high:
                raise ValueError(f"{name} is above {after}: limits rise from bonus to red")
        return self


def growth(text: str) -> tuple[float, Dimension]:
    """Return a growth in base units per ns, and its dimension. Raises ValueError when the text is none."""
    try:
        found = parse(text)
    except Malformed:
        raise ValueError(f'"{text[:40]}" is no growth; {_HINT}') from None
    match found:
        case Chain((Quantity() as amount, Quantity(unit=unit) as time), ("/",)) if unit and time.dimension == TIME:
            of = COUNT if amount.dimension == NUMBER else amount.dimension
            if of == COUNT or of.size == 1:
                return float(amount.value / time.value), of.times(TIME, -1)
    raise ValueError(f'"{text[:40]}" is no growth; {_HINT}')


def bands(tables: Iterable[BandTable]) -> tuple[Band, ...]:
    """Return the bands of `[[band]]`, in their order."""
    return tuple(map(_band, tables))


def _band(table: BandTable) -> Band:
    texts: Any = tuple(getattr(table, name) for name in _LIMITS)
    (bonus, _), (target, _), (warn, _), (red, dimension) = map(growth, texts)
    return Band(table.series, bonus, target, warn, red, dimension, texts, table.monitor, table.best)
