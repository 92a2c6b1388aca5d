"""When faults of a test of jobs begin and end, in invented time."""

from loadgen.faults.fault import Fault, Layer
from loadgen.jobs.load.course import Course, Turn
from loadgen.jobs.load.plan import JobFault

S = 1_000_000_000


def fault(kind: str = "kill", on: tuple[int, ...] = (1,), at_s: int = 0, for_s: int = 0) -> Fault:
    return Fault(kind, Layer.PROCESS, on, at_s * S, for_s * S)


def test_a_fault_at_a_share_begins_with_it_and_ends_after_its_time():
    course = Course([JobFault(fault(for_s=5), on_workers=True, at_share=0.3)], 5)
    assert [*course.due(10 * S, 0.29)] == []
    assert not course.is_under_way
    assert [*course.due(11 * S, 0.31)] == [Turn(0, 1, True)]
    assert course.is_under_way
    assert [*course.due(15 * S, 0.9)] == []
    assert [*course.due(16 * S, 1.0)] == [Turn(0, 1, False)]
    assert not course.is_under_way


def test_a_fault_at_a_time_begins_then_on_each_of_its_workers():
    course = Course([JobFault(fault(on=(), at_s=2), on_workers=True)], 3)
    assert [*course.due(1 * S, 0.0)] == []
    assert [*course.due(2 * S, 0.0)] == [Turn(0, n, True) for n in (1, 2, 3)]
    # Killed workers stay dead: there is no end to wait for.
    assert not course.is_under_way


def test_faults_of_the_storage_are_on_its_one_server_whatever_the_number_of_workers():
    course = Course([JobFault(fault(on=(), for_s=1), on_workers=False)], 5)
    assert [*course.due(0, 0.0)] == [Turn(0, 1, True)]
    assert [*course.due(1 * S, 0.0)] == [Turn(0, 1, False)]
