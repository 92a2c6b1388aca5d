"""Histograms in JSON: percentiles in crucible's microseconds or in nanoseconds, and all counts as a payload. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.percentiles import IN_ROWS, PERCENTILES
from loadgen.snapshot import Histogram, Snapshot, encode_v2, has_few_samples
from loadgen.units import NS_PER_US


def in_us(histogram: Histogram) -> dict[str, Any]:
    """Return percentiles under the names of crucible's benchmark, in whole microseconds, cut off as crucible does."""
    quantiles = [(name, q) for name, _, q in IN_ROWS]
    cut = {f"{name}_us": histogram.quantile(q) // NS_PER_US if histogram.count else None for name, q in quantiles}
    return {
        **cut,
        "lower_bounds": [f"{name}_us" for name, q in quantiles if histogram.is_lower_bound(q)],
        "few_samples": [f"{name}_us" for name, q in quantiles if has_few_samples(histogram, q)],
    }


def in_ns(histogram: Histogram) -> dict[str, Any]:
    quantiles = [(name, q) for name, _, q in PERCENTILES.values()]
    values: dict[str, float | None] = {
        "min_ns": histogram.min,
        "mean_ns": round(histogram.mean, 1),
        **{f"{name}_ns": histogram.quantile(q) for name, q in quantiles},
    }
    # The mean includes every sample, so a single censored sample makes the mean a lower bound.
    bounds = ["mean_ns"] * bool(histogram.censored)
    bounds += [f"{name}_ns" for name, q in [("min", 0.0), *quantiles] if histogram.is_lower_bound(q)]
    return {
        "samples": histogram.count,
        **(values if histogram.count else dict.fromkeys(values)),
        "overflow": histogram.overflow,
        "censored": histogram.censored,
        "least_censored_ns": histogram.least_censored,
        "lower_bounds": bounds,
        "few_samples": [f"{name}_ns" for name, q in quantiles if has_few_samples(histogram, q)],
    }


def payloads(measured: Snapshot) -> dict[str, Any]:
    payloads: dict[str, dict[str, str]] = {}
    for clock, histograms in (("response", measured.response), ("service", measured.service)):
        for command in measured.commands:
            if command in histograms:
                payloads.setdefault(command, {})[clock] = encode_v2(histograms[command])
    return payloads


def lag_payloads(measured: Snapshot) -> dict[str, str]:
    """Return the payloads of an open loop's send lag and of its two parts."""
    parts = {"lag": measured.lag, "lag_ours": measured.lag_ours, "lag_backpressure": measured.lag_backpressure}
    return {name: encode_v2(histogram) for name, histogram in parts.items()}
