"""The metrics of a comparison: one number per server and round. Values; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.percentiles import COMPARED


@dataclass(frozen=True, slots=True)
class Metric:
    """A number per server and round."""

    name: str
    """The name in files and records: throughput, p50, p99, p999, server_cpu, rss."""
    label: str
    """The name for people."""
    unit: str
    """per_s, ns or bytes."""
    higher_is_better: bool = False
    loop: str = ""
    """The loop of the slices that the metric is taken from: closed or open; empty for either."""

    @property
    def noun(self) -> str:
        """The label as the subject of a sentence: "p99 response time"."""
        return f"{self.label} time" if self.label.endswith(" response") else self.label


METRICS = {
    metric.name: metric
    for metric in (
        Metric("throughput", "throughput", "per_s", higher_is_better=True, loop="closed"),
        *(Metric(name, f"{label} response", "ns", loop="open") for name, label, _ in COMPARED),
        Metric("server_cpu", "server CPU/req", "ns", loop="open"),
        Metric("rss", "server memory", "bytes"),
    )
}
"""In the order of output."""
