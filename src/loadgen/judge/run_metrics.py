"""The names that checks of a run can use, and their values in its Result. Pure; series are told an interval at a time.

A value is that of the measure window. A percentile is of all requests, as in `[slo]`: one that failed exceeds every
limit. In a series it is of the replies of each interval, as in the rows that outputs show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import accumulate

from loadgen import slo
from loadgen.command import MIXED
from loadgen.events import PhaseCounted, Result, Sample
from loadgen.faults.report import Outage
from loadgen.judge.check import Check
from loadgen.judge.expression.dimension import COUNT, NUMBER, PER_TIME, SHARE, SIZE, TIME
from loadgen.judge.expression.value import AtLeast, Scalar, Series, Unknown
from loadgen.judge.expression.vocabulary import EVERY, MONITOR, Axis, Known, Over, Vocabulary
from loadgen.judge.monitored import OF_MONITORS, MonitoredSeries, MonitorMetrics, of_monitors, series_of
from loadgen.judge.node_metrics import (
    BY_NODE,
    NODE,
    OF_NODES,
    at_rank,
    in_interval_of_node,
    nodes_of,
    parted,
    value_of_node,
)
from loadgen.monitors.reading import Reading
from loadgen.percentiles import PERCENTILES
from loadgen.plan import Plan
from loadgen.snapshot import Snapshot, Tally
from loadgen.usage import Usage

_PARTS = ("command", "phase", NODE)

_COUNTS: Mapping[str, tuple[str, Callable[[Tally], int]]] = {
    "requests": ("requests that were planned", lambda tally: tally.planned),
    "ok": ("good replies", lambda tally: tally.ok),
    "errors": (
        "requests without a good reply: an error reply, a timeout, lost, corrupt or unfinished",
        lambda tally: tally.not_ok,
    ),
    "error_replies": ("error replies", lambda tally: tally.errors),
    "timeouts": ("requests that timed out", lambda tally: tally.timeouts),
    "lost": ("requests that were in flight when their connection ended", lambda tally: tally.lost),
    "corrupt": ("requests that were answered by bytes that are no reply to them", lambda tally: tally.corrupt),
    "unfinished": ("requests that were open when the drain ended", lambda tally: tally.unfinished),
    "misses": ("requests that did not find their key, or did not store it", lambda tally: tally.misses),
}

_SERVER: Mapping[str, tuple[Known, Callable[[Usage], float]]] = {
    "rss": (
        Known(SIZE, "resident memory of the server that loadgen started", is_scalar=False, over=Over.LEVEL),
        lambda used: used.rss_bytes,
    ),
    "fds": (
        Known(COUNT, "open files of the server", is_scalar=False, over=Over.LEVEL),
        lambda used: used.fds,
    ),
    "threads": (
        Known(COUNT, "threads of the server", is_scalar=False, over=Over.LEVEL),
        lambda used: used.threads,
    ),
    "cpu": (
        Known(NUMBER, "CPUs that the server kept busy: 1 is one CPU", is_scalar=False, over=Over.LEVEL),
        lambda used: used.cpu_share,
    ),
}

NAMES: Mapping[str, Known] = {
    **{
        name: Known(TIME, f"{percentile.label} of response time", _PARTS, over=Over.LEVEL)
        for name, percentile in PERCENTILES.items()
    },
    **{
        name: Known(COUNT, meaning, _PARTS if name in BY_NODE else _PARTS[:2], over=Over.INTERVALS)
        for name, (meaning, _) in _COUNTS.items()
    },
    "throughput": Known(PER_TIME, "good replies per time", _PARTS, over=Over.LEVEL),
    "hit_rate": Known(SHARE, "share of GETs that found their key", ("phase", NODE), over=Over.LEVEL),
    "duration": Known(TIME, "length of the measure window, or of a phase as far as it was counted", ("phase",)),
    "connections_failed": Known(COUNT, "attempts to open a connection that failed, in the whole run"),
    "reconnects": Known(COUNT, "connections opened in place of lost ones, in the whole run"),
    "recycled": Known(COUNT, "connections closed and opened again as planned, or for another node, in the whole run"),
    **{name: known for name, (known, _) in _SERVER.items()},
}

OF_FAULTS: Mapping[str, Known] = {
    "outage": Known(TIME, "from the first failure on a node to the last, for one fault; the longest", ("node",)),
    "recovered": Known(
        TIME, "from the end of a fault until its node is back inside its baseline's interval; the longest", ("node",)
    ),
}


def vocabulary(
    *,
    nodes: int | None,
    phases: int,
    has_keys: bool = True,
    has_faults: bool = False,
    is_watched: bool = True,
    monitors: MonitoredSeries | None = None,
) -> Vocabulary:
    """Return the names for a run on so many nodes, with so many `[[workload.phase]]`. None for `nodes`: not known yet.

    Where loadgen does not start the server (`is_watched`), names such as `rss` are the monitors', if one has them.
    """
    monitors = monitors or {}
    axes = {
        "command": Axis(MIXED if has_keys else ()),  # "ping" has one command, and no selector
        "phase": Axis(counted="phase", most=phases),
        NODE: Axis(counted=NODE, most=nodes, is_alone=True, has_every=True),
        MONITOR: Axis(tuple(monitors)),
    }
    monitored = set[str]().union(*monitors.values()) if not is_watched else set()
    own = {name: known for name, known in NAMES.items() if not (name in _SERVER and name in monitored)}
    return Vocabulary(
        {**own, **OF_NODES, **(OF_FAULTS if has_faults else {}), **(OF_MONITORS if monitors else {})}, axes, monitors
    )


def vocabulary_of(
    plan: Plan, *, has_faults: bool, is_watched: bool = True, monitors: MonitoredSeries | None = None
) -> Vocabulary:
    """Return the names for a run of this plan."""
    return vocabulary(
        nodes=None if plan.target.discovery is not None else len(plan.target.endpoints),
        phases=len(plan.load.phases),
        has_keys=plan.target.speaks.has_keys,
        has_faults=has_faults,
        is_watched=is_watched,
        monitors=monitors,
    )


class RunMetrics:
    """The values of one run: told each interval and each reading of the measure window, and its Result at the end.

    `names` is the vocabulary that the checks are written in.
    """

    def __init__(self, checks: Iterable[Check], plan: Plan, names: Vocabulary) -> None:
        self._ends_ns = [*accumulate(phase.length_ns for phase in plan.load.phases)]
        self._points: dict[tuple[str, str, int], list[tuple[int, int, float]]] = {}
        """By name, command and node, 0 for all of them: for each interval its beginning, its end and its value."""
        self._of_every: set[str] = set()
        """The names with a series of every node."""
        checks = tuple(checks)
        for check in checks:
            for name, chosen in series_of(check, names):
                if chosen.get(NODE) == EVERY:
                    self._of_every.add(name)
                elif MONITOR not in chosen:
                    self._points[_key(name, chosen)] = []
        self._read = MonitorMetrics(checks, names)
        self._result: Result | None = None

    def add(self, sample: Sample, from_ns: int) -> None:
        """Take an interval that begins `from_ns` after the window begins."""
        to_ns = from_ns + sample.interval_ns
        for name in self._of_every:
            for place in range(nodes_of(sample.interval)):
                self._points.setdefault((name, "all", 1 + place), [])
        for (name, command, node), points in self._points.items():
            if (value := _of_sample(name, command, node, sample)) is not None:
                points.append((from_ns, to_ns, value))

    def add_reading(self, reading: Reading, at_ns: int) -> None:
        """Take what a monitor read `at_ns` after the window began."""
        self._read.add(reading, at_ns)

    def of(self, result: Result) -> RunMetrics:
        """Return the same with the Result, of which values are taken from now on."""
        self._result = result
        return self

    # ── Environment ───────────────────────────────────────────────────────────────────────────────────────────────────

    def parts(self, axis: str) -> int:
        assert self._result is not None, "values are asked for after the run"
        return nodes_of(self._result.measured)

    def scalar(self, name: str, chosen: Mapping[str, str | int]) -> Scalar:
        result = self._result
        assert result is not None, "values are asked for after the run"
        if name in OF_NODES:
            return parted(name, result.measured, int(chosen[NODE]) if NODE in chosen else None)
        if name in OF_FAULTS:
            return _of_outages(name, result, chosen.get("node"))
        if name in OF_MONITORS:
            return of_monitors(name, chosen.get(MONITOR), result.monitors)
        match name:
            case "connections_failed":
                return Fraction(result.overall.connections.failed)
            case "reconnects":
                return Fraction(result.overall.connections.reconnects)
            case "recycled":
                return Fraction(result.overall.connections.recycled)
        if NODE in chosen and (result.measured.nodes or chosen[NODE] != 1):
            return value_of_node(name, result.measured, result.duration_ns, int(chosen[NODE]))
        if "phase" not in chosen:
            return value_of(name, result.measured, result.duration_ns, str(chosen.get("command", "all")))
        number = int(chosen["phase"])
        if number > len(result.by_phase):
            return Unknown(f"phase {number} was not reached")
        return _in_phase(name, result.by_phase[number - 1], str(chosen.get("command", "all")), number)

    def series(self, name: str, chosen: Mapping[str, str | int]) -> Series | Unknown:
        if MONITOR in chosen:
            assert self._result is not None, "values are asked for after the run"
            return self._read.series(name, chosen[MONITOR], self._result.monitors)
        points = self._points.get(_key(name, chosen), [])
        if "phase" in chosen:
            number = int(chosen["phase"])
            begin_ns, end_ns = (self._ends_ns[number - 2] if number > 1 else 0), self._ends_ns[number - 1]
            points = [point for point in points if begin_ns <= point[0] and point[1] <= end_ns]
        if not points and name in _SERVER:
            return Unknown(f"the server was not watched, so that {name} is not known")
        since_ns = (points[0][0] if points else 0) if NAMES[name].over is Over.INTERVALS else None
        return Series(tuple((to_ns, value) for _, to_ns, value in points), since_ns)


def _key(name: str, chosen: Mapping[str, str | int]) -> tuple[str, str, int]:
    return name, str(chosen.get("command", "all")), int(chosen.get(NODE, 0))


def _of_sample(name: str, command: str, node: int, sample: Sample) -> float | None:
    """Return a value of one sample, of a node unless that is 0; None where it has none."""
    if node and (sample.interval.nodes or node != 1):
        return in_interval_of_node(name, sample.interval, sample.interval_ns, node)
    if name in _SERVER:
        return None if sample.server is None else _SERVER[name][1](sample.server)
    return in_interval(name, command, sample.interval, sample.interval_ns)


def in_interval(name: str, command: str, interval: Snapshot, length_ns: int) -> float | None:
    """Return a value of the load in an interval of this length, in base units; None where it has none."""
    if name in PERCENTILES:
        latency = interval.latency(command)
        return latency.quantile(PERCENTILES[name].quantile) if latency.count else None
    if name in _COUNTS:
        return _COUNTS[name][1](interval.tally(command))
    if name == "throughput":
        return interval.tally(command).ok / length_ns if length_ns else None
    return interval.hit_rate


def _in_phase(name: str, counted: PhaseCounted, command: str, number: int) -> Scalar:
    if not counted.counted_ns:
        return Unknown(f"no whole interval lies within phase {number}")
    return value_of(name, counted.counted, counted.counted_ns, command, counted.counted.tally(command).ok)


def value_of(name: str, measured: Snapshot, length_ns: int, command: str, ok: int | None = None) -> Scalar:
    """Return a value of a snapshot over a time, in base units. `ok` are the good replies within it, where known."""
    if name in PERCENTILES:
        return _percentile(measured, PERCENTILES[name].quantile, command)
    tally = measured.tally(command)
    if name in _COUNTS:
        return Fraction(_COUNTS[name][1](tally))
    if name == "duration":
        return Fraction(length_ns)
    if name == "throughput":
        in_time = measured.ok_in_time if command == "all" else tally.ok
        return Fraction(in_time if ok is None else ok, length_ns) if length_ns else Unknown("nothing was measured")
    hits, misses = measured.lookups
    return Fraction(hits, hits + misses) if hits + misses else Unknown("no GET got a good reply")


def _percentile(measured: Snapshot, q: float, command: str) -> Scalar:
    good, rank, requests = slo.ranked(measured, q, command)
    if not requests:
        return Unknown("no request was measured" if command == "all" else f"no {command} was measured")
    return at_rank(good, rank, q) if rank <= good.count else AtLeast(None)


def _of_outages(name: str, result: Result, node: str | int | None) -> Scalar:
    outages = [each for each in result.outages if each.is_planned and node in (None, each.node)]
    if not outages:
        return Unknown("no fault came" if node is None else f"no fault came over node {node}")
    values = [_outage(each) if name == "outage" else _recovered(each, result) for each in outages]
    unknown = next((value for value in values if isinstance(value, Unknown)), None)
    if unknown is not None:
        return unknown
    bounds = [value.least for value in values if isinstance(value, AtLeast)]
    known = [value for value in values if isinstance(value, Fraction)]
    longest = max([*known, *(bound for bound in bounds if bound is not None)])
    return AtLeast(longest) if bounds else longest


def _outage(outage: Outage) -> Scalar:
    return Fraction(outage.lasted_ns or 0)


def _recovered(outage: Outage, result: Result) -> Scalar:
    """Return the time back; where the node was not back, at least the time for which it was watched."""
    if not outage.has_baseline:
        return Unknown(f"node {outage.node} has no baseline to be back inside of")
    if outage.ended_ns is None:
        return Unknown(f"a fault on node {outage.node} did not end")
    if outage.recovered_ns is not None:
        return Fraction(outage.recovered_ns)
    until_ns = outage.until_ns or result.began_ns + result.duration_ns
    return AtLeast(Fraction(max(0, until_ns - outage.ended_ns)))
