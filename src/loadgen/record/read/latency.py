"""Histograms from records: exact ones from payloads, approximate ones from percentiles. No I/O."""

from __future__ import annotations

import struct
import sys

from loadgen.percentiles import PERCENTILES
from loadgen.record.read.fields import Fields
from loadgen.snapshot import Histogram, decode_v2
from loadgen.units import NS_PER_US

# Offsets in `Histogram.to_bytes`, in bytes: the sum, in two words; then min, max, censored and least censored.
_SUM, _ENDS = 2 * 8, 4 * 8

_NEVER = 2**63 - 1
"""The least censored sample of a histogram that has none, as `Histogram.to_bytes` writes it."""


def whole(payload: str | None, said: Fields) -> Histogram:
    """Return the histogram of a V2 payload, with the exact sum, min, max and censored samples from `said`.

    Without a payload, return `shown(said)`.
    """
    if payload is None:
        return shown(said)
    counters = decode_v2(payload)
    for _ in range(said.count("overflow")):
        counters.record(said.count("max_ns"))
    if not counters.count:
        return counters
    bounds = said.may("least_censored_ns", said.may("max_ns") if said.may("censored") else None)
    ends = (said.count("min_ns"), said.count("max_ns"), said.count("censored"))
    data = bytearray(counters.to_bytes())
    total = round(said.number("mean_ns") * counters.count)
    data[_SUM : _SUM + 16] = total.to_bytes(16, sys.byteorder, signed=True)
    struct.pack_into("4q", data, _ENDS, *ends, _NEVER if bounds is None else int(bounds))
    return Histogram.from_bytes(bytes(data))


def shown(said: Fields) -> Histogram:
    """Return a histogram with the quantiles in `said`, in nanoseconds; values between the quantiles are invented."""
    return _of(said, "ns", 1)


def shown_in_us(said: Fields, count: int) -> Histogram:
    """Return `shown` of quantiles in whole microseconds, with `count` samples: older rows have no nanoseconds."""
    return _of(said, "us", NS_PER_US, count)


def _of(said: Fields, unit: str, scale: int, count: int | None = None) -> Histogram:
    """Return a histogram of blocks of equal samples, each ending at a quantile's rank with that quantile's value."""
    total = said.count(said.named("samples", "count")) if count is None else count
    histogram = Histogram()
    ends = [(q, said.may(f"{name}_{unit}")) for name, _, q in PERCENTILES.values()]
    known = [(q, int(value) * scale) for q, value in ends if value is not None]
    if not total or not known:
        return histogram
    lower = {str(name) for name in said.may("lower_bounds", ())}
    done = 0
    for q, value in known:
        rank = max(1, -(-round(q * 1_000_000_000) * total // 1_000_000_000))
        if rank > done:
            histogram.record_many(value, rank - done)
            done = rank
    first_bound = next((int(said.values[name]) * scale for name in sorted(lower, key=_rank) if name in said), None)
    return histogram if first_bound is None else _bounded(histogram, first_bound)


def _rank(name: str) -> float:
    """Return the quantile of a field such as `p999_ns`; 2, after all quantiles, for any other field."""
    found = PERCENTILES.get(name.partition("_")[0])
    return 2.0 if found is None else found.quantile


def _bounded(histogram: Histogram, least_ns: int) -> Histogram:
    """Return the histogram with every quantile from `least_ns` up marked as a lower bound."""
    data = bytearray(histogram.to_bytes())
    struct.pack_into("2q", data, _ENDS + 2 * 8, histogram.count, least_ns)
    return Histogram.from_bytes(bytes(data))
