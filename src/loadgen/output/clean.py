"""`--format clean`: a table for people, 80 columns wide, in colour where there is a terminal."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime

from loadgen.events import (
    NOTHING_MEASURED,
    Configured,
    Event,
    PhaseBegan,
    Result,
    Sample,
    SearchEnded,
    StepTaken,
    per_s,
)
from loadgen.output import figures, search, sentences, slo
from loadgen.output.color import Paint
from loadgen.output.sink import Sink
from loadgen.plan import Plan
from loadgen.slo import Answer
from loadgen.stats.search import Outcome
from loadgen.stats.trial import Verdict
from loadgen.units import format_duration

WIDTH = 80

HEADER_EVERY = 25
"""Rows after which the header comes again: about a terminal's height."""

_LABEL = 14
"""The width of the first column of facts."""

_LEFT = 29
"""The width of everything left of the bar, so that the final table's percentiles stand under the samples'."""


_ANSWER_STYLES = {Answer.MET: "green", Answer.BREACHED: "bold red", Answer.UNKNOWN: "yellow"}


class Clean:
    """A header, a row per interval or per step of a search, and the results."""

    def __init__(self, sink: Sink, paint: Paint) -> None:
        self._sink = sink
        self._paint = paint
        self._plan: Plan | None = None
        self._rows = 0

    def emit(self, event: Event) -> None:
        match event:
            case Configured():
                self._plan = event.plan
                self._print(*self._configured(event))
            case PhaseBegan():
                self._print(self._paint(_phase(event.phase, self._plan), "dim"))
            case Sample(phase="measure"):
                if self._rows % HEADER_EVERY == 0:
                    self._print("", self._paint(_header("time", "req/s", "err/s", "hit%"), "bold"))
                self._rows += 1
                self._print(self._sample(event))
            case Result():
                self._print(*self._result(event))
            case StepTaken():
                if event.number == 1:
                    self._print("", self._paint(_STEP_HEADER, "bold"))
                self._print(*self._step(event))
            case SearchEnded():
                self._print(*self._search(event))
            case _:
                pass

    def _print(self, *lines: str) -> None:
        self._sink.write("".join(f"{line}\n" for line in lines))

    def _configured(self, event: Configured) -> list[str]:
        plan = event.plan
        keyspace = sentences.keyspace(plan, figures.grouped)
        values = figures.plural(plan.value_bytes, "byte", figures.grouped)
        server = sentences.printable(event.server)
        picked = f", {plan.request_distribution}" if plan.open_loop else ""
        stored = [] if plan.protocol == "ping" else [*_fact("keys", keyspace), *_fact("values", values)]
        return [
            self._paint(f"loadgen {event.version}", "bold"),
            "─" * WIDTH,
            *_fact("target", f"{sentences.targets(plan)} ({', '.join(filter(None, [server, plan.protocol]))})"),
            *_fact("workload", ", ".join([sentences.mix(plan), *sentences.extras(plan)])),
            *stored,
            *_fact("workers", sentences.workers(plan)),
            *_fact("conns", f"{plan.connections:,}, pipeline depth {plan.pipeline_depth}{picked}"),
            *_facts("rate", sentences.schedule(plan, figures.grouped)),
            *(_fact("search", search.aim(event.search.limits).lower()) if event.search is not None else []),
            *_fact("seed", str(plan.seed)),
            *(self._paint(line, "yellow") for note in sentences.notes(event) for line in _fact("note", note)),
            "",
        ]

    def _sample(self, event: Sample) -> str:
        total, interval_ns = event.interval.total, event.interval_ns
        time = datetime.fromtimestamp(event.wall_s, UTC).strftime("%H:%M:%S")
        answered = f"{figures.rate(per_s(total.answered, interval_ns)):>7}"
        failed = f"{figures.rate(per_s(total.failed, interval_ns)):>7}"
        hits = f"{figures.share(event.interval.hit_rate):>7}"
        percentiles = _percentiles(figures.quantiles(event.interval.latency(), mark=figures.mark_of_interval))
        return f"{time}{answered}{self._paint(failed, 'red') if total.failed else failed}{hits}{percentiles}"

    def _result(self, event: Result) -> list[str]:
        total = event.measured.total
        grouped = figures.grouped
        rate = f"{figures.rate(event.throughput_per_s)} req/s"
        counts = f"{grouped(total.planned)} requests, {grouped(total.answered)} responses"
        hit_rate = sentences.hit_rate(event, grouped)
        return [
            "",
            self._paint(f"RESULTS ({sentences.duration(event)})", "bold"),
            "─" * WIDTH,
            *_fact("throughput", f"{rate} ({counts})"),
            *self._errors(event),
            *_fact("bandwidth", sentences.bandwidth(event, event.measured)),
            *_fact("hit rate", hit_rate),
            *_fact("connections", sentences.connections(event, grouped)),
            *_fact("client", sentences.client(event)),
            *_fact("standing", sentences.standing(event)),
            *(line for example in sentences.examples(event) for line in _fact("", example)),
            "",
            *(self._latency(event) if total.planned else [NOTHING_MEASURED]),
            "",
            *self._objectives(event),
            *self._accounts(event),
            *(self._paint(line, "yellow") for note in sentences.closing(event) for line in _fact("note", note)),
            *self._verdict(event),
            *self._breaches(event),
        ]

    def _latency(self, event: Result) -> list[str]:
        header = self._paint(_header("latency", "", "", "count"), "bold")
        rows = sentences.latencies(event)
        return [header, *(_row(label, histogram.count, figures.quantiles(histogram)) for label, histogram in rows)]

    def _objectives(self, event: Result) -> list[str]:
        """A row for each, between empty lines."""
        if not event.checks:
            return []
        rows = [self._paint(f"{'objective':<20}{'limit':>22}{'measured':>20}   answer", "bold")]
        for check in event.checks:
            limit, measured = slo.limit(check.objective, figures.grouped), slo.measured(check, figures.grouped)
            answer = self._paint(slo.answer(check), _ANSWER_STYLES[check.answer])
            rows.append(f"{slo.name(check.objective):<20}{limit:>22}{measured:>20}   {answer}")
        return [*rows, ""]

    def _breaches(self, event: Result) -> list[str]:
        answers = {check.answer for check in event.checks}
        worst = next((answer for answer in (Answer.BREACHED, Answer.UNKNOWN) if answer in answers), Answer.MET)
        words = slo.summary(event.checks, figures.grouped)
        return [self._paint(line, _ANSWER_STYLES[worst]) for line in _fact("slo", words)]

    def _step(self, event: StepTaken) -> list[str]:
        """A row, and below it why, where the percentile in it does not say so."""
        step = event.step
        tried = _tried(str(event.number), step.purpose, _cell(step.rate_per_s), _cell(step.achieved_per_s))
        verdict = self._paint(search.verdict(step), _VERDICT_STYLES[step.judgement.verdict])
        return [
            f"{tried}{_limited(*search.worst(step))}  {verdict}",
            *(self._paint(line, "dim") for line in _indented(search.surprise(step), 5)),
        ]

    def _search(self, event: SearchEnded) -> list[str]:
        answer, grouped = event.answer, figures.grouped
        aim, found = search.aim(event.limits), search.found(event, grouped)
        headline = textwrap.wrap(f"{aim}: {found}", WIDTH)
        if len(headline) > 1:
            headline = [*textwrap.wrap(f"{aim}:", WIDTH), *_indented(found, 2)]
        notes = [sentences.EMBEDDED] * event.embedded + [search.KNEE] * (not event.limits)
        return [
            "",
            self._paint(f"SATURATION SEARCH{' (interrupted)' * event.interrupted}", "bold"),
            "─" * WIDTH,
            *(self._paint(line, _found_style(event)) for line in headline),
            "",
            *_fact("because", search.reason(answer) if answer else ""),
            *_fact("took", search.effort(answer) if answer else ""),
            *_fact("capacity", search.capacity(answer, grouped) if answer else ""),
            *self._errors(event),
            *_fact("totals", search.totals(event, grouped)),
            *_fact("connections", search.connections(event, grouped)),
            *(line for example in sentences.examples(event) for line in _fact("", example)),
            "",
            *self._accounts(event),
            *(self._paint(line, "yellow") for note in notes for line in _fact("note", note)),
            *self._verdict(event),
        ]

    def _errors(self, event: Result | SearchEnded) -> list[str]:
        classes = [f"{name} {words}" for name, words in sentences.error_classes(event, figures.grouped).items()]
        lines = _facts("errors", [sentences.errors(event, figures.grouped), *classes])
        return [self._paint(line, "red") for line in lines] if event.measured.total.failed else lines

    def _accounts(self, event: Result | SearchEnded) -> list[str]:
        return [self._paint(line, "bold red") for line in textwrap.wrap(sentences.accounts(event), WIDTH)]

    def _verdict(self, event: Result | SearchEnded) -> list[str]:
        style = "bold green" if event.valid else "bold red"
        return [
            *(
                self._paint(line, "yellow")
                for warning in sentences.warnings(event)
                for line in _fact("warning", warning)
            ),
            *(self._paint(line, style) for line in _facts("verdict", sentences.verdict(event))),
        ]


_VERDICT_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.GENERATOR_LIMITED: "bold yellow",
}


def _found_style(event: SearchEnded) -> str:
    if not event.valid or event.answer is None:
        return "bold red"
    return "bold green" if event.answer.outcome is Outcome.FOUND else "bold yellow"


def _tried(number: str, purpose: str, rate: str, achieved: str) -> str:
    return f"{number:>4} {purpose:<8}{rate:>10}{achieved:>11}"


def _limited(name: str, measured: str, limit: str) -> str:
    return f" │{name:>14}{measured:>9}{limit:>9}"


_STEP_HEADER = (
    f"{_tried('step', 'purpose', 'req/s', 'achieved')}{_limited('worst limit', 'measured', 'limit')}  verdict"
)


def _cell(rate_per_s: float) -> str:
    """Ten columns at most."""
    words = figures.whole_rate(rate_per_s, figures.grouped)
    return words if len(words) <= 10 else figures.rate(rate_per_s)


def _header(first: str, second: str, third: str, fourth: str) -> str:
    return f"{first:<8}{second:>7}{third:>7}{fourth:>7}" + _percentiles([label for label, _ in figures.PERCENTILES])


def _row(label: str, count: int, cells: list[str]) -> str:
    counted = f"{count:,}"
    if len(label) + 1 + len(counted) > _LEFT:
        counted = figures.rate(count)
    return f"{label}{counted:>{_LEFT - len(label)}}{_percentiles(cells)}"


def _percentiles(cells: list[str]) -> str:
    return " │" + "".join(f"{cell:>8}" for cell in cells)


def _facts(label: str, sentences: list[str]) -> list[str]:
    """A label and what there is to say, each beginning on a line of its own."""
    return [line for number, words in enumerate(sentences) for line in _fact("" if number else label, words)]


def _fact(label: str, words: str) -> list[str]:
    """A label and its words, wrapped beside it; nothing without words."""
    return _indented(words, _LABEL, label)


def _indented(words: str, indent: int, label: str = "") -> list[str]:
    return textwrap.wrap(
        words,
        WIDTH,
        initial_indent=f"{label:<{indent}}",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _phase(phase: str, plan: Plan | None) -> str:
    if plan is None:
        return f"[{phase}]"
    match phase:
        case "connect":
            return f"[connect {figures.plural(plan.connections, 'connection', figures.grouped)}]"
        case "prefill":
            return f"[prefill {figures.plural(plan.keyspace.count, 'key', figures.grouped)}]"
        case "warmup":
            return f"[warmup {format_duration(plan.warmup_ns)}]"
        case "measure":
            return f"[running {format_duration(plan.duration_ns)}]"
        case _:
            return f"[{phase}]"
