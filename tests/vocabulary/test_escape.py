"""Text from outside, in every output: it stays on one line, gives no command, and is cut when it is long."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import re
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from constructed_comparisons import COMPARISONS, GATES
from constructed_events import RUNS
from constructed_searches import SEARCHES
from constructed_smokes import SMOKES, matrix
from hypothesis import given
from hypothesis import strategies as st
from rendered import emit_all

from loadgen import escape
from loadgen.compare.answers import Compared
from loadgen.engine._histogram import Histogram
from loadgen.output import FORMATS, create
from loadgen.output.paper.sink import Sink
from loadgen.output.pictures.svg import svg
from loadgen.output.reports.annotations import annotations
from loadgen.output.reports.junit import junit
from loadgen.output.reports.markdown import markdown
from loadgen.plan import Weights, WorkerPlan

# What reads our outputs takes each of these for something else than text.
HOSTILE = [
    "\x1b[2J\x1b]0;title\x07",
    "a\nb\r\nc\u0085d\u2028e\u2029f\x0b\x0c\x1c",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200b\u200e\ufeff\u061c",
    "\x9b31m\x7f\x00",
    "::error title=pwn::injected",
    " ::add-mask::x ##[group]y ##vso[task.setvariable]z ##teamcity[message]",
    "\n::stop-commands::t",
    "<script>alert(1)</script>&amp;]]> --><!-- <![CDATA[",
    "a|b`c*d_e[f](http://g)![h](i)~j@k#1\\",
    "%0A%0D::x::,y",
    "\ud800 half a pair \udfff",
    "\ufffe\uffff\U0001fffe",
]
WORDS = st.one_of(st.sampled_from(HOSTILE), st.text(alphabet=st.characters(codec=None), max_size=300))
COMMAND = re.compile(r"^\s*::[A-Za-z].*::|##\w*\[", re.MULTILINE)


def is_one_harmless_line(text: str) -> bool:
    return text.isprintable() and len(text.splitlines()) <= 1 and not COMMAND.search(text)


@given(WORDS, st.integers(1, 400))
def test_printable_is_one_line_of_signs_that_gives_no_command(words, longest):
    shown = escape.printable(words, longest)
    assert is_one_harmless_line(shown)
    assert len(shown) <= longest
    shown.encode()


@given(WORDS, st.integers(10, 60))
def test_no_line_break_of_ours_makes_a_command_of_a_word(words, width):
    shown = escape.printable(f"the server said {words}")
    assert not COMMAND.search("\n".join(textwrap.wrap(shown, width, break_long_words=False)))


@pytest.mark.parametrize("plain", ["::1", "[::1]:6379", "fe80::1%eth0", "::ffff:127.0.0.1", "a::b::c", "# 1", "µs ≥ 3"])
def test_what_is_no_command_is_left_as_it_is(plain):
    assert escape.printable(plain) == plain


def test_a_text_that_is_long_is_cut_and_says_so():
    assert escape.printable("x" * 1_000_000) == "x" * 159 + "…"
    assert escape.json_text("x" * 1_000_000) == "x" * (escape.LONGEST_IN_JSON - 1) + "…"
    assert len(escape.printable("\u202e" * 1000)) == 160


@given(WORDS)
def test_markdown_has_no_markup(words):
    shown = escape.markdown(words)
    assert is_one_harmless_line(shown)
    left = re.sub(r"\\\\|&(amp|lt|gt|#\d+);", "", shown)
    assert not re.search(r"(?<!\\)[`*_\[\]~@#!]|[<>|&]|://", left)


@given(WORDS)
def test_xml_is_read_back_as_what_is_printable(words):
    element = ElementTree.Element("a", b=escape.xml(words))
    element.text = escape.xml(words)
    read = ElementTree.fromstring(ElementTree.tostring(element, encoding="unicode"))
    assert (read.text or "") == read.get("b") == escape.xml(words)
    assert is_one_harmless_line(escape.xml(words))


@given(WORDS)
def test_a_workflow_command_ends_where_we_end_it(words):
    title, message = escape.workflow_property(words), escape.workflow_message(words)
    assert not re.search(r"[\r\n:,]", title)
    assert not re.search(r"[\r\n]|%(?!25|0A|0D)", message)


@given(WORDS)
def test_a_record_is_one_line_and_reads_back_the_same(words):
    record = {"text": escape.json_text(words)}
    line = escape.json_line(orjson.dumps(record))
    assert json.loads(line) == record
    text = line.decode()
    assert len(text.splitlines()) == 1
    assert not any(
        unicodedata.bidirectional(c) in {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI"} for c in text
    )
    assert not any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} for c in text)


def written(text: str) -> str:
    stream = io.StringIO()
    Sink(stream).write(text)
    return stream.getvalue()


def test_an_output_lets_only_its_own_line_ends_and_colours_through():
    assert written("a\n\x1b[1;31mb\x1b[0m µs\n") == "a\n\x1b[1;31mb\x1b[0m µs\n"
    assert written("a\x1b]0;x\x07\rb\u202e\n") == "a\\x1b]0;x\\x07\\rb\\u202e\n"


# Fields of events that repeat what somebody outside has said.
SAID = {
    "server",
    "warnings",
    "examples",
    "errors",
    "exit_report",
    "log_errors",
    "name",
    "identity",
    "host",
    "taken",
    "words",
    "why",
    "doubts",
    "log_tail",
    "found",
    "note",
    "version",
    "clock_source",
}
SCENES = {
    name: scene() for name, scene in {**RUNS, **SEARCHES, **SMOKES, **GATES, **COMPARISONS, "matrix": matrix}.items()
}


def said(value: Any, words: str, name: str = "") -> Any:
    """The event, or a value in it, with `words` wherever it repeats what somebody outside has said."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inner = {f.name: said(getattr(value, f.name), words, f.name) for f in dataclasses.fields(value) if f.init}
        return dataclasses.replace(value, **inner)
    if isinstance(value, Histogram):
        # No text is in it, and its payload takes longer to write than all the rest.
        return Histogram()
    if isinstance(value, str):
        return words if type(value) is str and name in SAID else value
    if isinstance(value, Weights | WorkerPlan):
        return value
    if isinstance(value, tuple):
        # Candidates have different names.
        return tuple(said(item, f"{words}{n or ''}", name) for n, item in enumerate(value))
    if isinstance(value, Mapping) and name in SAID:
        return dict.fromkeys([words], said(next(iter(value.values())), words, name)) if value else value
    if isinstance(value, Mapping):
        return {key: said(item, words) for key, item in value.items()}
    return value


def every_output(scene: str, words: str) -> Iterator[tuple[str, str]]:
    events = [said(event, words) for event in SCENES[scene]]
    for format in FORMATS:
        stream = io.StringIO()
        emit_all(events, create(format, stream, color="always"))
        yield format, stream.getvalue()
    for event in events:
        if isinstance(event, Compared):
            yield "markdown", markdown(event)
            yield "junit", junit(event)
            yield "svg", svg([event])
            ElementTree.fromstring(junit(event))
            ElementTree.fromstring(svg([event]))
            for line in annotations(event):
                command = re.fullmatch(r"::(?:error|warning) title=[^:,\r\n]*::(.*)", line)
                assert command, line
                yield "annotations", command[1]


def test_a_thousand_server_texts_through_every_output():
    """What a server says of itself, in every place that shows it, is shown as text and as nothing else."""
    draw = random.Random(1)
    scenes = [*SCENES]
    for number in range(1000):
        words = "".join(draw.choice([*HOSTILE, "é", "x" * 300, " "]) for _ in range(draw.randint(1, 4)))
        for target, printed in every_output(scenes[number % len(scenes)], words):
            assert not COMMAND.search(printed), (target, words)
            for line in printed.split("\n"):
                assert re.sub(r"\x1b\[[0-9;]*m", "", line).isprintable(), (target, words, line)
            assert len(printed) < 200_000, target


def test_words_that_are_not_escaped_are_found(monkeypatch):
    """The control of the test above: with the guards off, it fails."""
    monkeypatch.setattr(escape, "_escape_char", lambda c: c)
    monkeypatch.setattr(escape, "_COMMAND", re.compile("(?!)"))
    with pytest.raises(AssertionError):
        test_a_thousand_server_texts_through_every_output()
