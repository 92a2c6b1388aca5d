"""The dataset within a server's memory: what memory would be if every key were as large as at the baseline. Pure.

A server's own word for its dataset (`used_memory_dataset`) is all memory that it cannot name otherwise: a leak is in
it. Where the number of keys is known, the dataset is counted by the keys instead, so that a leak is outside.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from loadgen.soak.asked import Asked, monitor_of, series_of
from loadgen.soak.checkpoints import Base
from loadgen.soak.store import Points, Store

MEMORY = frozenset({"rss", "pss", "uss", "used_memory", "used_memory_rss"})
"""The series of memory, from which the dataset is subtracted."""

_LEAST_KEYS = 100
"""Of fewer keys, the mean size is no guide."""


def outside(store: Store, asked: Asked, bases: Mapping[str, Base], column: str, points: Points) -> Points:
    """Return a series of memory less what its dataset has grown by; another series, or one without a dataset, as is."""
    if series_of(column) not in MEMORY or asked.is_own(column) or not points.values:
        return points
    grown = _growth(store, asked, bases, column)
    if grown is None:
        return points
    times, values = grown
    left, newest = [], 0.0
    for t_s, value in zip(points.times_s, points.values, strict=True):
        at = bisect_right(times, t_s)
        newest = values[at - 1] if at else 0.0
        left.append(value - newest)
    return Points(points.times_s, left)


def _growth(
    store: Store, asked: Asked, bases: Mapping[str, Base], column: str
) -> tuple[list[float], list[float]] | None:
    """Return by how much the dataset has grown since the baseline, at each time; None where it is not known."""
    server = _server(asked, column)
    if server is None:
        return None
    keys, size = bases.get(f"{server}.keys"), bases.get(f"{server}.used_memory_dataset")
    if keys is not None and size is not None and keys.value >= _LEAST_KEYS:
        points, each = store.points(f"{server}.keys"), size.value / keys.value
        return [*points.times_s], [(value - keys.value) * each for value in points.values]
    for series in ("used_memory_dataset", "bytes"):
        base = bases.get(f"{server}.{series}")
        if base is not None:
            points = store.points(f"{server}.{series}")
            return [*points.times_s], [value - base.value for value in points.values]
    return None


def _server(asked: Asked, column: str) -> str | None:
    """Return the monitor that knows the dataset: the series' own, else the only one that does."""
    knowing = {monitor_of(each) for each in asked.series if series_of(each) in ("used_memory_dataset", "bytes")}
    own = monitor_of(column)
    if own in knowing:
        return own
    return next(iter(knowing)) if len(knowing) == 1 else None
