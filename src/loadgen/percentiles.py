"""The percentiles of results: the name of each in files, its label in print, and its quantile. Values; no I/O."""

from __future__ import annotations

from typing import NamedTuple


class Percentile(NamedTuple):
    """One percentile of a latency; `max` is the 100th."""

    name: str
    """In files, flags and records: p999."""
    label: str
    """In print: p99.9."""
    quantile: float
    """As a share of 1."""


PERCENTILES = {
    percentile.name: percentile
    for percentile in (
        Percentile("p50", "p50", 0.5),
        Percentile("p90", "p90", 0.9),
        Percentile("p95", "p95", 0.95),
        Percentile("p99", "p99", 0.99),
        Percentile("p999", "p99.9", 0.999),
        Percentile("p9999", "p99.99", 0.9999),
        Percentile("max", "max", 1.0),
    )
}
"""By name, from the lowest to the highest."""


def percentiles(*names: str) -> tuple[Percentile, ...]:
    """Return the percentiles of these names, in the order given."""
    return tuple(PERCENTILES[name] for name in names)


IN_ROWS = percentiles("p50", "p90", "p99", "p999", "p9999", "max")
"""The percentiles in the row of an interval, as in crucible's benchmark."""

COMPARED = percentiles("p50", "p99", "p999")
"""The percentiles that comparisons and results over time use."""
