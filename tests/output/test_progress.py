"""Progress on standard error: a bar on a terminal, one line per stall elsewhere; a failure of it changes nothing."""

from __future__ import annotations

import io
import os
import re

import pytest
from constructed_events import S, closed_loop
from hypothesis import given
from hypothesis import strategies as st

from loadgen.events import Event, FaultBegan, FaultEnded, Overall, Part, PhaseBegan, Progress
from loadgen.faults.fault import Fault, Layer
from loadgen.output import create_progress
from loadgen.output.formats.progress.bar import Bar
from loadgen.output.formats.progress.lines import Lines
from loadgen.output.words import figures
from loadgen.units import parse_duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def stalled(elapsed_s: float, phase: str = "prefill") -> Progress:
    return Progress(phase, 123_456, 1_000_000, int(elapsed_s * S), "no reply for 5 s\x1b[2J")


def plain(printed: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed)


@pytest.fixture(autouse=True)
def _a_capable_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def test_there_is_no_bar_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    progress = create_progress(stream)
    for event in closed_loop():
        progress.emit(event)
    progress.close()
    assert isinstance(progress, Lines)
    assert stream.getvalue() == ""


def test_a_colour_that_is_forced_makes_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert isinstance(create_progress(io.StringIO(), color="always"), Lines)


def test_a_dumb_terminal_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(create_progress(Terminal()), Lines)


def test_a_stall_is_a_line_every_five_seconds() -> None:
    stream = io.StringIO()
    progress = create_progress(stream)
    for half_seconds in range(10, 34):
        progress.emit(stalled(half_seconds / 2))
    assert stream.getvalue().splitlines() == [
        f"prefill: 123,456 of 1,000,000 keys (12.3 %) after {second} s: no reply for 5 s\\x1b[2J"
        for second in (5, 10, 15)
    ]


def test_a_bar_shows_keys_per_second_and_what_is_left() -> None:
    stream = Terminal()
    progress = create_progress(stream)
    progress.emit(Progress("prefill", 250_000, 1_000_000, 2 * S))
    assert isinstance(progress, Bar)
    assert "prefill" in plain(stream.getvalue())
    assert "25.0 %, 125K keys/s, 6 s left" in plain(stream.getvalue())
    progress.close()


def test_a_timed_phase_shows_the_seconds_left() -> None:
    stream = Terminal()
    progress = create_progress(stream)
    progress.emit(Progress("warmup", 3 * S, 10 * S, 3 * S))
    assert "30.0 %, 7 s left" in plain(stream.getvalue())
    progress.close()


def test_the_rate_that_a_search_tries_names_its_bar_and_is_no_line_elsewhere() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        progress = create_progress(stream)
        for done_s, total_s in ((1, 2), (2, 2), (1, 4)):
            progress.emit(Progress("climb 152,000/s", done_s * S, total_s * S, done_s * S))
        progress.close()
    assert "climb 152,000/s" in plain(terminal.getvalue())
    assert "25.0 %, 3 s left" in plain(terminal.getvalue())
    assert file.getvalue() == ""


def test_a_bar_is_cleared_before_anything_else_is_printed() -> None:
    stream = Terminal()
    progress = create_progress(stream)
    progress.emit(Progress("prefill", 1, 2, S))
    assert not stream.getvalue().endswith("\x1b[2K")
    progress.emit(PhaseBegan("warmup", 0.0))
    assert stream.getvalue().endswith("\x1b[2K")
    assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h") == 1


def test_a_bar_names_the_faults_that_last() -> None:
    kill, there = Fault("kill", Layer.PROCESS), Terminal()
    bar = create_progress(there)
    half = Progress("measure", S, 2 * S, S)

    def drawn(*events: Event) -> str:
        before = len(there.getvalue())
        for event in events:
            bar.emit(event)
        return plain(there.getvalue()[before:])

    assert "kill" not in drawn(half)
    assert "1 s left, kill on node 2" in drawn(FaultBegan(kill, 2, 0, 0.0), half)
    drawn(FaultEnded(kill, 2, 0, 0.0, 1))
    assert "kill" not in drawn(half)
    bar.close()


def test_a_bar_has_no_colour_when_none_is_wanted() -> None:
    stream = Terminal()
    progress = create_progress(stream, color="never")
    progress.emit(Progress("prefill", 1, 2, S))
    progress.close()
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", stream.getvalue())


def test_no_note_of_a_server_moves_the_cursor() -> None:
    stream = Terminal()
    progress = create_progress(stream)
    progress.emit(stalled(5))
    progress.close()
    assert "\x1b[2J" not in stream.getvalue()


@pytest.mark.parametrize("events", [[stalled(5), stalled(11)], [stalled(5), PhaseBegan("warmup", 0.0), stalled(20)]])
def test_a_run_does_not_fail_because_stderr_is_gone(events: list[Progress]) -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    for stream in (Gone(), None):
        progress = create_progress(stream)
        for event in events:
            progress.emit(event)
        progress.close()


def test_a_terminal_that_is_full_does_not_end_the_run() -> None:
    class Full(Terminal):
        def write(self, text: str) -> int:
            raise OSError(os.strerror(28))

    progress = create_progress(Full())
    progress.emit(stalled(5))
    progress.emit(stalled(6))
    progress.close()


def test_a_stall_is_a_line_above_the_bar_that_stays() -> None:
    stream = Terminal()
    progress = create_progress(stream)
    for half_seconds in range(10, 22):
        progress.emit(stalled(half_seconds / 2))
    progress.close()
    lines = [line.rpartition("\r")[2] for line in plain(stream.getvalue()).split("\n")]
    assert len([line for line in lines if line.endswith("no reply for 5 s\\x1b[2J")]) == 2


def in_round(number: int, slice: int, left_s: float | None = 100.2) -> Progress:
    overall = Overall(
        (Part("round", number, 8), Part("slice", slice, 24)), None if left_s is None else round(left_s * S)
    )
    return Progress("measure", S // 8, S // 4, S // 8, overall=overall, target="redis")


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_comparison_shows_where_in_the_whole_it_is_on_one_line(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal()
    progress = create_progress(stream)
    progress.emit(in_round(3, 5))
    shown = [line for line in re.split(r"[\r\n]", plain(stream.getvalue())) if line.strip()]
    assert max(map(len, shown)) <= width
    assert "at most 1 min 41 s left" in shown[-1]
    if width >= 60:
        assert "round 3/8, slice 5/24, redis" in shown[-1]
    progress.close()


def test_a_bar_of_the_whole_never_goes_back() -> None:
    stream = Terminal()
    progress = create_progress(stream)
    for number in (1, 2, 8):
        for slice in (1, 13, 24):
            progress.emit(in_round(number, slice, None))
    shares = [float(share) for share in re.findall(r"([\d.]+) %", plain(stream.getvalue()))]
    assert shares == sorted(shares)
    assert len(set(shares)) == 9
    assert "left" not in plain(stream.getvalue())
    progress.close()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.5, "1 min"), (99.2, "1 min 40 s"), (3599.5, "1 h"), (7260, "2 h 1 min")],
)
def test_what_is_left_is_rounded_up_and_said_in_two_units(seconds: float, words: str) -> None:
    assert figures.left(seconds * S) == words


@given(st.integers(0, 100 * 3600 * S))
def test_what_is_left_is_rounded_up_by_less_than_its_last_unit(ns: int) -> None:
    words = figures.left(ns)
    read = sum(parse_duration(number + unit) for number, unit in re.findall(r"(\d+) (\w+)", words))
    assert 0 <= read - ns < (S if ns <= 3599 * S else 60 * S)
