"""Smoke tests in the formats for people."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from constructed_events import RUNS
from constructed_smokes import SMOKES, doubtful, failed, matrix, not_up, passed
from rendered import emit_all

from loadgen.cli.verbs.smoke import tally_of
from loadgen.events import Event
from loadgen.output import create
from loadgen.smoke.criteria import CRITERIA
from loadgen.smoke.ended import SmokeBegan, SmokeEnded

PEOPLE = ("clean", "verbose", "quiet")


def text(format: str, events: Sequence[Event]) -> str:
    stream = io.StringIO()
    emit_all(events, create(format, stream))
    return stream.getvalue()


ONE, MANY = SmokeBegan(matrix=False), SmokeBegan(matrix=True)


@pytest.mark.parametrize("format", ["clean", "quiet"])
@pytest.mark.parametrize(
    ("ended", "verdict"), [(passed(), "PASS"), (failed(), "FAIL"), (not_up(), "FAIL"), (doubtful(), "CANNOT TELL")]
)
def test_the_first_words_are_the_answer(format: str, ended: SmokeEnded, verdict: str) -> None:
    assert text(format, [ended]).startswith(f"{verdict} ")


@pytest.mark.parametrize("format", PEOPLE)
def test_a_pass_comes_with_throughput_and_tail(format: str) -> None:
    printed = " ".join(text(format, [passed()]).split())
    for words in ("1.00K req/s", "p50 45.3 µs", "p99 ~135µs", "p99.9 ~222µs"):
        assert words in printed


@pytest.mark.parametrize("format", PEOPLE)
@pytest.mark.parametrize("ended", [failed(), not_up(), doubtful()])
def test_every_reason_is_said(format: str, ended: SmokeEnded) -> None:
    printed = " ".join(text(format, [ended]).split())
    for check in ended.failed:
        assert f"{check.name}: " in printed
    for doubt in ended.doubts:
        assert doubt.words in printed


def test_every_criterion_has_a_row_with_its_limit_and_its_answer() -> None:
    lines = text("clean", [failed()]).splitlines()
    rows = {name: next(line for line in lines if line.startswith(f"{name:<19}")) for name in CRITERIA}
    assert rows["timeouts"].split() == ["timeouts", "0", "FAIL", "25"]
    assert rows["p99.9"].split() == ["p99.9", "<", "100", "ms", "ok", "222", "µs"]
    unreached = [line for line in text("clean", [not_up()]).splitlines() if "not reached" in line]
    assert len(unreached) == len(CRITERIA) - 1
    assert all(" – " in line for line in unreached)


def test_the_last_words_of_the_server_are_shown_where_it_failed() -> None:
    assert text("clean", [failed()]).endswith("no room \\ud800\n")
    assert "server's log" not in text("clean", [replace(failed(), log_tail=())])


def test_the_events_of_the_load_are_in_verbose_only() -> None:
    events = SMOKES["smoke_passed"]()
    assert "rate=" in text("verbose", events)
    for format in ("clean", "quiet"):
        assert text(format, events) == text(format, [ONE, events[-1]])


def test_of_a_matrix_there_is_one_header_and_a_row_for_each_as_it_comes() -> None:
    stream = io.StringIO()
    output, sizes = create("clean", stream), [0]
    for ended in matrix():
        output.emit(ended)
        sizes.append(len(stream.getvalue()))
    assert sizes == sorted(set(sizes))
    lines = stream.getvalue().splitlines()
    assert [number for number, line in enumerate(lines) if line.startswith("server ")] == [0]
    rows = [line.split() for line in lines[1:] if line.endswith(("PASS", "FAIL", "?", "stop"))]
    assert [row[-1] for row in rows] == ["PASS", "FAIL", "FAIL", "?", "PASS", "stop"]
    assert rows[0][:2] == ["redis", "7.0.15"]


@pytest.mark.parametrize("format", ["clean", "verbose"])
def test_a_matrix_says_once_what_each_sign_means_below_the_first_row_that_has_it(format: str) -> None:
    lines = text(format, matrix()).splitlines()
    for sign in ("~", "≥"):
        noted = [line.removeprefix("  note:").strip().startswith(f"{sign} ") for line in lines]
        assert noted.count(True) == 1
        assert any(re.search(rf"{sign}\d", line) for line in lines[: noted.index(True)])


def test_a_sign_that_the_load_s_result_explains_is_not_explained_again() -> None:
    assert text("verbose", [*RUNS["closed_loop"](), passed()]).count("fewer than 100 samples") == 1


def test_a_matrix_ends_with_how_many_servers_there_were_and_how_long_it_took() -> None:
    ended = [passed(), passed(), failed()]
    assert tally_of(ended, 99.2) == "3 servers in 1 min 40 s: 2 PASS, 1 FAIL"
    assert tally_of(ended[:1], 0.4) == "1 server in 1 s: 1 PASS"


def test_two_servers_with_long_names_are_told_apart_in_a_matrix() -> None:
    named = [replace(passed(), server=f"redis-volatile-{policy}") for policy in ("random", "lru-of-ten-samples")]
    printed = text("clean", [MANY, *named])
    assert "\nredis-volatile-random\n" in printed
    assert "\nredis-volatile-lru-of-ten-samples\n" in printed
    assert len([line for line in printed.splitlines() if line.endswith("PASS")]) == 2


def test_the_server_s_cpu_stands_in_a_matrix_only_where_it_was_watched() -> None:
    rows = {line.split()[0]: line for line in text("clean", matrix()).splitlines()}
    assert rows["redis"].endswith("4.71 µs  PASS")
    assert rows["built-in"].split()[-2:] == ["-", "PASS"]


# A smoke test refuses faults, which are marked in a trial's output.
@pytest.mark.parametrize("run", [run for run in RUNS if run != "faults"])
def test_the_events_of_a_load_by_themselves_print_nothing_in_clean(run: str) -> None:
    assert text("clean", [ONE, *RUNS[run]()]) == ""
