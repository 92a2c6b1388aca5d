"""Trials as JUnit XML: a test suite for each trial, with a test case for each check.

A check that fails is a failure. A check that cannot tell is an error where the trial's answer rests on it, and skipped
where the client does not expose what it needs. A check that is only nice is never an error or a failure. A trial that
did not reach its end has an error of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from loadgen.events import Progress
from loadgen.judge.check import Level
from loadgen.judge.named import Check
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.paper.sink import write_file
from loadgen.output.paper.xml import serialized
from loadgen.output.words import named, trials
from loadgen.severity import Severity
from loadgen.trial.ended import ChaosEnded, TrialEnded
from loadgen.units import NS_PER_S

_CLASS = "loadgen.chaos"


class TrialsJunit(Format):
    """A report that is written when all trials have ended. Raises OutputError when it cannot be written."""

    silent = OF_RESULTS - {ChaosEnded} | {Progress}

    def __init__(self, path: str) -> None:
        super().__init__(on(ChaosEnded, lambda event: write_file(path, junit(event))))


def junit(event: ChaosEnded) -> str:
    """Return the document."""
    suites = ElementTree.Element("testsuites")
    suites.extend(map(_suite, event.trials))
    for name in ("tests", "failures", "errors", "skipped"):
        suites.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{serialized(suites)}'


def _suite(ended: TrialEnded) -> ElementTree.Element:
    took_s = sum(max(0, each.to_ns - each.from_ns) for each in ended.phases.values()) / NS_PER_S
    began = datetime.fromtimestamp(ended.wall_s - took_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    name = trials.name(ended.plan)
    cases = [_case(check, name) for check in ended.checks]
    why = [reason.words for reason in ended.reasons] or ["it was interrupted"] * ended.interrupted
    if why or not cases:
        case = ElementTree.Element("testcase", classname=_CLASS, name="the trial")
        ElementTree.SubElement(case, "error", message="; ".join(why) or "nothing was judged")
        cases.append(case)
    counts = {
        label: str(sum(case.find(kind) is not None for case in cases))
        for label, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    suite = ElementTree.Element(
        "testsuite", {"name": name, "tests": str(len(cases)), **counts, "time": f"{took_s:.3f}", "timestamp": began}
    )
    suite.extend(cases)
    return suite


def _case(check: Check, trial: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=f"{_CLASS}.{trial}", name=check.name)
    said = named.found(check) + (f" (limit {check.limit})" if check.limit else "")
    if check.passed is None:
        ElementTree.SubElement(case, "error" if check.severity is Severity.UNKNOWN else "skipped", message=said)
    elif check.passed:
        ElementTree.SubElement(case, "system-out").text = said
    elif check.level is Level.NICE:
        ElementTree.SubElement(case, "skipped", message=f"does not hold, and is only nice: {said}")
    else:
        ElementTree.SubElement(case, "failure", message=said, type="check").text = said
    return case
