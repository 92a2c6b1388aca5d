"""The codes of reasons: in records, in the documents, and read back."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from places import ROOT
from rendered import ALL

from loadgen.events import LoadEnded
from loadgen.reason import Code, Reason, words_of
from loadgen.record import Reading, to_record
from loadgen.severity import Severity

RESULTS = (ROOT / "docs" / "RESULTS.md").read_text(encoding="utf-8")


def test_the_documents_have_every_code_and_no_other() -> None:
    _, _, table = RESULTS.partition("## Codes")
    assert re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", table, re.MULTILINE) == [
        (str(code), code.meaning) for code in Code if code is not Code.UNNAMED
    ]


def told(record: dict[str, Any]) -> list[tuple[list[str], list[str]]]:
    """The sentences of a record, and the codes beside them."""
    places = {
        "result": "verdict",
        "saturation": "verdict",
        "campaign": "summary",
        "stress": "summary",
        "check": "summary",
        "soak": "summary",
    }
    within = places.get(record["type"])
    said = record if within is None else record[within]
    codes = said.get("codes", {})
    as_lists = ((said[name], codes[name]) for name in codes)
    return [(words, code) if isinstance(words, list) else ([words], [code]) for words, code in as_lists]


@pytest.mark.parametrize("run", [run for run in ALL if not run.startswith("jobs_inspected")])
def test_every_sentence_of_a_record_has_a_code(run: str) -> None:
    records = [record for event in ALL[run]() if (record := to_record(event)) is not None]
    said = [pair for record in records for pair in told(record)]
    assert said
    for words, codes in said:
        assert [word is None for word in words] == [code is None for code in codes]


def test_reasons_come_back_from_their_records() -> None:
    loads = 0
    for run, events in ((run, make()) for run, make in ALL.items()):
        if not isinstance(ended := events[-1], LoadEnded):
            continue
        *_, back = Reading().events([json.loads(json.dumps(to_record(event))) for event in (events[0], ended)])
        assert isinstance(back, LoadEnded), run
        assert [(one.code, one.words) for one in back.notes] == [(one.code, one.words) for one in ended.notes], run
        reasons = ((ended.failed_because, back.failed_because), (ended.invalid_because, back.invalid_because))
        for ours, theirs in reasons:
            assert [(one.code, one.words) for one in theirs] == [(one.code, one.words) for one in ours], run
        loads += 1
    assert loads >= 20


def test_a_sentence_without_a_code_of_ours_is_unnamed() -> None:
    record = to_record(ALL["failed"]()[-1])
    assert record is not None
    record["verdict"]["codes"] = {"failed_because": ["a-code-of-a-newer-loadgen"]}
    *_, back = Reading().events([record])
    assert isinstance(back, LoadEnded)
    assert [one.code for one in (*back.failed_because, *back.notes)] == [Code.UNNAMED] * 3
    assert len(back.failed_because) == 2


def test_words_of_one_severity_are_one_sentence() -> None:
    said = (
        Reason(Code.HOST_NOISY, "p50 is noisy", Severity.UNKNOWN),
        Reason(Code.COULD_NOT_RUN, "it died", Severity.COULD_NOT_RUN),
        Reason(Code.HOST_NOISY, "p99 is noisy", Severity.UNKNOWN),
    )
    assert words_of(said, Severity.UNKNOWN) == "p50 is noisy; p99 is noisy"
    assert words_of(said, Severity.FAILED) == ""
