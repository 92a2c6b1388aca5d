"""Tests of jobs as JUnit XML: a test suite for each test, with a test case for each check.

A check that fails is a failure, and one that cannot tell is an error. A check that is only nice is never either. A test
that did not reach its end, or has no check, has a case of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from xml.etree import ElementTree

from loadgen.events import Progress
from loadgen.jobs.load.ended import JobsCompared, JobsEnded
from loadgen.judge.named import Check
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.formats.jobs_ends import JobsEnds
from loadgen.output.paper.sink import write_file
from loadgen.output.paper.xml import serialized
from loadgen.output.words import jobs, named
from loadgen.severity import Severity
from loadgen.units import NS_PER_S

_CLASS = "loadgen.jobs"

_ELEMENTS = {Severity.GOOD: "", Severity.BREACHED: "failure", Severity.FAILED: "failure"}
"""By severity, the element that a case has; any other is an error."""


class JobsJunit(Format):
    """A report that is written when all tests have ended. Raises OutputError when it cannot be written."""

    silent = OF_RESULTS - {JobsEnded, JobsCompared} | {Progress}

    def __init__(self, path: str) -> None:
        self._ends = JobsEnds(lambda event: write_file(path, junit(event)))
        super().__init__({**on(JobsEnded, self._ends.ended), **on(JobsCompared, self._ends.compared)})

    def close(self) -> None:
        self._ends.close()


def junit(event: JobsCompared) -> str:
    """Return the document. The checks over all tests are a suite of their own."""
    suites = ElementTree.Element("testsuites")
    suites.extend(map(_suite, event.ended))
    if event.checks:
        suites.append(_counted("all tests", map(_check, event.checks)))
    for count in ("tests", "failures", "errors", "skipped"):
        suites.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{serialized(suites)}'


def _suite(ended: JobsEnded) -> ElementTree.Element:
    cases = [_check(check) for check in ended.checks]
    if ended.interrupted or ended.reasons or not cases:
        severity = Severity.gravest(reason.severity for reason in ended.reasons)
        severity = Severity.INTERRUPTED if ended.interrupted else severity
        said = "; ".join(jobs.why(ended)) or ("it was interrupted" if ended.interrupted else jobs.summary(ended))
        cases.insert(0, _case("test", severity, said))
    name = f"{jobs.name(ended.plan)} ({ended.plan.adapter})"
    suite = _counted(name, cases)
    took_s = ended.account.elapsed_ns / NS_PER_S
    suite.set("time", f"{took_s:.3f}")
    suite.set("timestamp", datetime.fromtimestamp(ended.wall_s - took_s, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    output = ElementTree.SubElement(suite, "system-out")
    output.text = jobs.summary(ended)
    return suite


def _counted(name: str, cases: Iterable[ElementTree.Element]) -> ElementTree.Element:
    """Return a suite of cases, with their counts."""
    suite = ElementTree.Element("testsuite", name=name)
    suite.extend(cases)
    for count, element in (("failures", "failure"), ("errors", "error")):
        suite.set(count, str(len(suite.findall(f"testcase/{element}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("skipped", "0")
    return suite


def _check(check: Check) -> ElementTree.Element:
    return _case(named.name(check), check.severity, named.line(check))


def _case(name: str, severity: Severity, said: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=_CLASS, name=name)
    element = _ELEMENTS.get(severity, "error")
    if element:
        ElementTree.SubElement(case, element, message=said)
    else:
        ElementTree.SubElement(case, "system-out").text = said
    return case
