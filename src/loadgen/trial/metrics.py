"""The names that checks of a scenario can use, and their values in the evidence of a trial. Pure.

A value without a phase is over the baseline, the fault and the recovery together; the phase `settle` is judged only
where it is named. Percentiles are of operations that ended well, from their intended times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from loadgen.judge import check
from loadgen.judge.expression.dimension import COUNT, PER_TIME, SHARE, TIME
from loadgen.judge.expression.value import AtLeast, Scalar, Series, Unknown
from loadgen.judge.expression.vocabulary import MONITOR, Axis, Known, Over, Vocabulary
from loadgen.judge.monitored import OF_MONITORS, MonitoredSeries, MonitorMetrics, of_monitors
from loadgen.judge.named import Check
from loadgen.monitors.making import series_of
from loadgen.percentiles import PERCENTILES
from loadgen.stats.recovery import baseline
from loadgen.trial.account import level_of
from loadgen.trial.ended import PHASES, NodeFigures
from loadgen.trial.evidence import NOWHERE, Evidence
from loadgen.trial.observed import ERRORS, Counts, NodeState, Observed

_JUDGED = PHASES[1:]

_PARTS = ("phase", "node")

_COUNTS: Mapping[str, tuple[str, Callable[[Counts], int]]] = {
    "operations": ("operations that ended", lambda counts: counts.ended),
    "ok": ("operations that ended well, misses included", lambda counts: counts.ok),
    "misses": ("operations that found nothing", lambda counts: counts.misses),
    "wrong": ("wrong answers: another key's, stale, damaged, or written by nobody", lambda counts: counts.wrong),
    "overdue": ("operations that ended after their deadline", lambda counts: counts.overdue),
}

_POOL: Mapping[str, tuple[str, Over, Callable[[NodeState], int | None]]] = {
    "connections": ("connections of the client's pool", Over.LEVEL, lambda state: state.total),
    "active": ("connections in use", Over.LEVEL, lambda state: state.active),
    "idle": ("connections not in use", Over.LEVEL, lambda state: state.idle),
    "waiting": ("operations that wait for a connection", Over.LEVEL, lambda state: state.waiting),
    "sockets": ("established sockets to the nodes, by the kernel", Over.LEVEL, lambda state: state.sockets),
    "opened": ("connections opened since the client was made", Over.TOTAL, lambda state: state.opened),
}

_NODES: Mapping[str, str] = {
    "detected": "from the beginning of the fault to the breaker's opening or the first error; the longest",
    "outage": "from the first error on a node to the last; the longest",
    "recovered": "from the end of the last fault until its node is back inside its baseline's interval; the longest",
}

NAMES: Mapping[str, Known] = {
    **{
        name: Known(TIME, f"{percentile.label} of response time", _PARTS, over=Over.LEVEL)
        for name, percentile in PERCENTILES.items()
    },
    "errors": Known(COUNT, "operations that ended by an exception", (*_PARTS, "class"), over=Over.INTERVALS),
    **{name: Known(COUNT, meaning, _PARTS, over=Over.INTERVALS) for name, (meaning, _) in _COUNTS.items()},
    "throughput": Known(PER_TIME, "operations that ended well per time", _PARTS, over=Over.LEVEL),
    "success": Known(SHARE, "share of the operations that ended well", _PARTS, over=Over.LEVEL),
    "slowest": Known(TIME, "the longest operation", ("phase",), over=Over.LEVEL),
    **{name: Known(TIME, meaning, ("node",)) for name, meaning in _NODES.items()},
    **{
        name: Known(COUNT, meaning, ("phase", "node"), is_scalar=False, over=over)
        for name, (meaning, over, _) in _POOL.items()
    },
    "tasks": Known(
        COUNT, "tasks and threads that are not the callers' own", ("phase",), is_scalar=False, over=Over.LEVEL
    ),
    "leaked": Known(COUNT, "connections that were open after the client was closed"),
}


SELECTORS = (*PHASES, *ERRORS, "node")
"""The words of selectors, which no monitor can be named."""


def vocabulary(nodes: int, monitors: MonitoredSeries | None = None) -> Vocabulary:
    """Return the names for a trial with so many nodes, and with these monitors."""
    monitors = monitors or {}
    axes = {
        "phase": Axis(PHASES),
        "node": Axis(counted="node", most=nodes),
        "class": Axis((*ERRORS,)),
        MONITOR: Axis(tuple(monitors)),
    }
    return Vocabulary({**NAMES, **(OF_MONITORS if monitors else {})}, axes, monitors)


def judged(evidence: Evidence) -> tuple[Check, ...]:
    """Return the scenario's own checks with their answers."""
    plan = evidence.plan
    names = vocabulary(plan.nodes, series_of(plan.monitors))
    answers = check.judge(plan.checks, names, TrialMetrics(evidence, names))
    return tuple(
        Check(f"check {number}", each.passed, each.found, limit=each.check.expr, level=each.check.level)
        for number, each in enumerate(answers, 1)
    )


class TrialMetrics:
    """The values of one trial."""

    def __init__(self, evidence: Evidence, names: Vocabulary) -> None:
        self._evidence = evidence
        self._read = MonitorMetrics(evidence.plan.checks, names)
        for reading in evidence.readings:
            self._read.add(reading, reading.at_ns)
        self._tells_nodes = any(node for _, observed in evidence.intervals for node in observed.nodes)

    def scalar(self, name: str, chosen: Mapping[str, str | int]) -> Scalar:
        if name == "leaked":
            closed = self._evidence.closed
            leaked = closed.leaked_sockets if closed is not None else None
            return Fraction(leaked) if leaked is not None else Unknown("the kernel did not say what was left open")
        if name in _NODES:
            return self._of_nodes(name, chosen.get("node"))
        if name in OF_MONITORS:
            return of_monitors(name, chosen.get(MONITOR), self._evidence.monitors)
        if why := self._untold(chosen):
            return why
        phases = self._phases(chosen)
        if not phases:
            return Unknown(f"no interval of the phase {chosen.get('phase', _JUDGED[0])} was observed")
        if name == "slowest":
            return Fraction(max(observed.slowest_ns for observed in phases))
        counts = sum((_counts(observed, chosen) for observed in phases), Counts())
        return _value(name, counts, sum(map(_length_ns, phases)), chosen)

    def series(self, name: str, chosen: Mapping[str, str | int]) -> Series | Unknown:
        if MONITOR in chosen:
            return self._read.series(name, chosen[MONITOR], self._evidence.monitors)
        if why := self._untold(chosen):
            return why
        intervals = [observed for phase, observed in self._evidence.intervals if phase in _named(chosen)]
        found = ((observed, self._point(name, observed, chosen)) for observed in intervals)
        points = tuple((observed.to_ns, float(value)) for observed, value in found if value is not None)
        if not points and (name in _POOL or name == "tasks"):
            return Unknown(f"the client does not say how many {name} it has")
        since_ns = intervals[0].from_ns if intervals and NAMES[name].over is Over.INTERVALS else None
        return Series(points, since_ns)

    def _point(self, name: str, observed: Observed, chosen: Mapping[str, str | int]) -> float | Fraction | None:
        """Return the value of one interval; None where it has none."""
        if name == "tasks":
            return observed.tasks
        if name == "slowest":
            return observed.slowest_ns
        if name in _POOL:
            states = (state for node, state in observed.states.items() if chosen.get("node") in (None, node))
            known = [value for state in states if (value := _POOL[name][2](state)) is not None]
            return sum(known) if known else None
        found = _value(name, _counts(observed, chosen), _length_ns(observed), chosen)
        return found if isinstance(found, Fraction) else None

    def _phases(self, chosen: Mapping[str, str | int]) -> list[Observed]:
        return [observed for phase, observed in self._evidence.phases.items() if phase in _named(chosen)]

    def _untold(self, chosen: Mapping[str, str | int]) -> Unknown | None:
        if "node" in chosen and not self._tells_nodes:
            return Unknown("the client does not tell which node an operation was on")
        return None

    # ── Nodes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _of_nodes(self, name: str, node: str | int | None) -> Scalar:
        """Return the longest time of the nodes that a fault was on, or of one node."""
        figures = [each for each in self._evidence.figures if each.faulted and node in (None, each.node)]
        if not figures:
            return Unknown("no fault was on a node" if node is None else f"no fault was on node {node}")
        values = [*self._times(name, figures)]
        unknown = next((value for value in values if isinstance(value, Unknown)), None)
        if unknown is not None:
            return unknown
        least = [each.least for each in values if isinstance(each, AtLeast) and each.least is not None]
        longest = max([*least, *(each for each in values if isinstance(each, Fraction))])
        return AtLeast(longest) if least else longest

    def _times(self, name: str, figures: list[NodeFigures]) -> Iterator[Scalar]:
        for each in figures:
            where = f"node {each.node}" if each.node != NOWHERE else "the nodes"
            if name == "recovered":
                yield self._recovered(each, where)
            elif name == "outage":
                yield Fraction(each.outage_ns or 0)
            elif each.detected_ns is None:
                yield Unknown(f"no error on {where} shows that the fault was detected")
            else:
                yield Fraction(each.detected_ns)

    def _recovered(self, figures: NodeFigures, where: str) -> Scalar:
        """Return the time back; where the node was not back, at least the time for which it was watched."""
        if figures.recovered_ns is not None:
            return Fraction(figures.recovered_ns)
        levels = (level_of(observed, figures.node) for observed in self._evidence.within("baseline"))
        if baseline(levels) is None:
            return Unknown(f"{where} has no baseline to be back inside of")
        spells = [
            spell
            for node in range(1, self._evidence.plan.nodes + 1)
            if figures.node in (node, NOWHERE)
            for spell in self._evidence.spells(node)
        ]
        ends = [ended_ns for _, ended_ns in spells if ended_ns is not None]
        if not spells or len(ends) < len(spells):
            return Unknown(f"a fault on {where} did not end")
        until_ns = max(observed.to_ns for _, observed in self._evidence.intervals)
        return AtLeast(Fraction(max(0, until_ns - max(ends))))


def _named(chosen: Mapping[str, str | int]) -> tuple[str, ...]:
    return (str(chosen["phase"]),) if "phase" in chosen else _JUDGED


def _counts(observed: Observed, chosen: Mapping[str, str | int]) -> Counts:
    node = chosen.get("node")
    return observed.of(None if node is None else int(node))


def _length_ns(observed: Observed) -> int:
    return max(0, observed.to_ns - observed.from_ns)


def _value(name: str, counts: Counts, length_ns: int, chosen: Mapping[str, str | int]) -> Scalar:
    if name in PERCENTILES:
        if not counts.latency.count:
            return Unknown("no operation ended well")
        return Fraction(counts.latency.quantile(PERCENTILES[name].quantile))
    if name in _COUNTS:
        return Fraction(_COUNTS[name][1](counts))
    if name == "errors":
        return Fraction(counts.errors.get(str(chosen["class"]), 0) if "class" in chosen else counts.failed)
    if name == "success":
        return Fraction(counts.ok, counts.ended) if counts.ended else Unknown("no operation ended")
    return Fraction(counts.ok, length_ns) if length_ns else Unknown("nothing was observed")
