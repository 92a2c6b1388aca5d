"""`--format verbose` of a run: a line per interval, and the results as a block, much like crucible's."""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.events import (
    NOTHING_MEASURED,
    Configured,
    MonitorGap,
    PhaseBegan,
    PhaseCounted,
    Result,
    Sample,
    ServerAwaited,
    TopologyChanged,
    per_s,
)
from loadgen.judge.verdict import VerdictLimits
from loadgen.output.formats import monitors
from loadgen.output.formats.verbose import account
from loadgen.output.paper.layout import hung
from loadgen.output.paper.log import Log
from loadgen.output.words import checks, faults, figures, hosts, nodes, search, sentences, slo
from loadgen.output.words.monitors import Gaps
from loadgen.percentiles import IN_ROWS
from loadgen.phase import Phase
from loadgen.plan import Plan
from loadgen.units import format_duration
from loadgen.usage import Usage


class Run:
    """A log of one run after another, and the plan of the current one."""

    def __init__(self, log: Log, explained: set[str]) -> None:
        self._log = log
        self._plan: Plan | None = None
        self._limits: VerdictLimits | None = None
        self._awaits = False
        """True when the header is logged without the address of the server, which is still starting."""
        self._explained = explained
        self._gaps = Gaps()

    def awaited(self, event: ServerAwaited) -> None:
        load, name = event.load, printable(event.name)
        self._awaits = True
        self._log.say(load.wall_s, *_version(load), f"starting {name}...", *_load(load))
        self._log.say(load.wall_s, *sentences.notes(load), level="WARN")

    def configured(self, event: Configured) -> None:
        self._plan, self._limits = event.plan, event.judging.limits
        self._gaps.forget()
        if self._awaits:
            self._awaits = False
            self._log.say(event.wall_s, *_target(event), *_agents(event))
            return
        self._log.say(event.wall_s, *_version(event), *_target(event), *_load(event), *_agents(event))
        self._log.say(event.wall_s, *sentences.notes(event), level="WARN")

    def phase(self, event: PhaseBegan) -> None:
        self._log.say(event.wall_s, _phase(event.phase, self._plan))

    def sample(self, event: Sample) -> None:
        """Log a row for an interval of the measure phase, and nothing for one of the warm-up."""
        if event.phase == Phase.MEASURE:
            self._log.say_on_one_line(event.wall_s, _sample(event))
            self._log.say(event.wall_s, *sentences.strain(event, self._limits), level="WARN")

    def gap(self, event: MonitorGap) -> None:
        self._log.say(event.gap.wall_s, *self._gaps.words(event), level="WARN")

    def topology(self, event: TopologyChanged) -> None:
        self._log.say(event.wall_s, *(f"nodes: {printable(words)}" for words in event.words), level="WARN")

    def result(self, event: Result) -> None:
        self._log.say(event.wall_s, "=== Final Results ===")
        self._log.block(*_result(event))
        self._explained |= {note[0] for note in sentences.closing(event)}


def _version(event: Configured) -> list[str]:
    test = [f"test: {event.plan.test}"] if event.plan.test else []
    return [f"loadgen {printable(event.version)}", *test]


def _target(event: Configured) -> list[str]:
    server = [f"server: {printable(event.server)}"] if event.server else []
    return [f"target: {sentences.targets(event.plan)}", *server]


def _load(event: Configured) -> list[str]:
    plan = event.plan
    stored = [
        f"keyspace: {sentences.keyspace(plan)}",
        f"value_size: {figures.plural(plan.workload.value_bytes, 'byte')}",
        *([f"ttl: {sentences.lifetime(plan)}"] if plan.workload.ttl_ns else []),
    ]
    extras = sentences.extras(plan)
    return [
        f"protocol: {plan.target.protocol}",
        f"workers: {sentences.workers(plan)}",
        f"connections: {plan.wire.connections} (total)",
        f"pipeline_depth: {plan.wire.pipeline_depth}",
        *([f"refill: {plan.wire.refill}"] if sentences.refill(plan) else []),
        f"commands: {sentences.mix(plan)}",
        *(stored if plan.target.speaks.has_keys else []),
        *_schedule(plan),
        *([f"search: {search.aim(event.search.limits).lower()}"] if event.search is not None else []),
        *([f"also: {', '.join(extras)}"] if extras else []),
        *(f"fault {number}: {faults.planned(each)}" for number, each in enumerate(event.faults, 1)),
        f"seed: {plan.seed}",
    ]


def _agents(event: Configured) -> list[str]:
    if not event.agents:
        return []
    told = (hosts.preflight(event), hosts.division(event), hosts.clocks(event))
    return [*(f"agents: {words}" for words in told), *hosts.agent_lines(event)]


def _schedule(plan: Plan) -> list[str]:
    """Return the lines on the offered rate, its segments, the phases and the distribution; empty in a closed loop."""
    rates = sentences.schedule(plan)
    if not rates:
        return []
    segments = (f"  {words}" for words in rates[1:])
    phases = [f"phases: {sentences.phases(plan)}"] if plan.load.phases else []
    return [f"rate: {rates[0]}", *segments, *phases, f"request_distribution: {plan.wire.request_distribution}"]


def _phase(phase: str, plan: Plan | None) -> str:
    if plan is None:
        return f"{phase}..."
    match phase:
        case Phase.CONNECT:
            return f"opening {figures.plural(plan.wire.connections, 'connection')}..."
        case Phase.PREFILL:
            return f"prefilling {figures.plural(plan.workload.keyspace.count, 'key')}..."
        case Phase.WARMUP:
            return f"warming up for {format_duration(plan.load.warmup_ns)}..."
        case Phase.MEASURE:
            done = "warmup complete, " if plan.load.warmup_ns else ""
            return f"{done}running for {sentences.aim(plan)}"
        case Phase.DRAIN:
            return f"draining, for {format_duration(plan.wire.request_timeout_ns)} at most..."
        case _:
            return f"{phase}..."


def _sample(event: Sample) -> str:
    total, latency = event.interval.total, event.interval.latency()
    hits = figures.share(event.interval.hit_rate)
    answered, failed = per_s(total.answered, event.interval_ns), per_s(total.not_ok, event.interval_ns)
    shown = figures.quantiles(latency, lambda ns: f"{figures.latency_us(ns)}us", figures.mark_of_interval)
    percentiles = (f"{label}={value}" for (_, label, _), value in zip(IN_ROWS, shown, strict=True))
    return " ".join(
        [
            f"rate={answered:.0f}/s err={failed:.0f}/s hit%={hits}",
            *percentiles,
            *sentences.turnover(event.interval),
            *_usage(event.server),
        ]
    )


def _usage(used: Usage | None) -> list[str]:
    if used is None:
        return []
    return [f"server_cpu={figures.cpu(used)}", f"rss={figures.word(figures.size(used.rss_bytes))}"]


def _result(event: Result) -> list[str]:
    """Return the block: `name: value` facts, the table of latencies, then phases, notes and the verdict."""
    total = event.measured.total
    hit_rate = sentences.hit_rate(event)
    facts = [
        *([f"test: {event.plan.test}"] if event.plan.test else []),
        *([f"embedded: {sentences.EMBEDDED}"] if event.embedded else []),
        f"duration: {sentences.duration(event)}",
        f"requests: {total.planned}",
        f"responses: {total.answered}",
        f"errors: {sentences.errors(event)}",
        *(f"  {name}: {words}" for name, words in sentences.error_classes(event).items()),
        f"throughput: {event.throughput_per_s:.2f} req/s",
        *(f"overload: {words}" for words in sentences.overload(event)),
        *([f"server: {sentences.server(event.server)}"] if event.server is not None else []),
        *(f"  {trouble}" for trouble in sentences.exit_report(event.server) + sentences.log_errors(event.server)),
        *(f"fault {number}: {words}" for number, words in enumerate(faults.reports(event), 1)),
        *(f"outage: {words}" for words in faults.outages(event)),
        *(f"nodes: {words}" for words in faults.changes(event)),
        f"bandwidth: {sentences.bandwidth(event, event.measured)}",
        *([f"hit_rate: {hit_rate}"] if hit_rate else []),
    ]
    redirects = nodes.redirects(event.measured.redirects)
    standing, kept = sentences.standing(event), sentences.history(event.history)
    phases = [f"phase {number}: {_counted(each)}" for number, each in enumerate(event.by_phase, 1)]
    remarks = [
        *(f"endpoint {words}" for words in nodes.lines(event)),
        *hosts.part_lines(event),
        *([f"redirects: {redirects}"] if redirects else []),
        f"connections: {sentences.connections(event)}",
        *(f"  {name}: {words}" for name, words in sentences.connecting(event).items()),
        *([f"pushes: {pushes}"] if (pushes := sentences.pushes(event)) else []),
        f"client: {_client(event)}",
        *([f"history: {kept}"] if kept else []),
        *([f"standing: {standing}"] if standing else []),
        *sentences.examples(event),
        *account.balance(event),
        *(f"note: {note}" for note in sentences.closing(event) if note != sentences.EMBEDDED),
        *account.verdict(event),
        *(f"slo: {slo.line(check)}" for check in event.checks),
        *(f"check: {checks.line(each)}" for each in event.checked),
    ]
    table = _latency(event) if total.planned else [NOTHING_MEASURED.words]
    return [*hung(facts), *table, *monitors.table(event.monitors), *hung([*phases, *remarks])]


def _counted(each: PhaseCounted) -> str:
    latency = each.counted.latency()
    p50, p99 = (figures.quantile(latency, q, figures.latency_word) for _, _, q in sentences.PHASE_PERCENTILES)
    offered, achieved = (figures.whole_rate(rate) for rate in (each.phase.offered_per_s, each.achieved_per_s))
    rates = f"offered {offered}/s, achieved {achieved}/s"
    return f"{sentences.phase(each.phase)}: {rates}, p50 {p50}, p99 {p99}, errors {each.counted.total.not_ok}"


def _client(event: Result) -> str:
    """Return the generator's CPU time and memory, in the words that scripts parse."""
    cpu = event.cpu_us_per_request
    spent = "no request to count CPU by" if cpu is None else f"{cpu:.2f} us of CPU per request"
    memory = f", {figures.size(event.max_rss_bytes)} each at most" if event.max_rss_bytes else ""
    return f"{spent}, {figures.plural(len(event.plan.workers), 'worker')}{memory}"


def _latency(event: Result) -> list[str]:
    """Return the table of latencies; the column of labels is as wide as the widest label."""
    rows = [["latency (us)", *(label for _, label, _ in IN_ROWS)]]
    for label, histogram in sentences.latencies(event):
        rows.append([f"  {label}", *figures.quantiles(histogram, figures.latency_us)])
    width = max(len(row[0]) for row in rows)
    return [f"{first:<{width}}" + "".join(f"{cell:>10}" for cell in cells) for first, *cells in rows]
