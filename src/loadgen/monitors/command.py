"""The monitor of a command: its exit status, and the number that it prints."""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadgen.judge.expression.dimension import NUMBER, TIME
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.monitor import Found, UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.series import level
from loadgen.units import NS_PER_S

SERIES: Mapping[str, Known] = {
    "exit_status": level(NUMBER, "exit status; of a command that a signal has ended, 128 and the signal's number"),
    "value": level(NUMBER, "the first number that the command prints"),
    "run_time": level(TIME, "time that the command took"),
}

MOST_BYTES = 4 << 20
"""The most bytes of an output that are kept; the rest is read and left out."""

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    status: int
    output: bytes
    took_ns: int


def parse_number(output: bytes) -> float | None:
    """Return the first word that is a number; None where there is none."""
    for word in output.decode("utf-8", "replace").split():
        with contextlib.suppress(ValueError):
            if math.isfinite(number := float(word)):
                return number
    return None


def run(command: Sequence[str], timeout_s: float, *, with_errors: bool = False) -> Ran:
    """Run a command without a shell, in a session of its own, and return its end and what it has written.

    Raises Unreadable when the command cannot be started, or does not end within the time: then it is killed, with all
    that it has started.
    """
    begun_ns = time.monotonic_ns()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if with_errors else subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise Unreadable(f"{command[0]} cannot be run ({error.strerror or error})") from None
    deadline_s = time.monotonic() + timeout_s
    with process:
        try:
            output = _output(process, deadline_s)
            status = process.wait(max(0.0, deadline_s - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            # The command has not been waited for, so that no other group has its number.
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            # The arguments may have a password, and are not shown.
            raise Unreadable(f"{command[0]} has not ended within {timeout_s:g} s") from None
    return Ran(status if status >= 0 else 128 - status, output, time.monotonic_ns() - begun_ns)


def _output(process: subprocess.Popen[bytes], deadline_s: float) -> bytes:
    assert process.stdout is not None
    found, fd = b"", process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline_s - time.monotonic())):
                raise TimeoutError
            chunk = os.read(fd, _CHUNK)
            if not chunk:
                return found
            found += chunk[: MOST_BYTES - len(found)]
            if time.monotonic() > deadline_s:
                raise TimeoutError


class CommandMonitor:
    """The monitor of kind `command`."""

    kind = "command"
    series = SERIES

    def __init__(self, plan: MonitorPlan, under: UnderLoad) -> None:
        self.name, self.every_ns = plan.name, plan.every_ns
        self._command, self._timeout_s = plan.command, plan.timeout_ns / NS_PER_S

    def read(self) -> Found:
        ran = run(self._command, self._timeout_s)
        values: dict[str, float] = {"exit_status": ran.status, "run_time": ran.took_ns}
        if (number := parse_number(ran.output)) is not None:
            values["value"] = number
        return Found(values)

    def evidence(self) -> Mapping[str, str]:
        """Return what the command prints, its errors too."""
        try:
            ran = run(self._command, self._timeout_s, with_errors=True)
        except Unreadable as unreadable:
            return {"output.txt": f"{unreadable}\n"}
        return {"output.txt": f"exit status {ran.status}\n\n{ran.output.decode('utf-8', 'replace')}"}

    def close(self) -> None:
        pass
