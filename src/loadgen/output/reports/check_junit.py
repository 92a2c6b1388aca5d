"""A history that was checked as JUnit XML: a test case for each violation that is shown, and one for what is legal.

What could not be judged is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement

from loadgen.events import Progress
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.paper.sink import write_file
from loadgen.output.paper.xml import serialized
from loadgen.output.words import histories
from loadgen.units import NS_PER_S
from loadgen.verify.checked import HistoryChecked


class CheckJunit(Format):
    """A report that is written when a history was checked. Raises OutputError when it cannot be written."""

    silent = OF_RESULTS - {HistoryChecked} | {Progress}

    def __init__(self, path: str) -> None:
        super().__init__(on(HistoryChecked, lambda event: write_file(path, junit(event))))


def junit(event: HistoryChecked) -> str:
    """Return the document."""
    cases = [*_cases(event)]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "time": f"{event.took_ns / NS_PER_S:.3f}",
    }
    suites = Element("testsuites", counts)
    began = datetime.fromtimestamp(event.wall_s - event.took_ns / NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = SubElement(suites, "testsuite", {"name": "check", **counts, "timestamp": began})
    suite.extend(cases)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{serialized(suites)}'


def _cases(event: HistoryChecked) -> Iterator[Element]:
    name = f"loadgen.check.{event.answer.model}"
    for violation in event.answer.violations:
        case = Element("testcase", classname=name, name=histories.title(violation))
        failure = SubElement(case, "failure", message=histories.sentence(violation))
        failure.text = "; ".join(f"{process}: {words}" for process, _, words, _ in histories.window(violation))
        yield case
    if event.answer.violations and not event.doubts:
        return
    case = Element("testcase", classname=name, name="history", time=f"{event.took_ns / NS_PER_S:.3f}")
    if event.doubts:
        SubElement(case, "error", message="; ".join(histories.why(event)))
    SubElement(case, "system-out").text = histories.summary(event)
    yield case
