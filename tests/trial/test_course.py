"""The course of a trial, told in virtual time."""

from __future__ import annotations

from constructed_trials import KILL, S

from loadgen.faults.fault import Fault, Layer
from loadgen.trial.course import Action, Course, Do, Enter, Over
from loadgen.trial.plan import Phases

PHASES = Phases(1 * S, 5 * S, 2 * S, 10 * S)


def told(course: Course, until_ns: int, step_ns: int = S // 10) -> list[tuple[float, Action]]:
    """The actions with the second in which the course was told that they are due."""
    found: list[tuple[float, Action]] = []
    for now_ns in range(0, until_ns, step_ns):
        found += [(now_ns / S, action) for action in course.due(now_ns)]
    return found


def words(actions: list[tuple[float, Action]]) -> list[str]:
    found = []
    for at_s, action in actions:
        match action:
            case Enter(phase):
                found.append(f"{at_s:g} {phase}")
            case Do(step):
                found.append(f"{at_s:g} {'+' if step.begins else '-'}{step.fault.kind} {step.node}")
            case Over():
                found.append(f"{at_s:g} over")
    return found


def test_phases_and_faults_come_in_their_order() -> None:
    course = Course(PHASES, (KILL,), 3, S)
    assert words(told(course, 30 * S)) == [
        "1 settle",
        "2 baseline",
        "7 fault",
        "7.2 +kill 1",
        "9.2 -kill 1",
        "9.2 recovery",
        "20.7 over",
    ]


def test_each_action_is_due_once() -> None:
    course = Course(PHASES, (KILL,), 3, 0)
    assert len(course.due(100 * S)) == 7
    assert course.due(200 * S) == []
    assert course.next_ns is None


def test_the_next_action_s_time_is_known() -> None:
    course = Course(PHASES, (KILL,), 3, 5)
    assert course.next_ns == 5
    course.due(5)
    assert course.next_ns == 5 + S
    assert course.phase == "settle"


def test_a_flapping_fault_begins_and_ends_within_the_fault_phase() -> None:
    fault = Fault("down", Layer.PROXY, on=(2,), for_ns=S // 2, every_ns=S, times=5)
    course = Course(PHASES, (fault,), 3, 0)
    steps = [word for word in words(told(course, 20 * S)) if "down" in word]
    assert steps == ["6.2 +down 2", "6.7 -down 2", "7.2 +down 2", "7.7 -down 2"]


def test_without_faults_a_baseline_without_a_length_never_ends() -> None:
    course = Course(Phases(S, 0, 0, 0), (), 3, 0)
    assert words(told(course, 3600 * S, S)) == ["0 settle", "1 baseline"]


def test_without_faults_a_baseline_with_a_length_is_all() -> None:
    course = Course(Phases(0, 3 * S, 0, 0), (), 3, 0)
    assert words(told(course, 20 * S)) == ["0 baseline", "3 over"]


def test_a_leader_that_is_late_gets_every_action_in_order() -> None:
    course = Course(PHASES, (KILL,), 3, 0)
    assert words([(0.0, action) for action in course.due(9 * S)]) == [
        "0 settle",
        "0 baseline",
        "0 fault",
        "0 +kill 1",
        "0 -kill 1",
        "0 recovery",
    ]
