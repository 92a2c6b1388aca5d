"""Stress tests in words, the same in every format for people. Pure functions to plain text."""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.output.words import checks, commands, figures, sentences, slo
from loadgen.severity import Severity
from loadgen.slo import Attainment
from loadgen.units import span
from loadgen.verify.case import Verdict
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded

_LONGEST = 500
"""Characters of a reason, in which text from outside has been cut already."""

_LEAST_SHOWN = 0.001
"""Requests under way on a key, of which less is not spelled out."""

_ANSWERS = {
    Severity.GOOD: "PASS",
    Severity.FAILED: "FAIL",
    Severity.BREACHED: "FAIL",
    Severity.COULD_NOT_RUN: "COULD NOT RUN",
    Severity.INTERRUPTED: "INTERRUPTED",
}

COUNTED = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.UNTOLD: "untold", Verdict.SKIPPED: "skipped"}
"""By verdict, the word for loads that were counted."""

HEADINGS = ("connections", "keys", "value", "req/s", "p50", "p99", "memory", "in flight/key", "hit%", "answer")
"""The headings of `cells`."""


def verdict(ended: StressEnded) -> str:
    """Return PASS, FAIL, CANNOT TELL, COULD NOT RUN, or INTERRUPTED (by the user)."""
    return _ANSWERS.get(ended.severity, "CANNOT TELL")


def title(began: StressBegan) -> str:
    """Return what is put on: "stress: 3 loads of connections that share all keys"."""
    return f"stress: {figures.plural(len(began.shapes), 'load')} of connections that share all keys"


def options(began: StressBegan) -> str:
    """Return what the loads have in common: "duration 10s, loop closed, depth 1"."""
    return ", ".join(f"{printable(name)} {printable(value)}" for name, value in began.options.items())


def cells(row: Stressed) -> list[str]:
    """Return a row of the table."""
    shape, result = row.shape, row.result
    shown = [f"{shape.connections:,}", f"{shape.keys:,}", figures.size(shape.value_bytes)]
    if result is None:
        return [*shown, *[figures.NOTHING] * 6, answer(row)]
    latency, each = result.measured.latency(), row.in_flight_per_key
    return [
        *shown,
        figures.rate(result.throughput_per_s),
        figures.quantile(latency, 0.5),
        figures.quantile(latency, 0.99),
        figures.NOTHING if row.memory_bytes is None else figures.size(row.memory_bytes),
        figures.NOTHING if each is None else f"{each:.3g}" if each >= _LEAST_SHOWN else f"<{_LEAST_SHOWN}",
        figures.share(result.measured.hit_rate),
        answer(row),
    ]


def answer(row: Stressed) -> str:
    """Return pass, FAIL, skip, or a question mark where it cannot be told."""
    return {Verdict.PASS: "pass", Verdict.FAIL: "FAIL", Verdict.UNTOLD: "?", Verdict.SKIPPED: "skip"}[row.verdict]


def reasons(row: Stressed) -> list[str]:
    """Return why a load did not pass; empty when it did."""
    result = row.result
    if result is None:
        return [printable(row.skipped or row.failure, _LONGEST)]
    unmet = any(check.answer is not Attainment.MET for check in result.checks)
    undone = any(each.severity is not Severity.GOOD for each in result.checked)
    return [
        *sentences.failures(result),
        *sentences.reasons(result),
        *[f"SLO {slo.summary(result.checks, figures.grouped)}"] * unmet,
        *[f"checks {checks.summary(result.checked)}"] * undone,
    ]


def why(ended: StressEnded) -> list[str]:
    """Return why the test did not pass, apart from what each load says."""
    return [printable(reason.words, _LONGEST) for reason in ended.doubts]


def name(row: Stressed) -> str:
    return str(row.shape)


def replay(row: Stressed) -> str:
    """Return the command, whole and on one line."""
    return commands.line(row.replay)


def summary(ended: StressEnded) -> str:
    """Return the counts: "9 loads: 8 passed, 1 skipped; 95.1 s"."""
    found = [f"{ended.counts[each]} {COUNTED[each]}" for each in Verdict if ended.counts[each]]
    loads = figures.plural(len(ended.rows), "load")
    return f"{loads}{': ' * bool(found)}{', '.join(found)}; {span(ended.took_ns)}"


def notes(ended: StressEnded) -> list[str]:
    """Return the notes below the table: what memory is, and the signs beside percentiles."""
    results = [row.result for row in ended.rows if row.result is not None]
    shown = "".join(cell for row in ended.rows for cell in cells(row))
    managed = [result.server is not None for result in results]
    return [
        *["per key, in flight: requests under way on each key at a time, on average"] * bool(results),
        *["memory is the most resident memory of the server's process"] * any(managed),
        *["memory is what the server says that it uses, after the load"] * (bool(managed) and not all(managed)),
        *[sentences.EMBEDDED] * any(result.embedded for result in results),
        *[sentences.BOUNDS] * (figures.AT_LEAST in shown),
        *[sentences.FEW_SAMPLES] * (figures.FEW_SAMPLES in shown),
    ]
