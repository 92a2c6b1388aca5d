"""The checks of how faults and operations ended: faults with effects, operations with right answers, in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from loadgen.faults.kinds import KINDS, Fires
from loadgen.faults.report import FaultReport
from loadgen.judge.named import Check
from loadgen.trial.checks import lateness
from loadgen.trial.evidence import AFTER, Evidence, in_words, real_node
from loadgen.trial.observed import Observed
from loadgen.trial.plan import TOLERANCE_NS
from loadgen.units import span

OF_TIME = frozenset({"timeout", "pool_exhausted", "breaker_open"})
"""The classes of errors that a client without CPU time may have."""


def fault_fired(evidence: Evidence) -> Check | None:
    """Every fault took effect, by a counter of its own. A fault without effect shows nothing of a client."""
    if not evidence.plan.faults:
        return None
    name, limit = "fault fired", "every fault"
    failures = [
        f"{in_words(report.fault, evidence.plan)}: {report.failure}" for report in evidence.faults if report.failure
    ]
    idle = [
        f"{in_words(report.fault, evidence.plan)} had no effect{_where(report, evidence)}: "
        f"{KINDS[report.fault.kind].counts} {report.effects}, and at least {KINDS[report.fault.kind].least} had to be"
        for report in (_meetable(each, evidence) for each in evidence.faults)
        if not report.failure and not report.fired
    ]
    missing = len(evidence.plan.faults) - len(evidence.faults)
    if failures or idle or missing:
        unbegun = [f"{missing} of {len(evidence.plan.faults)} faults did not begin"] * bool(missing)
        return Check(name, None, "; ".join([*failures, *idle, *unbegun]), limit)
    did = (
        f"{in_words(report.fault, evidence.plan)}: {KINDS[report.fault.kind].counts} {report.counted}"
        for report in evidence.faults
    )
    return Check(name, True, "; ".join(did), limit)


def errors_expected(evidence: Evidence) -> Check:
    """Errors are of the classes that the scenario names, and only from the beginning of the fault on."""
    name, expects = "errors expected", evidence.plan.expects
    limit = ", ".join(expects) or "none"
    before, during = _errors_before(evidence), sum((_errors(evidence, phase) for phase in AFTER), Counter[str]())
    during += _errors(evidence, "baseline") - before
    strange = {error: count for error, count in during.items() if error not in expects}
    if not before and not strange:
        return Check(name, True, _listed(during) or "no errors", limit)
    found = "; ".join(
        [*[f"{_listed(before)} before the fault"] * bool(before), *[f"unexpected: {_listed(strange)}"] * bool(strange)]
    )
    examples = {error: words for o in evidence.phases.values() for error, words in o.examples.items()}
    first = next((examples[error] for error in [*strange, *before] if error in examples), "")
    only_late = not {*strange, *before} - OF_TIME and all(
        lateness.stalled(evidence, observed, errors) for observed, errors in _unexpected(evidence)
    )
    passed, because = lateness.answer(evidence, only_late)
    return Check(name, passed, f"{found}{f' ({first})' * bool(first)}{because}", limit)


def answers_right(evidence: Evidence) -> Check:
    """No reply was another key's, older than an acknowledged one, damaged, or written by nobody.

    Where several groups of callers share keys, values of another group must have been read.
    """
    wrong = sum(observed.of().wrong for observed in evidence.phases.values())
    if not sum(observed.of().ok for observed in evidence.phases.values()) and not wrong:
        return Check("answers right", None, "no operation ended well", "0 wrong")
    if not wrong and evidence.writers == 1:
        return Check("answers right", True, "0 wrong", "0 wrong")
    if not wrong:
        sighted = sum(evidence.phases[phase].sighted for phase in ("fault", "recovery") if phase in evidence.phases)
        if not sighted:
            return Check("answers right", None, "no value of another group was read since the fault", "0 wrong")
        return Check("answers right", True, f"0 wrong; {sighted:,} values of another group read", "0 wrong")
    named = [each for observed in evidence.phases.values() for each in observed.wrong]
    first = min(named, key=lambda each: each.at_ns, default=None)
    words = f"; the first: {first.kind}, asked for {first.key}, got {first.found}" if first is not None else ""
    return Check("answers right", False, f"{wrong:,} wrong{words}", "0 wrong")


def deadlines_kept(evidence: Evidence) -> Check:
    """No operation ended, or was still under way, more than a tolerance after its deadline."""
    overdue = sum(observed.of().overdue for observed in evidence.phases.values())
    unfinished = evidence.closed.unfinished if evidence.closed is not None else 0
    slowest_ns = max((observed.slowest_ns for observed in evidence.phases.values()), default=0)
    limit = f"≤ {span(evidence.plan.timeout_ns)} + {span(TOLERANCE_NS)}"
    if not overdue and not unfinished:
        return Check("deadlines kept", True, f"the slowest took {span(slowest_ns)}", limit)
    found = [f"{overdue:,} operations ended after their deadline, the slowest after {span(slowest_ns)}"] * bool(overdue)
    found += [f"{unfinished:,} had not ended when the trial was over"] * bool(unfinished)
    limit_ns = evidence.plan.timeout_ns + TOLERANCE_NS
    late = all(
        lateness.explains(evidence, observed, observed.slowest_ns, limit_ns)
        for _, observed in evidence.intervals
        if observed.of().overdue
    )
    passed, because = lateness.answer(evidence, late and not unfinished)
    return Check("deadlines kept", passed, "; ".join(found) + because, limit)


def _meetable(report: FaultReport, evidence: Evidence) -> FaultReport:
    """Return a report without the spells that no client could meet, as no operation of the workload is on the node."""
    if KINDS[report.fault.kind].fires is not Fires.MET:
        return report
    spells = (spell for spell in report.spells if real_node(spell.node, evidence.plan) not in evidence.unused)
    return replace(report, spells=tuple(spells))


def _where(report: FaultReport, evidence: Evidence) -> str:
    """Return in which spells a fault had no effect, of a fault that had some: " in 4 of 5 spells, first on node 1"."""
    if not report.effects or not report.idle:
        return ""
    node = real_node(report.idle[0].node, evidence.plan)
    return f" in {len(report.idle)} of {len(report.spells)} spells, first on node {node}"


def _unexpected(evidence: Evidence) -> Iterator[tuple[Observed, set[str]]]:
    """Yield the intervals with errors that the scenario does not expect then, with their classes."""
    first_ns = evidence.first_fault_ns
    for phase, observed in evidence.intervals:
        if phase == "settle":
            continue
        errors = set(observed.of().errors)
        early = phase == "baseline" and (first_ns is None or observed.to_ns <= first_ns)
        if strange := errors if early else errors - {*evidence.plan.expects}:
            yield observed, strange


def _errors(evidence: Evidence, phase: str) -> Counter[str]:
    return Counter(evidence.phases[phase].of().errors) if phase in evidence.phases else Counter()


def _errors_before(evidence: Evidence) -> Counter[str]:
    """Return the errors of the baseline's intervals that ended before the first fault began."""
    first_ns = evidence.first_fault_ns
    whole = (o for o in evidence.within("baseline") if first_ns is None or o.to_ns <= first_ns)
    return sum((Counter(observed.of().errors) for observed in whole), Counter[str]())


def _listed(errors: Mapping[str, int]) -> str:
    return ", ".join(f"{error} {count:,}" for error, count in sorted(errors.items(), key=lambda each: -each[1]))
