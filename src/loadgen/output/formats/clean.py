"""`--format clean`: a table for people, 80 columns wide, in colour where there is a terminal."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime

from loadgen.escape import printable
from loadgen.events import (
    NOTHING_MEASURED,
    Configured,
    Event,
    PhaseBegan,
    Result,
    Sample,
    SearchEnded,
    ServerAwaited,
    StepTaken,
    per_s,
)
from loadgen.output.paper.color import Paint
from loadgen.output.paper.columns import PLAIN, WATCHED
from loadgen.output.paper.layout import WIDTH, fact, facts, indented, rule, width
from loadgen.output.paper.sink import Sink
from loadgen.output.words import figures, search, sentences, slo
from loadgen.percentiles import IN_ROWS
from loadgen.phase import Phase
from loadgen.plan import Plan
from loadgen.slo import Attainment
from loadgen.stats.search import Outcome
from loadgen.stats.trial import RateVerdict
from loadgen.units import format_duration
from loadgen.usage import ServerReport

HEADER_EVERY = 25
"""Rows after which the header comes again: about a terminal's height."""

_HEADINGS = ("req/s", "err/s", "hit%", "srv%")
"""The last is what the server keeps busy, in percent of a CPU."""

_PHASE_HEADINGS = ("offered", "achieved", "p50", "p99", "errors")

_ANSWER_STYLES = {Attainment.MET: "green", Attainment.BREACHED: "bold red", Attainment.UNKNOWN: "yellow"}


class Clean:
    """A header, a row per interval or per step of a search, and the results."""

    def __init__(self, sink: Sink, paint: Paint) -> None:
        self._sink = sink
        self._paint = paint
        self._plan: Plan | None = None
        self._rows = 0
        self._columns = PLAIN
        self._awaits = False
        """The header is there, but for the server that is being started."""

    def emit(self, event: Event) -> None:
        match event:
            case ServerAwaited():
                self._awaits = True
                self._print(*self._configured(event.load, f"{printable(event.name)}, being started"))
            case Configured() if self._awaits:
                self._plan, self._awaits = event.plan, False
                self._print(*fact("server", sentences.started(event)), "")
            case Configured():
                after_another = [""] if self._plan is not None else []
                self._plan, self._rows = event.plan, 0
                self._print(*after_another, *self._configured(event, sentences.targets(event.plan)))
            case PhaseBegan():
                self._print(self._paint(_phase(event.phase, self._plan), "dim"))
                if event.phase == Phase.SEARCH:
                    self._print("", self._paint(_step_header(), "bold"))
            case Sample(phase=Phase.MEASURE):
                strain = (indented(words, 10) for words in sentences.strain(event, self._plan))
                beside = (self._paint(line, "yellow") for lines in strain for line in lines)
                self._print(*self._headed(event), self._sample(event), *beside)
            case Result():
                self._print(*self._result(event))
            case StepTaken():
                self._print(*self._step(event))
            case SearchEnded():
                self._print(*self._search(event))
            case _:
                pass

    def _print(self, *lines: str) -> None:
        self._sink.write("".join(f"{line}\n" for line in lines))

    def _configured(self, event: Configured, target: str) -> list[str]:
        plan = event.plan
        keyspace = sentences.keyspace(plan, figures.grouped)
        values = figures.plural(plan.value_bytes, "byte", figures.grouped)
        server = printable(event.server)
        picked = plan.request_distribution if plan.open_loop else sentences.refill(plan)
        pipeline = f"pipeline depth {plan.pipeline_depth}"
        schedule = sentences.schedule(plan, figures.grouped)
        stored = [*fact("keys", keyspace), *fact("values", values)] if plan.speaks.has_keys else []
        return [
            self._paint(f"loadgen {printable(event.version)}", "bold"),
            rule(),
            *fact("test", plan.test),
            *fact("target", f"{target} ({', '.join(filter(None, [server, plan.protocol]))})"),
            *fact("workload", ", ".join([sentences.mix(plan, figures.grouped), *sentences.extras(plan)])),
            *stored,
            *fact("workers", sentences.workers(plan)),
            *fact("conns", ", ".join(filter(None, [f"{plan.connections:,}", pipeline, picked]))),
            *facts("rate", schedule[:1] if plan.phases else schedule),
            *fact("phases", sentences.phases(plan, figures.grouped)),
            *(fact("search", search.aim(event.search.limits).lower()) if event.search is not None else []),
            *fact("seed", str(plan.seed)),
            *(self._paint(line, "yellow") for note in sentences.notes(event) for line in fact("note", note)),
            "",
        ]

    def _headed(self, event: Sample) -> list[str]:
        """The header above a row, where one is due: also as soon as a server is watched."""
        columns = WATCHED if event.server is not None else self._columns
        due = self._rows % HEADER_EVERY == 0 or columns is not self._columns
        self._rows += 1
        self._columns = columns
        return ["", self._paint(columns.header("time UTC", *_HEADINGS[: len(columns.widths)]), "bold")] if due else []

    def _sample(self, event: Sample) -> str:
        total, interval_ns, columns = event.interval.total, event.interval_ns, self._columns
        words = [
            figures.rate(per_s(total.answered, interval_ns)),
            figures.rate(per_s(total.not_ok, interval_ns)),
            figures.share(event.interval.hit_rate),
            f"{100 * event.server.cpu_share:.0f}" if event.server is not None else figures.NOTHING,
        ]
        answered, failed, *rest = columns.cells(words[: len(columns.widths)])
        return columns.line(
            datetime.fromtimestamp(event.wall_s, UTC).strftime("%H:%M:%S"),
            [answered, self._paint(failed, "red") if total.not_ok else failed, *rest],
            figures.quantiles(event.interval.latency(), mark=figures.mark_of_interval),
        )

    def _result(self, event: Result) -> list[str]:
        total = event.measured.total
        grouped = figures.grouped
        rate = f"{figures.rate(event.throughput_per_s)} req/s"
        counts = f"{grouped(total.planned)} requests, {grouped(total.answered)} responses"
        hit_rate = sentences.hit_rate(event, grouped)
        test = f" OF {event.plan.test}" if event.plan.test else ""
        return [
            "",
            self._paint(f"RESULTS{test} ({sentences.duration(event, figures.grouped)})", "bold"),
            rule(),
            *fact("throughput", f"{rate} ({counts})"),
            *(self._paint(line, "yellow") for line in facts("overload", sentences.overload(event, figures.grouped))),
            *self._server(event.server),
            *self._errors(event),
            *fact("bandwidth", sentences.bandwidth(event, event.measured)),
            *fact("hit rate", hit_rate),
            *fact("connections", sentences.connections(event, grouped)),
            *fact("client", sentences.client(event)),
            *fact("standing", sentences.standing(event, figures.grouped)),
            "",
            *(self._latency(event) if total.planned else [NOTHING_MEASURED]),
            "",
            *self._by_phase(event),
            *self._objectives(event),
            *self._accounts(event),
            *(self._paint(line, "yellow") for note in sentences.closing(event) for line in fact("note", note)),
            *self._verdict(event),
            *self._breaches(event),
        ]

    def _latency(self, event: Result) -> list[str]:
        columns = self._columns
        rows = [columns.row(label, h.count, figures.quantiles(h)) for label, h in sentences.latencies(event)]
        title = f"latency{'count':>{columns.left - len('latency')}}"
        labels = columns.percentiles([label for _, label, _ in IN_ROWS])
        return [self._paint(f"{title}{labels}", "bold"), *rows]

    def _by_phase(self, event: Result) -> list[str]:
        """A row for each phase of the load, with an empty line after them."""
        if not event.by_phase:
            return []
        rows = [self._paint(f"{'phase (req/s)':<14}" + "".join(f"{word:>9}" for word in _PHASE_HEADINGS), "bold")]
        for each in event.by_phase:
            latency, total = each.counted.latency(), each.counted.total
            cells = [
                figures.rate(each.phase.offered_per_s),
                figures.rate(each.achieved_per_s) if each.counted_ns else figures.NOTHING,
                *(figures.quantile(latency, q) for _, _, q in sentences.PHASE_PERCENTILES),
                figures.rate(total.not_ok),
            ]
            rows += indented(sentences.phase(each.phase, figures.grouped), 0)
            rows.append(f"{'':<14}" + "".join(f"{cell:>9}" for cell in cells))
        return [*rows, ""]

    def _server(self, report: ServerReport | None) -> list[str]:
        """What the load cost on the other side, and what went wrong there; nothing where nobody watched."""
        if report is None:
            return []
        return [
            *fact("server", sentences.server(report)),
            *(self._paint(line, "bold red") for line in facts("", sentences.fate(report))),
            *(self._paint(line, "yellow") for line in facts("", sentences.complaints(report))),
        ]

    def _objectives(self, event: Result) -> list[str]:
        """A row for each, between empty lines."""
        if not event.checks:
            return []
        first, second, third = (20, 22, 20) if _has_room() else (17, 16, 16)
        rows = [self._paint(f"{'objective':<{first}}{'limit':>{second}}{'measured':>{third}}   answer", "bold")]
        for check in event.checks:
            limit, measured = slo.limit(check.objective, figures.grouped), slo.measured(check, figures.grouped)
            answer = self._paint(slo.answer(check), _ANSWER_STYLES[check.answer])
            rows.append(f"{slo.name(check.objective):<{first}}{limit:>{second}}{measured:>{third}}   {answer}")
        return [*rows, ""]

    def _breaches(self, event: Result) -> list[str]:
        answers = {check.answer for check in event.checks}
        worst = next(
            (answer for answer in (Attainment.BREACHED, Attainment.UNKNOWN) if answer in answers), Attainment.MET
        )
        words = slo.summary(event.checks, figures.grouped)
        return [self._paint(line, _ANSWER_STYLES[worst]) for line in fact("slo", words)]

    def _step(self, event: StepTaken) -> list[str]:
        """A row, and below it why, where the percentile in it does not say so."""
        step = event.step
        tried = _tried(str(event.number), step.purpose, _cell(step.rate_per_s), _cell(step.achieved_per_s))
        verdict = self._paint(search.verdict(step), _VERDICT_STYLES[step.judgement.verdict])
        return [
            f"{tried}{_limited(*search.worst(step))}  {verdict}",
            *(self._paint(line, "dim") for line in indented(search.surprise(step), 5)),
        ]

    def _search(self, event: SearchEnded) -> list[str]:
        answer, grouped = event.answer, figures.grouped
        aim, found = search.aim(event.limits), search.found(event, grouped)
        headline = textwrap.wrap(f"{aim}: {found}", width())
        if len(headline) > 1:
            headline = [*textwrap.wrap(f"{aim}:", width()), *indented(found, 2)]
        notes = [sentences.EMBEDDED] * event.embedded + [search.KNEE] * (not event.limits)
        return [
            "",
            self._paint(f"SATURATION SEARCH{' (interrupted)' * event.interrupted}", "bold"),
            rule(),
            *(self._paint(line, _found_style(event)) for line in headline),
            "",
            *fact("because", search.reason(answer) if answer else ""),
            *fact("took", search.effort(answer) if answer else ""),
            *fact("capacity", search.capacity(answer, grouped) if answer else ""),
            *self._errors(event),
            *fact("totals", search.totals(event, grouped)),
            *fact("connections", search.connections(event, grouped)),
            "",
            *self._accounts(event),
            *(self._paint(line, "yellow") for note in notes for line in fact("note", note)),
            *self._verdict(event),
        ]

    def _errors(self, event: Result | SearchEnded) -> list[str]:
        classes = [f"{name} {words}" for name, words in sentences.error_classes(event, figures.grouped).items()]
        lines = facts("errors", [sentences.errors(event, figures.grouped), *classes, *sentences.examples(event)])
        return [self._paint(line, "red") for line in lines] if event.measured.total.not_ok else lines

    def _accounts(self, event: Result | SearchEnded) -> list[str]:
        return [self._paint(line, "bold red") for line in textwrap.wrap(sentences.accounts(event), width())]

    def _verdict(self, event: Result | SearchEnded) -> list[str]:
        style = "bold green" if event.valid else "bold red"
        return [
            *(
                self._paint(line, "yellow")
                for warning in sentences.warnings(event)
                for line in fact("warning", warning)
            ),
            *(self._paint(line, style) for line in facts("verdict", sentences.verdict(event))),
        ]


_VERDICT_STYLES = {
    RateVerdict.PASS: "green",
    RateVerdict.FAIL: "red",
    RateVerdict.INCONCLUSIVE: "yellow",
    RateVerdict.GENERATOR_LIMITED: "bold yellow",
}


def _found_style(event: SearchEnded) -> str:
    if not event.valid or event.answer is None:
        return "bold red"
    return "bold green" if event.answer.outcome is Outcome.FOUND else "bold yellow"


def _tried(number: str, purpose: str, rate: str, achieved: str) -> str:
    return f"{number:>4} {purpose:<8}{rate:>10}{achieved:>11}" if _has_room() else f"{number:>4} {purpose:<8}{rate:>10}"


def _limited(name: str, measured: str, limit: str) -> str:
    return f" │{name:>14}{measured:>9}{limit:>9}" if _has_room() else f" │{name:>12}{measured:>9}"


def _has_room() -> bool:
    """Whether a line takes all columns of a table."""
    return width() >= WIDTH


def _step_header() -> str:
    return f"{_tried('step', 'purpose', 'req/s', 'achieved')}{_limited('worst limit', 'measured', 'limit')}  verdict"


def _cell(rate_per_s: float) -> str:
    """Ten columns at most."""
    words = figures.whole_rate(rate_per_s, figures.grouped)
    return words if len(words) <= 10 else figures.rate(rate_per_s)


def _phase(phase: str, plan: Plan | None) -> str:
    if plan is None:
        return f"[{phase}]"
    match phase:
        case Phase.CONNECT:
            return f"[connect {figures.plural(plan.connections, 'connection', figures.grouped)}]"
        case Phase.PREFILL:
            return f"[prefill {figures.plural(plan.keyspace.count, 'key', figures.grouped)}]"
        case Phase.WARMUP:
            return f"[warmup {format_duration(plan.warmup_ns)}]"
        case Phase.MEASURE:
            return f"[running {sentences.aim(plan, figures.grouped)}]"
        case _:
            return f"[{phase}]"
