"""A trial as a page shows it: the subject, and the table of nodes. Pure functions of the state and the time."""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.output.tui.line import Column, Line, cell, cells, headings
from loadgen.output.tui.subject import Block, Stage, Subject
from loadgen.output.tui.trials import Node, Trials, breaker_style
from loadgen.output.words import figures
from loadgen.trial.ended import PHASES
from loadgen.trial.plan import TrialPlan
from loadgen.units import NS_PER_S

_LONGEST = 300

_NODE: Column = ("node", -9)
_BREAKER: Column = ("breaker", -10)
_COLUMNS: tuple[Column, ...] = (
    ("connections", 11),
    ("active", 8),
    ("idle", 6),
    ("failures in a row", 19),
    ("ops/s", 7),
    ("errors", 8),
)
_WIDE_COLUMNS: tuple[Column, ...] = (*_COLUMNS, ("waiting", 9), ("opened", 9), ("wrong", 8))
"""The columns of a page of 106 columns and more."""

_WIDE = 106


def subject(trials: Trials, now_s: float) -> Subject:
    plan, phase = trials.plan, trials.phase
    length_ns = phase.length_ns if phase is not None else 0
    over_ns = (now_s - phase.wall_s) * NS_PER_S if phase is not None else 0.0
    return Subject(
        verb="chaos",
        what=_what(plan),
        title=_title(trials),
        words=_words(plan),
        stages=_stages(trials),
        share=min(1.0, over_ns / length_ns) if length_ns else None,
        left_ns=max(0.0, length_ns - over_ns) if length_ns else None,
        note="" if length_ns or phase is None else "until you stop it",
        operations="ops",
        rate_per_s=trials.rate_per_s,
        top_per_s=trials.top_per_s,
        latencies=_latencies(trials),
        totals=_totals(trials),
        series=trials.series,
        whole_s=_whole_s(plan),
        sample_s=0.2,
        faulted=bool(trials.faults),
    )


def block(trials: Trials, width: int, height: int) -> Block:
    """Return the table of nodes in `height` lines at most, its heading included."""
    columns = _WIDE_COLUMNS if width >= _WIDE else _COLUMNS
    numbers = sorted(trials.nodes)
    if not numbers and trials.plan is not None:
        numbers = list(range(1, trials.plan.nodes + 1))
    shown = numbers if len(numbers) < height else numbers[: max(0, height - 2)]
    faulted = trials.faults.nodes()
    lines = [headings((_NODE, _BREAKER, *columns))]
    lines += [_row(number, trials.nodes.get(number), columns, number in faulted) for number in shown]
    if rest := len(numbers) - len(shown):
        lines.append(((f"and {figures.plural(rest, 'node')} more", "dim"),))
    return Block("servers", lines)


def _what(plan: TrialPlan | None) -> tuple[str, ...]:
    if plan is None:
        return ()
    nodes = figures.plural(plan.nodes, f"{plan.protocol} node")
    return printable(plan.client.name, 40), printable(plan.traffic.name, 40), nodes


def _words(plan: TrialPlan | None) -> str:
    if plan is None:
        return "The nodes are being started."
    return printable(plan.title, _LONGEST) or "The callers do their work, and there are no faults."


def _whole_s(plan: TrialPlan | None) -> float:
    """Return the planned time of all phases; 0 for a workload that runs until somebody stops it."""
    if plan is None or not (plan.phases.baseline_ns or plan.phases.fault_ns):
        return 0.0
    phases = plan.phases
    return (phases.settle_ns + phases.baseline_ns + phases.fault_ns + phases.recovery_ns) / NS_PER_S


def _title(trials: Trials) -> str:
    if trials.plan is None or trials.began is None:
        return "trials"
    name = printable(trials.plan.scenario, 60) or f"workload {printable(trials.plan.traffic.name, 40)}"
    many = len(trials.began.trials)
    if trials.began.loops:
        return f"{name} · run {trials.number}"
    return f"{name} · {trials.number} of {many}" if many > 1 else name


def _stages(trials: Trials) -> tuple[Stage, ...]:
    if trials.phase is None or trials.phase.phase not in PHASES:
        return tuple(Stage(name) for name in PHASES)
    number = PHASES.index(trials.phase.phase)
    if trials.plan is not None and not trials.plan.faults and not trials.phase.length_ns:
        return (Stage(trials.phase.phase, is_on=True),)
    return tuple(Stage(name, place < number, place == number) for place, name in enumerate(PHASES))


def _latencies(trials: Trials) -> Line:
    latency = trials.latency
    if not latency.count:
        return ()
    p50, p99 = (cell(figures.latency(latency.quantile(q)), 7) for q in (0.5, 0.99))
    return ("p50 ", "dim"), (p50, ""), ("  p99 ", "dim"), (p99, "")


def _totals(trials: Trials) -> Line:
    share = figures.share(trials.errors / trials.ended if trials.ended else 0.0, 2)
    wrong = figures.plural(trials.wrong, "wrong answer", figures.grouped)
    return (
        (figures.plural(trials.ended, "operation", figures.grouped), ""),
        ("   ", ""),
        (f"{figures.plural(trials.errors, 'error', figures.grouped)} ({share} %)", "bad" if trials.errors else "dim"),
        ("   ", ""),
        (wrong, "bad" if trials.wrong else "dim"),
        (f"   {figures.grouped(trials.under_way)} under way", "dim"),
    )


def _row(number: int, node: Node | None, columns: tuple[Column, ...], faulted: bool) -> Line:
    name = ("any" if number == 0 else str(number)) + " fault" * faulted
    first = (cell(name, _NODE[1]), "warn" if faulted else "")
    if node is None:
        return (first,)
    state = node.state
    words = {
        "connections": _count(state.total),
        "active": _count(state.active),
        "idle": _count(state.idle),
        "failures in a row": _count(state.consecutive_failures),
        "ops/s": figures.rate(round(node.rate_per_s)),
        "errors": figures.rate(node.errors),
        "waiting": _count(state.waiting),
        "opened": _count(state.opened),
        "wrong": _count(node.wrong),
    }
    breaker = cell(state.breaker or figures.NOTHING, _BREAKER[1])
    return first, (breaker, breaker_style(state.breaker)), (cells((words[name] for name, _ in columns), columns), "")


def _count(number: int | None) -> str:
    return figures.NOTHING if number is None else figures.grouped(number)
