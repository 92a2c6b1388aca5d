"""The faults of a test, on whom they are: its workers, the disk under a file of SQLite, or a server.

Faults on workers and on a shared disk are carried out here, in the leader's thread; those on a server by its bench, in
a thread of its own. Every fault has one account, that of an `Operator`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from loadgen.events import FaultBegan, FaultEnded
from loadgen.faults.bench import BenchUp
from loadgen.faults.disk.shared import SharedDisk
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.operator import Operator
from loadgen.faults.report import FaultReport
from loadgen.faults.timeline import Step
from loadgen.jobs.leader.place import Place
from loadgen.jobs.leader.workers import Workers
from loadgen.jobs.load.course import Turn
from loadgen.jobs.load.plan import JobFault


class Crew(Protocol):
    """The processes of a test, as faults see them."""

    workers: Workers

    def on_death(self, worker: int) -> int:
        """Take what the ledger has of a worker that was killed; return the number of jobs that it had in flight."""

    def on_pause(self, worker: int) -> int:
        """The same of a worker that was stopped."""

    def kill_all(self) -> None:
        """Kill all processes of the test."""

    def start_again(self) -> None:
        """Start those that `kill_all` has killed; producers go on where they were."""

    def note(self, worker: int, words: str) -> None:
        """Tell what happened to a worker."""


class OnWorkers:
    """An interpreter (`faults.interpreter.Interpreter`) of `kill` and `pause` whose nodes are workers."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._effects: Counter[tuple[int, int]] = Counter()
        self.in_flight = 0
        """Jobs that workers had in flight when they were killed or stopped, added up."""

    def begin(self, fault: Fault, node: int) -> None:
        crew = self._crew
        if fault.kind == "kill":
            self._effects[id(fault), node] += crew.workers.kill(node)
            in_flight, what = crew.on_death(node), "killed (SIGKILL)"
        else:
            self._effects[id(fault), node] += crew.workers.pause(node)
            in_flight, what = crew.on_pause(node), "stopped (SIGSTOP)"
        self.in_flight += in_flight
        crew.note(node, f"{what} with {in_flight:,} job{'s' * (in_flight != 1)} in flight")

    def end(self, fault: Fault, node: int) -> None:
        if fault.kind == "kill":
            self._crew.workers.restart(node, "started again")
        else:
            self._crew.workers.resume(node)
            self._crew.note(node, "resumed (SIGCONT)")

    def effects(self, fault: Fault, node: int) -> int:
        return self._effects[id(fault), node]

    def seen(self, fault: Fault, node: int) -> int | None:
        return None


class OnDisk:
    """An interpreter of `power_cut` and `disk_full` on the files of all processes of a test, of which none has root."""

    def __init__(self, disk: SharedDisk, files: Sequence[Path], crew: Crew) -> None:
        self._disk = disk
        self._files = files
        self._crew = crew
        self._held: Counter[int] = Counter()
        self._full: Fault | None = None
        """The fault by which the disk is full now."""

    def begin(self, fault: Fault, node: int) -> None:
        if fault.kind == "power_cut":
            self._crew.kill_all()
            self._held[id(fault)] += self._disk.cut(self._files).files
        else:
            self._disk.fill(self._files)
            self._full = fault

    def end(self, fault: Fault, node: int) -> None:
        if fault.kind == "power_cut":
            self._crew.start_again()
        else:
            self._held[id(fault)] += self._disk.refused
            self._full = None
            self._disk.free()

    def effects(self, fault: Fault, node: int) -> int:
        return self._held[id(fault)] + (self._disk.refused if fault is self._full else 0)

    def seen(self, fault: Fault, node: int) -> int | None:
        return None


class Faults:
    """All faults of a test, by their numbers in the plan."""

    def __init__(
        self, faults: Sequence[JobFault], where: Place, crew: Crew, emit: Callable[[FaultBegan | FaultEnded], None]
    ) -> None:
        self._faults = faults
        self._bench = where.bench
        self._emit = emit
        self._on_workers = OnWorkers(crew)
        own = [each.fault for each in faults if each.on_workers or where.disk is not None]
        disk = {} if where.disk is None else {Layer.DISK: OnDisk(where.disk, where.files, crew)}
        self._own = Operator(own, {Layer.PROCESS: self._on_workers, **disk})
        self._places = [*_places(faults, where.bench)]

    @property
    def in_flight_at_kills(self) -> int:
        return self._on_workers.in_flight

    def carry_out(self, turns: Iterable[Turn]) -> bool:
        """Carry out turns, and emit what was done; return True when something was."""
        happened = False
        for turn in turns:
            each, (of_bench, place) = self._faults[turn.number], self._places[turn.number]
            if of_bench and self._bench is not None:
                step = Step(0, place, self._bench.faults[place], turn.node, turn.begins)
                self._bench.operator.post(step)
            else:
                event = self._own.carry_out(Step(0, place, each.fault, turn.node, turn.begins))
                # What happens to workers is told by themselves.
                if event is not None and not each.on_workers:
                    self._emit(event)
            happened = True
        return self._tell() or happened

    def ended(self) -> tuple[FaultReport, ...]:
        """Return what each fault did, in the order of the plan; what was under way on a server has ended then."""
        of_bench = self._bench.operator.finish() if self._bench is not None else ()
        self._tell()
        own = self._own.reports()
        return tuple((of_bench if is_of_bench else own)[place] for is_of_bench, place in self._places)

    def _tell(self) -> bool:
        news = [*self._bench.operator.news()] if self._bench is not None else []
        for event in news:
            self._emit(event)
        return bool(news)


def _places(faults: Sequence[JobFault], bench: BenchUp | None) -> Iterable[tuple[bool, int]]:
    """Yield, for each fault, whether it is the bench's, and its place among the bench's or among ours."""
    numbers = {True: 0, False: 0}
    for each in faults:
        of_bench = bench is not None and not each.on_workers
        yield of_bench, numbers[of_bench]
        numbers[of_bench] += 1
