"""`loadgen full` as processes: a part is the command that a user would run, and its events are read from its NDJSON."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from loadgen import output
from loadgen.cli import interrupts
from loadgen.errors import ExitCode
from loadgen.events import Event, Progress
from loadgen.host import machine
from loadgen.output import Wanted
from loadgen.record import Reading
from loadgen.verify.full import Part, Report
from loadgen.version import __version__

PATIENCE_S = 60.0
"""How long a part that was asked to end may take for that."""

LONGEST_WORDS = 500


def has_verb(name: str) -> bool:
    """Return True when this version has a verb."""
    return find_spec(f"loadgen.cli.verbs.{name}") is not None


class _Stop:
    """Stop signals: the part under way is asked to end, and no other begins. The third ends this process."""

    def __init__(self) -> None:
        self.is_set = False
        self._process: subprocess.Popen[bytes] | None = None
        self._signals = 0

    def __call__(self, number: int, frame: object) -> None:
        self.is_set = True
        self._signals += 1
        if self._signals > 2:
            interrupts.end_at_once()
        if self._process is not None:
            # A terminal has told the part too, which takes both for one signal.
            self._process.send_signal(signal.SIGINT)

    @contextlib.contextmanager
    def ends(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Ask a process to end when a signal comes."""
        self._process = process
        if self.is_set:
            process.send_signal(signal.SIGINT)
        try:
            yield
        finally:
            self._process = None


def run(parts: list[Part], wanted: Wanted) -> ExitCode:
    """Run the parts one after the other, print one report, and return the exit code. Raises OutputError."""
    began_ns = time.monotonic_ns()
    report = Report(parts, __version__, machine.fingerprint())
    stop = _Stop()
    with output.opened(wanted) as outputs, interrupts.handled(stop):
        outputs.emit(report.began())
        for number, part in enumerate(parts):
            outputs.emit(
                Progress(part.name, number, len(parts), time.monotonic_ns() - began_ns, unit="parts of the report")
            )
            if part.lack:
                outputs.emit(report.skipped(part))
            elif not stop.is_set:
                _run(part, report, outputs.emit, stop)
        ended = report.ended(time.monotonic_ns() - began_ns, interrupted=stop.is_set)
        outputs.emit(ended)
    return ended.exit_code


def _run(part: Part, report: Report, emit: Callable[[Event], None], stop: _Stop) -> None:
    """Run one part."""
    began_ns = time.monotonic_ns()
    report.begin(part)
    if part.first and (lack := _prepared(part, stop)):
        report.part_ended(ExitCode.COULD_NOT_RUN, lack, time.monotonic_ns() - began_ns, cut=False, asked=stop.is_set)
        return
    with (
        tempfile.TemporaryFile() as said,
        _process(part, said.fileno()) as process,
        stop.ends(process),
        _ended_after(part, process) as cut,
    ):
        assert process.stdout is not None
        reading = Reading()
        for line in process.stdout:
            if not line.endswith(b"\n"):
                # The part was killed before it had written the line.
                break
            for event in reading.events([json.loads(line)]):
                for told in report.told(event):
                    emit(told)
        status = process.wait()
        said.seek(0)
        words = said.read()[-LONGEST_WORDS:].decode(errors="replace").strip()
    said_last = words.splitlines()[-1].removeprefix("loadgen: ") if words else ""
    asked = cut.is_set() or stop.is_set
    if part.file and status == ExitCode.YES:
        Path(part.file).unlink(missing_ok=True)
    report.part_ended(status, said_last, time.monotonic_ns() - began_ns, cut=cut.is_set(), asked=asked)


def _prepared(part: Part, stop: _Stop) -> str:
    """Run what comes before a part; return why its file is not there, empty when it is."""
    Path(part.file).parent.mkdir(parents=True, exist_ok=True)
    Path(part.file).unlink(missing_ok=True)
    words = [sys.executable, "-m", "loadgen", *part.first]
    with tempfile.TemporaryFile() as said:
        with (
            subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said) as process,
            stop.ends(process),
            _ended_after(part, process),
        ):
            process.wait()
        # A load that is invalid as a measurement has a history all the same.
        if process.returncode in (ExitCode.YES, ExitCode.CANNOT_TELL) and Path(part.file).exists():
            return ""
        said.seek(0)
        lines = said.read()[-LONGEST_WORDS:].decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("loadgen: ") if lines else f"{part.file} was not written"


@contextlib.contextmanager
def _process(part: Part, stderr: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a part. It does not outlive the report."""
    words = [sys.executable, "-m", "loadgen", part.name, *part.words, "--format", "ndjson"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def _ended_after(part: Part, process: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """Ask a part to end when its time is over; the event is set then. A part that does not end is killed."""
    cut, done = threading.Event(), threading.Event()

    def watch() -> None:
        if part.limit_s and not done.wait(part.limit_s):
            cut.set()
            process.send_signal(signal.SIGINT)
            if not done.wait(PATIENCE_S):
                process.kill()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield cut
    finally:
        done.set()
        thread.join()
