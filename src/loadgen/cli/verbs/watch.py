"""Watch a soak from outside, or a process or server under somebody else's load.

RUN is the run folder of a soak: its checkpoints are repeated as they come. When none comes for one and a half
intervals, or the soak's process is gone, that is said, with exit status 1; otherwise the exit status is that of the
soak's verdict. --once prints the status and ends: 0 if all is well, 1 if something is wrong or overdue.

With --pid, --server, --metrics or --config, it is a soak without a load: baseline, checkpoints and a verdict on what
they read, kept in a run folder.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadgen import output
from loadgen.cli import interrupts, soaks, verification, watched
from loadgen.cli.emitted import Emitted
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import COUNT, FOLDER, TEXT, TIME_NS, whole
from loadgen.cli.options.verification import RESULTS
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.host import machine
from loadgen.monitors import board as boards
from loadgen.monitors.procfs import Proc
from loadgen.output.formats import soak_status
from loadgen.output.paper import layout
from loadgen.output.paper.color import Paint, wants_color
from loadgen.output.paper.sink import Sink
from loadgen.runner.stop import Stop
from loadgen.soak import folder, watching
from loadgen.soak.asked import asked_of
from loadgen.soak.folder import KeptRun, RunFolder
from loadgen.soak.follower import OWN, Follower, exit_code_of
from loadgen.soak.go import Go
from loadgen.soak.status import Life, Phase, Status, Times, status
from loadgen.soak.watching import Watching
from loadgen.units import NS_PER_S
from loadgen.version import __version__

LOOK_S = 1.0
"""The time between two looks at a run folder."""

SYNTAX = Syntax(
    (
        OptionGroup(
            "a soak's run folder",
            (Option(("--once",), "print the status of RUN and end; exit status 1 if something is wrong or overdue"),),
        ),
        OptionGroup(
            "under somebody else's load",
            (
                Option(("--pid",), "watch the process of this number", whole("N", 1, (1 << 31) - 1)),
                Option(("--server",), "watch the redis or memcached at this address", TEXT, "HOST:PORT"),
                Option(("--metrics",), "watch a page of metrics in Prometheus's format", TEXT, "URL"),
                Option(("--config",), "take [[monitor]], [[band]] and [[check]] of this TOML file or preset", TEXT,
                       "CONFIG"),
                Option(("--duration",), "how long, after settling (default: 30m)", TIME_NS, default=1800 * NS_PER_S),
                Option(("--checkpoints",), "checkpoints, the last at the end (default: 15, and one each 2 min in a "
                       "watch of more than half an hour)", COUNT),
                Option(("--interval",), "time between two checkpoints, instead of their number, such as 2m", TIME_NS),
                Option(("--every",), "time between two samples (default: 1s)", TIME_NS, default=NS_PER_S),
                Option(("--settle",), "time before the baseline, beside the duration (default: a tenth of it, 30s at "
                       "most)", TIME_NS),
                Option(("--serve-go",), "serve go while nothing is wrong, at / (True or False) and /state (JSON)", TEXT,
                       "[HOST:]PORT"),
                Option(("--run-folder",), "folder for everything as it happens (default: watch-DATE-TIME)", FOLDER),
            ),
        ),
        RESULTS,
    ),
    (Positional("run", "RUN", "the run folder of a soak"),),
)  # fmt: skip


def run(given: Given) -> ExitCode:
    """Watch, and return the exit code. Raises LoadgenError."""
    others = [name for name in OTHERS if given.get(name) is not None]
    if given.run is None and not others:
        raise UsageError("name the run folder of a soak, or what to watch by --pid, --server, --metrics or --config.")
    if others:
        if given.run is not None or given.once:
            raise UsageError(f"--{others[0]} watches without a RUN: leave out {'RUN' if given.run else '--once'}.")
        return live(given)
    for word in given.words:
        if word.option.name not in ("once", "color"):
            raise UsageError(
                f"{word.spelling} is for a watch of a process, server or page, and RUN is a soak: leave it out."
            )
    sink, paint = Sink(sys.stdout), Paint(wants_color(sys.stdout, given.color))
    return once(given.run, sink, paint) if given.once else follow(given.run, sink, paint)


OTHERS = ("pid", "server", "metrics", "config")


def live(given: Given) -> ExitCode:
    """Watch a process, a server or a page under somebody else's load, to a verdict."""
    name, settings = soaks.new_folder(given, "watch"), watched.settings_of(given)
    for warning in settings.warnings:
        output.remark(f"warning: {warning}")
    # Times that do not fit together are refused before anything is asked for.
    soaks.times_of(given, given.duration / NS_PER_S)
    plans = watched.monitors_of(given, settings)
    if not plans:
        raise UsageError(f"{printable(given.config)} has no [[monitor]], so there is nothing to watch.")
    stop, host = Stop(), machine.fingerprint()
    with contextlib.ExitStack() as stack:
        emitted = Emitted(stack.enter_context(output.opened(verification.wanted(given))).emit)
        stack.callback(emitted.close)
        stack.enter_context(interrupts.caught(stop))
        gone, target = watched.gone_of(given.pid), watched.words_of(plans)
        board = stack.enter_context(boards.opened(plans))
        soaks.first_look(board)
        asked = watched.asked_of(given, settings, plans, board.series)
        go = stack.enter_context(Go(serves=soaks.served_at(given.serve_go)))
        if go.url:
            output.remark(f"loadgen: the go/no-go signal of this watch is at {go.url}")

        def open_folder(started_s: float) -> RunFolder:
            known = {"version": __version__, "host": host, "target": target, "load": watching.LOAD}
            kept = RunFolder(name, soaks.run_of(settings, asked, started_s, **known))
            emitted.log_to(kept)
            return kept

        watch = Watching(
            asked,
            emitted.emit,
            board=board,
            open_folder=open_folder,
            version=__version__,
            host=host,
            target=target,
            go=go,
        )
        ended = watch.ended(stop, gone)
        emitted.emit(ended)
    return ended.exit_code


def once(run: str, sink: Sink, paint: Paint) -> ExitCode:
    """Print the status of a soak."""
    kept = folder.read(run)
    now = status_of(kept)
    try:
        asked = asked_of(kept.run)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(f"{printable(run)}/{folder.RUN}: is not what a soak writes.") from None
    with layout.at(sink.columns or layout.WIDTH):
        lines = soak_status.clean(run, now, asked, kept.newest(), kept.log(), paint)
    sink.write("".join(f"{line}\n" for line in lines))
    if now.phase is Phase.ENDED and kept.result is not None:
        return exit_code_of(kept.result)
    return ExitCode.YES if now.is_healthy else ExitCode.NO


def follow(run: str, sink: Sink, paint: Paint) -> ExitCode:
    """Repeat the log of a soak until it has ended, or does not go on."""
    follower = Follower()
    while True:
        kept = folder.read(run)
        said, exit_code = follower.look(kept.log(), status_of(kept), kept.result)
        if said:
            sink.write("".join(f"{paint(line, 'bold') if line.startswith(OWN) else line}\n" for line in said))
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
