"""Rows of series: what their points are, and what they mean."""

from __future__ import annotations

from loadgen.judge.expression.dimension import Dimension
from loadgen.judge.expression.vocabulary import Known, Over


def level(dimension: Dimension, meaning: str) -> Known:
    """Return the row of a value at each time, such as memory."""
    return Known(dimension, meaning, is_scalar=False, over=Over.LEVEL)


def total(dimension: Dimension, meaning: str) -> Known:
    """Return the row of a count that only grows, as long as what counts is not restarted."""
    return Known(dimension, meaning, is_scalar=False, over=Over.TOTAL)
