"""Laws of time on a machine that may stop or be busy: the machine is watched, and a spoilt attempt does not count.

A virtual machine loses its CPU for milliseconds now and then, and other programs use it too. Nothing in the machine
can tell the server under test from one that is late. So a process on each CPU does nothing but wake in time, and the
kernel's account says what other programs used.

A law that fails while the machine is disturbed is tried again. `Laws` counts each law that could not be judged in the
end, and a run with too many of them fails, because it has tested nothing.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import ParamSpec

import pytest

from loadgen.host.neighbours import MOST_OTHERS, MOST_STOLEN, NeighbourWatch

P = ParamSpec("P")

RETRIES = 3
"""How often a law is tried again that failed while the machine was disturbed."""
MOST_UNJUDGED = 0.1
"""The share of a run's laws that may end unjudged."""
# No attempt begins later than this: all of them are one test, with one timeout.
LAST_BEGIN_S = 50.0
# Of the time of a CPU: more than a healthy machine's stray interrupts, and for a test of a second, any pause at all.
MOST_OVERSLEPT = 0.0002
# Of all CPUs' time, by a hypervisor and by other programs.
MOST_TAKEN = MOST_STOLEN + MOST_OTHERS
# What a healthy machine's timers do is far below this.
LATE_S = 0.0015
PERIOD_S = 0.002

# It says how long it overslept in all, when its standard input ends. Before others that want the CPU, where that is
# allowed, since load is no disturbance.
SENTINEL = """
import contextlib, os, select, sys, time
cpu, period_s, late_s = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
with contextlib.suppress(OSError, AttributeError):
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
print(flush=True)
overslept_s, before_s = 0.0, time.monotonic()
while not select.select([0], [], [], period_s)[0]:
    now_s = time.monotonic()
    if now_s - before_s - period_s > late_s:
        overslept_s += now_s - before_s - period_s
    before_s = now_s
print(overslept_s)
"""


class Machine:
    """How long it stood still while it was watched, over all CPUs, and what others had of them."""

    overslept_s = 0.0
    watched_s = 0.0
    others = 0.0
    """The share of all CPUs' time that was stolen by a hypervisor or used by other programs."""

    @property
    def is_disturbed(self) -> bool:
        return self.overslept_s > MOST_OVERSLEPT * self.watched_s or self.others > MOST_TAKEN

    def __str__(self) -> str:
        return (
            f"this machine stood still for {1e3 * self.overslept_s:.1f} ms in {self.watched_s:.0f} s of its CPUs, "
            f"of which others had {100 * self.others:.0f} %"
        )


@contextmanager
def watched() -> Iterator[Machine]:
    """Watches every CPU; the numbers are there when it is over."""
    machine = Machine()
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    neighbours = NeighbourWatch()
    sentinels = [
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", SENTINEL, str(cpu), str(PERIOD_S), str(LATE_S)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for cpu in cpus
    ]
    try:
        for sentinel in sentinels:
            assert sentinel.stdout is not None
            sentinel.stdout.readline()
        began_s = time.monotonic()
        yield machine
    finally:
        machine.watched_s = len(cpus) * (time.monotonic() - began_s)
        busy = neighbours.busy(waited=0.0)
        machine.others = busy.stolen + busy.others
        machine.overslept_s = sum(float(sentinel.communicate()[0]) for sentinel in sentinels)


class Unjudged(pytest.skip.Exception):
    """A law that failed in every attempt, each time on a disturbed machine."""


def law_of_time(test: Callable[P, None]) -> Callable[P, None]:
    """Makes a test a law: it is tried again when it fails on a disturbed machine, and unjudged if it always does.

    A law is marked `timing`, too.
    """

    @functools.wraps(test)
    def attempted(*args: P.args, **kwargs: P.kwargs) -> None:
        began_s = time.monotonic()
        for retry in range(1 + RETRIES):
            if retry and time.monotonic() - began_s > LAST_BEGIN_S:
                break
            wrong: AssertionError | None = None
            with watched() as machine:
                try:
                    test(*args, **kwargs)
                except AssertionError as error:
                    wrong = error
            if wrong is None:
                return
            if not machine.is_disturbed:
                raise wrong
            failed = f"attempt {retry + 1}: {machine}; it said: {str(wrong).partition(chr(10))[0]}"
        raise Unjudged(f"not judged, in its last {failed}", _use_item_location=True)

    attempted.is_law_of_time = True  # type: ignore[attr-defined]
    return pytest.mark.timing(attempted)


class Laws:
    """A plugin of pytest that counts laws, says which could not be judged, and fails a run with too many of them.

    It works over processes: whether a test is a law, and was judged, goes with its report.
    """

    def __init__(self) -> None:
        self.judged: list[str] = []
        self.unjudged: list[str] = []

    @property
    def too_many(self) -> bool:
        return len(self.unjudged) > MOST_UNJUDGED * len(self.judged + self.unjudged)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "call" and hasattr(getattr(item, "function", None), "is_law_of_time"):
            unjudged = call.excinfo is not None and call.excinfo.errisinstance(Unjudged)
            report.user_properties.append(("law", "unjudged" if unjudged else "judged"))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and (law := dict(report.user_properties).get("law")):
            (self.unjudged if law == "unjudged" else self.judged).append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.too_many and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        total = len(self.judged + self.unjudged)
        if not total:
            return
        terminalreporter.section("laws of time")
        terminalreporter.line(f"{len(self.judged)} of {total} judged")
        for law in self.unjudged:
            terminalreporter.line(f"not judged: {law}")
        if self.too_many:
            terminalreporter.line(f"FAILED: more than {MOST_UNJUDGED:.0%} of them could not be judged", red=True)
