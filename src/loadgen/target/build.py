"""The build of a missing server program: run once, watched, bounded in time, and ended with loadgen.

A keeper runs the build, as it runs a server, so that no process of the build outlives loadgen. This file does not know
what is built.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from loadgen.errors import LoadgenError, TargetError
from loadgen.events import Progress
from loadgen.server_plan import ServerPlan
from loadgen.target import folder, program
from loadgen.target.keeper_process import KeeperProcess, Task
from loadgen.target.log import ServerLog
from loadgen.units import NS_PER_S, format_duration

_PROGRESS_S = 0.5
"""The interval of progress events."""

# The time in which a build that is ended can clean up.
_STOP_TIMEOUT_S = 5.0

_SHOWN = 3
"""The last lines that a sentence quotes."""


class BuildError(TargetError):
    """The program is missing after its build; `log_tail` holds the last lines that the build printed."""

    def __init__(self, sentence: str, log_tail: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.log_tail = log_tail


def run(plan: ServerPlan, emit: Callable[[Progress], None]) -> None:
    """Build the program of `plan`. `emit` receives the time taken so far. Raises BuildError."""
    command = shlex.join(plan.build)
    with _started(plan) as (kept, log):
        began, limit_s = time.monotonic(), plan.build_timeout_ns / NS_PER_S
        # Also a build that has ended by the first look is told.
        _report_progress(plan, 0, emit)
        while kept.end is None:
            took_s = time.monotonic() - began
            if took_s >= limit_s:
                raise BuildError(
                    f"The build of {plan.name} ({command}) was not done within "
                    f"{format_duration(plan.build_timeout_ns)} and was ended{_quoted(log)}: raise "
                    "target.server.build_timeout.",
                    log.log_tail(),
                )
            kept.hear(min(_PROGRESS_S, limit_s - took_s))
            _report_progress(plan, time.monotonic() - began, emit)
        if kept.end.status != 0:
            raise BuildError(
                f"The program {plan.command[0]} of target.server.command is not there, and its build ({command}, run "
                f"in {Path.cwd()}) {kept.end}{_quoted(log)}: mend the build, or correct target.server.build.",
                log.log_tail(),
            )
        if program.is_absent(plan.command[0], os.environ | dict(plan.env)):
            raise BuildError(
                f"The program {plan.command[0]} of target.server.command is not there after its build ({command}) "
                "either: name in target.server.command what target.server.build makes.",
                log.log_tail(),
            )


@contextmanager
def _started(plan: ServerPlan) -> Iterator[tuple[KeeperProcess, ServerLog]]:
    """Start the build, and yield its process and its log."""
    own = folder.fresh(f"{plan.name}-build")
    try:
        path, *first = program.found(plan.build[0], os.environ, "target.server.build")
        kept = KeeperProcess(
            Task(
                program=path,
                arguments=(*first, *plan.build[1:]),
                env={},
                cwd=str(Path.cwd()),
                cpus=(),
                log=str(own / "build.log"),
                folder=str(own),
                stop_timeout_s=_STOP_TIMEOUT_S,
            )
        )
    except LoadgenError as error:
        raise BuildError(
            f"The program {plan.command[0]} of target.server.command is not there, and its build could not be started: "
            f"{error}"
        ) from None
    try:
        log = ServerLog(os.open(kept.task.log, os.O_RDONLY))
        try:
            yield kept, log
        finally:
            log.close()
    finally:
        kept.close()


def _report_progress(plan: ServerPlan, took_s: float, emit: Callable[[Progress], None]) -> None:
    limit_ns, took_ns = plan.build_timeout_ns, min(plan.build_timeout_ns, int(took_s * NS_PER_S))
    words = f"building {plan.name}, {took_s:.0f} s, limit {format_duration(limit_ns)}"
    emit(Progress("ready", took_ns, limit_ns, took_ns, words))


def _quoted(log: ServerLog) -> str:
    """Return the build's last lines as the middle of a sentence."""
    said = log.log_tail()[-_SHOWN:]
    return f' after it had said "{" / ".join(said)}"' if said else " without a word"
