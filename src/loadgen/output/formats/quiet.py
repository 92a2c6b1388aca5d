"""`--format quiet`: one line, at the end."""

from __future__ import annotations

from loadgen.compare.comparison import Compared, GateAnswer, NoiseFound
from loadgen.events import NOT_FOUND, NOTHING_MEASURED, Event, Result, SearchEnded
from loadgen.output.paper.sink import Sink
from loadgen.output.words import comparison, figures, search, sentences, slo, smoke
from loadgen.percentiles import IN_ROWS
from loadgen.smoke.criteria import SmokeEnded
from loadgen.units import NS_PER_US
from loadgen.usage import ServerReport


class Quiet:
    """Throughput, hit rate and tail of all commands, or a search's answer; and what is wrong with it if anything is."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def emit(self, event: Event) -> None:
        match event:
            case Result():
                test = f"{event.plan.test}: " if event.plan.test else ""
                self._sink.write(test + "  ".join([*_measured(event), *_remarks(event)]) + "\n")
            case SearchEnded():
                self._sink.write("  ".join([*_found(event), *_remarks(event)]) + "\n")
            case _:
                pass


class QuietSmoke:
    """Of a smoke test, the answer, the load's figures, and why it did not pass; of its load, nothing more."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def emit(self, event: Event) -> None:
        if isinstance(event, SmokeEnded):
            report = event.result.server if event.result is not None else None
            parts = [f"{smoke.verdict(event)} {smoke.server(event)}", *smoke.measured(event), *_server(report)]
            self._sink.write("  ".join([*parts, *filter(None, ["; ".join(smoke.reasons(event))])]) + "\n")


class QuietComparison:
    """Of a comparison or a gate, the answer for each metric; of the rounds, nothing."""

    def __init__(self, sink: Sink, gate: bool) -> None:
        self._sink = sink
        self._gate = gate

    def emit(self, event: Event) -> None:
        match event:
            case Compared():
                self._sink.write("  ".join(_compared(event, self._gate)) + "\n")
            case NoiseFound():
                told = [f"{metric} σ={sigma}" for metric, sigma, _ in comparison.noise(event)]
                self._sink.write("  ".join([*told, comparison.alarms(event), *comparison.cut_short(event)]) + "\n")
            case _:
                pass


def _compared(event: Compared, gate: bool) -> list[str]:
    answers = [
        f"{comparison.column(row.metric)} {comparison.answer(row, gate)} {comparison.effect(row)}" for row in event.rows
    ]
    if not gate:
        names = f"{comparison.candidate(event.b)} against {comparison.candidate(event.a)}:"
        return [names, *(answers or ["no round ended"]), *comparison.cut_short(event)]
    unsaid = comparison.reasons(event) if event.verdict is GateAnswer.REFUSED else comparison.cut_short(event)
    return [event.verdict, *answers, *unsaid]


def _measured(event: Result) -> list[str]:
    total, latency = event.measured.total, event.measured.latency()
    if not total.planned:
        return [NOTHING_MEASURED]
    hits = figures.share(event.measured.hit_rate)
    shown = ((label, figures.quantile(latency, q, figures.latency_word)) for _, label, q in IN_ROWS)
    objectives = slo.summary(event.checks)
    return [
        f"{event.throughput_per_s:.0f} req/s",
        *([f"{hits}% hit"] if hits != figures.NOTHING else []),
        *(f"{label}={value}" for label, value in shown if label in _SHOWN),
        *_server(event.server),
        *([f"errors={total.not_ok}"] if total.not_ok else []),
        *([f"SLO {objectives}"] if objectives else []),
    ]


def _server(report: ServerReport | None) -> list[str]:
    cpu = report.cpu_us_per_request if report is not None else None
    return [] if cpu is None else [f"server={figures.latency_word(cpu * NS_PER_US)}/req"]


def _found(event: SearchEnded) -> list[str]:
    answer = event.answer
    if answer is None:
        return [f"{search.terms(event.limits)} not known"]
    return [search.interval(answer), search.terms(event.limits), search.sureness(answer)]


def _remarks(event: Result | SearchEnded) -> list[str]:
    warnings = sentences.warnings(event)
    strain = sentences.overload(event) if isinstance(event, Result) else []
    reasons = [reason for reason in sentences.reasons(event) if reason not in (NOTHING_MEASURED, NOT_FOUND)]
    return [
        *(["interrupted"] if event.interrupted else []),
        *sentences.fate(event.server if isinstance(event, Result) else None),
        *(["built-in server"] if event.embedded else []),
        *sentences.failures(event),
        *([f"OVERLOAD: {strain[0]}"] if strain else []),
        *([f"INVALID: {'; '.join(reasons)}"] if reasons else []),
        *([f"warning: {'; '.join(warnings)}"] if warnings else []),
    ]


_SHOWN = ("p50", "p99", "p99.9", "max")
