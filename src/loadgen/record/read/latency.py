"""Histograms out of records: whole ones from their payloads, and what a row says of one. No I/O."""

from __future__ import annotations

import struct
import sys

from loadgen.percentiles import PERCENTILES
from loadgen.record.read.fields import Fields
from loadgen.snapshot import Histogram, decode_v2
from loadgen.units import NS_PER_US

# Where `Histogram.to_bytes` has them, in bytes: the sum in two words; then min, max, censored and least censored.
_SUM, _ENDS = 2 * 8, 4 * 8

_NEVER = 2**63 - 1
"""The least censored sample of a histogram that has none, as `Histogram.to_bytes` writes it."""


def whole(payload: str | None, said: Fields) -> Histogram:
    """The histogram of a V2 payload, with the exact ends and the lower bounds that stand beside it in `said`.

    Without a payload, what `said` says of its quantiles: see `shown`.
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
    """A histogram with the quantiles that are said, in nanoseconds; between them it is made up."""
    return _of(said, "ns", 1)


def shown_in_us(said: Fields, count: int) -> Histogram:
    """The same from whole microseconds, which is what rows held before they had nanoseconds; of `count` samples."""
    return _of(said, "us", NS_PER_US, count)


def _of(said: Fields, unit: str, scale: int, count: int | None = None) -> Histogram:
    """Samples in blocks that end at the quantiles' ranks, so that each rank asked for has the value that was said."""
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
    """Where a field such as `p999_ns` lies among the quantiles; what is none comes last."""
    found = PERCENTILES.get(name.partition("_")[0])
    return 2.0 if found is None else found.quantile


def _bounded(histogram: Histogram, least_ns: int) -> Histogram:
    """The same histogram, every quantile of which from `least_ns` up is a lower bound."""
    data = bytearray(histogram.to_bytes())
    struct.pack_into("2q", data, _ENDS + 2 * 8, histogram.count, least_ns)
    return Histogram.from_bytes(bytes(data))
