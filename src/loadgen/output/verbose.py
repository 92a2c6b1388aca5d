"""`--format verbose`: log lines with a time stamp, one per interval, and the results as a block, much as crucible's.

Latencies are whole microseconds; every line that is not one per interval fits 80 columns.
"""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime

from loadgen.events import NOTHING_MEASURED, Configured, Event, PhaseBegan, Result, Sample, per_s
from loadgen.output import figures, sentences
from loadgen.output.sink import Sink
from loadgen.plan import Plan
from loadgen.units import format_duration

WIDTH = 80


class Verbose:
    """A log of the run."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._plan: Plan | None = None

    def emit(self, event: Event) -> None:
        match event:
            case Configured():
                self._plan = event.plan
                self._log(event.wall_s, *_configured(event))
                self._log(event.wall_s, *sentences.notes(event), level="WARN")
            case PhaseBegan():
                self._log(event.wall_s, _phase(event.phase, self._plan))
            case Sample(phase="measure"):
                self._sink.write(f"{_stamp(event.wall_s, 'INFO')}{_sample(event)}\n")
            case Result():
                self._log(event.wall_s, "=== Final Results ===")
                self._sink.write("".join(f"{line}\n" for line in _result(event)))
            case _:
                pass

    def _log(self, wall_s: float, *lines: str, level: str = "INFO") -> None:
        stamp = _stamp(wall_s, level)
        wrapped = [part for line in lines for part in _wrap(line, WIDTH - len(stamp))]
        if wrapped:
            self._sink.write("".join(f"{stamp}{line}\n" for line in wrapped))


def _stamp(wall_s: float, level: str) -> str:
    time = datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{time} {level} "


def _wrap(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _configured(event: Configured) -> list[str]:
    plan = event.plan
    stored = [f"keyspace: {sentences.keyspace(plan)}", f"value_size: {figures.plural(plan.value_bytes, 'byte')}"]
    extras = sentences.extras(plan)
    return [
        f"loadgen {event.version}",
        f"target: {sentences.targets(plan)}",
        *([f"server: {sentences.printable(event.server)}"] if event.server else []),
        f"protocol: {plan.protocol}",
        f"workers: {sentences.workers(plan)}",
        f"connections: {plan.connections} (total)",
        f"pipeline_depth: {plan.pipeline_depth}",
        f"commands: {sentences.mix(plan)}",
        *([] if plan.protocol == "ping" else stored),
        *([f"rate_limit: {plan.rate_per_s:.12g} req/s"] if plan.rate_per_s > 0 else []),
        *([f"also: {', '.join(extras)}"] if extras else []),
        f"seed: {plan.seed}",
    ]


def _phase(phase: str, plan: Plan | None) -> str:
    if plan is None:
        return f"{phase}..."
    match phase:
        case "connect":
            return f"opening {figures.plural(plan.connections, 'connection')}..."
        case "prefill":
            return f"prefilling {figures.plural(plan.keyspace.count, 'key')}..."
        case "warmup":
            return f"warming up for {format_duration(plan.warmup_ns)}..."
        case "measure":
            done = "warmup complete, " if plan.warmup_ns else ""
            return f"{done}running for {format_duration(plan.duration_ns)}"
        case "drain":
            return f"draining, for {format_duration(plan.request_timeout_ns)} at most..."
        case _:
            return f"{phase}..."


def _sample(event: Sample) -> str:
    total, latency = event.interval.total, event.interval.latency()
    hits = figures.share(event.interval.hit_rate)
    answered, failed = per_s(total.answered, event.interval_ns), per_s(total.failed, event.interval_ns)
    shown = (figures.quantile(latency, q, lambda ns: f"{figures.latency_us(ns)}us") for _, q in figures.PERCENTILES)
    percentiles = (f"{label}={value}" for (label, _), value in zip(figures.PERCENTILES, shown, strict=True))
    return " ".join([f"rate={answered:.0f}/s err={failed:.0f}/s hit%={hits}", *percentiles])


def _result(event: Result) -> list[str]:
    """The block after the headline: `name: value`, then the latency as a table, then what to make of it."""
    total = event.measured.total
    hit_rate = sentences.hit_rate(event)
    facts = [
        *([f"embedded: {sentences.EMBEDDED}"] if event.embedded else []),
        f"duration: {sentences.duration(event)}",
        f"requests: {total.planned}",
        f"responses: {total.answered}",
        f"errors: {sentences.errors(event)}",
        *(f"  {name}: {words}" for name, words in sentences.error_classes(event).items()),
        f"throughput: {event.throughput_per_s:.2f} req/s",
        f"bandwidth: {sentences.bandwidth(event, event.measured)}",
        *([f"hit_rate: {hit_rate}"] if hit_rate else []),
    ]
    accounts = sentences.accounts(event)
    remarks = [
        f"connections: {sentences.connections(event)}",
        f"client: {sentences.client(event)}",
        *sentences.examples(event),
        *([accounts] if accounts else []),
        *(f"note: {note}" for note in sentences.closing(event) if note != sentences.EMBEDDED),
        *(f"warning: {sentences.printable(warning)}" for warning in event.warnings),
        *(f"verdict: {words}" for words in sentences.verdict(event)),
    ]
    table = _latency(event) if total.planned else [NOTHING_MEASURED]
    return [*_hang(facts), *table, *_hang(remarks)]


def _hang(lines: list[str]) -> list[str]:
    """The lines wrapped at 80 columns, each keeping its own indent."""
    indents = [" " * (len(line) - len(line.lstrip())) for line in lines]
    return [
        indent + part
        for indent, line in zip(indents, lines, strict=True)
        for part in _wrap(line.strip(), WIDTH - len(indent))
    ]


def _latency(event: Result) -> list[str]:
    """A row for all requests and one for each command; response and service where there is a schedule."""
    measured, open_loop = event.measured, event.plan.rate_per_s > 0
    rows = [["latency (us)", *(label for label, _ in figures.PERCENTILES)]]
    for command in ("all", *measured.commands):
        name = command if command == "all" else command.upper()
        for clock in ("response", "service") if open_loop else ("response",):
            shown = figures.quantiles(measured.latency(command, clock), figures.latency_us)
            rows.append([f"  {name} {clock}" if open_loop else f"  {name}", *shown])
    if open_loop:
        rows.append(["  send lag", *figures.quantiles(measured.lag, figures.latency_us)])
    label = max(len(row[0]) for row in rows)
    return [f"{first:<{label}}" + "".join(f"{cell:>10}" for cell in cells) for first, *cells in rows]
