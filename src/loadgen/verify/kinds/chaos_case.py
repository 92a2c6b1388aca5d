"""One fault of a server as a kind of case: the script is carried out, and what is there afterwards is judged."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

from loadgen.errors import TargetError
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import KINDS, Measure
from loadgen.faults.layer import LayerFaults
from loadgen.units import NS_PER_S, format_duration
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.durability.judgement import Expiries, Expiry, Finding, Promise, judged, never
from loadgen.verify.durability.log import Log, Write
from loadgen.verify.durability.script import Round, script
from loadgen.verify.durability.survival import Survival
from loadgen.verify.kinds.scene import Course, Scene
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
STARTS = "does not start again"
"""The names of findings that are not about single writes."""


class ChaosKind:
    """One fault of one server."""

    def __init__(self, scene: Scene, fsync: str, server: DurableServer | None, lack: str = "") -> None:
        """`lack` says why the fault cannot be judged here; a server is then not needed."""
        self.name = f"{scene.name}_{fsync}"
        self._scene = scene
        self._fsync = fsync
        self._server = server
        self._lack = lack

    def run(self, tape: Tape) -> Outcome:
        scene, server = self._scene, self._server
        if self._lack or server is None:
            return Outcome(Verdict.SKIPPED, message=self._lack)
        found = script(tape, scene.fault, scene.drawn, **scene.paces(self._fsync))
        server.begin()
        case = _Case(scene, self._fsync, server)
        with contextlib.closing(case.writers):
            case.write(found.before)
            if found.fault is None:
                return case.outcome(Verdict.UNTOLD, "the case has no fault")
            if not case.log.acknowledged:
                return case.outcome(Verdict.UNTOLD, "no write was acknowledged before the fault")
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

    def __init__(self, scene: Scene, fsync: str, server: DurableServer) -> None:
        self.log = Log()
        self.writers = Writers(server.managed.host, server.managed.port, self.log)
        self._scene = scene
        self._fsync = fsync
        self._server = server
        self._ended_ns = 0
        """A time before the end of the server: what is lost is at least as old as it seems."""
        self._effects = 0
        self._findings: list[Finding] = []
        """Those of the time before the restart come first."""

    # ── What is done ──────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, rounds: Sequence[Round]) -> None:
        for each in rounds:
            self.writers.carry_out(each)
        if self._scene.course is not Course.CRASH:
            self.writers.collect()

    def crash(self, fault: Fault, during: Sequence[Round]) -> None:
        """Let a fault come that takes the server down while it has writes before it, unless it is to be at rest."""
        if self._scene.course is Course.AT_REST:
            self._server.settle()
        faults = self._server.faults(fault.layer)
        for each in during:
            self.writers.send(each)
        self._ended_ns = time.monotonic_ns()
        faults.begin(fault, NODE)
        self.writers.collect()
        self._effects = faults.effects(fault, NODE)

    def outlast(self, fault: Fault, during: Sequence[Round], after: Sequence[Round]) -> None:
        """Let a fault come and go, and kill the server some time later, unless it has ended by itself."""
        server = self._server
        with server.faults(fault.layer) as faults:
            faults.begin(fault, NODE)
            self.write(during)
            self._effects = self._await_effects(faults, fault)
            faults.end(fault, NODE)
        if not server.has_ended():
            self._resume(after)
        self._ended_ns = time.monotonic_ns()
        server.kill()

    def cut_short(self, fault: Fault, during: Sequence[Round]) -> None:
        """Let a fault come, and a power cut while it lasts."""
        with self._server.faults(fault.layer) as faults:
            faults.begin(fault, NODE)
            self._look(fault)
            self.write(during)
            self._effects = self._await_effects(faults, fault)
            self._ended_ns = time.monotonic_ns()
            self._server.faults(Layer.DISK).begin(Fault("power_cut", Layer.DISK), NODE)
            faults.end(fault, NODE)

    def _resume(self, after: Sequence[Round]) -> None:
        """Write on after the fault. A server that ends by itself, as redis does after a failed fsync, may do so."""
        try:
            if words := self._server.takes_writes(_RESUME_PATIENCE_S):
                self._findings.append(Finding(RESUMES, f"it answers: {words}"))
                return
            self.write(after)
            self._server.settle()
        except TargetError:
            if not self._server.ends_within(_END_PATIENCE_S):
                raise

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
        if refusal := self._server.start():
            survival = Survival(not_started=1)
            if not self._scene.may_refuse:
                self._findings.append(Finding(STARTS, refusal))
        else:
            judgement = judged(self.log, self._server.held(), self._promise(fault), self._ended_ns, _passed(fault))
            survival = judgement.survival
            self._findings += judgement.findings
        if self._findings:
            gravest = self._findings[0]
            return self.outcome(Verdict.FAIL, f"{gravest.name}: {gravest.words}", fault, survival, gravest.name)
        row = KINDS[fault.kind]
        if self._effects < row.least:
            return self.outcome(Verdict.UNTOLD, f"the fault had no effect: {self._effects} {row.counts}", fault)
        return self.outcome(Verdict.PASS, "", fault, survival)

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
            self._scene.invariant(self._fsync) if found else "",
            message,
            operations=tuple(map(str, self.log)),
            faults=(_words(fault),) if fault is not None else (),
            fingerprint=f"{self._scene.name}_{self._fsync}: {found}" if found else "",
            survival=survival,
        )

    def _promise(self, fault: Fault) -> Promise:
        least = min(len(resp.encoded(entry.write.command)) for entry in self.log)
        return self._scene.promise(self._fsync, fault.parameters, least)


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
