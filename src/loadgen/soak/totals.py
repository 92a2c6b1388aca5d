"""What the load of a soak came to: the values of a run's names, and of each interval its sample. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from loadgen import slo
from loadgen.command import MIXED
from loadgen.judge.check import Check
from loadgen.judge.expression.mistake import Malformed
from loadgen.judge.expression.parser import parse
from loadgen.judge.expression.syntax import series_named
from loadgen.judge.expression.value import Scalar
from loadgen.judge.expression.vocabulary import Known
from loadgen.judge.run_metrics import NAMES, in_interval, value_of
from loadgen.slo import Unit
from loadgen.snapshot import Snapshot
from loadgen.soak.asked import LOAD
from loadgen.soak.found import ObjectiveSeen, Totals
from loadgen.soak.metrics import IN_INTERVALS, OF_LOADS
from loadgen.units import NS_PER_S, format_duration, percent

_WHOLE = ("connections_failed", "reconnects")


def columns(checks: Iterable[Check]) -> dict[str, Known]:
    """Return the series of the load by column: those of every soak, and those that checks name."""
    named = [(name, "all") for name in IN_INTERVALS]
    for check in checks:
        try:
            names = series_named(parse(check.expr))
        except Malformed:
            continue
        for name in names:
            command = next((each.word for each in name.selectors if each.word in MIXED), "all")
            if name.name in OF_LOADS and NAMES[name.name].over is not None:
                named.append((name.name, command))
    return {_column(name, command): NAMES[name] for name, command in named}


def _column(name: str, command: str) -> str:
    return f"{LOAD}.{name}" if command == "all" else f"{LOAD}.{name}[{command}]"


def sample(series: Iterable[str], interval: Snapshot, length_ns: int) -> dict[str, float]:
    """Return the value of each column of the load in an interval; times in ns, rates per second."""
    found = {}
    for column in series:
        name, _, command = column.removeprefix(f"{LOAD}.").rstrip("]").partition("[")
        value = in_interval(name, command or "all", interval, length_ns)
        if name == "errors":
            value = interval.tally(command or "all").failed
        if value is not None:
            found[column] = value * NS_PER_S if name == "throughput" else value
    return found


def totals(measured: Snapshot, length_ns: int, opened: int, objectives: Iterable[slo.Objective]) -> Totals:
    """Return what the load came to in its measure windows, `length_ns` together. `opened` counts all openings."""
    values: dict[str, Scalar] = {"opened": Fraction(opened)}
    values["connections_failed"] = Fraction(measured.connections.failed)
    values["reconnects"] = Fraction(measured.connections.reconnects)
    for name in OF_LOADS:
        if name in _WHOLE:
            continue
        values[name] = _value(name, measured, length_ns, "all")
        if "command" in OF_LOADS[name].axes:
            for command in measured.commands:
                if command in MIXED:
                    values[f"{name}[{command}]"] = _value(name, measured, length_ns, command)
    found = tuple(_objective(each) for each in slo.check(objectives, measured, length_ns))
    return Totals(length_ns / NS_PER_S, values, found)


def _value(name: str, measured: Snapshot, length_ns: int, command: str) -> Scalar:
    if name == "errors":
        return Fraction(measured.tally(command).failed)
    return value_of(name, measured, length_ns, command)


def _objective(each: slo.Evaluation) -> ObjectiveSeen:
    objective = each.objective
    name = f"{objective.command} {objective.metric}".strip()
    bound = "≥" if objective.is_floor else "≤"
    limit = _spelled(objective.limit, objective.unit)
    found = "nothing to measure" if each.measured is None else _spelled(each.measured, objective.unit)
    return ObjectiveSeen(f"{name} {bound} {limit}", each.answer, found)


def _spelled(value: float, unit: Unit) -> str:
    match unit:
        case Unit.NS:
            return format_duration(round(value)) if value % 1000 == 0 else f"{value / 1e6:.4g}ms"
        case Unit.SHARE:
            return percent(value)
        case Unit.PER_S:
            return f"{value:.6g}/s"
        case _:
            return f"{value:.10g}"
