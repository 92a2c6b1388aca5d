"""Faults of a run in words: what is planned, what each did, and what became of each node. Pure functions to plain text.

Times are said from the start of the measure window.
"""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.events import Result
from loadgen.faults.fault import Fault, Value
from loadgen.faults.kinds import KINDS, Measure, Parameter
from loadgen.faults.report import FaultReport, Outage
from loadgen.output.words import figures
from loadgen.units import NS_PER_S, format_duration

LONGEST = 300

MOST = 16
"""The most outages, and the most changes of nodes, that are said to people."""


def planned(fault: Fault) -> str:
    """Return a fault as configured: "latency (proxy) on node 1, at 20 s for 5 s, delay 100 ms"."""
    lasting = f" for {_length(fault.for_ns)}" if fault.for_ns else " to the end"
    again = f", {fault.times} times, every {_length(fault.every_ns)}" if fault.times > 1 else ""
    apart = f", {_length(fault.stagger_ns)} from node to node" if fault.stagger_ns else ""
    named = {each.name: each for each in KINDS[fault.kind].parameters}
    told = [
        f"{name} {_value(named[name], value)}"
        for name, value in fault.parameters.items()
        if name in named and value != named[name].default
    ]
    return ", ".join([f"{fault}, at {_length(fault.at_ns)}{lasting}{again}{apart}", *told])


def reports(event: Result) -> list[str]:
    """Return what each fault did: "kill (process) on node 1: from 20.0 s to 25.0 s, processes killed: 1"."""
    return [_report(each, event.began_ns) for each in event.faults]


def outages(event: Result) -> list[str]:
    """Return what became of each node: "node 1: failing from 20.0 s to 25.0 s (4.98 s) …, back 0.15 s after".

    Of more than MOST, the first are said.
    """
    said = [_outage(each, event.began_ns, event) for each in event.outages[:MOST]]
    rest = len(event.outages) - len(said)
    return [*said, f"and {figures.plural(rest, 'more outage')}; --format json has each"] if rest else said


def changes(event: Result) -> list[str]:
    """Return the changes of a cluster's nodes: "at 20.0 s: …". Of more than MOST, the first are said."""
    said = [
        f"at {_at(each.at_ns, event.began_ns)}: {printable(words, LONGEST)}"
        for each in event.changes
        for words in each.words
    ]
    rest = len(said) - MOST
    return [*said[:MOST], f"and {figures.plural(rest, 'more change')}; --format json has each"] if rest > 0 else said


def summary(event: Result) -> str:
    """Return the faults of a run in a few words: "kill on node 1, out for 4.98 s, back after 0.15 s"."""
    kinds = dict.fromkeys(each.fault.kind for each in event.faults)
    longest = max((each.lasted_ns for each in event.outages if each.lasted_ns is not None), default=None)
    back = [each.recovered_ns for each in event.outages]
    slowest = max((each for each in back if each is not None), default=None)
    recovered = "not back" if None in back or slowest is None else f"back after {_span(slowest)}"
    out = f"out for {_span(longest)}" if longest is not None else ""
    return ", ".join(filter(None, [" + ".join(kinds), out, recovered * bool(back)]))


def names(event: Result) -> str:
    """Return the faults of a run by name: "kill (process) on node 1; pause (process) on node 2"; empty for none."""
    return "; ".join(str(each.fault) for each in event.faults)


def _report(report: FaultReport, since_ns: int) -> str:
    if report.failure:
        return f"{report.fault}: {printable(report.failure, LONGEST)}"
    if not report.spells:
        return f"{report.fault}: did not begin"
    first, more = report.spells[0], len(report.spells) - 1
    until = "not ended" if first.ended_ns is None else f"to {_at(first.ended_ns, since_ns)}"
    again = f", and {figures.plural(more, 'more time')}" if more else ""
    counted = f"{KINDS[report.fault.kind].counts}: {report.counted}"
    return f"{report.fault}: from {_at(first.began_ns, since_ns)} {until}{again}; {counted}"


def _outage(outage: Outage, since_ns: int, event: Result) -> str:
    first_ns, last_ns = outage.first_failed_ns, outage.last_failed_ns
    if first_ns is None or last_ns is None:
        failing = "nothing failed"
    else:
        spent = f"failing from {_at(first_ns, since_ns)} to {_at(last_ns, since_ns)} ({_span(last_ns - first_ns)})"
        requests = figures.plural(outage.failed, "request", figures.grouped)
        attempts = figures.plural(outage.refused, "attempt", figures.grouped)
        failing = f"{spent}, {requests} and {attempts} to connect"
    if outage.recovered_ns is not None and outage.back_ns is not None:
        after = "its fault" if outage.is_planned else "its last failure"
        back = f"back at {_at(outage.back_ns, since_ns)}, {_span(outage.recovered_ns)} after {after}"
    else:
        back = "not back" if outage.has_baseline else "no baseline to be back inside of"
    where = outage.name and len(event.plan.target.endpoints) > 1
    return f"node {outage.node}{f' ({printable(outage.name)})' if where else ''}: {failing}; {back}"


def _at(at_ns: int, since_ns: int) -> str:
    return f"{(at_ns - since_ns) / NS_PER_S:.2f} s"


def _span(ns: int) -> str:
    return f"{ns / NS_PER_S:.2f} s"


def _length(ns: int) -> str:
    return figures.spaced(format_duration(ns), figures.grouped)


def _value(its: Parameter, value: Value) -> str:
    match its.measure:
        case Measure.DURATION:
            return _length(int(value))
        case Measure.SHARE:
            return f"{100 * float(value):g} %"
        case Measure.RATE:
            return f"{figures.size(float(value))}/s"
        case Measure.SIZE:
            return figures.size(float(value))
        case _:
            return str(value)
