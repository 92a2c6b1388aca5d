"""Machines of a campaign of seeds, in invented time: they answer a `SeedCrew` as an agent's processes do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from loadgen.fleet.leases import Lease
from loadgen.fleet.seed_messages import (
    Answer,
    Finish,
    Finished,
    Known,
    Order,
    Prepare,
    ProcessEnded,
    Ready,
    Reported,
    Shorten,
    Shortened,
    Take,
)
from loadgen.fleet.study import Part, Study
from loadgen.verify.account import Findings, joined
from loadgen.verify.artifact import Artifact, Origin
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.ended import CaseEnded, FailureFound
from loadgen.verify.tape import Recording

S_NS = 1_000_000_000

KIND = "counts"
INVARIANT = "a counter never goes down"


def study(seeds: int = 1000, *, first: int = 0, keep_going: bool = True, duration_ns: int = 0, kinds: int = 1) -> Study:
    names = tuple(f"{KIND}{number or ''}" for number in range(kinds))
    part = Part("planted", names, range(first, first + seeds), (("ops", "100"),))
    return Study(
        "planted",
        "planted",
        ("--seeds", str(seeds)),
        (part,),
        "0.1.0",
        processes=1,
        keep_going=keep_going,
        duration_ns=duration_ns,
        options={"ops": "100"},
    )


def failure(seed: int, words: str = "it went down", steps: int = 3, *, reproduced: bool = True) -> FailureFound:
    """A failure whose fingerprint is that of `words`, and whose smallest case has so many steps."""
    operations = tuple(f"INCR a → {number}" for number in range(steps))
    outcome = Outcome(Verdict.FAIL, INVARIANT, words, operations)
    return FailureFound("planted", KIND, seed, outcome, 20, 0, 1000, f"loadgen replay --seed {seed}", reproduced)


def artifact(of: FailureFound) -> Artifact:
    outcome, tape = of.outcome, Recording((), ())
    return Artifact(
        Origin("0.1.0"), "planted", of.kind, of.seed, {}, "", outcome.invariant, outcome.message, outcome.fingerprint,
        outcome.operations, (), "", of.reproduced, tape, tape,
    )  # fmt: skip


class SeedMachine:
    """A machine with processes that run so many seeds per second each.

    A seed of `failing` has that failure; one of `deadly` ends the process that runs it.
    """

    def __init__(
        self,
        study: Study,
        per_s: float = 100.0,
        failing: Callable[[int], FailureFound | None] = lambda seed: None,
        deadly: frozenset[int] = frozenset(),
    ) -> None:
        self.study = study
        self.per_s = per_s
        self.failing = failing
        self.deadly = deadly
        self.processes: dict[int, _Process] = {}
        self.known: set[str] = set()
        self.shrunk: list[int] = []
        self.ran: list[int] = []
        self.answers: deque[Answer] = deque()
        self.finishes = False
        self.digest = study.digest

    def tell(self, order: Order) -> None:
        match order:
            case Prepare(processes=count):
                for _ in range(count):
                    self.start()
            case Take(process, lease):
                self.processes[process].leases.append(_Under(lease))
            case Shorten(process, number, end):
                self.shorten(self.processes[process], number, end)
            case Known(_, fingerprint):
                self.known.add(fingerprint)
            case Finish():
                self.finishes = True

    def start(self) -> int:
        number = len(self.processes)
        self.processes[number] = _Process(number)
        self.answers.append(Ready(number, self.digest, "a planted store"))
        return number

    def shorten(self, process: _Process, number: int, end: int) -> None:
        for under in process.leases:
            if under.lease.number == number:
                under.end = min(under.end, max(end, under.next))
                self.answers.append(Shortened(process.number, number, under.end))

    def work(self, s: float = 0.25) -> None:
        """Run seeds for so long, and report them."""
        for process in [*self.processes.values()]:
            if not process.gone:
                self.work_on(process, s)

    def work_on(self, process: _Process, s: float) -> None:
        if self.finishes:
            process.gone = True
            self.answers.append(Finished(process.number))
            return
        process.credit += self.per_s * s
        while process.leases and process.credit >= 1:
            under = process.leases[0]
            if under.next < under.end:
                if under.next in self.deadly:
                    process.gone = True
                    follower = len(self.processes)
                    self.answers.append(ProcessEnded(process.number, "was killed by SIGSEGV", follower))
                    self.start()
                    return
                process.credit -= 1
                under.done.append(self.run(under.next))
                under.next += 1
            if under.lease.careful or under.next >= under.end:
                self.report(process, under)
            if under.next >= under.end:
                process.leases.popleft()
        if process.leases:
            self.report(process, process.leases[0])
        else:
            process.credit = 0.0

    def run(self, seed: int) -> tuple[Findings, tuple[Artifact, ...]]:
        self.ran.append(seed)
        found = self.failing(seed)
        cases = [CaseEnded(kind, seed, Verdict.PASS, 1000, operations=20) for kind in self.study.parts[0].kinds]
        if found is None:
            return Findings(tuple(cases), virtual_ns=10, sometimes={"a breaker is open": 1}), ()
        print_ = found.outcome.fingerprint
        cases[0] = replace(cases[0], verdict=Verdict.FAIL, fingerprint=print_, error=found.outcome.message)
        if print_ in self.known:
            return Findings(tuple(cases)), ()
        self.known.add(print_)
        self.shrunk.append(seed)
        return Findings(tuple(cases), (found,)), (artifact(found),)

    def report(self, process: _Process, under: _Under) -> None:
        if not under.done:
            return
        first = under.next - len(under.done)
        findings = joined([each for each, _ in under.done])
        artifacts = tuple(one for _, several in under.done for one in several)
        under.done = []
        self.answers.append(Reported(process.number, under.lease.number, first, under.next, findings, artifacts))


class _Process:
    def __init__(self, number: int) -> None:
        self.number = number
        self.leases: deque[_Under] = deque()
        self.credit = 0.0
        self.gone = False


class _Under:
    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.next = lease.first
        self.end = lease.end
        self.done: list[tuple[Findings, tuple[Artifact, ...]]] = []
