"""Named checks of trials and of tests of jobs in words, the same in every format for people. Pure functions."""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.judge.named import Check
from loadgen.severity import Severity

LONGEST = 500
"""Characters of a finding: a sentence of loadgen's, in which text from outside has been cut already."""


def answer(check: Check) -> str:
    """Return "ok", "FAIL", "fail" for a check that is only nice, "?" for one that cannot tell, or a dash for one that
    does not apply."""
    if check.passed is None:
        return "?" if check.vital else "–"
    return "ok" if check.passed else "FAIL" if check.severity is Severity.BREACHED else "fail"


def found(check: Check) -> str:
    return printable(check.found, LONGEST)


def name(check: Check) -> str:
    """Return the check's name, with the level of a `[[check]]`: "lost", "check 1 (nice)"."""
    return f"{check.name} ({check.level})" if check.level is not None else check.name


def line(check: Check) -> str:
    """Return what was found, and the limit: "12 of 1,000 jobs (limit 0)"."""
    return f"{found(check)} (limit {printable(check.limit, LONGEST)})" if check.limit else found(check)


def style(check: Check) -> str:
    """Return the style of a check's answer."""
    if check.severity is Severity.UNKNOWN:
        return "yellow"
    return {True: "green", False: "bold red", None: "dim"}[check.passed]
