"""The operator's account of faults, in virtual time, and its thread beside a leader."""

import threading
from dataclasses import dataclass, field

import pytest

from loadgen.events import FaultBegan, FaultEnded
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.interpreter import FaultError
from loadgen.faults.operator import Operator
from loadgen.faults.operator_thread import OperatorThread
from loadgen.faults.report import Spell
from loadgen.faults.timeline import Step, steps

S = 1_000_000_000
KILL = Fault("kill", Layer.PROCESS, on=(1,), at_ns=1 * S, for_ns=2 * S)
PAUSE = Fault("pause", Layer.PROCESS, at_ns=2 * S, for_ns=4 * S, stagger_ns=1 * S)


@dataclass
class Scripted:
    """An interpreter and a clock: beginning takes 1 s, ending 2 s, and each end adds so many effects."""

    effects_each: int = 3
    fails: frozenset[tuple[str, str, int]] = frozenset()
    """The calls that fail: begin, end or effects, with kind and node."""
    now_ns: int = 0
    calls: list[tuple[str, str, int]] = field(default_factory=list)
    counted: dict[tuple[str, int], int] = field(default_factory=dict)

    def call(self, name: str, fault: Fault, node: int, takes_ns: int) -> None:
        self.now_ns += takes_ns
        self.calls.append((name, fault.kind, node))
        if self.calls[-1] in self.fails:
            raise FaultError(f"no {name} of {fault.kind} on node {node}.")

    def begin(self, fault: Fault, node: int) -> None:
        self.call("begin", fault, node, 1 * S)

    def end(self, fault: Fault, node: int) -> None:
        self.call("end", fault, node, 2 * S)
        key = fault.kind, node
        self.counted[key] = self.counted.get(key, 0) + self.effects_each

    def effects(self, fault: Fault, node: int) -> int:
        self.call("effects", fault, node, 0)
        return self.counted.get((fault.kind, node), 0)

    def seen(self, fault: Fault, node: int) -> int | None:
        return 10 * self.counted[fault.kind, node] if node == 1 and (fault.kind, node) in self.counted else None


def operator(*faults: Fault, **script: object) -> tuple[Operator, Scripted]:
    scripted = Scripted(**script)  # type: ignore[arg-type]
    return Operator(faults, {Layer.PROCESS: scripted}, lambda: scripted.now_ns), scripted


def done(its: Operator, scripted: Scripted, *faults: Fault, nodes: int = 2, window_ns: int = 10 * S) -> list[object]:
    found = []
    for step in steps(faults, nodes, window_ns):
        scripted.now_ns = max(scripted.now_ns, step.at_ns)
        found.append(its.carry_out(step))
    return found


def test_a_spell_has_the_times_at_which_the_interpreter_was_done() -> None:
    its, scripted = operator(KILL)
    began, ended = done(its, scripted, KILL)
    assert isinstance(began, FaultBegan)
    assert isinstance(ended, FaultEnded)
    assert (began.node, began.at_ns, ended.at_ns, ended.effects, ended.failure) == (1, 2 * S, 5 * S, 3, "")
    [report] = its.reports()
    assert report.spells == (Spell(1, 2 * S, 5 * S, 3),)
    assert report.effects == 3
    assert report.fired


def test_each_spell_has_its_own_effects_and_the_report_their_sum() -> None:
    twice = Fault("kill", Layer.PROCESS, on=(2,), for_ns=1 * S, every_ns=5 * S, times=2)
    its, scripted = operator(twice)
    effects = [event.effects for event in done(its, scripted, twice) if isinstance(event, FaultEnded)]
    assert effects == [3, 3]
    [report] = its.reports()
    assert (len(report.spells), report.effects) == (2, 6)


def test_a_fault_on_every_node_has_a_spell_on_each() -> None:
    its, scripted = operator(PAUSE)
    done(its, scripted, PAUSE)
    [report] = its.reports()
    assert [spell.node for spell in report.spells] == [1, 2]
    # The packets of the nodes where they are counted.
    assert (report.effects, report.seen, report.counted) == (6, 30, "6 of 30")
    assert scripted.calls[:2] == [("begin", "pause", 1), ("begin", "pause", 2)]


def test_a_fault_that_cannot_begin_has_failed_and_is_not_ended() -> None:
    its, scripted = operator(KILL, fails=frozenset({("begin", "kill", 1)}))
    failed, nothing = done(its, scripted, KILL)
    assert isinstance(failed, FaultEnded)
    assert failed.failure == "no begin of kill on node 1"
    assert nothing is None
    assert ("end", "kill", 1) not in scripted.calls
    [report] = its.reports()
    assert (report.spells, report.failure, report.fired) == ((), "no begin of kill on node 1", False)


def test_a_fault_that_cannot_end_has_failed_and_its_spell_has_no_end() -> None:
    its, scripted = operator(KILL, fails=frozenset({("end", "kill", 1)}))
    done(its, scripted, KILL)
    [report] = its.reports()
    assert report.spells == (Spell(1, 2 * S, None),)
    assert report.failure == "no end of kill on node 1"
    assert not list(its.end_all())


def test_a_counter_that_cannot_be_read_is_a_failure() -> None:
    its, scripted = operator(KILL, fails=frozenset({("effects", "kill", 1)}))
    done(its, scripted, KILL)
    assert its.reports()[0].failure == "no effects of kill on node 1"


def test_faults_under_way_at_an_early_end_are_ended_newest_first() -> None:
    its, _ = operator(KILL, PAUSE)
    for step in [step for step in steps((KILL, PAUSE), 2, 10 * S) if step.begins]:
        its.carry_out(step)
    assert [(event.fault.kind, event.node) for event in its.end_all()] == [("pause", 2), ("pause", 1), ("kill", 1)]
    assert all(spell.ended_ns is not None for report in its.reports() for spell in report.spells)


def test_a_fault_without_effect_has_not_fired() -> None:
    its, scripted = operator(KILL, effects_each=0)
    done(its, scripted, KILL)
    assert not its.reports()[0].fired


def test_a_fault_that_was_never_begun_has_not_fired() -> None:
    its, _ = operator(KILL)
    [report] = its.reports()
    assert (report.spells, report.effects, report.fired) == ((), 0, False)


# ── The thread ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Slow(Scripted):
    """An interpreter whose first beginning waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()

    def begin(self, fault: Fault, node: int) -> None:
        self.begun.set()
        assert self.go.wait(10)
        super().begin(fault, node)


def test_a_leader_is_not_held_up_and_an_early_end_ends_what_was_begun() -> None:
    slow = Slow()
    thread = OperatorThread(Operator((KILL, PAUSE), {Layer.PROCESS: slow}, lambda: slow.now_ns))
    first, *rest = steps((KILL, PAUSE), 1, 10 * S)
    thread.post(first)
    assert slow.begun.wait(10)
    for step in rest:
        thread.post(step)
    assert thread.news() == []
    threading.Timer(0.02, slow.go.set).start()
    reports = thread.finish()
    # The steps that came after the end of the load began nothing, and the fault under way was ended.
    assert slow.calls[:2] == [("begin", "kill", 1), ("end", "kill", 1)]
    assert [(type(event), event.fault.kind) for event in thread.news()] == [(FaultBegan, "kill"), (FaultEnded, "kill")]
    assert [len(report.spells) for report in reports] == [1, 0]
    assert thread.finish() is reports


def test_a_bug_in_an_interpreter_is_raised_in_the_leader() -> None:
    class Broken(Scripted):
        begun = threading.Event()

        def begin(self, fault: Fault, node: int) -> None:
            self.begun.set()
            raise ZeroDivisionError

    broken = Broken()
    thread = OperatorThread(Operator((KILL,), {Layer.PROCESS: broken}))
    thread.post(Step(0, 0, KILL, 1, begins=True))
    assert broken.begun.wait(10)
    with pytest.raises(ZeroDivisionError):
        thread.finish()
