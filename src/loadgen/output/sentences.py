"""What a plan and a result say in words, the same in every format for people. Pure functions from values to plain text.

`spell` is how counts are written: `str`, or `figures.grouped`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from loadgen.errors import printable as printable  # for whoever prints what this file does not
from loadgen.events import Configured, Result
from loadgen.output import figures
from loadgen.plan import Plan
from loadgen.snapshot import Snapshot, Tally
from loadgen.units import format_duration

EMBEDDED = "the numbers are of loadgen's built-in server, not of yours"
CLOSED_LOOP = "closed loop: this is service time, not to be held against an SLO"

_MAX_REASON = 500
"""A reason is a sentence of our own, whose words from outside have been cut already."""

Spell = Callable[[int], str]


def targets(plan: Plan) -> str:
    return ", ".join(str(endpoint) for endpoint in plan.endpoints)


def workers(plan: Plan) -> str:
    cpus = sorted({worker.cpu for worker in plan.workers if worker.cpu is not None})
    return f"{len(plan.workers)}" + (f", pinned to CPU {', '.join(map(str, cpus))}" if cpus else "")


def mix(plan: Plan) -> str:
    """80 and 20 are "80% GET, 20% SET", and so are 4 and 1."""
    if plan.protocol == "ping":
        return "PING"
    weights = {"GET": plan.weights.get, "SET": plan.weights.set, "DELETE": plan.weights.delete}
    whole = sum(weights.values())
    return ", ".join(f"{100 * weight / whole:.3g}% {command}" for command, weight in weights.items() if weight)


def keyspace(plan: Plan, spell: Spell = str) -> str:
    keys = plan.keyspace
    popularity = f"zipf {keys.zipf_exponent:g}" if keys.distribution == "zipf" else keys.distribution
    return f"{figures.plural(keys.count, 'key', spell)}, {figures.plural(keys.length, 'byte')} each, {popularity}"


def extras(plan: Plan) -> list[str]:
    """What happens beside the load."""
    return ["prefill"] * plan.prefill + ["backfill on miss"] * plan.backfill_on_miss


def notes(event: Configured) -> list[str]:
    """What to know before the first number."""
    return [EMBEDDED] * event.embedded + [printable(warning) for warning in event.warnings]


def duration(result: Result) -> str:
    seconds = f"{result.duration_ns / 1e9:.2f}s"
    return f"{seconds} of {format_duration(result.plan.duration_ns)}, interrupted" if result.interrupted else seconds


def bandwidth(result: Result, snapshot: Snapshot) -> str:
    if result.duration_ns <= 0:
        return figures.NOTHING
    received, sent = (count * 1e9 / result.duration_ns for count in (snapshot.rx_bytes, snapshot.tx_bytes))
    return f"{figures.size(received)}/s RX, {figures.size(sent)}/s TX"


def hit_rate(result: Result, spell: Spell = str) -> str:
    """Empty when no GET was answered: there is no rate to speak of, and not one of 0 %."""
    get = result.measured.tallies.get("get", Tally())
    rate = figures.share(result.measured.hit_rate, 2)
    return "" if rate == figures.NOTHING else f"{rate}% ({spell(get.hits)} hits, {spell(get.misses)} misses)"


def errors(result: Result, spell: Spell = str) -> str:
    total = result.measured.total
    part = total.failed / total.planned if total.planned else 0.0
    return f"{spell(total.failed)} ({figures.share(part, 2)}%)"


def error_classes(result: Result, spell: Spell = str) -> dict[str, str]:
    """Every class that there is, by its name. Timeouts and connection errors are there even when there was none."""
    total, overall = result.measured.total, result.overall
    connection_errors = overall.connections.failed + overall.connections.closed
    classes = {
        "timeouts": _with(total.timeouts, {"answered late": total.late}, spell),
        "connection errors": _with(connection_errors, overall.failures, spell),
        "error replies": _with(total.errors, result.measured.errors, spell) if total.errors else "",
        "lost": f"{spell(total.lost)} (in flight when their connection went)" if total.lost else "",
        "corrupt": f"{spell(total.corrupt)} (answered by bytes that are no reply)" if total.corrupt else "",
        "unfinished": f"{spell(total.unfinished)} (still open when the drain ended)" if total.unfinished else "",
    }
    return {name: words for name, words in classes.items() if words}


def connections(result: Result, spell: Spell = str) -> str:
    overall = result.overall.connections
    active = result.measured.connections.active
    reconnects = figures.plural(overall.reconnects, "reconnect", spell)
    return f"{spell(active)} active, {spell(overall.failed)} failed, {spell(overall.closed)} closed, {reconnects}"


def client(result: Result) -> str:
    """What the load cost on this side."""
    cpu = result.cpu_us_per_request
    spent = "no request to count CPU by" if cpu is None else f"{cpu:.2f} us of CPU per request"
    memory = f", {figures.size(result.max_rss_bytes)} each at most" if result.max_rss_bytes else ""
    return f"{spent}, {figures.plural(len(result.plan.workers), 'worker')}{memory}"


def accounts(result: Result) -> str:
    """Where every planned request ended; empty when it adds up, for then it goes without saying."""
    if not result.unaccounted:
        return ""
    total = result.measured.total
    return (
        f"THE ACCOUNTS DO NOT ADD UP: planned {total.planned} = ok {total.ok} + error replies {total.errors}"
        f" + timeouts {total.timeouts} + lost {total.lost} + corrupt {total.corrupt} + unfinished {total.unfinished}"
        f" + {total.balance} nowhere; over all phases {result.unaccounted}. This is a bug in loadgen: please report it."
    )


def examples(result: Result) -> list[str]:
    """The first error of each kind, in the words that came."""
    return [f"first {printable(kind)}: {printable(words)}" for kind, words in result.examples.items() if words]


def closing(result: Result) -> list[str]:
    """What to know about the latency just shown."""
    bounds = any(result.measured.latency(command).censored for command in ("all", *result.measured.commands))
    return [
        *[EMBEDDED] * result.embedded,
        *[CLOSED_LOOP] * (result.plan.rate_per_s <= 0 and result.measured.total.planned > 0),
        *["≥ rests on unanswered requests: the truth is at least this"] * bounds,
    ]


def verdict(result: Result) -> list[str]:
    """`valid`, or one line for each reason why not."""
    return [f"INVALID: {reason}" for reason in reasons(result)] or ["valid"]


def reasons(result: Result) -> list[str]:
    """Why the run is invalid."""
    return [printable(reason, _MAX_REASON) for reason in result.invalid_because]


def _with(count: int, parts: Mapping[str, int], spell: Spell) -> str:
    listed = ", ".join(f"{printable(name)} {spell(part)}" for name, part in parts.items() if part)
    return f"{spell(count)} ({listed})" if listed else spell(count)
