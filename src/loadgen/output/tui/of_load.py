"""A load as a page shows it: the subject, and its latencies and rates. Pure functions of the state and the time."""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.events import Configured, PhaseBegan
from loadgen.output.tui.faults import kind
from loadgen.output.tui.line import Column, Line, cells, cut, headings
from loadgen.output.tui.load import Load
from loadgen.output.tui.numbers import rounded
from loadgen.output.tui.subject import Block, Stage, Subject
from loadgen.output.words import figures, hosts, nodes, progress, search, sentences
from loadgen.overload import BACKLOG_NS, lateness_ns
from loadgen.percentiles import percentiles
from loadgen.phase import Phase
from loadgen.snapshot import Histogram
from loadgen.units import NS_PER_S

_PERCENTILES = percentiles("p50", "p90", "p99", "p999")
_COLUMNS: tuple[Column, ...] = (
    ("latency", -14),
    *((label, 11) for _, label, _ in _PERCENTILES),
    ("max", 11),
    ("count", 9),
)
_LABEL = 14
_AROUND_NODES = 9
"""The most lines of the block beside those of the endpoints, as far as they matter more than these."""


def subject(load: Load, now_s: float) -> Subject:
    header, phase = load.header, load.phase
    length_ns = _length_ns(header, phase)
    over_ns = (now_s - phase.wall_s) * NS_PER_S if phase is not None else 0.0
    counted = load.progress is not None and not length_ns
    share = progress.share(load.progress) if counted and load.progress is not None else None
    if length_ns:
        share = min(1.0, over_ns / length_ns)
    test = f": {header.plan.test}" if header is not None and header.plan.test else ""
    return Subject(
        verb="saturate" if header is not None and header.search is not None else "run",
        what=(_what(load),),
        title=f"load{test}",
        words=_words(header),
        stages=_stages(load),
        share=share,
        left_ns=max(0.0, length_ns - over_ns) if length_ns else None,
        note=progress.words(load.progress).strip() if counted and load.progress is not None else "",
        operations="req",
        rate_per_s=load.rate_per_s,
        top_per_s=load.top_per_s,
        latencies=_latencies(load),
        totals=_totals(load),
        series=load.series,
        whole_s=0.0,
        sample_s=header.plan.load.interval_ns / NS_PER_S if header is not None else 1.0,
        faulted=bool(load.faults),
    )


def block(load: Load, width: int, height: int, now_s: float) -> Block:
    """Return the latencies, rates, connections and warnings in `height` lines at most."""
    interval = load.sample.interval.latency() if load.sample is not None else Histogram()
    lines = [
        headings(_COLUMNS),
        _row("last interval", interval),
        _row("so far", load.measured),
        _rates(load),
        _fact("connections", _connections(load)),
        *_agents(load, height - _AROUND_NODES - 1),
        *_nodes(load, height - _AROUND_NODES),
        *(_fact("faults", words, "warn") for words in _faults(load, now_s)),
        _generator(load),
        *_monitors(load),
    ]
    return Block("latency and load", [cut(line, width) for line in lines[:height]])


def _what(load: Load) -> str:
    if load.header is None:
        return ""
    if load.awaited:
        return f"{load.awaited}, starting"
    return sentences.started(load.header)


def _words(header: Configured | None) -> str:
    if header is None:
        return "The load is being prepared."
    plan = header.plan
    keys = f"{rounded(plan.workload.keyspace.count)} keys"
    stored = [keys, f"{rounded(plan.workload.value_bytes)}-byte values"] if plan.target.speaks.has_keys else []
    depth = f"depth\N{NO-BREAK SPACE}{plan.wire.pipeline_depth}"
    rate = (sentences.schedule(plan, figures.grouped) or ["closed loop"])[0]
    if header.search is not None:
        rate = search.aim(header.search.limits, figures.grouped).lower()
    return ", ".join([sentences.mix(plan, figures.grouped), *stored, depth, rate])


def _stages(load: Load) -> tuple[Stage, ...]:
    names = _names(load.header) if load.header is not None else [str(Phase.CONNECT)]
    now = load.phase.phase if load.phase is not None else ""
    number = names.index(now) if now in names else -1
    return tuple(Stage(name, place < number, place == number) for place, name in enumerate(names))


def _names(header: Configured) -> list[str]:
    """Return the names of the phases to come, in order."""
    plan = header.plan
    before = [Phase.CONNECT, Phase.PRECHECK, *[Phase.PREFILL] * plan.workload.prefill]
    load = [*[Phase.WARMUP] * bool(plan.load.warmup_ns), Phase.MEASURE, Phase.DRAIN]
    return [str(phase) for phase in (*before, *([Phase.SEARCH] if header.search is not None else load))]


def _length_ns(header: Configured | None, phase: PhaseBegan | None) -> int:
    if header is None or phase is None:
        return 0
    load = header.plan.load
    return {Phase.WARMUP.value: load.warmup_ns, Phase.MEASURE.value: 0 if load.requests else load.duration_ns}.get(
        phase.phase, 0
    )


def _latencies(load: Load) -> Line:
    if load.sample is None:
        return ()
    hit_rate = load.sample.interval.hit_rate
    return (("hits ", "dim"), (f"{figures.share(hit_rate)} %", "")) if hit_rate is not None else ()


def _totals(load: Load) -> Line:
    share = figures.share(load.failed / load.ended if load.ended else 0.0, 2)
    errors = figures.plural(load.failed, "error", figures.grouped)
    return (
        (figures.plural(load.ended, "request", figures.grouped), ""),
        ("   ", ""),
        (f"{errors} ({share} %)", "bad" if load.failed else "dim"),
    )


def _row(label: str, histogram: Histogram) -> Line:
    quantiles = [figures.quantile(histogram, q, mark=figures.mark_of_interval) for _, _, q in _PERCENTILES]
    most = figures.quantile(histogram, 1.0, mark=figures.mark_of_interval)
    words = cells([label, *quantiles, most, figures.rate(histogram.count)], _COLUMNS)
    return (words[:_LABEL], "dim"), (words[_LABEL:], "")


def _fact(label: str, words: str, style: str = "") -> Line:
    return (f"{label:<{_LABEL}}", "dim"), (words, style)


def _rates(load: Load) -> Line:
    """Return the rates of the newest interval, and what waited at its end."""
    if load.sample is None:
        return _fact("rate", figures.NOTHING)
    achieved = f"achieved {figures.rate(load.rate_per_s)} req/s"
    if (offered := load.offered_per_s) is None:
        return _fact("rate", f"{achieved}, closed loop")
    backlog = load.sample.interval.backlog
    rates = f"offered {figures.rate(offered)}, {achieved}"
    if backlog.age_ns <= BACKLOG_NS:
        return _fact("rate", f"{rates}, backlog {figures.plural(round(backlog.requests), 'request', figures.grouped)}")
    growing = " and growing" if load.sample.growing else ""
    return _fact("rate", f"{rates}, backlog {figures.latency(backlog.age_ns)}{growing}", "warn")


def _connections(load: Load) -> str:
    if load.sample is None or load.header is None:
        return figures.NOTHING
    counts = load.sample.interval.connections
    words = f"{figures.grouped(counts.active)} of {figures.grouped(load.header.plan.wire.connections)} active"
    if used := load.sample.server:
        words += f", server's CPU {figures.cpu(used)}"
    return words


def _agents(load: Load, most: int) -> list[Line]:
    """Return who sends the load, and a line for each in the newest interval; nothing where this machine sends it."""
    if load.header is None or not load.header.agents:
        return []
    words = f"{hosts.preflight(load.header, figures.grouped)}; {hosts.clocks(load.header, figures.grouped)}"
    said = hosts.interval(load.sample, most) if load.sample is not None and most > 1 else []
    return [_fact("agents", words), *(_fact("", words, "warn" if fails else "") for words, fails in said)]


def _nodes(load: Load, most: int) -> list[Line]:
    """Return a line for each server of the newest interval; nothing for a single server."""
    if load.sample is None or most < 2:
        return []
    said = nodes.interval(load.sample.interval, load.sample.interval_ns, most)
    return [_fact("" if n else "endpoints", words, "warn" if fails else "") for n, (words, fails) in enumerate(said)]


def _faults(load: Load, now_s: float) -> list[str]:
    return [
        f"{kind(event)} on {event.fault.place(event.node)}, for {max(0.0, now_s - event.wall_s):.0f} s"
        for event in load.faults.on
    ]


def _monitors(load: Load) -> list[Line]:
    """Return how often each monitor was read, and was not; nothing without monitors."""
    names = dict.fromkeys([*load.readings, *load.gaps])
    words = "; ".join(f"{printable(name, 40)} {_read(load.readings[name], load.gaps[name])}" for name in names)
    return [_fact("monitors", words, "warn" if load.gaps else "")] if names else []


def _read(readings: int, gaps: int) -> str:
    missed = f", {figures.plural(gaps, 'gap', figures.grouped)}" if gaps else ""
    return f"{figures.plural(readings, 'reading', figures.grouped)}{missed}"


def _generator(load: Load) -> Line:
    """Return the workers' CPU time in the newest interval, and whether they were late by their own fault."""
    if load.sample is None or load.header is None:
        return _fact("generator", figures.NOTHING)
    workers = len(load.header.plan.workers)
    used = load.sample.interval.cpu_ns / load.sample.interval_ns / workers if workers else 0.0
    cpu = f"{figures.plural(workers, 'worker')}, {100 * used:.0f} % of a CPU{' each' * (workers > 1)}"
    limits = load.header.judging.limits
    if late_ns := lateness_ns(load.sample.interval, limits.lag_ns, limits.lag_share):
        return _fact("generator", f"late: p99 of own lag {figures.latency(late_ns)}; {cpu}", "warn")
    return _fact("generator", f"keeps up: {cpu}" if load.offered_per_s is not None else cpu)
