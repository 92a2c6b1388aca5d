"""Stop signals of a campaign: raised inside a case at once, and outside before the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from loadgen.cli import interrupts
from loadgen.cli.interrupts import Deferred


@pytest.fixture
def deferred(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deferred]:
    """Handles stop signals, each however soon it comes after another."""
    monkeypatch.setattr(interrupts, "SAME_SIGNAL_NS", 0)
    found = Deferred()
    with found.caught():
        yield found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_raised_inside_at_once(deferred: Deferred, number: signal.Signals) -> None:
    reached = []

    def inside() -> None:
        with deferred:
            signal.raise_signal(number)
            reached.append("the next line")

    with pytest.raises(KeyboardInterrupt):
        inside()
    assert reached == []


def test_a_signal_outside_is_raised_when_the_next_begins(deferred: Deferred) -> None:
    with deferred:
        pass
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        deferred.__enter__()
    signal.raise_signal(signal.SIGTERM)


def test_signals_that_come_together_are_one(deferred: Deferred, monkeypatch: pytest.MonkeyPatch) -> None:
    """`timeout` sends its signal to a process, and then to the group that it is in."""
    monkeypatch.setattr(interrupts, "SAME_SIGNAL_NS", 10**9)
    for _ in range(3):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        deferred.__enter__()


def test_the_third_signal_ends_the_process() -> None:
    program = (
        "import signal\n"
        "from loadgen.cli import interrupts\n"
        "interrupts.SAME_SIGNAL_NS = 0\n"
        "with interrupts.Deferred().caught():\n"
        "    for _ in range(3):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    print('still here')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ})
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
