"""A soak as JUnit XML: a test case for each row, band and check. One that cannot be told is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from loadgen.events import Progress
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.paper.sink import write_file
from loadgen.output.paper.xml import serialized
from loadgen.output.words import checks, soak
from loadgen.severity import Severity
from loadgen.soak.ended import SoakEnded

_Case = tuple[str, str, Severity, bool | None, str]


class SoakJunit(Format):
    """A report that is written when a soak has ended. Raises OutputError when it cannot be written."""

    silent = OF_RESULTS - {SoakEnded} | {Progress}

    def __init__(self, path: str) -> None:
        super().__init__(on(SoakEnded, lambda event: write_file(path, junit(event))))


def junit(event: SoakEnded) -> str:
    """Return the document. What is nice and not so is in the output of its case, which passes."""
    cases = _cases(event)
    failures = [each for each in cases if each[2] in (Severity.BREACHED, Severity.FAILED)]
    errors = [each for each in cases if each[2] is not Severity.GOOD and each not in failures]
    counts = {
        "tests": str(len(cases)),
        "failures": str(len(failures)),
        "errors": str(len(errors)),
        "skipped": "0",
        "time": f"{max(0.0, event.wall_s - event.began_wall_s):.3f}",
    }
    suites = ElementTree.Element("testsuites", counts)
    began = datetime.fromtimestamp(event.began_wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "soak", **counts, "timestamp": began})
    for case in cases:
        kind, name, _, _, said = case
        element = ElementTree.SubElement(suite, "testcase", classname=f"loadgen.soak.{kind}", name=name)
        if case in failures or case in errors:
            ElementTree.SubElement(element, "failure" if case in failures else "error", message=said)
        else:
            ElementTree.SubElement(element, "system-out").text = said
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{serialized(suites)}'


def _cases(event: SoakEnded) -> list[_Case]:
    judged = event.verdict
    found: list[_Case] = [("row", row.name, row.severity, row.passed, soak.found(row)) for row in judged.rows]
    found += [
        ("band", soak.label(event.asked, each.column), each.severity, each.passed, soak.growth(event.asked, each))
        for each in judged.graded
    ]
    found += [("check", checks.name(each), each.severity, each.passed, checks.line(each)) for each in judged.checked]
    if event.severity is Severity.COULD_NOT_RUN:
        found.append(("soak", "ran", Severity.COULD_NOT_RUN, None, soak.complete(event)))
    return found
