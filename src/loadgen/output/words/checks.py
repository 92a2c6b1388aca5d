"""Checks of a run and their answers in words, the same in every format for people. Pure functions to plain text."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.escape import printable
from loadgen.judge.check import Checked, Level, Verdict
from loadgen.severity import Severity

LONGEST = 500
"""Characters of an expression, and of what was found."""


def name(each: Checked) -> str:
    """Return the expression, and that it is nice only: "p99 < 5ms", "cv(throughput) < 10 % (nice)"."""
    nice = " (nice)" if each.check.level is Level.NICE else ""
    return f"{printable(each.check.expr, LONGEST)}{nice}"


def found(each: Checked) -> str:
    """Return the values that were compared, or why it cannot be told."""
    return printable(each.found.removeprefix("cannot tell: "), LONGEST)


def answer(each: Checked) -> str:
    """Return the answer: "pass", "fail" or "cannot tell"; in capitals where the run fails by it."""
    words = str(each.verdict).replace("-", " ")
    return words.upper() if each.severity is Severity.BREACHED else words


def style(severity: Severity) -> str:
    """Return the style of an answer."""
    match severity:
        case Severity.GOOD:
            return "green"
        case Severity.FAILED | Severity.BREACHED | Severity.COULD_NOT_RUN:
            return "bold red"
        case _:
            return "bold yellow"


def line(each: Checked) -> str:
    """Return a check with its answer: "p99 < 5ms: FAIL, p99 = 6.1 ms"."""
    return f"{name(each)}: {answer(each)}, {found(each)}"


def summary(checked: Sequence[Checked]) -> str:
    """Return the answer of all checks that must pass: "pass", or those that do not; empty where there is none."""
    musts = [each for each in checked if each.check.level is Level.MUST]
    failed = [f"{name(each)} ({found(each)})" for each in musts if each.verdict is Verdict.FAIL]
    untold = [f"{name(each)} ({found(each)})" for each in musts if each.verdict is Verdict.CANNOT_TELL]
    parts = [f"FAIL: {', '.join(failed)}"] * bool(failed) + [f"cannot tell: {', '.join(untold)}"] * bool(untold)
    return "; ".join(parts) or "pass" * bool(musts)
