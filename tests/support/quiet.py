"""Laws of time on a machine that may stop: whether it did is watched, and an attempt that it spoilt is no answer.

A virtual machine's CPU is taken away for milliseconds now and then, and nothing in it can tell the server under test
from one that is late. So somebody with nothing to do but to wake in time sits on each CPU meanwhile.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

import pytest

P = ParamSpec("P")

ATTEMPTS = 5
# No attempt begins later than this: all of them are one test, with one timeout.
LAST_BEGIN_S = 50.0
# Of the time of a CPU: more than a healthy machine's stray interrupts, and for a test of a second, any pause at all.
MOST_OVERSLEPT = 0.0002
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
    """How long it stood still while it was watched, over all CPUs."""

    overslept_s = 0.0
    watched_s = 0.0

    @property
    def stood_still(self) -> bool:
        return self.overslept_s > MOST_OVERSLEPT * self.watched_s

    def __str__(self) -> str:
        return f"this machine stood still for {1e3 * self.overslept_s:.1f} ms in {self.watched_s:.0f} s of its CPUs"

    @contextmanager
    def is_judged(self) -> Iterator[None]:
        """What does not hold fails, if the machine ran; if it stood still, nothing has been found out, and it skips."""
        try:
            yield
        except AssertionError:
            if not self.stood_still:
                raise
            pytest.skip(str(self))


@contextmanager
def watched() -> Iterator[Machine]:
    """Watches every CPU; the numbers are there when it is over."""
    machine = Machine()
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
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
        machine.overslept_s = sum(float(sentinel.communicate()[0]) for sentinel in sentinels)


def law_of_time(test: Callable[P, None]) -> Callable[P, None]:
    """A test that is tried again when it fails and the machine stood still; where that happens every time, it skips."""

    @functools.wraps(test)
    def attempted(*args: P.args, **kwargs: P.kwargs) -> None:
        began_s = time.monotonic()
        for attempt in range(ATTEMPTS):
            if attempt and time.monotonic() - began_s > LAST_BEGIN_S:
                break
            wrong: AssertionError | None = None
            with watched() as machine:
                try:
                    test(*args, **kwargs)
                except AssertionError as error:
                    wrong = error
            if wrong is None:
                return
            if not machine.stood_still:
                raise wrong
        pytest.skip(f"in the last of several attempts {machine}")

    return attempted
