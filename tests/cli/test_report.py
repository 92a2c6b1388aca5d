"""`loadgen report` shows an earlier result as the command itself showed it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from constructed_comparisons import anything
from constructed_events import busy, closed_loop, schedule
from in_process import invoked
from rendered import ALL, PEOPLE, text

from loadgen.errors import ExitCode
from loadgen.output import create
from loadgen.record import Reading, to_record
from loadgen.snapshot import Histogram


def stored(folder: Path, run: str) -> str:
    path = folder / f"{run}.json"
    path.write_text(text("json", run), encoding="utf-8")
    return str(path)


def edited(folder: Path, run: str, **dropped: tuple[str, ...]) -> str:
    """The records of a run without some fields, as an older loadgen wrote them; by the records' type."""
    path = folder / "old.json"
    records = [json.loads(line) for line in text("json", run).splitlines()]
    for record in records:
        for name in dropped.get(record["type"], ()):
            del record[name]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("format", PEOPLE)
@pytest.mark.parametrize("run", ALL)
def test_a_report_prints_what_the_command_printed(run: str, format: str, tmp_path: Path) -> None:
    done = invoked("report", stored(tmp_path, run), "--format", format)
    assert (done.status, done.stderr) == (ExitCode.YES, "")
    assert done.stdout == text(format, run)


@pytest.mark.parametrize("run", ["watched", "search_found", "matrix", "gate_failed"])
def test_json_is_handed_on_as_it_was(run: str, tmp_path: Path) -> None:
    path = stored(tmp_path, run)
    assert invoked("report", path, "--format", "json").stdout == Path(path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("format", "line"), [("clean", "pipeline depth 8, refilled when drained"), ("verbose", "refill: drained")]
)
def test_how_a_pipeline_was_refilled_is_told_where_it_is_not_slot_by_slot(
    format: str, line: str, tmp_path: Path
) -> None:
    told = {}
    for refill in ("slot", "drained"):
        path = tmp_path / f"{refill}.json"
        path.write_text(text("json", "closed_loop").replace('"refill":"slot"', f'"refill":"{refill}"'))
        told[refill] = invoked("report", str(path), "--format", format).stdout
    assert line in told["drained"]
    assert told["slot"] == text(format, "closed_loop")
    assert line.split(", ")[-1] not in told["slot"]
    # A file of a loadgen that had no choice.
    old = invoked("report", edited(tmp_path, "closed_loop", config=("refill",)), "--format", format)
    assert (old.status, old.stdout) == (ExitCode.YES, told["slot"])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_powershell_redirected_is_read(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(text("json", "closed_loop").replace("\n", "\r\n").encode(encoding))
    assert invoked("report", str(path)).stdout == text("clean", "closed_loop")


def test_an_old_file_says_what_it_does_not_know(tmp_path: Path) -> None:
    dropped = {"sample": ("commands", "latency", "interval_secs"), "result": ("responses_in_time", "unaccounted")}
    done = invoked("report", edited(tmp_path, "closed_loop", **dropped))
    assert done.status == ExitCode.YES
    assert "sample.commands" in done.stderr
    assert "result.responses_in_time" in done.stderr
    assert "of an older loadgen" in done.stderr
    # Rates come from whole requests per second, latencies from whole microseconds.
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("12:00:0")]
    assert [row[1:4] for row in rows] == [["1.00K", "0", "99.0"]] * 3
    assert "46.0 µs" in done.stdout


def test_a_result_by_itself_is_shown_and_said_to_be_of_an_unknown_load(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(text("json", "closed_loop").splitlines()[-1], encoding="utf-8")
    done = invoked("report", str(path))
    assert "throughput    1.00K req/s (3,000 requests, 3,000 responses)" in done.stdout
    assert "has no config record" in done.stderr


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "has no result"),
        (b"# Markdown\n", ":1: is no record"),
        (b"[]\n", ":1: is no record"),
        (b'{"type":"result"}\n', "has a record that is not as loadgen writes it"),
        (b'{"type":"sample","ts":"2025-11-20T12:00:06Z","commands":3}\n', "not as loadgen writes it"),
        (b'{"type":"config","ts":"2025-11-20T12:00:06Z","threads":1e999}\n', "not as loadgen writes it"),
        (b"\xff\xfe\xfd", "begins like UTF-16, and is none"),
        (b"[" * 100_000, ":1: is no record"),
    ],
)
def test_what_is_no_result_is_one_sentence(content: bytes, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "what.json"
    path.write_bytes(content)
    done = invoked("report", str(path))
    assert done.status == ExitCode.USAGE
    assert complaint in done.stderr
    assert done.stdout == ""


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = invoked("report", str(tmp_path / "none.json"))
    assert (done.status, done.stdout) == (ExitCode.USAGE, "")
    assert "cannot be read (No such file or directory)" in done.stderr


def test_a_gate_is_reported_to_ci_afterwards(tmp_path: Path) -> None:
    paths = {kind: tmp_path / f"gate.{kind}" for kind in ("junit", "markdown", "plot")}
    options = [word for kind, path in paths.items() for word in (f"--{kind}", str(path))]
    assert invoked("report", stored(tmp_path, "gate_failed"), *options).status == ExitCode.YES
    assert "<failure" in paths["junit"].read_text()
    assert "❌ FAIL" in paths["markdown"].read_text()
    assert "<svg" in paths["plot"].read_text()
    assert invoked("report", stored(tmp_path, "ping"), *options).status == ExitCode.USAGE


def test_a_report_may_go_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    done = invoked("report", stored(tmp_path, "objectives"), "-o", str(path))
    assert done.stdout == ""
    assert path.read_text(encoding="utf-8") == text("clean", "objectives")


@pytest.mark.parametrize("format", PEOPLE)
def test_any_comparison_comes_back_as_it_was_shown(format: str) -> None:
    for event in map(anything, range(40)):
        [back] = Reading().events([json.loads(json.dumps(to_record(event)))])
        assert shown(format, back) == shown(format, event), event


def shown(format: str, event: Any) -> str:
    stream = io.StringIO()
    create(format, stream).emit(event)
    return stream.getvalue()


@pytest.mark.parametrize("events", [closed_loop, schedule, busy])
def test_histograms_come_back_with_every_percentile_and_their_exact_ends(events: Any) -> None:
    result = events()[-1]
    records = [to_record(event) for event in events()]
    *_, back = Reading().events([json.loads(json.dumps(record)) for record in records if record is not None])
    pairs = [
        *((result.measured.response[c], back.measured.response[c]) for c in result.measured.commands),
        *((result.measured.service[c], back.measured.service[c]) for c in result.measured.service),
        (result.measured.lag, back.measured.lag),
    ]
    for ours, theirs in pairs:
        assert isinstance(theirs, Histogram)
        assert theirs.buckets() == ours.buckets()
        assert (theirs.min, theirs.max, theirs.count, theirs.censored) == (
            ours.min,
            ours.max,
            ours.count,
            ours.censored,
        )
        for q in (0.001, 0.3, 0.5, 0.95, 0.999, 1.0):
            assert theirs.is_lower_bound(q) == ours.is_lower_bound(q)


def test_the_names_of_schema_version_1_are_read_as_those_of_today(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    old = text("json", "schedule").replace('"schema_version":2', '"schema_version":1').replace('"pauses":', '"count":')
    path.write_text(old.replace('"identity":', '"server":', 1))
    for format in ("clean", "verbose"):
        done = invoked("report", str(path), "--format", format)
        assert (done.status, done.stdout, done.stderr) == (ExitCode.YES, text(format, "schedule"), "")
