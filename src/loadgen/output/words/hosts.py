"""The machines of a load in words: before it, what each is to send; after it, each one's part. Plain text.

All of it is empty for a load that this machine sends itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from loadgen.escape import printable
from loadgen.events import Configured, Result, Sample, per_s
from loadgen.hosts import AgentHost, HostPart
from loadgen.output.words import figures
from loadgen.percentiles import percentiles
from loadgen.snapshot import Snapshot

MOST = 16
"""The most machines that are all shown to people."""

NAMED = 8
"""The most that are shown of more: those that stand out."""

_MOST_WORDS = 3
"""The most hosts or versions that a sentence names."""

_LONGEST = 40
"""The longest name of a machine in tables and sentences."""

_PERCENTILES = percentiles("p50", "p99", "p999")

AGENT_HEADINGS = (
    "agent", "host", "loadgen", "Python", "CPUs", "files", "workers", "conns", "req/s", "ceiling",
    "clock ±", "wall clock",
)  # fmt: skip
_HOST, _VERSION, _PYTHON, _CPUS, _FILES, _WORKERS, _RATE, _CEILING, _CLOCK = 1, 2, 3, 4, 5, 6, 8, 9, 10
"""Places in AGENT_HEADINGS."""

PART_HEADINGS = (
    "agent", "sent", "ok", "errors", "req/s", *(label for _, label, _ in _PERCENTILES),
    "late p99", "unsent", "CPU%", "steal%", "clock ±", "state",
)  # fmt: skip
_OK, _P50, _P999, _LATE, _UNSENT, _STEAL, _CLOCK_OF_PART, _STATE = 2, 5, 7, 8, 9, 11, 12, 13
"""Places in PART_HEADINGS."""

Each = TypeVar("Each", AgentHost, HostPart)


def preflight(event: Configured, spell: Callable[[int], str] = str) -> str:
    """Return all machines in a sentence: "2 agents on box: loadgen 0.1.0, Python 3.13.1, 4 CPUs each, …"."""
    agents = event.agents
    if not agents:
        return ""
    hosts = list(dict.fromkeys(name(agent.host) for agent in agents))
    parts = [
        f"loadgen {_several([agent.version for agent in agents], 'versions')}",
        f"Python {_several([agent.python for agent in agents], 'versions')}",
        f"{_range([agent.cpus for agent in agents], spell)} CPU{'s' * any(agent.cpus > 1 for agent in agents)} each",
    ]
    if files := [agent.open_files for agent in agents if agent.open_files]:
        parts.append(f"{_range(files, spell)} open files")
    on = f"on {_listed(hosts)}" if len(hosts) <= _MOST_WORDS else f"on {figures.plural(len(hosts), 'host', spell)}"
    return f"{figures.plural(len(agents), 'agent', spell)} {on}: {', '.join(parts)}"


def division(event: Configured, spell: Callable[[int], str] = str) -> str:
    """Return what each machine sends: "1 worker, 25 connections and 500 req/s each"; empty without machines."""
    agents = event.agents
    if not agents:
        return ""
    parts = [
        _ranged([agent.workers for agent in agents], "worker", spell),
        _ranged([agent.connections for agent in agents], "connection", spell),
    ]
    if any(agent.rate_per_s for agent in agents):
        rates = sorted(agent.rate_per_s for agent in agents)
        least, most = (figures.whole_rate(rate, spell) for rate in (rates[0], rates[-1]))
        parts.append(f"{least if least == most else f'{least} to {most}'} req/s")
    known = [agent.ceiling_per_s for agent in agents if agent.ceiling_per_s]
    ceilings = f"; their ceiling is {figures.rate(sum(known))} req/s together" if len(known) == len(agents) else ""
    return f"{', '.join(parts[:-1])} and {parts[-1]} each{ceilings}"


def clocks(event: Configured, spell: Callable[[int], str] = str) -> str:
    """Return how well the clocks are known, and which are the worst; empty without machines."""
    agents = event.agents
    if not agents:
        return ""
    widest = max(agents, key=lambda agent: agent.clock_error_ns)
    farthest = max(agents, key=lambda agent: abs(agent.wall_ahead_ns))
    sign = "+/-" if spell is str else "±"
    bound = (
        f"known within {sign}{figures.time(widest.clock_error_ns, spell)}{_which(widest, agents)}"
        if widest.clock_error_ns
        else "the same as ours"
    )
    off = f"{figures.time(abs(farthest.wall_ahead_ns), spell)} {sign}{figures.time(farthest.wall_error_ns, spell)}"
    return f"monotonic clocks {bound}; wall clocks off by {off} at most{_which(farthest, agents)}"


def agents_shown(agents: Sequence[AgentHost]) -> list[AgentHost]:
    """Return the machines to show to people: all, or of more than MOST those that stand out."""
    return _shown(
        agents,
        (
            lambda agent: -agent.clock_error_ns,
            lambda agent: -abs(agent.wall_ahead_ns),
            lambda agent: agent.cpus,
            lambda agent: agent.open_files or 1 << 62,
            lambda agent: agent.ceiling_per_s or 1e300,
            lambda agent: -agent.rate_per_s,
        ),
    )


def agent_cells(agent: AgentHost) -> list[str]:
    """Return the cells under AGENT_HEADINGS."""
    return [
        name(agent.name),
        name(agent.host),
        printable(agent.version, _LONGEST),
        printable(agent.python, _LONGEST),
        figures.grouped(agent.cpus),
        figures.rate(agent.open_files) if agent.open_files else figures.NOTHING,
        figures.grouped(agent.workers),
        figures.grouped(agent.connections),
        figures.rate(agent.rate_per_s) if agent.rate_per_s else figures.NOTHING,
        figures.rate(agent.ceiling_per_s) if agent.ceiling_per_s else figures.NOTHING,
        figures.latency(agent.clock_error_ns),
        f"{lead(agent.wall_ahead_ns)} ±{figures.latency(agent.wall_error_ns)}",
    ]


def agents_left_out(agents: Sequence[AgentHost]) -> list[int]:
    """Return the places in AGENT_HEADINGS of the columns that a narrow table has no room for, the first to go first.

    Columns that say the same of all, which the sentence above them has, go first.
    """
    same = (
        (_VERSION, {agent.version for agent in agents}),
        (_PYTHON, {agent.python for agent in agents}),
        (_CEILING, {agent.ceiling_per_s for agent in agents}),
        (_RATE, {agent.rate_per_s for agent in agents}),
        (_HOST, {agent.host for agent in agents}),
        (_FILES, {agent.open_files for agent in agents}),
        (_CLOCK, {agent.clock_error_ns for agent in agents}),
        (_CPUS, {agent.cpus for agent in agents}),
        (_WORKERS, {agent.workers for agent in agents}),
    )
    idle = [place for place, values in same if len(values) == 1]
    return [*idle, *(place for place, _ in same if place not in idle)]


def agents_hidden(agents: Sequence[AgentHost], seen: Sequence[AgentHost]) -> str:
    """Return how many machines are not shown; empty where all are."""
    return _more(len(agents) - len(seen))


def agent_lines(event: Configured) -> list[str]:
    """Return a line for each machine that is shown: "agent db1: host box, loadgen 0.1.0, …"."""
    seen = agents_shown(event.agents)
    rest = agents_hidden(event.agents, seen)
    return [*map(_agent_line, seen), *([f"agents: {rest}"] if rest else [])]


def _agent_line(agent: AgentHost) -> str:
    parts = [
        f"host {name(agent.host)}",
        f"loadgen {printable(agent.version, _LONGEST)}",
        f"Python {printable(agent.python, _LONGEST)}",
        figures.plural(agent.cpus, "CPU"),
        f"{agent.open_files} open files" if agent.open_files else "no limit on open files",
        figures.plural(agent.workers, "worker"),
        figures.plural(agent.connections, "connection"),
        *([f"{figures.whole_rate(agent.rate_per_s)} req/s"] if agent.rate_per_s else []),
        *([f"ceiling {figures.whole_rate(agent.ceiling_per_s)} req/s"] if agent.ceiling_per_s else []),
        f"clock {_span(agent.clock_ahead_ns, agent.clock_error_ns)}",
        f"wall clock {_span(agent.wall_ahead_ns, agent.wall_error_ns)}",
    ]
    return f"agent {name(agent.name)}: {', '.join(parts)}"


def parts_shown(parts: Sequence[HostPart]) -> list[HostPart]:
    """Return the machines to show to people: all, or of more than MOST those that stand out.

    These are lost ones, then the slowest and the fastest, the latest, the busiest, and those with most errors.
    """
    return _shown(
        parts,
        (
            lambda part: -_quantile(part, 0.99),
            lambda part: -part.measured.lag_ours.quantile(0.99) if part.measured.lag_ours.count else 0,
            lambda part: -part.measured.total.not_ok,
            lambda part: -part.measured.total.unsent,
            lambda part: -part.measured.cpu_ns,
            lambda part: -(part.host.steal_share or 0.0) if part.host is not None else 0.0,
            lambda part: part.measured.answered_in_time,
        ),
        [part for part in parts if part.host is None],
    )


def part_cells(part: HostPart, duration_ns: int) -> list[str]:
    """Return the cells under PART_HEADINGS."""
    measured, total = part.measured, part.measured.total
    steal = part.host.steal_share if part.host is not None else None
    return [
        name(part.name),
        figures.rate(total.sent),
        figures.rate(total.ok),
        figures.grouped(total.not_ok),
        figures.rate(per_s(measured.answered_in_time, duration_ns)),
        *(figures.quantile(measured.latency(), q) for _, _, q in _PERCENTILES),
        figures.quantile(measured.lag_ours, 0.99),
        figures.grouped(total.unsent),
        _cpu(part, duration_ns),
        figures.share(steal),
        figures.latency(part.clock_error_ns),
        "lost" if part.host is None else "ended",
    ]


def parts_left_out(parts: Sequence[HostPart]) -> list[int]:
    """Return the places in PART_HEADINGS of the columns that a narrow table has no room for, the first to go first.

    Columns that say nothing go first: a closed loop's lag, no unsent requests, no lost machine.
    """
    idle = [_STATE] * all(part.host is not None for part in parts)
    idle += [_STEAL] * all(part.host is None or not part.host.steal_share for part in parts)
    idle += [_UNSENT] * all(not part.measured.total.unsent for part in parts)
    idle += [_LATE] * all(not part.measured.lag_ours.count for part in parts)
    order = (_OK, _CLOCK_OF_PART, _P50, _P999, _STEAL, _UNSENT, _LATE, _STATE)
    return [*idle, *(place for place in order if place not in idle)]


def parts_hidden(parts: Sequence[HostPart], seen: Sequence[HostPart]) -> str:
    """Return how many machines are not shown, and what is known of all of them; empty where all are."""
    rest = [part for part in parts if part not in seen]
    if not rest:
        return ""
    failed = figures.plural(sum(part.measured.total.not_ok for part in rest), "error", figures.grouped)
    slowest = figures.latency(max(_quantile(part, 0.99) for part in rest))
    return _more(len(rest), f", with {failed} in all and a p99 of {slowest} at most")


def part_lines(event: Result) -> list[str]:
    """Return a line for each machine that is shown: "agent db1: sent 41234, ok 41230, errors 4, 13743 req/s, …"."""
    seen = parts_shown(event.hosts)
    rest = parts_hidden(event.hosts, seen)
    return [*(_part_line(part, event.duration_ns) for part in seen), *([f"agents: {rest}"] if rest else [])]


def _part_line(part: HostPart, duration_ns: int) -> str:
    measured, total = part.measured, part.measured.total
    steal = part.host.steal_share if part.host is not None else None
    latency, lag = measured.latency(), measured.lag_ours
    words = [
        *(["lost"] if part.host is None else []),
        f"sent {total.sent}",
        f"ok {total.ok}",
        f"errors {total.not_ok}",
        f"{figures.whole_rate(per_s(measured.answered_in_time, duration_ns))} req/s",
        *(f"{label} {figures.quantile(latency, q, figures.latency_word)}" for _, label, q in _PERCENTILES),
        *([f"late p99 {figures.quantile(lag, 0.99, figures.latency_word)}"] if lag.count else []),
        f"unsent {total.unsent}",
        f"CPU {_cpu(part, duration_ns)}%",
        *([f"steal {figures.share(steal)}%"] if steal is not None else []),
        f"clock {_span(part.clock_ahead_ns, part.clock_error_ns)}",
    ]
    return f"agent {name(part.name)}: {', '.join(words)}"


def interval(event: Sample, most: int) -> list[tuple[str, bool]]:
    """Return a line on an interval for each machine, `most` lines at most, and whether something fails there."""
    seen = list(event.hosts.items())
    if len(seen) > most:
        seen = seen[: most - 1]
    size = max((len(name(words)) for words, _ in seen), default=0)
    said = [
        (f"{name(words):<{size}}  {_brief(part, event.interval_ns)}", part.total.not_ok > 0) for words, part in seen
    ]
    rest = len(event.hosts) - len(seen)
    return [*said, (f"and {figures.plural(rest, 'more agent', figures.grouped)}", False)] if rest else said


def _brief(part: Snapshot, interval_ns: int) -> str:
    p99 = figures.quantile(part.latency(), 0.99, mark=figures.mark_of_interval)
    failed = part.total.not_ok
    rate = f"{figures.rate(per_s(part.total.answered, interval_ns)):>5} req/s"
    return "  ".join([rate, f"p99 {p99:>7}", *[figures.plural(failed, "error", figures.grouped)] * bool(failed)])


def lost(event: Result) -> int:
    """Return the number of machines that were lost."""
    return sum(part.host is None for part in event.hosts)


def name(words: str) -> str:
    """Return a machine's name as it is printed."""
    return printable(words, _LONGEST)


def lead(ns: int) -> str:
    """Return the lead of a clock with its sign: "+1.20 ms", "−3.00 µs", "0 ns"."""
    return f"{'+' if ns > 0 else '−' if ns < 0 else ''}{figures.latency(abs(ns))}"


def _span(ahead_ns: int, error_ns: int) -> str:
    """Return a clock's lead for log lines: "ahead 1.20ms +/- 5.00us"."""
    return f"{figures.latency_word(abs(ahead_ns))} {_ahead(ahead_ns)} +/- {figures.latency_word(error_ns)}"


def _ahead(ns: int) -> str:
    return "behind" if ns < 0 else "ahead"


def _cpu(part: HostPart, duration_ns: int) -> str:
    return f"{100 * part.measured.cpu_ns / duration_ns:.0f}" if duration_ns > 0 else figures.NOTHING


def _quantile(part: HostPart, q: float) -> int:
    latency = part.measured.latency()
    return latency.quantile(q) if latency.count else 0


def _shown(found: Sequence[Each], orders: Iterable[Callable[[Each], float]], first: Sequence[Each] = ()) -> list[Each]:
    """Return all, or of more than MOST half of `first` and the first by each order, as they stand in `found`."""
    if len(found) <= MOST:
        return list(found)
    chosen = {found.index(each) for each in first[: NAMED // 2]}
    for order in orders:
        values = [order(each) for each in found]
        if len(chosen) < NAMED and min(values) < max(values):
            chosen.add(values.index(min(values)))
    return [found[place] for place in sorted(chosen)]


def _more(count: int, known: str = "") -> str:
    if count <= 0:
        return ""
    return f"and {figures.plural(count, 'more agent', figures.grouped)}{known}; --format json has every agent"


def _which(agent: AgentHost, agents: Sequence[AgentHost]) -> str:
    return f" ({name(agent.name)})" if len(agents) > 1 else ""


def _several(values: Sequence[str], many: str) -> str:
    found = sorted({printable(value, _LONGEST) for value in values})
    return _listed(found) if len(found) <= _MOST_WORDS else f"of {len(found)} {many}"


def _listed(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _range(values: Sequence[int], spell: Callable[[int], str]) -> str:
    least, most = min(values), max(values)
    return spell(least) if least == most else f"{spell(least)} to {spell(most)}"


def _ranged(values: Sequence[int], noun: str, spell: Callable[[int], str]) -> str:
    return f"{_range(values, spell)} {noun}{'s' * (max(values) != 1)}"
