"""The leader of a campaign of seeds on several machines, and its account. No I/O: it is told messages and the time.

A machine that is lost takes nothing with it but the seeds that it had not reported, and these are run by others. That
is sound as a seed is the same case wherever it is run, and as no lost machine is listened to any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from loadgen.errors import InternalError, OutputError
from loadgen.events import Event, Progress
from loadgen.fleet.leases import Leases, Unexpected
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
    Unable,
)
from loadgen.fleet.study import Part, Study
from loadgen.reason import Code, Reason
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.account import Account
from loadgen.verify.artifact import Artifact
from loadgen.verify.case import Verdict
from loadgen.verify.ended import CampaignBegan, CampaignEnded, FailureFound, Machine

PROGRESS_EVERY_NS = 100 * NS_PER_MS

FINISH_NS = 30 * NS_PER_S
"""How long the seeds under way may take when a campaign ends before its last seed; then they are left unrun."""

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Joined:
    """A machine that was claimed for the campaign."""

    name: str
    """Different for each: that of its host, or `local 2`."""
    host: str
    """What the machine calls itself."""
    cpus: float
    """Its CPUs: a part of those of the machine, where several agents are on one."""


@dataclass(slots=True)
class _Machine:
    """A machine, and what it has done."""

    joined: Joined
    processes: int
    running: set[int] = field(default_factory=set)
    """The processes that have leases or may be given some."""
    seeds: int = 0
    began_ns: int = 0
    reported_ns: int = 0
    lost: str = ""
    again: int = 0


class SeedCrew:
    """One campaign."""

    def __init__(
        self,
        study: Study,
        machines: Sequence[Joined],
        now_ns: int,
        *,
        emit: Emit,
        keep: Callable[[Artifact], str],
        replay: Callable[[Part, int], str],
    ) -> None:
        """`keep` writes an artifact and returns its path; it may raise OutputError. `replay` returns the command that
        runs a seed of a part here."""
        self._study = study
        self._emit = emit
        self._keep = keep
        self._replay = replay
        self._leases = Leases([part.seeds for part in study.parts])
        self._account = Account(study.suite)
        self._orders: list[tuple[str, Order]] = []
        self._began_ns = now_ns
        self._now_ns = now_ns
        self._told_ns = now_ns
        self._begun = False
        self._stopped_ns: int | None = None
        self._machines = {each.name: _Machine(each, study.processes or max(1, round(each.cpus))) for each in machines}
        for name, machine in self._machines.items():
            order = Prepare(study.verb, study.words, study.files, machine.processes)
            self._orders.append((name, order))

    # ── What it is told ───────────────────────────────────────────────────────────────────────────────────────────────

    def said(self, name: str, answer: Answer, now_ns: int) -> None:
        """Take a message of a machine. Raises InternalError for an internal error there, and OutputError."""
        self._now_ns = now_ns
        machine = self._machines[name]
        if machine.lost:
            return
        try:
            self._take(name, machine, answer)
        except Unexpected as error:
            self.lost(name, str(error), now_ns)
        # A report changes nothing for other machines, and there are many reports.
        self._feed([name] if isinstance(answer, Reported) else self._machines)

    def _take(self, name: str, machine: _Machine, answer: Answer) -> None:
        match answer:
            case Ready():
                self._ready(name, machine, answer)
            case Reported():
                self._check(machine, answer.process)
                self._reported(name, machine, answer)
            case Shortened(process, number, end):
                self._check(machine, process)
                self._leases.trimmed(_holder(name, process), number, end)
            case Finished(process):
                if process in machine.running:
                    machine.running.discard(process)
                    self._leases.lost(_holder(name, process))
            case ProcessEnded(process, words):
                self._check(machine, process)
                machine.running.discard(process)
                loss = self._leases.lost(_holder(name, process))
                self._account.note(
                    Reason(Code.PROCESS_ENDED, f"a process of {name} {words}, and its seeds were run again")
                )
                self._given_up(name, words, loss.given_up)
            case Unable(words, traceback):
                if traceback:
                    raise InternalError(f"on {name}: {words}", traceback)
                self.lost(name, f"cannot run this: {words}", self._now_ns)
            case _:
                raise Unexpected("says what is no answer about seeds")

    def lost(self, name: str, words: str, now_ns: int) -> None:
        """Take out a machine, and have its seeds run by others. `words` say how it was lost, after its name."""
        self._now_ns = now_ns
        machine = self._machines[name]
        if machine.lost:
            return
        machine.lost = words
        for process in sorted(machine.running):
            loss = self._leases.lost(_holder(name, process))
            machine.again += loss.again
            self._given_up(name, words, loss.given_up)
        machine.running.clear()
        if not self._present():
            lost = "; ".join(f"{each.joined.name} {each.lost.removesuffix('.')}" for each in self._machines.values())
            self._account.could_not_run(f"no machine is left: {lost}; {self._how_far()}")
        else:
            again = f", and {machine.again:,} that it had not reported were leased again" if machine.again else ""
            remark = f"{name} {words.removesuffix('.')}: it had run {machine.seeds:,} seeds{again}"
            self._account.note(Reason(Code.MACHINE_LOST, remark))
        self._feed(self._machines)

    def tick(self, now_ns: int) -> None:
        """Take the time: at least each 100 ms, so that slow machines are relieved and progress is shown."""
        self._now_ns = now_ns
        duration_ns = self._study.duration_ns
        if duration_ns and self._begun and now_ns - self._began_ns >= duration_ns:
            self._stop()
        self._feed(self._machines)
        if self._begun and now_ns - self._told_ns >= PROGRESS_EVERY_NS:
            self._told_ns = now_ns
            self._emit(self._progress())

    def interrupt(self) -> None:
        """Note that the user has ended the campaign: what was reported is its result."""
        self._account.interrupted = True

    def could_not_run(self, words: str) -> None:
        """Note why the rest of the campaign cannot be run."""
        self._account.could_not_run(words)

    # ── What it says ──────────────────────────────────────────────────────────────────────────────────────────────────

    def orders(self) -> list[tuple[str, Order]]:
        """Return the orders since the last call, each with the name of the machine that it is for."""
        orders, self._orders = self._orders, []
        return orders

    @property
    def has_begun(self) -> bool:
        """True when a machine was ready."""
        return self._begun

    @property
    def why(self) -> str:
        """Why the campaign has not begun, in sentences."""
        return " ".join(self._account.doubts)

    @property
    def is_over(self) -> bool:
        """True when nothing more is to be awaited."""
        if not self._present():
            return True
        if self._stopped_ns is not None and self._now_ns - self._stopped_ns >= FINISH_NS:
            return True
        # Before a process is ready, nothing is held, and nothing has begun.
        return self._leases.is_over

    def ended(self, now_ns: int) -> CampaignEnded:
        """Return the end of the campaign, as far as it came."""
        left = self._leases.total - self._leases.done
        if self._stopped_ns is not None and left and not self._study.duration_ns:
            self._account.note(
                Reason(Code.PART, f"ended at the first failure: {self._how_far()}; --keep-going runs all of them")
            )
        self._account.in_order(self._study.kinds)
        return self._account.ended(
            self._study.version,
            self._study.host,
            seeds=self._leases.distinct(),
            took_ns=now_ns - self._began_ns,
            judges_states=self._study.judges_states and not left,
            machines=[*self._rows()],
        )

    # ── Messages ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _check(self, machine: _Machine, process: int) -> None:
        if process not in machine.running:
            raise Unexpected(f"speaks of its process {process}, which is not there")

    def _ready(self, name: str, machine: _Machine, ready: Ready) -> None:
        if ready.parts != self._study.digest:
            raise Unexpected("reads the command line as other seeds or tests: its files or its environment are others")
        self._leases.join(_holder(name, ready.process))
        machine.running.add(ready.process)
        machine.began_ns = machine.began_ns or self._now_ns
        self._account.identity(ready.identity)
        if self._begun:
            return
        self._begun, self._began_ns = True, self._now_ns
        study = self._study
        first, *others = (part.seeds for part in study.parts)
        alike = not study.duration_ns and all(each == first for each in others)
        self._emit(
            CampaignBegan(
                study.suite,
                study.kinds,
                len(first) if alike else 0,
                study.version,
                ready.identity,
                study.options,
                duration_ns=study.duration_ns,
            )
        )

    def _reported(self, name: str, machine: _Machine, report: Reported) -> None:
        holder = _holder(name, report.process)
        self._leases.report(holder, report.number, report.first, report.end, self._now_ns)
        machine.seeds += report.end - report.first
        machine.reported_ns = self._now_ns
        self._account.identity(report.identity)
        findings = report.findings
        of_failure = {(each.kind, each.fingerprint): each for each in report.artifacts}
        new = [*self._new(findings.failures, of_failure)]
        self._account.add(replace(findings, failures=()))
        for case in findings.cases:
            self._emit(case)
        for failure in new:
            if not self._account.knows(failure.kind, failure.outcome.fingerprint):
                self._emit(failure)
                self._tell_others(name, Known(failure.kind, failure.outcome.fingerprint))
            self._account.found(failure)
        if not self._study.keep_going and any(case.verdict is Verdict.FAIL for case in findings.cases):
            self._stop()

    def _new(
        self, failures: Sequence[FailureFound], artifacts: dict[tuple[str, str], Artifact]
    ) -> Iterator[FailureFound]:
        """Yield failures with the paths of their artifacts: the new ones, and smaller cases of those known."""
        for failure in failures:
            key = failure.kind, failure.outcome.fingerprint
            if self._account.improves(failure):
                path = self._kept(artifacts[key]) if key in artifacts else ""
                yield replace(failure, artifact=path)

    def _kept(self, artifact: Artifact) -> str:
        try:
            return self._keep(artifact)
        except OutputError as error:
            self._account.note(Reason(Code.NO_ARTIFACT, str(error)))
            return ""

    def _given_up(self, name: str, words: str, seeds: Sequence[tuple[int, int]]) -> None:
        for part, seed in seeds:
            self._account.could_not_run(
                f"seed {seed} is left out, as each process that ran it has ended, the last on {name}: it "
                f"{words.removesuffix('.')}; here it is run by `{self._replay(self._study.parts[part], seed)}`"
            )

    # ── Leases ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _feed(self, names: Collection[str]) -> None:
        """Give leases to those of these machines that have too little to do."""
        for name in names:
            for process in sorted(self._machines[name].running):
                holder = _holder(name, process)
                while (lease := self._leases.give(holder, self._now_ns)) is not None:
                    self._orders.append((name, Take(process, lease)))
        for name in names:
            for process in sorted(self._machines[name].running):
                if (wish := self._leases.trim(_holder(name, process), self._now_ns)) is not None:
                    slow, _, number = wish.holder.rpartition(" ")
                    self._orders.append((slow, Shorten(int(number), wish.number, wish.end)))

    def _stop(self) -> None:
        if self._stopped_ns is None:
            self._stopped_ns = self._now_ns
            self._leases.stop()
            self._orders += [(name, Finish()) for name in self._present()]

    def _tell_others(self, name: str, order: Order) -> None:
        self._orders += [(other, order) for other in self._present() if other != name]

    def _present(self) -> list[str]:
        return [name for name, machine in self._machines.items() if not machine.lost]

    # ── Words and figures ─────────────────────────────────────────────────────────────────────────────────────────────

    def _how_far(self) -> str:
        return f"{self._leases.done:,} of {self._leases.total:,} seeds were run"

    def _progress(self) -> Progress:
        leases, elapsed_ns = self._leases, self._now_ns - self._began_ns
        rates = {name: self._per_s(name) for name in self._present()}
        if duration_ns := self._study.duration_ns:
            return Progress(
                self._study.suite, min(elapsed_ns, duration_ns), duration_ns, elapsed_ns, per_s=rates, unit=""
            )
        left_ns = leases.left_ns()
        return Progress(
            self._study.suite, leases.done, leases.total, elapsed_ns, unit="seeds", per_s=rates, left_ns=left_ns
        )

    def _per_s(self, name: str) -> float:
        return sum(self._leases.per_s(_holder(name, process)) for process in self._machines[name].running)

    def _rows(self) -> Iterator[Machine]:
        for name, machine in self._machines.items():
            yield Machine(
                name,
                machine.joined.host,
                machine.processes,
                machine.seeds,
                max(0, machine.reported_ns - machine.began_ns),
                machine.lost,
                machine.again,
            )


def _holder(name: str, process: int) -> str:
    return f"{name} {process}"
