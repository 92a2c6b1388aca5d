"""A gate's answer as JUnit XML, which every CI system reads: a test suite with a test case for each metric.

The shape is the common one (Jenkins' and pytest's): testsuites, testsuite with counts, testcase that is empty or has a
failure, error or skipped. A metric that is worse is a failure. A gate that could not run to its end has an error. An
unclear metric is skipped, so that it is not red. Times are those of the rounds that an answer rests on: metrics share
rounds, so their times do not add up to the suite's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from loadgen.compare.answers import Compared, Row
from loadgen.output.paper.sink import write_file
from loadgen.output.paper.xml import serialized
from loadgen.output.words import comparison
from loadgen.stats.sequential import Shift

_CLASS = "loadgen.gate"


def write_junit(path: str, compared: Compared) -> None:
    """Write the file, replacing an existing one. Raise OutputError when it cannot be written."""
    write_file(path, junit(compared))


def junit(compared: Compared) -> str:
    """Return the document. Rounds that ended early have a test case of their own, an error or skipped."""
    cases = [_case(row, compared) for row in compared.rows]
    took = f"{compared.took_s:.3f}"
    failure = comparison.cut_short(compared)[0] if compared.failure else None
    for why in comparison.cut_short(compared) or ([] if cases else ["no round ended"]):
        case = ElementTree.Element("testcase", classname=_CLASS, name="rounds", time=took)
        ElementTree.SubElement(case, "error" if why == failure else "skipped", message=why)
        cases.append(case)
    counts = {
        "tests": str(len(cases)),
        **{
            name: str(sum(case.find(kind) is not None for case in cases))
            for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
        },
        "time": took,
    }
    name = f"loadgen gate: {comparison.candidate(compared.b)} against {comparison.candidate(compared.a)}"
    suites = ElementTree.Element("testsuites", counts)
    began = datetime.fromtimestamp(compared.wall_s - compared.took_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = ElementTree.SubElement(suites, "testsuite", {"name": name, **counts, "timestamp": began})
    suite.extend(cases)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{serialized(suites)}'


def _case(row: Row, compared: Compared) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=_CLASS, name=row.metric, time=f"{row.took_s:.3f}")
    said = comparison.sentence(row, compared)
    a, b = comparison.a_and_b(row)
    if row.answer is Shift.WORSE:
        failure = ElementTree.SubElement(case, "failure", message=said, type="regression")
        failure.text = f"{said}, from {a} to {b}; the change that matters is {comparison.threshold(row)}"
    elif row.answer is Shift.UNCLEAR:
        ElementTree.SubElement(case, "skipped", message=said)
    else:
        ElementTree.SubElement(case, "system-out").text = said
    return case
