"""`--format quiet`: one line, at the end."""

from __future__ import annotations

from loadgen.events import NOT_FOUND, NOTHING_MEASURED, Event, Result, SearchEnded
from loadgen.output import figures, search, sentences, slo
from loadgen.output.sink import Sink


class Quiet:
    """Throughput, hit rate and tail of all commands, or a search's answer; and what is wrong with it if anything is."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def emit(self, event: Event) -> None:
        match event:
            case Result():
                self._sink.write("  ".join([*_measured(event), *_remarks(event)]) + "\n")
            case SearchEnded():
                self._sink.write("  ".join([*_found(event), *_remarks(event)]) + "\n")
            case _:
                pass


def _measured(event: Result) -> list[str]:
    total, latency = event.measured.total, event.measured.latency()
    if not total.planned:
        return [NOTHING_MEASURED]
    hits = figures.share(event.measured.hit_rate)
    shown = ((label, figures.quantile(latency, q, figures.latency_word)) for label, q in figures.PERCENTILES)
    objectives = slo.summary(event.checks)
    return [
        f"{event.throughput_per_s:.0f} req/s",
        *([f"{hits}% hit"] if hits != figures.NOTHING else []),
        *(f"{label}={value}" for label, value in shown if label in _SHOWN),
        *([f"errors={total.failed}"] if total.failed else []),
        *([f"SLO {objectives}"] if objectives else []),
    ]


def _found(event: SearchEnded) -> list[str]:
    answer = event.answer
    if answer is None:
        return [f"{search.terms(event.limits)} not known"]
    return [search.interval(answer), search.terms(event.limits), search.sureness(answer)]


def _remarks(event: Result | SearchEnded) -> list[str]:
    reasons = [reason for reason in sentences.reasons(event) if reason not in (NOTHING_MEASURED, NOT_FOUND)]
    return [
        *(["interrupted"] if event.interrupted else []),
        *(["built-in server"] if event.embedded else []),
        *([f"INVALID: {'; '.join(reasons)}"] if reasons else []),
    ]


_SHOWN = ("p50", "p99", "p99.9", "max")
