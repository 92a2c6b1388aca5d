"""What is compared: one number per server and round. Values; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.percentiles import COMPARED


@dataclass(frozen=True, slots=True)
class Metric:
    """One number per server and round."""

    name: str
    """In files and records: throughput, p50, p99, p999, server_cpu, rss."""
    label: str
    """For people."""
    unit: str
    """per_s, ns or bytes."""
    higher_is_better: bool = False
    loop: str = ""
    """The slices that it is taken from: closed or open; empty: either."""

    @property
    def noun(self) -> str:
        """As the subject of a sentence: "p99 response time"."""
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
"""In the order in which they are shown."""
