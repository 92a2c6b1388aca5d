"""A campaign as JUnit XML: a test case for each kind and seed that did not pass, and one for the others of each kind.

A case that was run and cannot be judged is an error, and so is why a campaign was not run to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree import ElementTree

from loadgen.events import Progress
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.paper.sink import write_file
from loadgen.output.paper.xml import serialized
from loadgen.output.words import campaigns, figures
from loadgen.units import NS_PER_S
from loadgen.verify.case import Verdict
from loadgen.verify.ended import CampaignEnded, CaseEnded

_CLASS = "loadgen"


class CampaignJunit(Format):
    """A report that is written when a campaign has ended. Raises OutputError when it cannot be written."""

    silent = OF_RESULTS - {CampaignEnded} | {Progress}

    def __init__(self, path: str) -> None:
        super().__init__(on(CampaignEnded, lambda event: write_file(path, junit(event))))


def junit(event: CampaignEnded) -> str:
    """Return the document."""
    cases = [*_cases(event)]
    counts = {
        "tests": str(len(cases)),
        **{
            label: str(sum(case.find(kind) is not None for case in cases))
            for label, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
        },
        "time": f"{event.took_ns / NS_PER_S:.3f}",
    }
    suites = ElementTree.Element("testsuites", counts)
    began = datetime.fromtimestamp(event.wall_s - event.took_ns / NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = ElementTree.SubElement(suites, "testsuite", {"name": event.suite, **counts, "timestamp": began})
    suite.extend(cases)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{serialized(suites)}'


def _cases(event: CampaignEnded) -> Iterator[ElementTree.Element]:
    name = f"{_CLASS}.{event.suite}"
    for row in campaigns.by_kind(event):
        passed = [case for case in event.cases if case.kind == row.kind and case.verdict is Verdict.PASS]
        if passed:
            took_s = sum(case.took_ns for case in passed) / NS_PER_S
            case = ElementTree.Element("testcase", classname=name, name=row.kind, time=f"{took_s:.3f}")
            ElementTree.SubElement(case, "system-out").text = f"{figures.plural(len(passed), 'seed')} passed"
            yield case
    for each in event.cases:
        if each.verdict is not Verdict.PASS:
            yield _case(each, name)
    if event.doubts or event.interrupted:
        case = ElementTree.Element("testcase", classname=name, name="the campaign")
        why = campaigns.reasons(event) or ["it was interrupted"]
        ElementTree.SubElement(case, "error", message="; ".join(why))
        yield case


def _name(ended: CaseEnded) -> str:
    return f"{ended.kind} [seed={ended.seed}{', shrunk' if ended.shrunk else ''}]"


def _case(ended: CaseEnded, name: str) -> ElementTree.Element:
    took = f"{ended.took_ns / NS_PER_S:.3f}"
    case = ElementTree.Element("testcase", classname=name, name=_name(ended), time=took)
    if ended.verdict is Verdict.FAIL:
        failure = ElementTree.SubElement(case, "failure", message=ended.error, type=ended.kind)
        failure.text = f"{ended.error}\nreplay: {ended.replay}"
    else:
        kind = "skipped" if ended.verdict is Verdict.SKIPPED else "error"
        ElementTree.SubElement(case, kind, message=ended.error)
    return case
