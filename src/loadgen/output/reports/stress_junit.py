"""A stress test as JUnit XML: a test case for each load. One that cannot be judged is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from loadgen.events import Progress
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.paper.sink import write_file
from loadgen.output.paper.xml import serialized
from loadgen.output.words import stress
from loadgen.units import NS_PER_S
from loadgen.verify.case import Verdict
from loadgen.verify.stress.ended import Stressed, StressEnded

_ELEMENTS = {Verdict.FAIL: "failure", Verdict.UNTOLD: "error", Verdict.SKIPPED: "skipped"}


class StressJunit(Format):
    """A report that is written when a stress test has ended. Raises OutputError when it cannot be written."""

    silent = OF_RESULTS - {StressEnded} | {Progress}

    def __init__(self, path: str) -> None:
        super().__init__(on(StressEnded, lambda event: write_file(path, junit(event))))


def junit(event: StressEnded) -> str:
    """Return the document."""
    counts = {
        "tests": str(len(event.rows)),
        "failures": str(event.counts[Verdict.FAIL]),
        "errors": str(event.counts[Verdict.UNTOLD]),
        "skipped": str(event.counts[Verdict.SKIPPED]),
        "time": f"{event.took_ns / NS_PER_S:.3f}",
    }
    suites = ElementTree.Element("testsuites", counts)
    began = datetime.fromtimestamp(event.wall_s - event.took_ns / NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "stress", **counts, "timestamp": began})
    suite.extend(map(_case, event.rows))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{serialized(suites)}'


def _case(row: Stressed) -> ElementTree.Element:
    took = f"{row.took_ns / NS_PER_S:.3f}"
    case = ElementTree.Element("testcase", classname="loadgen.stress", name=stress.name(row), time=took)
    if row.verdict in _ELEMENTS:
        why = "; ".join(stress.reasons(row)) or "it was interrupted"
        found = ElementTree.SubElement(case, _ELEMENTS[row.verdict], message=why)
        found.text = f"replay: {stress.replay(row)}"
    if row.result is not None:
        figures = zip(stress.HEADINGS[3:-1], stress.cells(row)[3:-1], strict=True)
        shown = ", ".join(f"{heading} {cell}" for heading, cell in figures)
        ElementTree.SubElement(case, "system-out").text = shown
    return case
