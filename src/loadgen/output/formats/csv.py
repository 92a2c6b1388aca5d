"""`--format csv`: redis-benchmark's columns, a row for each load. Rates are per second, latencies in milliseconds."""

from __future__ import annotations

import csv
import io

from loadgen.events import Configured, Progress, Result
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.paper.sink import Sink
from loadgen.output.words import faults, sentences
from loadgen.percentiles import percentiles
from loadgen.units import NS_PER_MS

COLUMNS = (
    "test",
    "rps",
    "avg_latency_ms",
    "min_latency_ms",
    "p50_latency_ms",
    "p95_latency_ms",
    "p99_latency_ms",
    "max_latency_ms",
)


class Csv(Format):
    """A header, and a row as each load ends."""

    silent = OF_RESULTS - {Configured, Result} | {Progress}

    def __init__(self, sink: Sink) -> None:
        super().__init__({**on(Configured, self._header), **on(Result, self._row)})
        self._sink = sink
        self._headed = False

    def _header(self, event: Configured) -> None:
        if not self._headed:
            self._sink.write(line(COLUMNS))
        self._headed = True

    def _row(self, event: Result) -> None:
        self._sink.write(line(row(event)))


def row(event: Result) -> list[str]:
    """Return the cells of a load's row; latencies are 0 when nothing was measured."""
    latency = event.measured.latency()
    quantiles = [latency.quantile(q) if latency.count else 0 for _, _, q in percentiles("p50", "p95", "p99")]
    mean, least, most = (latency.mean, latency.min, latency.max) if latency.count else (0.0, 0, 0)
    return [
        ", under ".join(filter(None, [event.plan.test or sentences.mix(event.plan), faults.names(event)])),
        f"{event.throughput_per_s:.2f}",
        *(f"{ns / NS_PER_MS:.3f}" for ns in (mean, least, *quantiles, most)),
    ]


def line(cells: tuple[str, ...] | list[str]) -> str:
    """Return a line with every cell in quotes, as redis-benchmark writes them."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(cells)
    return text.getvalue()
