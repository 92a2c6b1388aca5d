"""One fault of a server as a kind of case: the script is carried out, and what is there afterwards is judged."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace

from loadgen.errors import TargetError
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import KINDS, Measure
from loadgen.faults.layer import LayerFaults
from loadgen.units import NS_PER_S, format_duration
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.durability.dump import Demand
from loadgen.verify.durability.judgement import Expiries, Expiry, Finding, Promise, judged, never
from loadgen.verify.durability.log import Log, Write
from loadgen.verify.durability.persistence import Persistence
from loadgen.verify.durability.script import Step, script
from loadgen.verify.durability.survival import Survival
from loadgen.verify.kinds.dumps import Dumps
from loadgen.verify.kinds.scene import Course, Scene
from loadgen.verify.kinds.wanted import ANYTHING, Wanted
from loadgen.verify.spec import Expected
from loadgen.verify.subject import resp
from loadgen.verify.subject.durable import DurableServer
from loadgen.verify.subject.writers import Writers
from loadgen.verify.tape import Tape

NODE = 1
"""The number of the server among the nodes of its faults."""

_EFFECT_PATIENCE_S = 5.0
"""The longest wait for the effect of a fault: redis syncs, and tries a failed write again, each second."""
_RESUME_PATIENCE_S = 10.0
"""The longest time after a fault until a server that runs takes writes again."""
_END_PATIENCE_S = 5.0
"""The longest time from the last connection of a server that ends by itself to its end."""
_INTERVAL_S = 0.01
_EXPIRY_MARGIN_S = 10
"""Longer than a case: a time to live that is this close to the jump of the clock may have passed or not."""

RESUMES = "takes no writes after the fault"
DUMPS = "makes no dump after the fault"
STARTS = "does not start again"
"""The names of findings that are not about single writes."""


class ChaosKind:
    """One fault of one server."""

    def __init__(
        self,
        scene: Scene,
        persistence: Persistence,
        server: DurableServer | None,
        wanted: Wanted = ANYTHING,
        lack: str = "",
    ) -> None:
        """`lack` says why the fault cannot be judged here; a server is then not needed."""
        self.name = f"{scene.name}_{persistence.name}"
        self._scene = scene
        self._persistence = persistence
        self._server = server
        self._wanted = wanted
        self._lack = lack

    def run(self, tape: Tape) -> Outcome:
        scene, server = self._scene, self._server
        if self._lack or server is None:
            return Outcome(Verdict.SKIPPED, message=self._lack)
        found = script(tape, scene.fault, scene.drawn, **scene.paces(self._persistence, self._wanted))
        server.begin()
        case = _Case(scene, self._persistence, server, self._wanted.expected)
        with contextlib.closing(case.writers):
            case.write(found.before)
            if found.fault is None:
                return case.outcome(Verdict.UNTOLD, "the case has no fault")
            if not case.log.acknowledged:
                return case.outcome(Verdict.UNTOLD, "no write was acknowledged before the fault")
            if not case.has_file():
                return case.outcome(Verdict.UNTOLD, "nothing was saved before the fault")
            match scene.course:
                case Course.LASTS:
                    case.outlast(found.fault, found.during, found.after)
                case Course.CUT_SHORT:
                    case.cut_short(found.fault, found.during)
                case _:
                    case.crash(found.fault, found.during)
        return case.judged(found.fault)


class _Case:
    """A case under way."""

    def __init__(
        self, scene: Scene, persistence: Persistence, server: DurableServer, expected: Expected | None
    ) -> None:
        self.log = Log()
        self.writers = Writers(server.managed.endpoint, self.log)
        self._dumps = Dumps(server, self.log)
        self._scene = scene
        self._persistence = persistence
        self._server = server
        self._expected = expected
        self._ended_ns = 0
        """A time before the end of the server: what is lost is at least as old as it seems."""
        self._effects = 0
        self._told = ""
        """How a client was told of the fault while it lasted; empty when none was."""
        self._ended_itself = False
        self._findings: list[Finding] = []
        """Those of the time before the restart come first."""
        self._resumed = 1 << 62
        """The number of the first write after the fault."""

    # ── What is done ──────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, Demand):
                self._dumps.ask(step)
            else:
                self.writers.carry_out(step)
        if self._scene.course is not Course.CRASH:
            self.writers.collect()

    def has_file(self) -> bool:
        """Return True when the server has a file in which something is durable, or may be."""
        if self._persistence.saves and not self._dumps.saved_ns:
            self._dumps.await_end()
        return not self._persistence.saves or bool(self._dumps.saved_ns)

    def crash(self, fault: Fault, during: Sequence[Step]) -> None:
        """Let a fault come that takes the server down while it has writes before it, unless it is to be at rest."""
        if self._scene.course is Course.AT_REST:
            self._dumps.await_end()
            self._server.settle()
        faults = self._server.faults(fault.layer)
        for step in during:
            if isinstance(step, Demand):
                self._dumps.ask(step)
            else:
                self.writers.send(step)
        self._dumps.look()
        self._ended_ns = time.monotonic_ns()
        faults.begin(fault, NODE)
        self.writers.collect()
        self._effects = faults.effects(fault, NODE)

    def outlast(self, fault: Fault, during: Sequence[Step], after: Sequence[Step]) -> None:
        """Let a fault come and go, and kill the server some time later, unless it has ended by itself."""
        server, dumps = self._server, len(self.log.dumps)
        with server.faults(fault.layer) as faults:
            faults.begin(fault, NODE)
            self._write_during(during)
            self._effects = self._await_effects(faults, fault)
            self._dumps.await_end()
            self._told = self._told or self._failed_dump(dumps)
            faults.end(fault, NODE)
        if not server.has_ended():
            self._resume(after)
        self._ended_itself = server.has_ended()
        self._ended_ns = time.monotonic_ns()
        server.kill()

    def cut_short(self, fault: Fault, during: Sequence[Step]) -> None:
        """Let a fault come, and a power cut while it lasts."""
        with self._server.faults(fault.layer) as faults:
            faults.begin(fault, NODE)
            self._look(fault)
            self._write_during(during)
            self._effects = self._await_effects(faults, fault)
            self._ended_ns = time.monotonic_ns()
            self._server.faults(Layer.DISK).begin(Fault("power_cut", Layer.DISK), NODE)
            faults.end(fault, NODE)

    def _write_during(self, during: Sequence[Step]) -> None:
        """Write while a fault lasts, and note whether a client is told of it."""
        sent = len(self.log)
        self.write(during)
        refused = next((entry for entry in [*self.log][sent:] if entry.refusal), None)
        self._told = str(refused) if refused is not None else ""

    def _resume(self, after: Sequence[Step]) -> None:
        """Write on after the fault. A server that ends by itself, as redis does after a failed fsync, may do so."""
        try:
            if words := self._server.takes_writes(_RESUME_PATIENCE_S):
                self._findings.append(Finding(RESUMES, f"it answers: {words}"))
                return
            # One that the server has begun by itself may still fail of the fault.
            self._dumps.await_end()
            dumps, self._resumed = len(self.log.dumps), len(self.log)
            self.write(after)
            self._dumps.await_end()
            self._server.settle()
        except TargetError:
            if not self._server.ends_within(_END_PATIENCE_S):
                raise
            return
        if failed := self._failed_dump(dumps):
            self._findings.append(Finding(DUMPS, failed))

    def _failed_dump(self, first: int) -> str:
        """Return the first dump that failed, from that number on; empty where none has."""
        return next((str(each) for each in self.log.dumps[first:] if each.refusal), "")

    def _look(self, fault: Fault) -> None:
        """Judge times to live while the clock is another: later, with the clock as it was, they have not passed."""
        if fault.kind == "clock_jump":
            seen = judged(self.log, self._server.held(), self._promise(fault), time.monotonic_ns(), _lasting(fault))
            self._findings += seen.findings

    def _await_effects(self, faults: LayerFaults, fault: Fault) -> int:
        deadline = time.monotonic() + _EFFECT_PATIENCE_S
        while True:
            effects = faults.effects(fault, NODE)
            if effects >= KINDS[fault.kind].least or self._server.has_ended() or time.monotonic() > deadline:
                return effects
            time.sleep(_INTERVAL_S)

    # ── What came of it ───────────────────────────────────────────────────────────────────────────────────────────────

    def judged(self, fault: Fault) -> Outcome:
        """Start the server again, and return what came of the case."""
        cut = self._server.cut_dumps()
        if refusal := self._server.start():
            survival = Survival(not_started=1)
            if not self._scene.may_refuse:
                self._findings.append(Finding(STARTS, refusal))
        else:
            judgement = judged(self.log, self._server.held(), self._promise(fault), self._ended_ns, _passed(fault))
            survival = judgement.survival
            self._findings += judgement.findings
        dumps = self.log.dumps
        failed = sum(bool(each.refusal) for each in dumps)
        survival = replace(survival, dumps=len(dumps), dumps_failed=failed, dumps_cut=cut)
        row = KINDS[fault.kind]
        if not self._findings and self._effects < row.least:
            return self.outcome(Verdict.UNTOLD, f"the fault had no effect: {self._effects} {row.counts}", fault)
        if not self._findings and self._expected is not None and (words := self._unexpected(refusal)):
            self._findings.append(Finding(f"not {self._expected}", words))
        if self._findings:
            gravest = self._findings[0]
            return self.outcome(Verdict.FAIL, f"{gravest.name}: {gravest.words}", fault, survival, gravest.name)
        return self.outcome(Verdict.PASS, "", fault, survival)

    def _unexpected(self, refusal: str) -> str:
        """Return what of the expected has not come about; empty when it has. `refusal` is why the server is down."""
        match self._expected:
            case Expected.ERROR_RETURNED:
                if not self._told and not self._ended_itself:
                    return "while the fault lasted, no write and no save was answered with an error"
            case Expected.CORRUPTION_DETECTED:
                if not refusal and not self._server.damage:
                    return "the server has started with its damaged file, and its log does not tell of damage"
            case Expected.CONSISTENT_AFTER_RESTART:
                if refusal:
                    return f"the server does not start again: {refusal}"
            case Expected.EVENTUAL_COMPLETION:
                return self._incomplete(refusal)
        return ""

    def _incomplete(self, refusal: str) -> str:
        """Return which write the server does not take after the fault; empty when it takes all of them."""
        if refusal:
            return f"the server takes no writes, as it does not start again: {refusal}"
        late = [entry for entry in [*self.log][self._resumed :] if not entry.acknowledged]
        if late and not self._ended_itself:
            return f"after the fault, a write was not acknowledged: {late[0]}"
        owed = [entry.write.command for entry in self.log if not entry.acknowledged]
        refusals = self._server.write(owed)
        if refusals:
            return f"of {len(owed)} writes that were sent again, {len(refusals)} were refused: {refusals[0]}"
        return ""

    def outcome(
        self,
        verdict: Verdict,
        message: str,
        fault: Fault | None = None,
        survival: Survival | None = None,
        found: str = "",
    ) -> Outcome:
        return Outcome(
            verdict,
            self._invariant(found),
            message,
            operations=self.log.lines(),
            faults=(_words(fault),) if fault is not None else (),
            fingerprint=f"{self._scene.name}_{self._persistence.name}: {found}" if found else "",
            survival=survival,
        )

    def _invariant(self, found: str) -> str:
        """Return the invariant that a finding breaks: the fault's, or what was expected beside it."""
        if not found or not found.startswith("not "):
            return self._scene.invariant(self._persistence) if found else ""
        return f"{found.removeprefix('not ')} is expected of the server"

    def _promise(self, fault: Fault) -> Promise:
        least = min(len(resp.encoded(entry.write.command)) for entry in self.log)
        unsaved_ns = self._ended_ns - self._dumps.saved_ns
        return self._scene.promise(self._persistence, fault.parameters, least, unsaved_ns)


def _words(fault: Fault) -> str:
    """Return a fault as text: "clock_jump (jump 1h, towards back)"."""
    row = KINDS[fault.kind]
    said = []
    for parameter in row.parameters:
        value = fault.parameters[parameter.name]
        shown = format_duration(int(value)) if parameter.measure is Measure.DURATION else value
        said.append(f"{parameter.name} {shown}")
    return f"{fault.kind} ({', '.join(said)})" if said else fault.kind


def _lasting(fault: Fault) -> Expiries:
    """Return which times to live have passed while the clock is ahead or behind."""
    return _by(fault, Expiry.PASSED)


def _passed(fault: Fault) -> Expiries:
    """Return the same after the clock has come back: a key whose time had passed may have been removed or not."""
    return _by(fault, Expiry.PERHAPS) if fault.kind == "clock_jump" else never


def _by(fault: Fault, passed: Expiry) -> Expiries:
    ahead_s = int(fault.parameters["jump"]) // NS_PER_S if fault.parameters["towards"] == "ahead" else 0

    def expiry(write: Write) -> Expiry:
        if not write.ttl_s or ahead_s < write.ttl_s - _EXPIRY_MARGIN_S:
            return Expiry.NOT_YET
        return passed if ahead_s > write.ttl_s + _EXPIRY_MARGIN_S else Expiry.PERHAPS

    return expiry
