"""Watch a soak from outside, or a process or server under somebody else's load.

RUN is the run folder of a soak: its checkpoints are repeated as they come. When none comes for one and a half
intervals, or the soak's process is gone, that is said, with exit status 1; otherwise the exit status is that of the
soak's verdict. --once prints the status and ends: 0 if all is well, 1 if something is wrong or overdue.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import choice
from loadgen.cli.options.load import COLORS
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.host import machine
from loadgen.monitors.procfs import Proc
from loadgen.output.formats import soak_status
from loadgen.output.paper import layout
from loadgen.output.paper.color import Paint, wants_color
from loadgen.output.paper.sink import Sink
from loadgen.soak import folder
from loadgen.soak.asked import asked_of
from loadgen.soak.folder import KeptRun
from loadgen.soak.follower import Follower
from loadgen.soak.status import Life, Phase, Status, Times, status

LOOK_S = 1.0
"""The time between two looks at a run folder."""

SYNTAX = Syntax(
    (
        OptionGroup(
            "a soak's run folder",
            (Option(("--once",), "print the status of RUN and end; exit status 1 if something is wrong or overdue"),),
        ),
        OptionGroup(
            "results",
            (Option(("--color",), "use of colour; auto: on a terminal", choice(COLORS), default="auto"),),
        ),
    ),
    (Positional("run", "RUN", "the run folder of a soak"),),
)


def run(given: Given) -> ExitCode:
    """Watch, and return the exit code. Raises LoadgenError."""
    if given.run is None:
        raise UsageError("name the run folder of a soak, such as `loadgen watch soak-20261130-101500`.")
    sink = Sink(sys.stdout)
    return once(given, sink) if given.once else follow(given.run, sink)


def once(given: Given, sink: Sink) -> ExitCode:
    """Print the status of a soak."""
    kept = folder.read(given.run)
    now = status_of(kept)
    try:
        asked = asked_of(kept.run)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(f"{printable(given.run)}/{folder.RUN}: is not what a soak writes.") from None
    paint = Paint(wants_color(sys.stdout, given.color))
    with layout.at(sink.columns or layout.WIDTH):
        lines = soak_status.clean(given.run, now, asked, kept.newest(), kept.log(), paint)
    sink.write("".join(f"{line}\n" for line in lines))
    if now.phase is Phase.ENDED and kept.result is not None:
        return ExitCode(int(kept.result.get("exit_status", ExitCode.CANNOT_TELL)))
    return ExitCode.YES if now.is_healthy else ExitCode.NO


def follow(run: str, sink: Sink) -> ExitCode:
    """Repeat the log of a soak until it has ended, or does not go on."""
    follower = Follower()
    while True:
        kept = folder.read(run)
        said, exit_code = follower.look(kept.log(), status_of(kept), kept.result)
        if said:
            sink.write("".join(f"{line}\n" for line in said))
        if exit_code is not None:
            return exit_code
        time.sleep(LOOK_S)


def status_of(kept: KeptRun) -> Status:
    """Return the status of a soak now. Raises UsageError when the folder's files are not what a soak writes."""
    try:
        return status(Times.of(kept.run), kept.events, kept.heartbeat, kept.result, time.time(), life_of(kept.run))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(f"{printable(str(kept.path))}: its files are not what a soak writes.") from None


def life_of(run: Mapping[str, Any]) -> Life:
    """Return what the system says of the soak's process, where it is on this machine."""
    pid = run.get("pid")
    if not isinstance(pid, int) or run.get("host") != machine.fingerprint() or not Path("/proc/self/stat").exists():
        return Life.UNKNOWN
    try:
        state = Proc(pid).stat().state
    except OSError:
        return Life.GONE
    return Life.GONE if state in "ZX" else Life.STOPPED if state in "Tt" else Life.RUNS
