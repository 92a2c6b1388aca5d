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


def run(parts: list[Part], wanted: Wanted) -> ExitCode:
    """Run the parts one after the other, print one report, and return the exit code. Raises OutputError."""
    began_ns = time.monotonic_ns()
    report = Report(parts, __version__, machine.fingerprint())
    interrupted = False
    deferred = interrupts.Deferred()
    with output.opened(wanted) as outputs, deferred.caught():
        outputs.emit(report.began())
        for number, part in enumerate(parts):
            outputs.emit(
                Progress(part.name, number, len(parts), time.monotonic_ns() - began_ns, unit="parts of the report")
            )
            if part.lack:
                outputs.emit(report.skipped(part))
            elif not interrupted:
                report.begin(part)
                interrupted = _run(part, report, outputs.emit, deferred)
        ended = report.ended(time.monotonic_ns() - began_ns, interrupted=interrupted)
        outputs.emit(ended)
    return ended.exit_code


def _run(part: Part, report: Report, emit: Callable[[Event], None], deferred: interrupts.Deferred) -> bool:
    """Run one part; True when it was interrupted by the user."""
    began_ns = time.monotonic_ns()
    interrupted = False
    with tempfile.TemporaryFile() as said, _process(part, said.fileno()) as process, _ended_after(part, process) as cut:
        assert process.stdout is not None
        reading = Reading()
        lines = iter(process.stdout)
        while True:
            try:
                with deferred:
                    line = next(lines, b"")
            except KeyboardInterrupt:
                # A terminal has told the part too, which takes both for one signal.
                interrupted = True
                process.send_signal(signal.SIGINT)
                continue
            if not line:
                break
            for event in reading.events([json.loads(line)]):
                for told in report.told(event):
                    emit(told)
        status = process.wait()
        said.seek(0)
        words = said.read()[-LONGEST_WORDS:].decode(errors="replace").strip()
    said_last = words.splitlines()[-1].removeprefix("loadgen: ") if words else ""
    asked = cut.is_set() or interrupted
    report.part_ended(status, said_last, time.monotonic_ns() - began_ns, cut=cut.is_set(), asked=asked)
    return interrupted


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
