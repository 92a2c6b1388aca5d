"""`--format quiet`: one line, at the end."""

from __future__ import annotations

from loadgen.events import NOTHING_MEASURED, Event, Result
from loadgen.output import figures, sentences
from loadgen.output.sink import Sink


class Quiet:
    """Throughput, hit rate and tail of all commands, and what is wrong with them if anything is."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def emit(self, event: Event) -> None:
        if isinstance(event, Result):
            self._sink.write("  ".join(_parts(event)) + "\n")


def _parts(event: Result) -> list[str]:
    total, latency = event.measured.total, event.measured.latency()
    hits = figures.share(event.measured.hit_rate)
    shown = ((label, figures.quantile(latency, q, figures.latency_word)) for label, q in figures.PERCENTILES)
    measured = [
        f"{event.throughput_per_s:.0f} req/s",
        *([f"{hits}% hit"] if hits != figures.NOTHING else []),
        *(f"{label}={value}" for label, value in shown if label in _SHOWN),
    ]
    reasons = [reason for reason in sentences.reasons(event) if reason != NOTHING_MEASURED]
    return [
        *(measured if total.planned else [NOTHING_MEASURED]),
        *([f"errors={total.failed}"] if total.failed else []),
        *(["interrupted"] if event.interrupted else []),
        *(["built-in server"] if event.embedded else []),
        *([f"INVALID: {'; '.join(reasons)}"] if reasons else []),
    ]


_SHOWN = ("p50", "p99", "p99.9", "max")
