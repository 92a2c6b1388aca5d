"""Campaigns of cases in words, the same in every format for people. Pure functions to plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import floor

from loadgen.escape import printable
from loadgen.output.words import commands, figures
from loadgen.severity import Severity
from loadgen.units import NS_PER_MS, span
from loadgen.verify.case import Verdict
from loadgen.verify.compatibility import compatibility
from loadgen.verify.durability.survival import Survival
from loadgen.verify.ended import CampaignBegan, CampaignEnded, CaseEnded, FailureFound, Machine, survivals

LONGEST = 500
"""Characters of a finding, in which the subject's words are repeated."""

MOST_STEPS = 40
"""Operations of a failure that are printed; the artifact has all."""

MOST_SEEDS = 12
"""Seeds of a failure that are printed."""

_ANSWERS = {
    Severity.GOOD: "PASS",
    Severity.FAILED: "FAIL",
    Severity.BREACHED: "FAIL",
    Severity.INVALID: "CANNOT TELL",
    Severity.UNKNOWN: "CANNOT TELL",
    Severity.COULD_NOT_RUN: "COULD NOT RUN",
    Severity.INTERRUPTED: "INTERRUPTED",
}

_VERDICTS = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.UNTOLD: "untold", Verdict.SKIPPED: "skipped"}


_NOUNS = {"fuzz": "input"}
"""By suite, what one of its cases is called."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cases of one kind."""

    kind: str
    counts: Counter[Verdict]
    seeds: tuple[int, ...]
    """The seeds that failed."""


def verdict(ended: CampaignEnded) -> str:
    """Return PASS, FAIL, CANNOT TELL, COULD NOT RUN, or INTERRUPTED (by the user)."""
    return _ANSWERS[ended.severity]


def style(ended: CampaignEnded) -> str:
    """Return the style of the verdict."""
    if ended.severity is Severity.GOOD:
        return "bold green"
    return "bold red" if ended.failures or ended.severity is Severity.COULD_NOT_RUN else "bold yellow"


def title(began: CampaignBegan) -> str:
    """Return what is run, on what: "properties: 11 tests × 1,000 seeds on redis 7.0.15", "fuzz: 2 tests for 60 s"."""
    tests = figures.plural(len(began.kinds), "test")
    seeds = f" × {figures.plural(began.seeds, 'seed', figures.grouped)}" if began.seeds else ""
    length = f" for {span(began.duration_ns)}" if began.duration_ns else seeds
    on = f" on {printable(began.identity)}" if began.identity else ""
    return f"{printable(began.suite)}: {tests}{length}{on}"


def options(began: CampaignBegan) -> str:
    """Return what the cases depend on: "ops 100, server redis"."""
    return ", ".join(f"{printable(name)} {printable(value)}" for name, value in began.options.items() if value)


# ── One failure ───────────────────────────────────────────────────────────────────────────────────────────────────────


def failed(case: CaseEnded | FailureFound) -> str:
    """Return the first line of a failure: "✗ FAIL [seed=17] incr_is_monotonic (12 ms)"."""
    return f"✗ FAIL [seed={case.seed}] {printable(case.kind)} ({milliseconds(case.took_ns)} ms)"


def milliseconds(ns: int) -> str:
    ms = ns / NS_PER_MS
    return f"{ms:.1f}" if ms < 10 else f"{ms:,.0f}"


def invariant(failure: FailureFound) -> str:
    return printable(failure.outcome.invariant, LONGEST)


def message(failure: FailureFound) -> str:
    return printable(failure.outcome.message, LONGEST)


def size(failure: FailureFound) -> str:
    """Return how small the failure became: "3 of 87 operations, 1 of 4 faults"."""
    operations = _of(len(failure.outcome.operations), failure.drawn_operations, "operation")
    faults = _of(len(failure.outcome.faults), failure.drawn_faults, "fault") if failure.drawn_faults else ""
    again = "" if failure.reproduced else "; the same tape did not fail again, so nothing was shrunk"
    return ", ".join(filter(None, [operations, faults])) + again


def _of(left: int, drawn: int, noun: str) -> str:
    if left >= drawn:
        # A smaller tape may be a case with more operations: a client that asks again and again, for one.
        return figures.plural(left, noun, figures.grouped)
    return f"{left:,} of {figures.plural(drawn, noun, figures.grouped)}"


def steps(failure: FailureFound) -> list[str]:
    """Return the faults and the operations of the smallest case; of many operations, the last ones."""
    outcome = failure.outcome
    left_out = len(outcome.operations) - MOST_STEPS
    more = [f"… {figures.plural(left_out, 'operation', figures.grouped)} before"] if left_out > 0 else []
    shown = outcome.operations[-MOST_STEPS:]
    return [*(f"fault: {printable(words)}" for words in outcome.faults), *more, *(printable(words) for words in shown)]


def replay(failure: CaseEnded | FailureFound) -> str:
    """Return the command, whole and on one line."""
    return commands.line(failure.replay)


def artifact(failure: FailureFound) -> str:
    return printable(failure.artifact, LONGEST)


def divergence(failure: FailureFound) -> str:
    return printable(failure.divergence, LONGEST)


# ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def summary(ended: CampaignEnded) -> str:
    """Return the counts and the speed: "1,000 seeds, 11,000 cases: 10,990 passed, 10 failed; 820 seeds/s, 1.2 s"."""
    found = [f"{ended.counts[each]:,} {_VERDICTS[each]}" for each in Verdict if ended.counts.get(each)]
    cases = figures.plural(ended.total, (noun := _NOUNS.get(ended.suite, "case")), figures.grouped)
    seeds = figures.plural(ended.seeds, "seed", figures.grouped)
    per_s = (ended.seeds_per_s, "seeds") if noun == "case" else (ended.cases_per_s, f"{noun}s")
    speed = f"{figures.rate(per_s[0])} {per_s[1]}/s, " if ended.seeds else ""
    counted = f"{seeds}, {cases}{': ' * bool(found)}{', '.join(found)}"
    virtual = f", virtual time {figures.rate(ended.virtual_ratio)} × real" if ended.virtual_ns else ""
    return f"{counted}; {speed}{span(ended.took_ns)}{virtual}"


def reasons(ended: CampaignEnded) -> list[str]:
    """Return why it did not pass, apart from failures: it could not be run, nothing was judged, a state is missing."""
    return [printable(reason.words, LONGEST) for reason in ended.doubts]


def notes(ended: CampaignEnded) -> list[str]:
    return [printable(note.words, LONGEST) for note in ended.notes]


def alike(ended: CampaignEnded) -> list[str]:
    """Return the seeds of each failure that several have: "incr_is_monotonic: 13 seeds: 12, 23, 41, …"."""
    found = []
    for each in ended.failures:
        if len(each.seeds) > 1:
            shown = ", ".join(map(str, each.seeds[:MOST_SEEDS])) + ", …" * (len(each.seeds) > MOST_SEEDS)
            found.append(f"{printable(each.kind)}: {len(each.seeds):,} seeds: {shown}")
    return found


def unjudged(ended: CampaignEnded) -> list[str]:
    """Return why cases were not judged, each reason once: "xread_ordered skipped 100 times: …"."""
    found = Counter(
        (case.kind, case.verdict, case.error)
        for case in ended.cases
        if case.verdict in (Verdict.UNTOLD, Verdict.SKIPPED)
    )
    return [
        f"{printable(kind)} {_VERDICTS[answer]} {figures.plural(count, 'time', figures.grouped)}: "
        f"{printable(error, LONGEST)}"
        for (kind, answer, error), count in found.items()
    ]


def compatible(ended: CampaignEnded) -> list[str]:
    """Return how far two servers agree, by group of commands: "lists 99.80 %: 1 of 510 operations diverged"."""
    return [
        # Rounded down: 100 % is none that diverged.
        f"{printable(row.group)} {floor(row.share * 10_000) / 100:.2f} %: {row.divergences:,} of "
        f"{figures.plural(row.operations, 'operation', figures.grouped)} diverged"
        for row in compatibility(ended.cases)
    ]


def survived(ended: CampaignEnded) -> list[str]:
    """Return by kind what became of acknowledged writes: "power_cut_always: 412 acknowledged, 412 survived"."""
    return [f"{printable(kind)}: {_survival(each)}" for kind, each in survivals(ended.cases).items()]


def _survival(of: Survival) -> str:
    lost = f"{of.lost:,} lost" + (f" (acknowledged up to {milliseconds(of.lost_ns)} ms before)" if of.lost_ns else "")
    said = [f"{of.acknowledged:,} acknowledged", f"{of.survived:,} survived", lost]
    counts = {"revived": of.revived, "wrong": of.wrong, "refused": of.refused, "without a reply": of.unanswered}
    said += [f"{count:,} {words}" for words, count in counts.items() if count]
    if of.dumps:
        failed, cut = (
            f", {of.dumps_failed:,} failed" * bool(of.dumps_failed),
            f", {of.dumps_cut:,} cut short" * bool(of.dumps_cut),
        )
        said.append(f"{figures.plural(of.dumps, 'dump', figures.grouped)} asked for{failed}{cut}")
    said += [f"{figures.plural(of.not_started, 'start', figures.grouped)} refused"] * bool(of.not_started)
    return f"{', '.join(said)}; slowest reply {milliseconds(of.slowest_ns)} ms"


def machines(ended: CampaignEnded) -> list[str]:
    """Return what each machine did: "local 1: 1,020 seeds, 210 seeds/s, 2 processes"; and how it was lost."""
    return [_machine(each) for each in ended.machines]


def _machine(of: Machine) -> str:
    did = [f"{figures.plural(of.seeds, 'seed', figures.grouped)}, {figures.rate(of.seeds_per_s)} seeds/s"]
    did += [figures.plural(of.processes, "process", figures.grouped, "processes")]
    if of.lost:
        did.append(f"lost: {printable(of.lost, LONGEST)}")
    return f"{printable(of.name)}: {', '.join(did)}"


def states(ended: CampaignEnded) -> list[str]:
    """Return how often each state was reached: "breaker half-open: 12 times"."""
    return [
        f"{printable(state)}: {figures.plural(count, 'time', figures.grouped)}"
        for state, count in ended.sometimes.items()
    ]


def by_kind(ended: CampaignEnded) -> list[Row]:
    """Return a row for each kind. Of cases that passed and were not kept, no kind is known."""
    counts: dict[str, Counter[Verdict]] = {}
    seeds: dict[str, list[int]] = {}
    for case in ended.cases:
        counts.setdefault(case.kind, Counter())[case.verdict] += 1
        if case.verdict is Verdict.FAIL:
            seeds.setdefault(case.kind, []).append(case.seed)
    return [Row(kind, found, tuple(seeds.get(kind, ()))) for kind, found in counts.items()]


def cells(row: Row) -> list[str]:
    """Return the counts of a row: passed, failed, untold, skipped."""
    return [f"{row.counts[each]:,}" for each in _VERDICTS]


HEADINGS = tuple(_VERDICTS.values())
"""The headings of `cells`."""


def case(ended: CaseEnded, spell: Callable[[int], str] = str) -> str:
    """Return one case on one line: "pass [seed=17] incr_is_monotonic (0.4 ms)"."""
    error = f": {printable(ended.error, LONGEST)}" if ended.error else ""
    return f"{ended.verdict} [seed={spell(ended.seed)}] {named(ended)} ({milliseconds(ended.took_ns)} ms){error}"


def named(ended: CaseEnded) -> str:
    """Return the test of a case, and whether it is a shrunk case: "incr_is_monotonic, shrunk"."""
    return f"{printable(ended.kind)}{', shrunk' if ended.shrunk else ''}"
