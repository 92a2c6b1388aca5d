"""The dashboard in a real terminal: its frames, its keys, signals, and the terminal as it was afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from command import short
from quiet import law_of_time
from terminals import ENTERED, FRAME, LEFT, LOADGEN, InTerminal

SUPPORT = str(Path(__file__).parents[2] / "support")
LONG = ("--duration", "300s", "--set", "general.interval=100ms", "--rate", "500")


def arguments(*others: str) -> list[str]:
    """A short run of the built-in server with a dashboard, in the format for people."""
    words = short(None)
    words[words.index("json")] = "clean"
    return [LOADGEN, *words, "--tui", *others]


def program(words: str) -> tuple[str, ...]:
    return sys.executable, "-c", f"import sys; sys.path.insert(0, {SUPPORT!r})\n{words}"


def restored(terminal: InTerminal) -> None:
    assert terminal.modes_after == terminal.modes_before
    assert terminal.written.count(ENTERED) == terminal.written.count(LEFT) == 1
    # The cursor is seen, and lines wrap again.
    leaving = terminal.written[terminal.written.rindex(b"\x1b[?2026l") :]
    assert b"\x1b[?25h" in leaving
    assert b"\x1b[?7h" in leaving
    assert "Traceback" not in terminal.text


def test_q_ends_a_run_gracefully_and_its_summary_comes_after_the_dashboard() -> None:
    with InTerminal(*arguments(*LONG)) as terminal:
        terminal.wait_for("phase: measure")
        assert not terminal.modes()[3] & (termios.ICANON | termios.ECHO)
        seen = len(terminal.text)
        terminal.resize(120, 40)
        terminal.wait_for(f"q stop{' '}", seen)
        # The letter at the end of another key's sequence is no key.
        terminal.type("\x1b[q\x1bOqx")
        frames = terminal.written.count(FRAME)
        terminal.wait_until(lambda: terminal.written.count(FRAME) > frames + 3)
        assert "stopping" not in terminal.text
        terminal.type("q")
        status = terminal.finish()
    assert status == 130
    restored(terminal)
    assert "RESULTS (" in terminal.after
    assert "interrupted" in terminal.after
    assert "p99.99" in terminal.after
    assert "\n[running" not in terminal.after, "progress was the dashboard's"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_as_without_a_dashboard(number: signal.Signals) -> None:
    with InTerminal(*arguments(*LONG), columns=120, lines=40) as terminal:
        terminal.wait_for("phase: measure")
        terminal.kill(number)
        assert terminal.finish() == 130
    restored(terminal)
    assert "RESULTS (" in terminal.after


@pytest.mark.parametrize(
    "ends",
    [
        "from loadgen.cli.interrupts import end_at_once; end_at_once()",
        # The handler of the process itself, at a second signal.
        "from loadgen import entry; entry._inside, entry._began_s = True, 1.0; entry._interrupt(15, None)",
    ],
)
def test_a_process_that_ends_at_once_restores_the_terminal(ends: str) -> None:
    words = f"""
from loadgen.output.tui import Dashboard, Shown
Shown(Dashboard(), color=True).open()
print("an error", file=sys.stderr)
{ends}
"""
    with InTerminal(*program(words)) as terminal:
        assert terminal.finish() == 130
    restored(terminal)
    assert terminal.after.startswith("an error\n")


def test_a_dashboard_that_fails_leaves_the_results_alone() -> None:
    words = """
from constructed_events import RUNS
from loadgen import output
from loadgen.output.tui.app import Page
drawn = Page.draw
def fails(self):
    if self.frames == 2:
        raise RuntimeError("planted")
    drawn(self)
Page.draw = fails
with output.opened(output.Wanted(dashboard=output.Dashboard())) as outputs:
    first, *events = RUNS["closed_loop"]()
    outputs.emit(first)
    shown = outputs._outputs[0]
    shown._thread.join(20)
    for event in events:
        outputs.emit(event)
"""
    with InTerminal(*program(words)) as terminal:
        assert terminal.finish() == 0
    restored(terminal)
    assert "planted" in terminal.after
    assert "RESULTS (3.00 s)" in terminal.after
    assert "[running 3 s]" in terminal.after, "what comes after the dashboard has gone is printed as ever"


def test_what_children_write_to_standard_error_comes_after_the_dashboard() -> None:
    words = """
import subprocess
from loadgen.output.tui import Dashboard, Shown
shown = Shown(Dashboard(), color=True)
shown.open()
subprocess.run(["sh", "-c", "echo from a child >&2"])
shown.close()
shown.close()
"""
    with InTerminal(*program(words)) as terminal:
        assert terminal.finish() == 0
    restored(terminal)
    assert terminal.after == "from a child\n"


SHOWS = """
from constructed_events import RUNS
from loadgen import output
with output.opened(output.Wanted(dashboard=output.Dashboard(asked={asked}))) as outputs:
    for event in RUNS["closed_loop"]():
        outputs.emit(event)
"""


@pytest.mark.parametrize("asked", [True, False])
def test_without_textual_a_hint_and_plain_text(asked: bool) -> None:
    with InTerminal(*program(f"sys.modules['textual'] = None\n{SHOWS.format(asked=asked)}")) as terminal:
        assert terminal.finish() == 0
    hint = (
        "loadgen: the dashboard needs Textual, which is not installed: pip install 'loadgen[tui]'; plain text follows\n"
    )
    assert terminal.after.startswith(hint)
    assert terminal.after.count("pip install") == 1
    assert ENTERED not in terminal.written
    assert "[running 3 s]" in terminal.after
    assert "RESULTS (3.00 s)" in terminal.after


def test_without_utf_8_a_hint_and_plain_text() -> None:
    with InTerminal(*program(SHOWS.format(asked=True)), environ={"PYTHONIOENCODING": "ascii"}) as terminal:
        assert terminal.finish() == 0
    assert terminal.after.startswith("loadgen: the dashboard needs a terminal with UTF-8; plain text follows\n")
    assert "RESULTS (3.00 s)" in terminal.after


def test_a_file_gets_the_results_at_once_and_standard_output_after_the_dashboard(tmp_path: Path) -> None:
    words = f"""
from pathlib import Path
from constructed_events import RUNS
from loadgen import output
file = Path({str(tmp_path / "results.json")!r})
with output.opened(output.Wanted("json", file=str(file), dashboard=output.Dashboard())) as outputs:
    for event in RUNS["closed_loop"]():
        outputs.emit(event)
    print("records so far:", len(file.read_text().splitlines()), file=sys.stderr)
"""
    with InTerminal(*program(words)) as terminal:
        assert terminal.finish() == 0
    restored(terminal)
    records = (tmp_path / "results.json").read_text().splitlines()
    assert sum('"type":"sample"' in record for record in records) == 3
    assert terminal.after.startswith(f"records so far: {len(records)}\n")
    assert "RESULTS (3.00 s)" in terminal.after


@pytest.mark.parametrize("asked", [True, False])
def test_without_a_terminal_a_hint_for_one_who_asked_and_plain_text(asked: bool) -> None:
    finished = subprocess.run(program(SHOWS.format(asked=asked)), capture_output=True, text=True, timeout=60)
    hint = "loadgen: the dashboard needs a terminal as standard input and output; plain text follows\n"
    assert finished.stderr == hint * asked
    assert "[running 3 s]" in finished.stdout
    assert "RESULTS (3.00 s)" in finished.stdout


@pytest.mark.parametrize(("columns", "lines"), [pytest.param(80, 24, marks=pytest.mark.law), (120, 40)])
@law_of_time
def test_five_frames_a_second_take_a_tenth_of_a_core_at_most(columns: int, lines: int) -> None:
    words = """
import time
from dataclasses import replace
from dashboard_scenes import TrialSample, trial
from loadgen.output.tui import Dashboard, Shown
shown = Shown(Dashboard(skip=lambda: None), color=True)
shown.open()
events = trial(36 * 10**9)
for event in events[:2]:
    shown.emit(replace(event, wall_s=time.time()))
def figures():
    return time.process_time(), time.monotonic(), shown._page.frames
before = None
for sample in [event for event in events if isinstance(event, TrialSample)][:16]:
    shown.emit(replace(sample, wall_s=time.time()))
    time.sleep(0.2)
    # The first second has the start in it.
    before = before or (shown._page.frames > 5 and figures())
used, took, frames = (now - then for now, then in zip(figures(), before))
shown.close()
print(f"{frames / took:.2f} {used / took:.4f}")
"""
    with InTerminal(*program(words), columns=columns, lines=lines) as terminal:
        assert terminal.finish() == 0
    frames_per_s, core = map(float, terminal.after.split())
    assert 4 <= frames_per_s <= 6
    assert core <= 0.10
    # Each frame is one piece for the terminal.
    assert terminal.written.count(b"\x1b[?2026h") == terminal.written.count(b"\x1b[?2026l")
    assert os.environ.get("NO_COLOR") or b"\x1b[36m" in terminal.written


@pytest.mark.law
def test_n_goes_on_to_the_next_trial_and_q_ends_them_all_with_the_answers_so_far() -> None:
    """Nightly, as it takes two real trials: test_app.py has the key itself, and test_chaos.py the wish."""
    trials = [LOADGEN, "chaos", "--scenario", "brief-packet-drop", "--client", "builtin,pymemcache", "--quick", "--tui"]
    with InTerminal(*trials, "--concurrency", "10", "--nodes", "1") as terminal:
        terminal.wait_for("1 of 2")
        terminal.wait_for("phase: baseline")
        terminal.type("n")
        terminal.wait_for("2 of 2")
        seen = len(terminal.text)
        terminal.wait_for("phase: settle", seen)
        terminal.type("q")
        status = terminal.finish()
    assert status == 130
    restored(terminal)
    answers = re.findall(r"^brief-packet-drop +(\w+) +(CANNOT TELL|INTERRUPTED)", terminal.after, re.M)
    assert answers == [("builtin", "CANNOT TELL"), ("pymemcache", "INTERRUPTED")]
