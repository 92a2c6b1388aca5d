"""`--format clean`: a table for people, 80 columns wide, in colour where there is a terminal."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime

from loadgen.events import NOTHING_MEASURED, Configured, Event, PhaseBegan, Result, Sample, per_s
from loadgen.output import figures, sentences
from loadgen.output.color import Paint
from loadgen.output.sink import Sink
from loadgen.plan import Plan
from loadgen.units import format_duration

WIDTH = 80

HEADER_EVERY = 25
"""Rows after which the header comes again: about a terminal's height."""

_LABEL = 14
"""The width of the first column of facts."""

_LEFT = 29
"""The width of everything left of the bar, so that the final table's percentiles stand under the samples'."""


class Clean:
    """A header, a row per interval, and the results."""

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
            case _:
                pass

    def _print(self, *lines: str) -> None:
        self._sink.write("".join(f"{line}\n" for line in lines))

    def _configured(self, event: Configured) -> list[str]:
        plan = event.plan
        keyspace = sentences.keyspace(plan, figures.grouped)
        values = figures.plural(plan.value_bytes, "byte", figures.grouped)
        server = sentences.printable(event.server)
        stored = [] if plan.protocol == "ping" else [*_fact("keys", keyspace), *_fact("values", values)]
        return [
            self._paint(f"loadgen {event.version}", "bold"),
            "─" * WIDTH,
            *_fact("target", f"{sentences.targets(plan)} ({', '.join(filter(None, [server, plan.protocol]))})"),
            *_fact("workload", ", ".join([sentences.mix(plan), *sentences.extras(plan)])),
            *stored,
            *_fact("workers", sentences.workers(plan)),
            *_fact("conns", f"{plan.connections:,}, pipeline depth {plan.pipeline_depth}"),
            *(_fact("rate limit", f"{plan.rate_per_s:,.12g} req/s") if plan.rate_per_s > 0 else []),
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
        percentiles = _percentiles(figures.quantiles(event.interval.latency()))
        return f"{time}{answered}{self._paint(failed, 'red') if total.failed else failed}{hits}{percentiles}"

    def _result(self, event: Result) -> list[str]:
        total = event.measured.total
        grouped = figures.grouped
        rate = f"{figures.rate(event.throughput_per_s)} req/s"
        counts = f"{grouped(total.planned)} requests, {grouped(total.answered)} responses"
        classes = [f"{name} {words}" for name, words in sentences.error_classes(event, grouped).items()]
        errors = [*_fact("errors", sentences.errors(event, grouped)), *(line for c in classes for line in _fact("", c))]
        hit_rate, accounts = sentences.hit_rate(event, grouped), sentences.accounts(event)
        warnings = [sentences.printable(warning) for warning in event.warnings]
        return [
            "",
            self._paint(f"RESULTS ({sentences.duration(event)})", "bold"),
            "─" * WIDTH,
            *_fact("throughput", f"{rate} ({counts})"),
            *(self._paint(line, "red") if total.failed else line for line in errors),
            *_fact("bandwidth", sentences.bandwidth(event, event.measured)),
            *(_fact("hit rate", hit_rate) if hit_rate else []),
            *_fact("connections", sentences.connections(event, grouped)),
            *_fact("client", sentences.client(event)),
            *(line for example in sentences.examples(event) for line in _fact("", example)),
            "",
            *(self._latency(event) if total.planned else [NOTHING_MEASURED]),
            "",
            *(self._paint(line, "bold red") for line in (textwrap.wrap(accounts, WIDTH) if accounts else [])),
            *(self._paint(line, "yellow") for note in sentences.closing(event) for line in _fact("note", note)),
            *(self._paint(line, "yellow") for warning in warnings for line in _fact("warning", warning)),
            *(
                self._paint(line, "bold green" if event.valid else "bold red")
                for number, words in enumerate(sentences.verdict(event))
                for line in _fact("" if number else "verdict", words)
            ),
        ]

    def _latency(self, event: Result) -> list[str]:
        """A row for all requests and one for each command; response and service where there is a schedule."""
        measured, open_loop = event.measured, event.plan.rate_per_s > 0
        rows = [self._paint(_header("latency", "", "", "count"), "bold")]
        for command in ("all", *measured.commands):
            name = command if command == "all" else command.upper()
            for clock in ("response", "service") if open_loop else ("response",):
                histogram = measured.latency(command, clock)
                label = f"{name} {clock}" if open_loop else name
                rows.append(_row(label, histogram.count, figures.quantiles(histogram)))
        if open_loop:
            rows.append(_row("send lag", measured.lag.count, figures.quantiles(measured.lag)))
        return rows


def _header(first: str, second: str, third: str, fourth: str) -> str:
    return f"{first:<8}{second:>7}{third:>7}{fourth:>7}" + _percentiles([label for label, _ in figures.PERCENTILES])


def _row(label: str, count: int, cells: list[str]) -> str:
    counted = f"{count:,}"
    if len(label) + 1 + len(counted) > _LEFT:
        counted = figures.rate(count)
    return f"{label}{counted:>{_LEFT - len(label)}}{_percentiles(cells)}"


def _percentiles(cells: list[str]) -> str:
    return " │" + "".join(f"{cell:>8}" for cell in cells)


def _fact(label: str, words: str) -> list[str]:
    """A label and its words, wrapped beside it."""
    return textwrap.wrap(
        words,
        WIDTH,
        initial_indent=f"{label:<{_LABEL}}",
        subsequent_indent=" " * _LABEL,
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
