"""`loadgen check`: exit statuses, formats, pictures and reports, and a history that is read as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from constructed_checks import CHECKS
from in_process import invoked
from simulated_register import simulated
from written_histories import lines, row

from loadgen.output.pictures.windows import svg
from loadgen.output.reports.check_junit import junit
from loadgen.output.words import histories
from loadgen.severity import Severity
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.checkers.answer import Answer, Shown, Violation
from loadgen.verify.history._operations import MISS, NO_END, READ, UNKNOWN, WRITE, Operations
from loadgen.verify.history.file import Metadata, Writer

LEGAL = [(WRITE, 1, 1, 0, 1), (READ, 1, 1, 2, 3), (READ, 1, 0, 4, 5, 0, MISS)]
STALE = [(WRITE, 1, 1, 0, 1), (WRITE, 1, 2, 2, 3), (READ, 1, 1, 4, 5, 9)]


def binary(tmp_path: Path, *records: tuple[int, ...]) -> str:
    found = Operations()
    for record in records:
        found.append(*record)
    with Writer(tmp_path / "h.lghist", Metadata(origin="a test")) as writer:
        writer.write(found)
    return str(tmp_path / "h.lghist")


@pytest.mark.parametrize(
    ("records", "status", "said"),
    [
        (LEGAL, 0, "LEGAL  register: 3 operations on 1 key, no violation"),
        (STALE, 1, "process 9 read 1 after 2 had replaced it"),
        (LEGAL[:1], 4, "the history has no read that was answered"),
        ([(WRITE, 1, 0, 0, 1), (READ, 1, 5, 2, 3)], 4, "no key could be judged"),
        ([(WRITE, 1, 0, 0, 1), *((op, 2, *rest) for op, _, *rest in LEGAL)], 4, "1 of 2 keys were not judged: key 1"),
    ],
)
def test_the_exit_status_says_what_was_found(
    tmp_path: Path, records: list[tuple[int, ...]], status: int, said: str
) -> None:
    done = invoked("check", binary(tmp_path, *records))
    assert done.status == status
    assert said in done.stdout


def test_a_miss_is_legal_unless_nothing_is_evicted(tmp_path: Path) -> None:
    history = binary(tmp_path, *LEGAL)
    assert invoked("check", history).status == 0
    done = invoked("check", history, "--no-eviction")
    assert done.status == 1
    assert "nothing deleted the key" in done.stderr


def test_lines_of_a_user_are_judged_by_the_model_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "h").write_bytes(b"".join(lines(row(0, "add", 1, 1, 0, 1), row(1, "read", None, 2, 2, 3))))
    done = invoked("check", str(tmp_path / "h"), "--model", "counter", "--format", "json")
    assert done.status == 1
    document = json.loads(done.stdout)
    assert document["summary"]["kinds"] == {"too-high": 1}
    assert document["results"][0]["window"][0]["accused"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "set"], "is a binary history, and these are of registers only"),
        (["--model", "set", "--no-eviction"], "--no-eviction is for registers"),
        (["--quiet", "--verbose"], "each name a format"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, words: list[str], said: str) -> None:
    done = invoked("check", binary(tmp_path, *LEGAL), *words)
    assert done.status == 2
    assert said in done.stderr


def test_a_file_that_is_no_history_is_refused(tmp_path: Path) -> None:
    (tmp_path / "h").write_text("hello\n")
    done = invoked("check", str(tmp_path / "h"))
    assert (done.status, "line 1 is no JSON" in done.stderr) == (2, True)
    assert invoked("check", str(tmp_path / "none")).status == 2


def test_reports_and_pictures_are_written_beside_the_results(tmp_path: Path) -> None:
    drawn, report, results = tmp_path / "h.svg", tmp_path / "h.xml", tmp_path / "h.json"
    words = ["--svg", str(drawn), "--junit", str(report), "-o", str(results), "--format", "ndjson"]
    done = invoked("check", binary(tmp_path, *STALE), *words)
    assert done.status == 1
    assert "ILLEGAL" in done.stdout
    assert ElementTree.parse(drawn).getroot().tag.endswith("svg")
    assert ElementTree.parse(report).getroot().get("failures") == "1"
    shown = invoked("report", str(results))
    assert "process 9 read 1 after 2 had replaced it" in shown.stdout


def test_a_binary_history_as_lines_is_judged_the_same(tmp_path: Path) -> None:
    statuses = set()
    for seed in range(8):
        made = simulated(seed, 40, lies=0.1 * (seed % 2), conditional=True, values=6)
        with Writer(tmp_path / "h", Metadata()) as writer:
            writer.write(made)
        lines_of = tmp_path / "lines"
        one = invoked("check", str(tmp_path / "h"), "--lines", str(lines_of), "--format", "json")
        other = invoked("check", str(lines_of), "--format", "json")
        assert one.status == other.status
        statuses.add(one.status)
        first, second = (json.loads(done.stdout) for done in (one, other))
        found = [{each["key"]: (each["kind"], len(each["window"])) for each in of["results"]} for of in (first, second)]
        assert found[0] == found[1]
        counts = ("reads", "misses", "writes", "unknown")
        assert [first["summary"]["counts"][name] for name in counts] == [
            second["summary"]["counts"][name] for name in counts
        ]
    assert statuses == {0, 1}
    refused = invoked("check", str(lines_of), "--lines", str(tmp_path / "again"))
    assert (refused.status, "has lines already" in refused.stderr) == (2, True)


def test_a_torn_last_block_is_told(tmp_path: Path) -> None:
    history = Path(binary(tmp_path, *LEGAL))
    history.write_bytes(history.read_bytes() + b"GBLK")
    done = invoked("check", str(history))
    assert done.status == 0
    assert "4 bytes are of a block that was not written to its end, and is left out" in " ".join(done.stdout.split())


def test_a_value_whose_writer_was_killed_is_legal_and_the_history_is_told_not_to_be_whole(tmp_path: Path) -> None:
    theirs = 1 << 48 | 7
    """Named by worker 1, the second of two."""

    def answer(*, closed: bool, value: int = theirs) -> tuple[int, str]:
        records = Operations()
        for record in ((WRITE, 1, 5, 0, 1), (READ, 1, value, 2, 3)):
            records.append(*record)
        with Writer(tmp_path / "h", Metadata(workers=2)) as writer:
            writer.write(records)
        if closed:
            Writer(tmp_path / "h", worker=1).close()
        done = invoked("check", str(tmp_path / "h"))
        return done.status, " ".join(done.stdout.split())

    status, told = answer(closed=False)
    assert (status, "is not whole: a worker ended before its time" in told) == (0, True)
    assert "a value that was read is taken to have been written at any time" in told
    status, told = answer(closed=True)
    assert (status, "not whole" in told) == (1, False)
    # What a worker wrote that closed the history has a record, whatever others lack.
    status, told = answer(closed=False, value=7)
    assert (status, "not whole" in told) == (1, True)


# ── Words and pictures ────────────────────────────────────────────────────────────────────────────────────────────────


def checked(name: str) -> HistoryChecked:
    [event] = CHECKS[name]()
    assert isinstance(event, HistoryChecked)
    return event


def test_bars_show_the_order_of_calls_and_returns() -> None:
    window = (
        Shown("1", "write 1", 100, 400),
        Shown("0", "write 2", 200, None),
        Shown("1", "read → 2", 500, 600, accused=True),
    )
    rows = histories.window(Violation("overwritten", "k", "why.", window))
    assert rows == [
        ("1", "├───┤     ", "write 1  (+0 ns to +300 ns)", False),
        ("1", "      ├─┤ ", "read → 2  (+400 ns to +500 ns)", True),
        ("0", "  ├──────→", "write 2  (+100 ns to no end)", False),
    ]


def test_a_window_of_many_times_keeps_to_its_columns() -> None:
    window = tuple(Shown(str(number % 9), "read", 10 * number, 10 * number + 5) for number in range(100))
    assert max(len(bar) for _, bar, _, _ in histories.window(Violation("no-order", "", "", window))) <= 26


@pytest.mark.parametrize("name", CHECKS)
def test_a_picture_is_well_formed_and_readable_in_dark(name: str) -> None:
    drawn = svg(checked(name))
    root = ElementTree.fromstring(drawn)
    assert "prefers-color-scheme: dark" in drawn
    assert "\x1b" not in drawn
    texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    accused = [text for text in texts if text.startswith("✗ ")]
    assert len(accused) == len(checked(name).answer.violations)
    high = float(root.get("height", "0"))
    assert all(float(each.get("y", "0")) < high for each in root.iter("{http://www.w3.org/2000/svg}text"))


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("check_legal", ("1", "0", "0")),
        ("check_illegal", ("3", "2", "1")),
        ("check_untold", ("1", "0", "1")),
        ("check_nothing", ("1", "0", "1")),
    ],
)
def test_junit_has_a_case_for_each_violation_and_an_error_for_what_is_not_judged(
    name: str, counts: tuple[str, str, str]
) -> None:
    root = ElementTree.fromstring(junit(checked(name)))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == counts
    assert len(root.findall(".//testcase")) == int(counts[0])


def test_a_violation_outweighs_what_could_not_be_judged() -> None:
    assert checked("check_illegal").severity is Severity.FAILED
    assert checked("check_untold").severity is Severity.UNKNOWN
    nothing = HistoryChecked("h", Answer("set", 0, 0, {}, nothing="no read"), "1", 1)
    assert [doubt.words for doubt in nothing.doubts] == ["no read"]


def test_an_open_write_is_shown_without_an_end(tmp_path: Path) -> None:
    history = binary(
        tmp_path, (WRITE, 1, 1, 0, 1), (WRITE, 1, 2, 2, NO_END, 4, UNKNOWN), (READ, 1, 2, 3, 4), (READ, 1, 1, 5, 6)
    )
    done = invoked("check", history)
    assert done.status == 1
    assert re.search(r"├─+→ write 2 → \?  \(\+\d+ ns to no end\)", done.stdout)
