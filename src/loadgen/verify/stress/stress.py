"""A stress test: the loads of its shapes, one after the other, each on a server that has just been started, or runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from loadgen.errors import TargetError, WorkerError
from loadgen.events import Configured, Event, Overall, Part, Progress
from loadgen.host import machine
from loadgen.judge.judging import Judging
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Plan
from loadgen.reason import Reason
from loadgen.runner import beside
from loadgen.runner.discovery import placed
from loadgen.runner.run import Run
from loadgen.runner.stop import Stop
from loadgen.signs import Ceiling
from loadgen.target.servers import Servers
from loadgen.target.talk import memory
from loadgen.target.talk.identity import identify
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded
from loadgen.verify.stress.shape import Shape
from loadgen.version import __version__


@dataclass(frozen=True, slots=True)
class ShapedLoad:
    """The load of one shape, and the server that it is put on."""

    shape: Shape
    plan: Plan
    """The address is put in when the servers are up."""
    servers: Servers
    judging: Judging
    replay: str
    """The command that puts on this load alone."""
    monitors: tuple[MonitorPlan, ...] = ()
    """What is read beside the load."""
    warnings: tuple[Reason, ...] = ()
    embedded: bool = False
    ceiling: Ceiling | None = None
    """What the self-test of this host says of such a load."""
    lack: str = ""
    """Why the load is not to be put on; empty when it is."""


class StressTest:
    """The loads of one command. `emit` receives their events; `stop` ends the load under way, and those after it."""

    def __init__(self, loads: Sequence[ShapedLoad], emit: Callable[[Event], None], stop: Stop) -> None:
        self._loads = loads
        self._emit = emit
        self._stop = stop
        self._number = 0

    def ended(self, began: StressBegan) -> StressEnded:
        """Put on the loads. Those that cannot be put on are said so in their rows."""
        began_ns = time.monotonic_ns()
        self._emit(began)
        rows: list[Stressed] = []
        for load in self._loads:
            if self._stop.is_set:
                break
            self._number += 1
            rows.append(self._row(load))
            self._emit(rows[-1])
        took_ns = time.monotonic_ns() - began_ns
        return StressEnded(tuple(rows), __version__, machine.fingerprint(), took_ns, self._stop.is_set)

    def _row(self, load: ShapedLoad) -> Stressed:
        began_ns = time.monotonic_ns()
        row = Stressed(load.shape, load.plan.seed, 0, load.replay, skipped=load.lack)
        if not load.lack:
            try:
                row = self._loaded(load, row)
            except (TargetError, WorkerError) as error:
                row = replace(row, failure=str(error))
        return replace(row, took_ns=time.monotonic_ns() - began_ns, wall_s=time.time())

    def _loaded(self, load: ShapedLoad, row: Stressed) -> Stressed:
        """Return the row with what the load came to."""
        with load.servers.up(self._tell) as up:
            plan = placed(load.plan.at(*up.endpoints))
            identity = identify(plan.target)
            self._emit(
                Configured(
                    plan,
                    __version__,
                    load.warnings,
                    load.embedded,
                    identity,
                    host=machine.fingerprint(),
                    judging=load.judging,
                )
            )
            with beside.opened(load.monitors, plan.target, up.server) as board:
                result = Run(
                    plan,
                    self._tell,
                    embedded=load.embedded,
                    ceiling=load.ceiling,
                    server=up.server,
                    board=board,
                    judging=load.judging,
                    stop=self._stop,
                ).result()
            self._emit(result)
            used = result.server.max_rss_bytes if result.server is not None else memory.used_bytes(plan.target)
        return replace(row, identity=identity, result=result, memory_bytes=used)

    def _tell(self, event: Event) -> None:
        """Pass on an event of the load under way; progress says which load it is of."""
        if isinstance(event, Progress):
            event = replace(event, overall=Overall((Part("load", self._number, len(self._loads)),)))
        self._emit(event)
