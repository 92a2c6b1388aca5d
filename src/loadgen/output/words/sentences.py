"""Plans and results in words, the same in every format for people. Pure functions from values to plain text.

`spell` writes counts: `str`, or `figures.grouped` for people.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

from loadgen.command import OF_SEVERAL_KEYS
from loadgen.escape import printable
from loadgen.events import Configured, HistoryKept, LoadEnded, Result, Sample, SearchEnded, per_s
from loadgen.judge.verdict import VerdictLimits
from loadgen.output.words import figures
from loadgen.overload import BACKLOG_NS, lateness_ns
from loadgen.percentiles import IN_ROWS, percentiles
from loadgen.phase import Push
from loadgen.plan import LoadPhase, Plan, Segment
from loadgen.slo import Unit
from loadgen.snapshot import LEAST_BEYOND, Backlog, ConnectionCounts, Histogram, Snapshot
from loadgen.units import NS_PER_MS, NS_PER_S, NS_PER_US, format_duration
from loadgen.usage import ServerReport

EMBEDDED = "these figures describe loadgen's built-in server, not yours"
DRY_RUN = "nothing is sent: --dry-run shows what agents would do"
CLOSED_LOOP = "closed loop: these are service times; use --rate to judge an SLO"
CLOSED_LOOP_SLO = "closed loop: the SLO is judged by service times; use --rate to judge response times"

BOUNDS = f"{figures.AT_LEAST} lower bound: some requests were not answered in time"
FEW_SAMPLES = f"{figures.FEW_SAMPLES} imprecise: fewer than {LEAST_BEYOND} samples above it"
ROWS_UNMARKED = "(not marked in rows)"
"""Added to FEW_SAMPLES. Rows of intervals carry no FEW_SAMPLES: nearly all of them would."""

NO_REQUESTS = "n/a (no requests)"
"""The words in place of CPU time per request when no request was sent."""

PHASE_PERCENTILES = percentiles("p50", "p99")
"""The percentiles shown for each phase of a load."""

_MOST_SEGMENTS = 6
"""The most lines of a schedule that are shown."""

_MOST_PHASES = 12
"""The most phases of a load that are shown."""

_MOST_LOG_ERRORS = 3
"""The most lines of a server's log that are shown."""

_MAX_SENTENCE = 500
"""Characters of a reason or warning: a sentence of loadgen's, in which text from outside has been cut already."""

_MAX_FAILURE = 2000
"""Characters of a sentence on failures: several kinds with their remedies, and at the end how to accept them."""

Spell = Callable[[int], str]


def targets(plan: Plan) -> str:
    words = ", ".join(printable(str(endpoint)) for endpoint in plan.target.endpoints)
    return words if plan.target.sharding == "ketama" or len(plan.target.endpoints) < 2 else f"{words}, {_spread(plan)}"


def _spread(plan: Plan) -> str:
    return {"jump": "by jump hash", "roundrobin": "in turn", "mirrored": "each the same"}[plan.target.sharding]


def started(event: Configured) -> str:
    """Return the address and identity of a server that has started: "127.0.0.1:41234 (redis 7.0.15)"."""
    return f"{targets(event.plan)}{f' ({printable(event.server)})' if event.server else ''}"


def workers(plan: Plan) -> str:
    cpus = sorted({worker.cpu for worker in plan.workers if worker.cpu is not None})
    pinned = f", pinned to CPU {', '.join(map(str, cpus))}" if cpus else ""
    return f"{len(plan.workers)}{pinned}{', spinning' if plan.wire.spin else ''}"


def mix(plan: Plan, spell: Spell = str) -> str:
    """Return the mix of commands: weights of 80 and 20, or of 4 and 1, are "80% GET, 20% SET"."""
    if not plan.target.speaks.has_keys:
        return "PING"
    shares = {command: f"{100 * share:.3g}" for command, share in plan.workload.weights.shares.items()}
    keys = f" of {figures.plural(plan.workload.keys_per_request, 'key', spell)}"
    names = {command: f"{command.upper()}{keys * (command in OF_SEVERAL_KEYS)}" for command in shares}
    return ", ".join(f"{figures.percent(share, spell)} {names[command]}" for command, share in shares.items())


def keyspace(plan: Plan, spell: Spell = str) -> str:
    keys = plan.workload.keyspace
    popularity = f"zipf {keys.zipf_exponent:g}" if keys.distribution == "zipf" else keys.distribution
    prefix = [f"prefix {printable(keys.prefix)}"] if keys.prefix else []
    size = f"{figures.plural(keys.length, 'byte')} each"
    return ", ".join([figures.plural(keys.count, "key", spell), size, popularity, *prefix])


def schedule(plan: Plan, spell: Spell = str) -> list[str]:
    """Return the offered rate and a line for each segment of a rate that changes; empty in a closed loop."""
    if not plan.load.open_loop:
        return []
    rate = f"{figures.whole_rate(plan.load.rate_per_s, spell)} req/s"
    if len(plan.load.profile) == 1 and plan.load.profile[0].from_per_s == plan.load.profile[0].to_per_s:
        return [f"{rate}, {plan.load.arrival}"]
    shown = [_segment(segment, spell) for segment in plan.load.profile[:_MOST_SEGMENTS]]
    rest = len(plan.load.profile) - len(shown)
    return [f"{rate} on average, {plan.load.arrival}", *shown, *([f"and {spell(rest)} more"] if rest else [])]


def _segment(segment: Segment, spell: Spell) -> str:
    low, high = (figures.whole_rate(rate, spell) for rate in (segment.from_per_s, segment.to_per_s))
    lasts = f"for {_length(segment.length_ns, spell)}"
    if segment.from_per_s == segment.to_per_s:
        return f"{low} req/s {lasts}"
    if segment.period_ns:
        return f"swing {low} to {high} req/s every {_length(segment.period_ns, spell)} {lasts}"
    return f"ramp {low} to {high} req/s {lasts}"


def _length(ns: int, spell: Spell) -> str:
    """Return a length as configured; one that is no whole number of milliseconds, in seconds."""
    return figures.spaced(format_duration(ns) if ns % NS_PER_MS == 0 else f"{ns / NS_PER_S:.6g}s", spell)


def extras(plan: Plan) -> list[str]:
    """Return the writes beside the load: prefill and backfill."""
    return ["prefill"] * plan.workload.prefill + ["backfill on miss"] * plan.workload.backfill_on_miss


def lifetime(plan: Plan, spell: Spell = str) -> str:
    """Return how long keys live that are written: "keys live for 10 s"; empty for those that live for ever."""
    ttl_ns = plan.workload.ttl_ns
    return f"keys live for {figures.spaced(format_duration(ttl_ns), spell)}" if ttl_ns else ""


def history(kept: HistoryKept | None, spell: Spell = str) -> str:
    """Return what a history has, and the command that judges it; empty without one."""
    if kept is None:
        return ""
    counts = kept.counts
    keys = "all keys" if kept.file.keys == 1 else f"{100 * kept.file.keys:.6g} % of keys"
    undrawn = f", {figures.plural(counts.undrawn, 'request', spell)} due and never made" if counts.undrawn else ""
    torn = "" if kept.whole else "; not whole: a worker ended before its time, and its last records are missing"
    records = f"{figures.plural(counts.records, 'record', spell)} of {keys}{undrawn}{torn}"
    return f"{records}; to judge it: loadgen check {printable(shlex.quote(kept.file.path))}"


def refill(plan: Plan) -> str:
    """Return how a closed loop refills a pipeline, unless slot by slot; empty in an open loop."""
    return "" if plan.load.open_loop or plan.wire.refill == "slot" else "refilled when drained"


def notes(event: Configured) -> list[str]:
    """Return the notes above the first number: the built-in server, warnings on the configuration, a dry run."""
    warnings = [printable(warning.words, _MAX_SENTENCE) for warning in event.warnings]
    return [*[EMBEDDED] * event.embedded, *warnings, *[DRY_RUN] * event.dry_run]


def warnings(ended: LoadEnded) -> list[str]:
    """Return the warnings about an ending that may be valid all the same."""
    return [printable(note.words, _MAX_SENTENCE) for note in ended.notes]


def aim(plan: Plan, spell: Spell = str) -> str:
    """Return the planned end of the measure phase: "60s", "100,000 requests", or "100,000 requests, 60s at most"."""
    length = figures.spaced(format_duration(plan.load.duration_ns), spell)
    if not plan.load.requests:
        return length
    limit = f", {length} at most" if plan.load.duration_ns else ""
    return f"{figures.plural(plan.load.requests, 'request', spell)}{limit}"


def duration(result: Result, spell: Spell = str) -> str:
    """Return how long was measured, and how much of the plan that is when less than planned was measured."""
    seconds, plan = figures.spaced(f"{result.duration_ns / NS_PER_S:.2f}s", spell), result.plan
    planned = result.measured.total.planned
    if not plan.load.requests:
        return f"{seconds} of {aim(plan, spell)}, interrupted" if result.interrupted else seconds
    if planned == plan.load.requests:
        return f"{seconds}, interrupted" if result.interrupted else seconds
    why = "interrupted" if result.interrupted else "the time was over" if not result.failure else "the run failed"
    return f"{seconds}, {spell(planned)} of {figures.plural(plan.load.requests, 'request', spell)}: {why}"


def bandwidth(result: Result, snapshot: Snapshot) -> str:
    if result.duration_ns <= 0:
        return figures.NOTHING
    received, sent = (count * 1e9 / result.duration_ns for count in (snapshot.rx_bytes, snapshot.tx_bytes))
    return f"{figures.size(received)}/s RX, {figures.size(sent)}/s TX"


def hit_rate(result: Result, spell: Spell = str) -> str:
    """Return the hit rate with its counts; empty when no GET was answered, as the rate is then unknown, not 0 %."""
    hits, misses = result.measured.lookups
    rate = figures.share(result.measured.hit_rate, 2)
    if rate == figures.NOTHING:
        return ""
    if spell is str:
        return f"{rate}% ({hits} hits, {misses} misses)"
    missed = "1 miss" if misses == 1 else f"{spell(misses)} misses"
    return f"{figures.percent(rate, spell)} ({figures.plural(hits, 'hit', spell)}, {missed})"


def errors(ended: LoadEnded, spell: Spell = str) -> str:
    total = ended.measured.total
    part = total.not_ok / total.planned if total.planned else 0.0
    return f"{spell(total.not_ok)} ({figures.percent(figures.share(part, 2), spell)})"


def error_classes(ended: LoadEnded, spell: Spell = str) -> dict[str, str]:
    """Return the classes of errors that occurred, by name. Timeouts and connection errors are included even when 0."""
    total, overall = ended.measured.total, ended.overall
    connection_errors = overall.connections.failed + overall.connections.closed
    classes = {
        "timeouts": _with(total.timeouts, {"answered late": total.late}, spell),
        "connection errors": _with(connection_errors, overall.failures, spell),
        "error replies": _with(total.errors, ended.measured.errors, spell) if total.errors else "",
        "lost": f"{spell(total.lost)} (in flight when their connection went)" if total.lost else "",
        "corrupt": f"{spell(total.corrupt)} (answered by bytes that are no reply)" if total.corrupt else "",
        "unfinished": f"{spell(total.unfinished)} (no failure: open when the drain ended)" if total.unfinished else "",
    }
    return {name: words for name, words in classes.items() if words}


def connections(result: Result, spell: Spell = str) -> str:
    overall = result.overall.connections
    active = result.measured.connections.active
    reconnects = figures.plural(overall.reconnects, "reconnect", spell)
    counts = f"{spell(active)} active, {spell(overall.failed)} failed, {spell(overall.closed)} closed, {reconnects}"
    return f"{counts}{renewed(overall, result.measured.connections.idle, spell)}"


def renewed(counts: ConnectionCounts, idle: int = 0, spell: Spell = str) -> str:
    """Return the TLS sessions that went on, and connections that were renewed as planned or are only there."""
    closed = f" ({spell(counts.idle_closed)} closed)" if counts.idle_closed else ""
    words = {
        f"{figures.plural(counts.resumed, 'TLS session', spell)} resumed": counts.resumed,
        f"{spell(counts.recycled)} recycled": counts.recycled,
        figures.plural(counts.resets, "reset", spell): counts.resets,
        f"{spell(idle)} idle{closed}": idle or counts.idle_closed,
    }
    return "".join(f", {word}" for word, count in words.items() if count)


def connecting(result: Result, spell: Spell = str) -> dict[str, str]:
    """Return the times to connect, and those of handshakes, by name; without those that there were none of."""
    times = {"connect time": result.overall.connect, "handshake time": result.overall.handshake}
    return {name: _times(histogram, spell) for name, histogram in times.items() if histogram.count}


def _times(histogram: Histogram, spell: Spell) -> str:
    shown = (f"{label} {figures.latency(histogram.quantile(q))}" for label, q in _OF_CONNECTING)
    return f"{', '.join(shown)} of {spell(histogram.count)}"


_OF_CONNECTING = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))


def pushes(result: LoadEnded, spell: Spell = str) -> str:
    """Return what was pushed; empty when nothing was, and no client tracking was asked for."""
    counts = result.overall.pushes
    if not counts and result.plan.target.tracking == "off":
        return ""
    invalidations = figures.plural(counts.get(Push.INVALIDATIONS, 0), "invalidation", spell)
    words = [f"{invalidations} of {figures.plural(counts.get(Push.INVALIDATED_KEYS, 0), 'key', spell)}"]
    words += [f"{spell(counts[kind])} {kind}" for kind in (Push.FLUSHES, Push.OTHERS) if counts.get(kind)]
    return ", ".join(words)


def turnover(interval: Snapshot) -> list[str]:
    """Return the connections that came (+) and went (-) in an interval, those that were reset, and what was pushed."""
    counts = interval.connections
    went = counts.closed + counts.recycled
    turnover = f"conns=+{counts.opened}-{went}" if counts.opened or went else ""
    events = {"resets": counts.resets, **interval.pushes}
    return [*([turnover] if turnover else []), *(f"{name}={count}" for name, count in events.items() if count)]


def client(result: Result) -> str:
    """Return the generator's CPU time per request, workers and peak memory."""
    cpu = result.cpu_us_per_request
    spent = NO_REQUESTS if cpu is None else f"{figures.latency(cpu * NS_PER_US)} CPU/req"
    memory = f", at most {figures.size(result.max_rss_bytes)} each" if result.max_rss_bytes else ""
    return f"{spent}, {figures.plural(len(result.plan.workers), 'worker')}{memory}"


def server(report: ServerReport) -> str:
    """Return the server's resource use: "4.71 µs CPU/req, 87 % of a CPU, 12.3 MB, 5 threads, 61 files"."""
    cpu = report.cpu_us_per_request
    return ", ".join(
        [
            NO_REQUESTS if cpu is None else f"{figures.latency(cpu * NS_PER_US)} CPU/req",
            f"{100 * report.used.cpu_share:.0f} % of a CPU",
            figures.size(report.max_rss_bytes),
            figures.plural(report.max_threads, "thread"),
            figures.plural(report.max_fds, "file"),
        ]
    )


def exit_report(report: ServerReport | None) -> list[str]:
    """Return how the server exited before loadgen stopped it; empty when it did not, or was not watched."""
    return [printable(report.exit_report, _MAX_SENTENCE)] if report is not None and report.exit_report else []


def log_errors(report: ServerReport | None) -> list[str]:
    """Return the first lines of the server's log that report errors, and how many more there are."""
    if report is None:
        return []
    rest = len(report.log_errors) - _MOST_LOG_ERRORS
    # A single further line is shown itself: "and 1 more line" would take as much room.
    rest = rest if rest > 1 else 0
    shown = [f"its log: {printable(line)}" for line in report.log_errors[: len(report.log_errors) - rest]]
    return shown + [f"and {figures.plural(rest, 'more line')} of that kind"] * (rest > 0)


def phase(phase: LoadPhase, spell: Spell = str) -> str:
    """Return a phase of the load as configured: "ramp 1,000 to 9,000 for 40s"."""
    ends = [figures.whole_rate(rate, spell) for rate in dict.fromkeys((phase.from_per_s, phase.to_per_s))]
    return f"{phase.shape} {' to '.join(ends)} for {_length(phase.length_ns, spell)}"


def phases(plan: Plan, spell: Spell = str) -> str:
    """Return the phases as configured: "10s at 10,000 req/s, 20s from 10,000 to 50,000 req/s"; empty without phases."""
    shown = [_as_configured(phase, spell) for phase in plan.load.phases[:_MOST_PHASES]]
    rest = len(plan.load.phases) - len(shown)
    return ", ".join([*shown, *([f"and {spell(rest)} more"] if rest else [])])


def _as_configured(phase: LoadPhase, spell: Spell) -> str:
    low, high = (figures.whole_rate(rate, spell) for rate in (phase.from_per_s, phase.to_per_s))
    lasts = _length(phase.length_ns, spell)
    match phase.shape:
        case "constant":
            return f"{lasts} at {low} req/s"
        case "ramp":
            return f"{lasts} from {low} to {high} req/s"
        case "step":
            return f"{lasts} from {low} to {high} req/s in steps"
        case shape:
            return f"{lasts} of {shape} between {low} and {high} req/s"


def accounts(ended: LoadEnded) -> str:
    """Return the accounts of planned requests when they do not add up; empty when they do."""
    if not ended.unaccounted:
        return ""
    total = ended.measured.total
    return (
        f"THE ACCOUNTS DO NOT ADD UP: planned {total.planned} = ok {total.ok} + error replies {total.errors}"
        f" + timeouts {total.timeouts} + lost {total.lost} + corrupt {total.corrupt} + unfinished {total.unfinished}"
        f" + {total.balance} unaccounted for; over all phases {ended.unaccounted}. "
        "This is a bug in loadgen: please report it."
    )


def examples(ended: LoadEnded) -> list[str]:
    """Return the first error of each kind, in the words of the server or the kernel."""
    return [f"first {printable(kind)}: {printable(words)}" for kind, words in ended.examples.items() if words]


def latencies(result: Result) -> list[tuple[str, Histogram]]:
    """Return the final table's rows: all requests, each command, and in an open loop the send lag and its two parts."""
    measured = result.measured
    names = {command: command if command == "all" else command.upper() for command in ("all", *measured.commands)}
    if not result.plan.load.open_loop:
        return [(name, measured.latency(command)) for command, name in names.items()]
    return [
        *(
            (f"{name} {clock}", measured.latency(command, clock))
            for command, name in names.items()
            for clock in ("response", "service")
        ),
        ("send lag", measured.lag),
        ("  ours", measured.lag_ours),
        ("  backpressure", measured.lag_backpressure),
    ]


def standing(result: Result, spell: Spell = str) -> str:
    """Return the throughput as a share of the host's ceiling; empty when no self-test of the host is known."""
    ceiling, part = result.signs.ceiling, result.share_of_ceiling
    if ceiling is None or part is None:
        return ""
    p50, p99 = (figures.time(ns, spell) for ns in (ceiling.floor_p50_ns, ceiling.floor_p99_ns))
    highest = f"{figures.rate(ceiling.throughput_per_s)} req/s"
    whose = "the agents' ceilings together" if result.hosts else "this host's ceiling"
    floor = f"; its floor is p50 {p50}, p99 {p99}" if ceiling.floor_p99_ns else ""
    reached = f"{figures.percent(figures.share(part), spell)} of {whose}, {highest}"
    return f"{reached}{floor} (self-test of {printable(ceiling.taken)})"


def overload(result: Result, spell: Spell = str) -> list[str]:
    """Return the rates of an overloaded server, and the requests that the warm-up left unsent; empty for neither."""
    account = result.overload
    if account is None:
        return []
    words = []
    if account.named:
        growing = " and growing" if account.growing else ""
        words.append(f"{_flow(account.offered_per_s, account.served_per_s, account.backlog)}{growing}")
    if account.named and account.only_grew:
        words.append("the backlog only grew, so the response times depend on the length of the run; try a lower rate")
    if account.left_by_warmup:
        left = figures.plural(account.left_by_warmup, "request", spell)
        words.append(f"the warm-up left {left} unsent, which the results do not count")
    return words


def strain(event: Sample, limits: VerdictLimits | None) -> list[str]:
    """Return the warnings on a row: a backlog beyond BACKLOG_NS, and a generator that was late beyond its limits."""
    words, backlog = [], event.interval.backlog
    if backlog.age_ns > BACKLOG_NS:
        served = per_s(event.interval.total.answered, event.interval_ns)
        growing = " and growing" if event.growing else ""
        words.append(f"{_flow(per_s(event.offered, event.interval_ns), served, backlog)}{growing}")
    if limits is not None and (late_ns := lateness_ns(event.interval, limits.lag_ns, limits.lag_share)):
        words.append(f"the generator was late: p99 of its own send lag {figures.latency(late_ns)}")
    return words


def _flow(offered_per_s: float, served_per_s: float, backlog: Backlog) -> str:
    """Return rates and backlog: "offered 120K req/s, served 66.0K req/s, backlog 2.00 s"."""
    rates = f"offered {figures.rate(offered_per_s)} req/s, served {figures.rate(served_per_s)} req/s"
    return f"{rates}, backlog {figures.latency(backlog.age_ns)}"


def closing(result: Result) -> list[str]:
    """Return the notes on the latencies shown above them, and on the signs that occur there."""
    histograms = [histogram for _, histogram in latencies(result)]
    bounds = any(histogram.censored for histogram in histograms)
    few = any(figures.mark(h, q) == figures.FEW_SAMPLES for h in histograms for _, _, q in IN_ROWS)
    few |= any(check.has_few_samples and not check.is_lower_bound for check in result.checks)
    each_phase = [each.counted.latency() for each in result.by_phase]
    few |= any(figures.mark(h, q) == figures.FEW_SAMPLES for h in each_phase for _, _, q in PHASE_PERCENTILES)
    return [
        *[EMBEDDED] * result.embedded,
        *[_closed_loop(result)] * (not result.plan.load.open_loop and result.measured.total.planned > 0),
        *[BOUNDS] * bounds,
        *[f"{FEW_SAMPLES} {ROWS_UNMARKED}"] * few,
    ]


def _closed_loop(result: Result) -> str:
    """Return the note that latencies are service times, and that objectives were judged by them when they were."""
    judged = any(check.objective.unit is Unit.NS for check in result.checks)
    return CLOSED_LOOP_SLO if judged else CLOSED_LOOP


def verdict(ended: LoadEnded) -> list[str]:
    """Return `valid`, or a line for each reason: FAILED, INVALID, and for a search NO ANSWER."""
    no_answer = [f"NO ANSWER: {why.words}" for why in ended.no_answer] if isinstance(ended, SearchEnded) else []
    invalid = [f"INVALID: {reason}" for reason in reasons(ended)]
    return [*failures(ended), *invalid, *no_answer] or ["valid"]


def failures(ended: LoadEnded) -> list[str]:
    """Return the reasons of failure: more failed than is allowed, and how to accept that."""
    return [f"FAILED: {printable(why.words, _MAX_FAILURE)}" for why in ended.failed_because]


def reasons(ended: LoadEnded) -> list[str]:
    """Return the reasons why the result is invalid."""
    return [printable(reason.words, _MAX_SENTENCE) for reason in ended.invalid_because]


def _with(count: int, parts: Mapping[str, int], spell: Spell) -> str:
    listed = ", ".join(f"{printable(name)} {spell(part)}" for name, part in parts.items() if part)
    return f"{spell(count)} ({listed})" if listed else spell(count)
