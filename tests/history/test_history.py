"""`loadgen history`: what is appended, what is refused, and the sentences about a row of results."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from threading import Thread
from typing import Any

import constructed_events
import constructed_searches
import numpy as np
import pytest
from command import Record, loadgen, short
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import invoked
from run_folders import run_folder
from soaks import SERIES, asked

from loadgen.cli.main import main
from loadgen.compare.answers import Compared, Row
from loadgen.compare.candidate import Candidate
from loadgen.compare.settings import ComparisonSettings
from loadgen.compare.shape import Shape
from loadgen.errors import ExitCode
from loadgen.events import Configured, Event, Result
from loadgen.history import file
from loadgen.history.file import append, read
from loadgen.history.point import METRICS, Point, Setup, to_point
from loadgen.history.results import to_points
from loadgen.history.series import Series, to_rows
from loadgen.judge.expression.value import AtLeast
from loadgen.output.formats.history import Ramp, clean, records
from loadgen.output.paper.color import Paint
from loadgen.reason import Code, Reason
from loadgen.record import encode, ndjson
from loadgen.severity import Severity
from loadgen.soak.found import Totals
from loadgen.stats.sequential import Shift

GROUP = Setup("mio", "box: 2 × CPU", "closed", 0.0, "4 connections")


def kept_in(file: Path) -> list[Point]:
    """The points of a history that is there."""
    return read(file, lambda remark: None, new=False)


def point(day: int, valid: bool = True, group: Setup = GROUP, **values: float) -> Point:
    """`day` counts from the first of January 2026."""
    ts = f"{np.datetime64('2026-01-01') + day}T03:00:00.000000Z"
    return Point(ts, group, valid, values or {"throughput": 100.0 + day}, label=f"c{day}")


def row(values: Sequence[float], metric: str = "throughput") -> list[Point]:
    return [point(day, **{metric: value}) for day, value in enumerate(values)]


def course(values: Sequence[float], metric: str = "throughput") -> Series:
    return Series(METRICS[metric], tuple(row(values, metric)))


def drawn(points: Sequence[Point], last: int = 60, metrics: Sequence[str] = tuple(METRICS)) -> str:
    return clean(to_rows(points, last), metrics, Paint(False), Ramp(None))


def result_file(path: Path, events: Sequence[Event]) -> str:
    path.write_bytes(b"".join(map(encode, events)))
    return str(path)


def of_file(path: str, **options: str) -> list[Point]:
    lines = Path(path).read_text().splitlines()
    return to_points([json.loads(line) for line in lines], **options)


def a_result(tmp_path: Path) -> str:
    return result_file(tmp_path / "result.json", constructed_events.closed_loop())


def with_result(**changes: Any) -> list[Event]:
    return [
        replace(event, **changes) if isinstance(event, Result) else event for event in constructed_events.closed_loop()
    ]


# What is appended.


def test_a_run_is_appended_and_drawn_with_the_numbers_of_its_result(tmp_path: Path) -> None:
    file, results = str(tmp_path / "nightly.ndjson"), str(tmp_path / "result.json")
    arguments = [*short(0)[:1], "--embedded", *short(0)[5:]]
    loadgen(*arguments, "-o", results)
    config, *_, result = [json.loads(line) for line in Path(results).read_text().splitlines()]
    finished = loadgen("history", file, results, "--label", "3f2a1c", "--format", "json")
    assert finished.status == 0
    assert finished.stderr == ""
    response = result["latency"]["all"]["response"]
    measured = {"throughput": result["throughput"], "p50": response["p50_ns"], "p99": response["p99_ns"]}
    assert measured.items() <= {record["metric"]: record["last"] for record in finished.records}.items()
    [line] = [json.loads(line) for line in Path(file).read_text().splitlines()]
    assert (line["type"], line["ts"], line["label"]) == ("history", result["ts"], "3f2a1c")
    assert (line["host"], line["server"], line["seed"]) == (config["host"], config["identity"], result["seed"])
    assert (line["name"], line["loop"], line["rate_per_s"]) == ("loadgen serve", "closed", 0)
    assert "verdict" not in line


def test_a_line_is_small(tmp_path: Path) -> None:
    file = tmp_path / "history"
    assert main(["history", str(file), a_result(tmp_path)]) == 0
    assert file.stat().st_size < 1000


def test_results_come_from_standard_input_too(tmp_path: Path) -> None:
    results = a_result(tmp_path)
    prologue = f"sys.stdin = open({results!r})"
    finished = loadgen("history", str(tmp_path / "history"), "-", "--format", "json", prologue=prologue)
    assert (finished.status, finished.records[0]["points"]) == (0, 1)


def test_a_search_is_appended_as_the_rate_that_met_its_limits(tmp_path: Path) -> None:
    [found] = of_file(result_file(tmp_path / "found.json", constructed_searches.found()))
    assert (found.valid, found.values) == (True, {"capacity": 152_000.4})
    assert found.group.loop == "search"
    assert found.group.load.endswith("p99 <= 1ms, delete p999 <= 5ms")


@pytest.mark.parametrize("search", [constructed_searches.interrupted, constructed_searches.failed])
def test_a_search_without_an_answer_has_no_valid_point(search: Callable[[], list[Event]], tmp_path: Path) -> None:
    [point] = of_file(result_file(tmp_path / "search.json", search()))
    assert (point.valid, point.values) == (False, {})


def compared(**changes: Any) -> Compared:
    answered = Row("throughput", Shift.SAME, -0.02, -0.03, 0.01, 0.3, 8, 0.05, 100.0, 98.0, 0.02)
    unclear = replace(answered, metric="p99", effect=None, answer=Shift.UNCLEAR)
    a, b = Candidate("mio", "server"), Candidate("uring", "server", "redis 7.0.15")
    told = ComparisonSettings({"throughput": 0.05, "p99": 0.1}, one_sided=True)
    ended = Compared(a, b, (answered, unclear), told, 0.9, True, 7, rate_per_s=1234.5, host="box", version="1.2")
    return replace(ended, **changes)


def of_comparison(ended: Compared) -> Point:
    [point] = to_points([json.loads(encode(ended))])
    return point


def test_a_comparison_is_appended_as_b_in_multiples_of_a() -> None:
    found = of_comparison(compared())
    assert found.values == {"throughput": pytest.approx(0.98)}
    assert found.group == Setup("uring / mio", "box", "rounds", 0.0, "")
    assert (found.valid, found.version, found.server, found.seed) == (True, "1.2", "redis 7.0.15", 7)
    assert "last 0.980" in drawn([found])


def test_comparisons_under_different_loads_are_in_different_rows(tmp_path: Path) -> None:
    records = [json.loads(line) for line in Path(a_result(tmp_path)).read_text().splitlines()]
    shape = Shape.read(records[0])
    groups = {
        of_comparison(compared(b=Candidate("uring", "server", shape=replace(shape, conns=c)))).group for c in (1, 2)
    }
    assert sorted(group.load.partition(" ×")[0] for group in groups) == [
        "2 workers, 1 connections",
        "2 workers, 2 connections",
    ]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"reasons": (Reason(Code.SERVER_ENDED, "It died.", Severity.COULD_NOT_RUN),)},
        {"reasons": (Reason(Code.HOST_NOISY, "Too noisy.", Severity.UNKNOWN),)},
        {"interrupted": True},
        {"rows": ()},
    ],
)
def test_a_comparison_that_did_not_come_to_its_end_is_not_valid(spoilt: dict[str, Any]) -> None:
    assert not of_comparison(compared(**spoilt)).valid


LATE = Reason(Code.GENERATOR_LATE, "The generator was late.", Severity.INVALID)


@pytest.mark.parametrize("spoilt", [{"reasons": (LATE,)}, {"interrupted": True}])
def test_a_run_that_is_invalid_or_cut_short_is_kept_as_not_valid(spoilt: dict[str, Any], tmp_path: Path) -> None:
    [point] = of_file(result_file(tmp_path / "result.json", with_result(**spoilt)))
    assert not point.valid
    assert point.values["throughput"] > 0


def test_a_percentile_that_is_a_lower_bound_stays_one(tmp_path: Path) -> None:
    [point] = of_file(result_file(tmp_path / "result.json", constructed_events.errors_of_all_kinds()))
    assert "p999" in point.at_least
    assert "last ≥" in drawn([replace(point, valid=True)], metrics=["p999"])


@pytest.mark.parametrize(
    ("config", "server", "name"),
    [
        ({"identity": "redis 7.0.15"}, {}, "redis"),
        ({"identity": "loadgen serve 0.1.0"}, {}, "loadgen serve"),
        ({"server": "redis 7.0.15"}, {"server": {"name": "uring"}}, "uring"),
        ({"identity": None, "server": None}, {}, "127.0.0.1:6379"),
    ],
)
def test_a_row_is_called_by_its_server_whatever_the_servers_version(
    config: Record, server: Record, name: str, tmp_path: Path
) -> None:
    written = [json.loads(encode(event)) for event in constructed_events.closed_loop() if encode(event)]
    [point] = to_points([{**written[0], **config}, {**written[-1], **server}])
    assert point.group.name == name
    [named] = to_points([{**written[0], **config}, {**written[-1], **server}], name="nightly")
    assert named.group.name == "nightly"


def test_what_the_server_used_is_appended_where_the_result_says_it() -> None:
    written = [json.loads(encode(event)) for event in constructed_events.closed_loop() if encode(event)]
    used = {"server": {"name": "mio", "cpu_us_per_request": 4.5, "max_rss_bytes": 12_000_000}}
    [point] = to_points([written[0], {**written[-1], **used}])
    assert (point.values["server_cpu"], point.values["rss"]) == (4500.0, 12_000_000.0)


@given(
    st.builds(
        Point,
        st.just("2026-01-01T00:00:00Z"),
        st.builds(Setup, st.text(max_size=20), st.text(max_size=20), st.just("open"), st.floats(0, 1e9), st.just("")),
        st.booleans(),
        st.dictionaries(st.sampled_from(sorted(METRICS)), st.floats(0, 1e12), min_size=1),
        label=st.text(max_size=20),
        seed=st.none() | st.integers(0, 2**64),
    )
)
def test_a_point_is_read_as_it_was_written(written: Point) -> None:
    read = to_point(json.loads(json.dumps(written.to_record())))
    assert (read.values, read.valid, read.seed, read.ts) == (written.values, written.valid, written.seed, written.ts)
    assert to_point(json.loads(json.dumps(read.to_record()))) == read


def test_nothing_is_appended_unless_all_results_can_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, empty = tmp_path / "history", tmp_path / "empty.json"
    empty.touch()
    assert main(["history", str(file), a_result(tmp_path), str(empty)]) == 2
    assert not file.exists()
    assert "empty.json: has no result" in capsys.readouterr().err


def test_a_result_that_is_there_already_is_not_appended_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, result = tmp_path / "history", a_result(tmp_path)
    assert main(["history", str(file), result, result]) == 0
    assert main(["history", str(file), result, "--label", "another"]) == 0
    assert len(file.read_text().splitlines()) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.split(" were ")[0] for line in said] == ["warning: 1 of 2 results", "warning: 1 of 1 results"]


def test_lines_that_are_appended_at_once_stay_whole(tmp_path: Path) -> None:
    file = tmp_path / "history"
    batches = [row(range(100 * n + 1, 100 * n + 101)) for n in range(8)]
    threads = [Thread(target=append, args=(file, batch)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = kept_in(file)
    assert sorted(point.values["throughput"] for point in kept) == list(range(1, 801))


# What is refused, and what is put up with.


BAD_HISTORIES: dict[str, bytes] = {
    "text": b"nights\n",
    "binary": bytes(range(256)) * 40,
    "blank lines first": b"\n\nnights\n",
    "another record": b'{"type": "result", "throughput": 1}\n',
    "a list": b"[1]\n",
    "nested": b"[" * 100_000,
    "a huge number": b"1" * 5000,
}


@pytest.mark.parametrize("content", BAD_HISTORIES.values(), ids=BAD_HISTORIES)
def test_what_is_no_history_is_refused_and_left_alone(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    assert main(["history", str(file), a_result(tmp_path)]) == 2
    assert file.read_bytes() == content
    assert (
        capsys.readouterr().err
        == f"loadgen: {file}: is not a history, so nothing is appended to it; name another file.\n"
    )


@pytest.mark.parametrize("cut", [25, 100, -1])
def test_a_line_that_was_cut_off_is_left_out_and_takes_no_other_with_it(
    cut: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "history"
    append(file, row([1.0, 2.0]))
    whole, cut_off = file.read_bytes().splitlines(keepends=True)
    # Without its end of line alone, the last one is whole.
    file.write_bytes(whole + cut_off[:cut])
    assert main(["history", str(file), a_result(tmp_path)]) == 0
    warnings = capsys.readouterr().err
    assert warnings == ("" if cut == -1 else f"warning: {file}:2: is no point of a history, and is left out\n")
    kept = kept_in(file)
    assert len(kept) == (3 if cut == -1 else 2)
    assert kept[-1].group != GROUP


def test_a_history_of_which_only_a_cut_off_line_is_left_can_be_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "history"
    append(file, row([1.0]))
    file.write_bytes(file.read_bytes()[:60])
    assert main(["history", str(file), a_result(tmp_path)]) == 0


BAD_RESULTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "has no result"),
    "no result": (b'{"type": "config"}\n{"type": "phase"}\n', "has no result"),
    "binary": (bytes(range(256)), ":1: is no record"),
    "text": (b'{"type": "phase"}\nhello\n', ":2: is no record"),
    "a list": (b"[]\n", ":1: is no record"),
    "nested": (b"[" * 100_000, ":1: is no record"),
    "bare": (b'{"type": "result"}\n', "not as loadgen writes it"),
    "a bare search": (b'{"type": "saturation"}\n', "not as loadgen writes it"),
    "a bare comparison": (b'{"type": "comparison"}\n', "not as loadgen writes it"),
}


@pytest.mark.parametrize(("content", "complaint"), BAD_RESULTS.values(), ids=BAD_RESULTS)
def test_a_file_without_a_usable_result_is_an_error_in_a_sentence(
    content: bytes, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "result.json"
    results.write_bytes(content)
    assert main(["history", str(tmp_path / "history"), str(results)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"loadgen: {results}")
    assert complaint in line
    assert not (tmp_path / "history").exists()


@pytest.mark.parametrize("throughput", ["NaN", "Infinity", "-1", '"many"', "true", "1e999", "[]"])
def test_a_number_that_is_none_is_refused(throughput: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = Path(a_result(tmp_path))
    results.write_text(re.sub(r'"throughput":\d+', f'"throughput":{throughput}', results.read_text()))
    assert main(["history", str(tmp_path / "history"), str(results)]) == 2
    assert "take the results anew" in capsys.readouterr().err


def test_a_line_without_an_end_does_not_fill_the_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ndjson, "LONGEST_LINE", 1 << 20)
    for words in (["/dev/zero"], [str(tmp_path / "history"), "/dev/zero"]):
        assert main(["history", *words]) == 2
        assert "/dev/zero:1: is longer than 1 MiB" in capsys.readouterr().err


def test_what_cannot_be_read_is_said_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, result = str(tmp_path / "history"), a_result(tmp_path)
    nowhere = str(tmp_path / "nowhere.json")
    for words, reason in (
        ([str(tmp_path)], "Is a directory"),
        ([str(tmp_path), result], "Is a directory"),
        ([file], "No such file or directory"),
        ([file, nowhere], "No such file or directory"),
    ):
        assert main(["history", *words]) == 2
        assert capsys.readouterr().err.endswith(f": cannot be read ({reason}).\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = Path(a_result(tmp_path))
    result.chmod(stat.S_IWUSR)
    assert main(["history", str(tmp_path / "history"), str(result)]) == 2
    assert "Permission denied" in capsys.readouterr().err


def test_a_history_that_cannot_be_written_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "missing" / "history"
    assert main(["history", str(file), a_result(tmp_path)]) == 3
    assert capsys.readouterr().err == f"loadgen: {file} could not be appended to: No such file or directory\n"


def test_a_full_disk_is_said_and_what_it_took_can_be_gone_on_with(tmp_path: Path) -> None:
    file, result = tmp_path / "history", a_result(tmp_path)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))"
    finished = loadgen("history", str(file), result, prologue=limit)
    assert finished.status == 3
    assert re.search(r"the disk took 50 of \d+ bytes", finished.complaint)
    assert main(["history", str(file), result]) == 0
    assert len(kept_in(file)) == 1


def test_an_empty_file_may_be_begun_but_has_nothing_to_draw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "history"
    file.touch()
    assert main(["history", str(file)]) == 2
    assert "is empty; append results with" in capsys.readouterr().err
    assert main(["history", str(file), a_result(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--label", "3f2a1c"], "--label and --name are for results"),
        (["--metric", "speed"], 'there is no metric "speed"'),
        (["--last", "0"], '"0" is not a whole number from 1 to 500'),
        (["--last", "٣"], "is not a whole number"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    append(tmp_path / "history", row([1.0]))
    try:
        status = main(["history", str(tmp_path / "history"), *words])
    except SystemExit as end:
        status = int(end.code or 0)
    assert status == 2
    assert complaint in capsys.readouterr().err


# What is drawn.


@pytest.mark.parametrize(
    "other",
    [
        replace(GROUP, name="uring"),
        replace(GROUP, host="another box"),
        replace(GROUP, loop="open", rate_per_s=1000.0),
        replace(GROUP, rate_per_s=1.0),
        replace(GROUP, load="8 connections"),
    ],
)
def test_results_of_different_things_are_never_in_one_row(other: Setup) -> None:
    mixed = [point(0), point(1, group=other), point(2), point(3, group=other)]
    assert [[p.ts[9] for p in row.points] for row in to_rows(mixed, 60)] == [["1", "3"], ["2", "4"]]
    assert drawn(mixed).count("points          2, 2026") == 2


def test_points_are_in_the_order_of_time_and_the_last_are_drawn() -> None:
    [row] = to_rows([point(3), point(1), point(0), point(2)], 3)
    assert [p.label for p in row.points] == ["c1", "c2", "c3"]


def test_the_least_is_the_lowest_block_and_the_largest_the_highest() -> None:
    assert "throughput      ▁▂▃▄▅▆▇█\n" in drawn(row([10, 11, 12, 13, 14, 15, 16, 17]))
    assert "throughput      ▅▅▅\n" in drawn(row([10, 10, 10]))


def test_a_point_that_is_not_valid_is_a_cross_and_counts_for_nothing() -> None:
    points = [point(0, throughput=100), point(1, valid=False, throughput=1e9), point(2, throughput=110)]
    text = drawn(points)
    assert "▁×█" in text
    assert "1 not valid (×)," in text
    assert "last 110/s, +10 % against the median before it" in text
    [course] = to_rows(points, 60)[0].courses(METRICS)
    assert (course.values, course.median) == ([100, 110], 105)


def test_a_point_without_the_metric_is_a_gap() -> None:
    points = [point(0, p50=5.0), point(1, p99=1.0), point(2, p99=2.0), point(3, p50=5.0), point(4, p99=3.0)]
    assert "p99 response     ▁▅ █\n" in drawn(points)


def test_a_row_of_nothing_valid_says_so() -> None:
    text = drawn([point(0, valid=False), point(1, valid=False)])
    assert "××\n                no valid point\n" in text


def test_a_metric_that_no_result_has_is_said() -> None:
    assert "none of these results has such a metric" in drawn(row([1.0]), metrics=["rss"])
    assert "throughput" not in drawn(row([1.0]), metrics=["rss"])


def test_more_points_than_columns_share_them() -> None:
    text = drawn(row(range(1, 501)), last=500)
    [line] = [line for line in text.splitlines() if line.startswith("throughput")]
    assert (len(line), line[16], line[-1]) == (80, "▁", "█")


def test_the_last_is_held_against_the_median_of_those_before_it() -> None:
    assert course([100, 90, 110, 50]).change == pytest.approx(-0.5)
    assert course([100]).change is None
    assert course([0, 0, 5]).change is None


def test_a_trend_is_said_only_where_chance_would_hardly_make_it() -> None:
    random = np.random.default_rng(20260711)
    level = random.normal(100, 3, 30)
    assert not re.search("rises|falls|step", drawn(row(level.tolist())))
    assert "falls: p = " in drawn(row((level - np.arange(30)).tolist()))
    assert "rises: p = " in drawn(row((level + np.arange(30)).tolist()))
    # Six in a row: p = 2 / 6!, and of five it would be 2 / 5!.
    assert "rises: p = 0.0028" in drawn(row([1, 2, 3, 4, 5, 6]))
    assert "rises" not in drawn(row([1, 2, 3, 4, 5]))


def test_a_step_is_said_with_its_size_and_its_first_commit() -> None:
    random = np.random.default_rng(20260711)
    level = random.normal(100, 1, 40)
    level[25:] *= 0.9
    text = drawn(row(level.tolist()))
    assert re.search(r"a step of −(9\.\d|10) %, first seen 2026-01-26 \(c25\): p = 0\.0005", text)


def test_what_is_bad_news_is_yellow_whichever_way_the_metric_is_good() -> None:
    rising = list(range(1, 11))
    for metric, values, color in (
        ("throughput", rising, "32"),
        ("throughput", rising[::-1], "33"),
        ("p99", rising, "33"),
        ("p99", rising[::-1], "32"),
    ):
        text = clean(to_rows(row(values, metric), 60), list(METRICS), Paint(True), Ramp(None))
        [line] = [line for line in text.splitlines() if "p = " in line]
        assert line.startswith(f"\x1b[{color}m")


def test_an_encoding_without_blocks_gets_digits(tmp_path: Path) -> None:
    file = tmp_path / "history"
    append(file, [point(0, throughput=1), point(1, valid=False), point(2, throughput=2)])
    prologue = "sys.stdout.reconfigure(encoding='ascii')"
    finished = loadgen("history", str(file), prologue=prologue)
    assert "throughput      1x8\n" in finished.stdout


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1e15)), min_size=1, max_size=12),
    st.sampled_from(sorted(METRICS)),
    st.sampled_from(["closed", "open", "search", "rounds"]),
)
def test_no_line_is_wider_than_80_columns(values: list[tuple[bool, float]], metric: str, loop: str) -> None:
    named = replace(GROUP, loop=loop, rate_per_s=123_456.7)
    points = [
        replace(point(day, valid, named, **{metric: value}), label="a" * 12)
        for day, (valid, value) in enumerate(values)
    ]
    assert max(map(len, drawn(points).splitlines())) <= 80


def test_a_record_has_what_the_drawing_says() -> None:
    random = np.random.default_rng(20260711)
    values = [*random.normal(100, 1, 20).tolist(), *random.normal(80, 1, 20).tolist()]
    [record] = map(
        json.loads, records(to_rows([*row(values), point(40, valid=False)], 60), ["throughput"]).splitlines()
    )
    assert record["type"] == "trend"
    assert (record["name"], record["host"], record["loop"]) == ("mio", "box: 2 × CPU", "closed")
    assert (record["metric"], record["unit"], record["points"], record["invalid"]) == ("throughput", "per_s", 40, 1)
    assert (record["first"], record["last"]) == (values[0], values[-1])
    assert (record["min"], record["max"], record["median"]) == (min(values), max(values), np.median(values))
    assert record["change"] == pytest.approx(values[-1] / np.median(values[:-1]) - 1)
    assert (record["direction"], record["step"]["label"]) == ("falls", "c20")
    assert record["trend_p"] < 0.001


def test_a_record_of_nothing_valid_has_nulls() -> None:
    [record] = map(json.loads, records(to_rows([point(0, valid=False)], 60), ["throughput"]).splitlines())
    assert {record[name] for name in ("first", "last", "min", "max", "median", "change", "trend_p", "step")} == {None}
    assert record["points"] == 0


def test_a_config_says_what_was_asked_in_words() -> None:
    [configured] = [event for event in constructed_events.schedule() if isinstance(event, Configured)]
    config = json.loads(encode(configured))
    result = [json.loads(encode(event)) for event in constructed_events.schedule() if isinstance(event, Result)]
    [point] = to_points([config, *result])
    assert (point.group.loop, point.group.rate_per_s) == ("open", config["ratelimit"])
    assert "2 workers, 50 connections × 8, 1000000 uniform keys of 16 bytes" in point.group.load
    assert "arrivals" in point.group.load


def test_a_soak_is_a_point_of_its_throughput_and_its_growth(tmp_path: Path) -> None:
    of = replace(asked(duration_s=300, checkpoint_s=20, settle_s=30, series=SERIES), checks=())
    totals = Totals(
        300,
        {
            "throughput": Fraction(500, 10**9),
            "p99": Fraction(2_000_000),
            "p999": AtLeast(Fraction(9_000_000)),
            "errors": Fraction(0),
        },
    )

    def values(t: float) -> dict[str, float]:
        return {"proc.fds": 22 + int(max(0.0, t) / 15), "proc.rss": 1e7 - 10 * t, "load.requests": 500}

    run = run_folder(tmp_path / "run", of, values, totals=totals)
    history = str(tmp_path / "history.ndjson")
    done = invoked("history", history, str(run), "--label", "abc")
    assert (done.status, done.stderr) == (ExitCode.YES, "")
    (point,) = file.read(Path(history), lambda _: None, new=False)
    assert (point.group.name, point.group.loop, point.label, point.valid) == ("redis", "soak", "abc", True)
    assert point.values == {
        "throughput": 500.0,
        "p99": 2_000_000.0,
        "p999": 9_000_000.0,
        "fds_growth": pytest.approx(4, abs=0.2),
        "memory_growth": 0.0,
    }
    assert point.at_least == ("p999",)
    assert point.group.load.endswith("poisson, 5m")
    assert "redis: soak" in done.stdout
    assert "last 4/min" in done.stdout
    again = invoked("history", history, str(run))
    assert "1 of 1 results were in" in again.stderr
    # One that was cut short is kept, and left out of every number.
    killed = run_folder(tmp_path / "killed", of, values, totals=totals, until_s=200, ends=None)
    assert invoked("history", history, str(killed)).status == ExitCode.YES
    assert [each.valid for each in file.read(Path(history), lambda _: None, new=False)] == [True, False]
    assert "is no run folder of a soak" in invoked("history", history, str(tmp_path)).stderr
