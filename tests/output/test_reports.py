"""The reports of a gate for CI systems and browsers: JUnit XML, Markdown, workflow commands, SVG."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from constructed_comparisons import (
    GATE,
    GATES,
    HOSTILE,
    SAME,
    UNCLEAR,
    WORSE,
    anything,
    compared,
    gate_failed,
    gate_passed,
    three,
)

from loadgen.compare.answers import Compared
from loadgen.errors import OutputError
from loadgen.output.pictures.svg import svg, write_plot
from loadgen.output.reports.annotations import annotations
from loadgen.output.reports.junit import junit, write_junit
from loadgen.output.reports.markdown import append_markdown, markdown
from loadgen.stats.sequential import Shift

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE_GATE = replace(compared((WORSE, UNCLEAR, SAME), GATE), b=HOSTILE)


def ended(gate: str) -> Compared:
    event = GATES[gate]()[-1]
    assert isinstance(event, Compared)
    return event


EVENTS = [*map(ended, GATES), HOSTILE_GATE, *map(anything, range(100))]


def suite(event: Compared) -> Any:
    suites = ElementTree.fromstring(junit(event))
    assert suites.tag == "testsuites"
    [found] = suites
    assert found.tag == "testsuite"
    assert {name: found.get(name) for name in suites.keys()} == suites.attrib  # noqa: SIM118
    return found


@pytest.mark.parametrize("event", EVENTS)
def test_junit_has_a_case_for_each_metric_and_counts_them_right(event: Compared) -> None:
    found = suite(event)
    cases = found.findall("testcase")
    assert [case.get("name") for case in cases if case.get("name") != "rounds"] == [row.metric for row in event.rows]
    assert int(found.get("tests")) == len(cases) > 0
    for count, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(found.get(count)) == len(found.findall(f"testcase/{kind}"))
    assert (int(found.get("errors")) > 0) == bool(event.failure)
    worse = sum(row.answer is Shift.WORSE for row in event.rows)
    assert int(found.get("failures")) == worse


def test_what_nobody_can_tell_is_skipped_and_not_failed() -> None:
    for gate in ("gate_inconclusive", "gate_refused"):
        assert suite(ended(gate)).get("failures") == "0"
        assert int(suite(ended(gate)).get("skipped")) > 0
    assert suite(ended("gate_passed")).get("skipped") == "0"
    assert suite(ended("gate_could_not_run")).get("errors") == "1"


def test_each_metric_of_a_refused_gate_has_its_own_reason() -> None:
    noisy, passed = suite(ended("gate_refused")).findall("testcase")
    assert "σ = 12.1 % on this host" in noisy.find("skipped").get("message")
    assert passed.find("skipped") is None
    assert "is not worse by 5 %" in passed.find("system-out").text


def test_times_are_those_that_were_measured() -> None:
    found = suite(ended("gate_failed"))
    assert (found.get("time"), {case.get("time") for case in found.findall("testcase")}) == ("61.500", {"56.500"})
    assert suite(ended("gate_could_not_run")).find("testcase").get("time") == "61.500"


def test_a_failure_says_how_much_from_what_to_what() -> None:
    failure = suite(ended("gate_failed")).find("testcase/failure")
    assert failure.get("message") == "candidate is worse: throughput −5.1 %, 90 % interval [−5.6, −4.7]"
    assert "from 152K/s to 145K/s; the change that matters is 5 %" in failure.text


@pytest.mark.parametrize("gate", GATES)
def test_markdown_has_the_verdict_as_its_heading_and_a_row_for_each_metric(gate: str) -> None:
    lines = markdown(ended(gate)).splitlines()
    assert re.fullmatch(rf"## \S+ {ended(gate).verdict}: valkey against redis", lines[0])
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == (len(ended(gate).rows) + 2 if ended(gate).rows else 0)
    assert {line.count("|") for line in table} <= {8}


def test_a_name_cannot_break_out_of_the_markdown() -> None:
    printed = markdown(HOSTILE_GATE)
    assert "<" not in printed
    assert not re.search(r"(?<!\\)`", printed)
    assert r"\[x\](http&#58;//y) &lt;\!-- \* --&gt;" in printed
    assert r"a&#124;b\`c" in printed
    assert {line.count("|") for line in printed.splitlines() if "|" in line} == {8}
    assert "\x1b" not in printed


def test_markdown_is_added_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    append_markdown(str(path), ended("gate_failed"))
    append_markdown(str(path), ended("gate_passed"))
    assert path.read_text().startswith("before\n## ")
    assert path.read_text().count("\n## ") == 2


def test_an_error_for_what_is_worse_a_warning_where_nobody_can_tell_and_nothing_for_a_pass() -> None:
    assert {gate: [line.split(" ")[0] for line in annotations(ended(gate))] for gate in GATES} == {
        "gate_failed": ["::error"],
        "gate_passed": [],
        "gate_inconclusive": ["::warning"],
        "gate_refused": ["::warning"],
        "gate_could_not_run": ["::error"],
    }


def test_a_name_cannot_end_an_annotation_or_begin_another() -> None:
    [line] = annotations(HOSTILE_GATE)
    found = re.fullmatch(r"::error title=([^:,]*)::([^\n\r]*)", line)
    assert found is not None
    assert found[1] == "loadgen%3A throughput is worse"
    assert r"\n::error::%25\ud800" in found[2]


@pytest.mark.parametrize("event", EVENTS)
def test_a_picture_is_xml_and_its_intervals_lie_as_the_numbers_do(event: Compared) -> None:
    root = ElementTree.fromstring(svg([event]))
    assert root.tag == f"{SVG}svg"
    drawn = [row for row in event.rows if row.effect is not None]
    groups = [group for group in root.iter(f"{SVG}g") if (group.get("class") or "").startswith("row ")]
    assert [group.get("class") for group in groups] == [f"row {row.answer}" for row in drawn]
    middles = []
    for group, row in zip(groups, drawn, strict=True):
        line, circle = group.find(f"{SVG}line"), group.find(f"{SVG}circle")
        assert line is not None
        assert circle is not None
        low, middle, high = (float(str(x)) for x in (line.get("x1"), circle.get("cx"), line.get("x2")))
        assert low <= middle <= high
        middles.append((row.effect, middle))
    assert [x for _, x in sorted(middles)] == sorted(x for _, x in middles)


def test_a_picture_is_named_and_described_and_needs_nothing_from_elsewhere() -> None:
    printed = svg([gate_failed()[-1], *three()[-2:]])
    root = ElementTree.fromstring(printed)
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert str(title.text).startswith("FAIL: valkey against redis; valkey against redis; ")
    assert desc is not None
    assert "candidate is worse: throughput −5.1 %" in str(desc.text)
    assert "prefers-color-scheme" in printed
    assert not re.search(r"<script|href|url\(|@import|font-face", printed)
    assert printed.count("http") == 1, "its namespace is the only address"


@pytest.mark.parametrize("write", [write_junit, append_markdown])
def test_a_report_that_cannot_be_written_is_one_sentence(write: Any, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=re.escape(f"results could not be written to {tmp_path}")):
        write(str(tmp_path), gate_passed()[-1])


def test_files_are_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "gate"
    path.write_text("x" * 100_000)
    write_plot(str(path), [gate_passed()[-1]])
    assert path.read_text().startswith("<svg")
    assert path.read_text().endswith("</svg>\n")
    write_junit(str(path), gate_passed()[-1])
    assert path.read_text().endswith("</testsuites>\n")


SHAPES = {"rect", "line", "path", "circle", "text"}


def test_a_picture_needs_no_style_sheet() -> None:
    """What knows none (librsvg, many viewers, mail) still has every colour, width and font: from attributes alone."""
    root = ElementTree.fromstring(svg([gate_failed()[-1], *three()[-2:]]))
    assert "sans-serif" in (root.get("font-family") or "")
    shapes = [element for element in root.iter() if element.tag.removeprefix(SVG) in SHAPES]
    assert len(shapes) > 20
    for shape in shapes:
        painted = [value for name in ("fill", "stroke") if (value := shape.get(name)) not in (None, "none")]
        assert painted, ElementTree.tostring(shape)
        assert all(re.fullmatch("#[0-9a-f]{6}", str(color)) for color in painted)
    for shape in root.iter(f"{SVG}path"):
        assert shape.get("fill") == "none", "an arrow that is filled is a triangle"
    [paper, *_] = root.iter(f"{SVG}rect")
    assert (paper.get("width"), paper.get("height")) == (root.get("width"), root.get("height"))
    assert "var(" not in svg([gate_failed()[-1]])
    [style] = root.iter(f"{SVG}style")
    assert (style.text or "").startswith("@media (prefers-color-scheme: dark)"), "in the light it changes nothing"
