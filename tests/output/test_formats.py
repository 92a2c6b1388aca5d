"""What all formats share: golden files, 80 columns, colour, and streams that cannot be written."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import pty
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any, TextIO

import pytest
from constructed_comparisons import GATES
from constructed_events import busy, closed_loop, errors_of_all_kinds
from places import SRC, SUPPORT
from rendered import ALL, PEOPLE, emit_all, text

from loadgen.errors import OutputError
from loadgen.output import FORMATS, create, open_results
from loadgen.output.paper.color import wants_color
from loadgen.output.paper.sink import settle

CHECKPOINT = re.compile(r"(?:\[[0-9]+/[0-9]+\] |Baseline: )")
"""The lines of a soak that others read by line, as upstream's scripts do: they are never wrapped."""

GOLDEN = Path(__file__).parent / "golden"


def masked(printed: str) -> str:
    """Every digit as 9, so that what is compared is the words, the columns and the widths."""
    printed = re.sub(r'"(response|service)":"[^"]+"', r'"\1":"…"', printed)
    return re.sub(r"\d", "9", printed)


@pytest.mark.parametrize("run", ALL)
@pytest.mark.parametrize("format", FORMATS)
def test_golden(format: str, run: str) -> None:
    """`GOLDEN=write` in the environment writes the files anew; read their diff before you keep them."""
    path, printed = GOLDEN / f"{format}_{run}.txt", masked(text(format, run))
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(printed, encoding="utf-8")
    assert printed == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("run", ALL)
def test_clean_fits_80_columns(run: str) -> None:
    assert [line for line in text("clean", run).splitlines() if len(line) > 80 and not CHECKPOINT.match(line)] == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_columns(columns: int, format: str, run: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    emit_all(ALL[run](), create(format, stream, color="never"))
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("columns", [60, 73, 80, 100, 120, 200])
@pytest.mark.parametrize("run", ALL)
def test_clean_fits_the_terminal(run: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_columns(columns, "clean", run, monkeypatch)
    lines = [line for line in lines if not CHECKPOINT.match(line)]
    assert [line for line in lines if len(line) > columns and " " in line.strip()] == []
    rules = {len(line) for line in lines if line.startswith("──")}
    assert rules <= {columns}


@pytest.mark.parametrize(("columns", "taken"), [(10, 60), (1000, 200)])
def test_a_terminal_beyond_what_is_bearable_is_taken_for_the_nearest(
    columns: int, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "─" * taken in on_columns(columns, "clean", "closed_loop", monkeypatch)


def test_percentiles_have_their_blank_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    wide, narrow = (on_columns(columns, "clean", "closed_loop", monkeypatch) for columns in (100, 60))
    assert any("~135 µs" in line for line in wide)
    assert [line.split("│")[1].split() for line in narrow if line.startswith("latency")] == [["p50", "p99", "max"]]


@pytest.mark.parametrize("run", ALL)
def test_verbose_fits_80_columns_but_for_the_line_per_interval_or_step(run: str) -> None:
    lines = text("verbose", run).splitlines()
    lines = [line for line in lines if not CHECKPOINT.search(line)]
    assert [line for line in lines if len(line) > 80 and " rate=" not in line] == []


@pytest.mark.parametrize(
    ("run", "count"),
    [
        ("closed_loop", 3),
        ("errors_of_all_kinds", 2),
        ("busy", 1),
        ("watched", 3),
        ("search_found", 7),
        ("search_generator_limited", 3),
    ],
)
def test_the_line_per_interval_or_step_takes_two_lines_of_80_columns_at_most(run: str, count: int) -> None:
    lines = [line for line in text("verbose", run).splitlines() if " rate=" in line]
    assert len(lines) == count
    assert max(map(len, lines)) <= 160


@pytest.mark.parametrize("format", PEOPLE)
@pytest.mark.parametrize("run", ["errors_of_all_kinds", "watched", "smoke_failed", "matrix", "compare_three"])
def test_what_a_server_says_cannot_move_the_cursor(format: str, run: str) -> None:
    assert "\x1b" not in text(format, run)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("run", ALL)
def test_there_is_no_colour_without_a_terminal(format: str, run: str) -> None:
    assert "\x1b" not in text(format, run)


@pytest.mark.parametrize(
    "run", ["errors_of_all_kinds", "watched", "smoke_failed", "matrix", "gate_failed", "compare_three"]
)
def test_colour_is_only_colour(run: str) -> None:
    colored, plain = text("clean", run, "always"), text("clean", run, "never")
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


@pytest.mark.parametrize(
    ("stream", "color", "environ", "wanted"),
    [
        (Terminal(), "auto", {}, True),
        (Terminal(), "auto", {"NO_COLOR": "1"}, False),
        (Terminal(), "auto", {"NO_COLOR": ""}, True),
        (Terminal(), "auto", {"TERM": "dumb"}, False),
        (Terminal(), "never", {}, False),
        (Terminal(), "always", {"NO_COLOR": "1"}, True),
        (io.StringIO(), "auto", {}, False),
        (io.StringIO(), "always", {}, True),
        (None, "auto", {}, False),
    ],
)
def test_color(stream: TextIO | None, color: str, environ: dict[str, str], wanted: bool) -> None:
    assert wants_color(stream, color, environ) is wanted


def in_a_process(body: str, **popen: Any) -> subprocess.Popen[bytes]:
    """A Python that prints a run to its own stdout and leaves with what became of it."""
    script = f"""
        import sys
        from constructed_events import RUNS
        from loadgen.errors import OutputError, ReaderGone
        from loadgen.output import create
        try:
            {body}
        except ReaderGone:
            sys.exit(3)
        except OutputError as error:
            print(error, file=sys.stderr)
            sys.exit(3)
    """
    paths = os.pathsep.join([str(SRC), str(SUPPORT)])
    environ = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
    environ |= {"PYTHONPATH": paths, **popen.pop("env", {})}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], env=environ, **popen)


def printing(format: str) -> str:
    return f"output = create({format!r}, sys.stdout); [output.emit(event) for event in RUNS['closed_loop']()]"


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_is_one_sentence_and_nothing_at_exit(format: str) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        process = in_a_process(printing(format), stdout=full, stderr=subprocess.PIPE)
        _, stderr = process.communicate(timeout=60)
    assert stderr == b"results could not be written to standard output: No space left on device\n"
    assert process.returncode == 3


@pytest.mark.parametrize("format", FORMATS)
def test_a_closed_pipe_ends_it_without_a_word_at_exit(format: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = in_a_process(printing(format), stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    _, stderr = process.communicate(timeout=60)
    assert stderr == b""
    assert process.returncode == 3


def test_a_stdout_that_was_closed_before_the_start_is_one_sentence() -> None:
    with pytest.raises(OutputError, match=r"^results could not be written to standard output: it is closed$"):
        create("clean", None)


def test_a_stream_that_is_closed_in_the_middle_is_one_sentence(tmp_path: Path) -> None:
    stream = open_results(str(tmp_path / "results"))
    output = create("verbose", stream)
    stream.close()
    with pytest.raises(OutputError, match=r"results could not be written to .*/results: it is closed"):
        output.emit(closed_loop()[0])


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=re.escape(f"{tmp_path}: {os.strerror(errno.EISDIR)}")):
        open_results(str(tmp_path))


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_holds_what_a_terminal_would(format: str, tmp_path: Path) -> None:
    path = tmp_path / "results"
    with open_results(str(path)) as stream:
        output = create(format, stream)
        for event in closed_loop():
            output.emit(event)
    assert path.read_text(encoding="utf-8") == text(format, "closed_loop")


def test_every_event_is_written_before_emit_returns(tmp_path: Path) -> None:
    path, sizes = tmp_path / "results", []
    with open_results(str(path)) as stream:
        output = create("verbose", stream)
        for event in closed_loop():
            output.emit(event)
            sizes.append(path.stat().st_size)
    assert sizes[0] > 0
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 11, "two of the 13 events, progress and a sample of the warm-up, print nothing"


def test_what_was_printed_before_stays_before(tmp_path: Path) -> None:
    path = tmp_path / "results"
    with open_results(str(path)) as stream:
        stream.write("first\n")
        create("quiet", stream).emit(closed_loop()[-1])
    assert path.read_text(encoding="utf-8").startswith("first\n1000 req/s")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_stream_without_our_signs_gets_plain_ones(encoding: str) -> None:
    raw = io.BytesIO()
    output = create("clean", io.TextIOWrapper(raw, encoding=encoding))
    for event in busy():
        output.emit(event)
    printed = raw.getvalue().decode("ascii")
    assert "1.23 ms  >1.00s" in printed
    assert [line for line in printed.splitlines() if len(line) > 80] == []


def test_json_is_utf_8_whatever_the_stream_is() -> None:
    raw = io.BytesIO()
    output = create("json", io.TextIOWrapper(raw, encoding="ascii"))
    for event in errors_of_all_kinds():
        output.emit(event)
    assert raw.getvalue().decode("utf-8") == text("json", "errors_of_all_kinds")


class Miserly(io.RawIOBase):
    """A file that takes seven bytes at a time, as a pipe may."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.taken += bytes(data)[:7]
        return min(len(data), 7)


def test_what_is_taken_in_pieces_is_written_whole() -> None:
    raw = Miserly()
    output = create("json", io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8"))
    for event in closed_loop():
        output.emit(event)
    assert raw.taken.decode() == text("json", "closed_loop")


def test_a_pipe_that_is_full_for_now_is_waited_for_in_the_end() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    filling = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            filling += os.write(writer, b"x" * 65536)
    received: list[bytes] = []

    def drain() -> None:
        while part := os.read(reader, 4096):
            received.append(part)

    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        output = create("json", stream)
        for event in closed_loop():
            output.emit(event)  # Nobody reads: this returns.
        thread = threading.Thread(target=drain)
        thread.start()
        settle()
    thread.join()
    os.close(reader)
    assert b"".join(received)[filling:].decode() == text("json", "closed_loop")


def on_a_terminal(body: str, env: dict[str, str]) -> str:
    """What a process with a terminal as its stdout and stderr writes to it."""
    ours, theirs = pty.openpty()
    process = in_a_process(body, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    received = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux says EIO when the other side has gone.
            break
        if not chunk:
            break
        received += chunk
    os.close(ours)
    assert process.wait(timeout=60) == 0, received
    return received.decode()


def test_a_terminal_gets_colour_unless_no_color_is_set() -> None:
    assert "\x1b[1m" in on_a_terminal(printing("clean"), {"TERM": "xterm"})
    assert "\x1b" not in on_a_terminal(printing("clean"), {"TERM": "xterm", "NO_COLOR": "1"})


def test_there_is_no_format_by_another_name() -> None:
    with pytest.raises(ValueError, match="clean, verbose, json, quiet"):
        create("xml", io.StringIO())
    with pytest.raises(ValueError, match="auto"):
        create("clean", io.StringIO(), color="sometimes")


def test_an_interval_plot_is_drawn_in_ascii_where_the_stream_has_no_other_signs() -> None:
    raw = io.BytesIO()
    output = create("clean", io.TextIOWrapper(raw, encoding="ascii"))
    for event in GATES["gate_failed"]():
        output.emit(event)
    plain = raw.getvalue().decode("ascii")
    assert "?" not in plain
    assert len(re.findall(r"\[[-+]*o[-+]*\]", plain)) == 3
    assert [*map(len, plain.splitlines())] == [*map(len, text("clean", "gate_failed").splitlines())]
