"""The times of a monitor: each comes to a reading or to a gap, whatever the readings take."""

from loadgen.monitors.schedule import Schedule

EVERY = 1000


def test_a_reading_in_time_misses_nothing_and_the_next_is_due_by_the_schedule() -> None:
    schedule = Schedule(EVERY, 5000)
    assert schedule.begin(5003) == []
    assert schedule.passed(5400) == []
    assert schedule.end(5999) == []
    assert schedule.due_ns == 6000


def test_a_reading_that_hangs_misses_each_time_once() -> None:
    schedule = Schedule(EVERY, 0)
    schedule.begin(0)
    assert schedule.passed(1000) == []
    assert schedule.passed(1001) == [1000]
    assert schedule.passed(1500) == []
    assert schedule.passed(3100) == [2000, 3000]
    assert schedule.end(4200) == [4000]
    assert schedule.begun_ns is None
    assert schedule.due_ns == 5000


def test_a_reading_that_ends_at_the_next_time_misses_nothing() -> None:
    schedule = Schedule(EVERY, 0)
    schedule.begin(0)
    assert schedule.end(1000) == []
    assert schedule.begin(1000) == []


def test_times_at_which_nobody_read_are_missed_and_the_newest_is_read() -> None:
    schedule = Schedule(EVERY, 0)
    assert schedule.passed(3500) == []
    assert schedule.begin(3500) == [0, 1000, 2000]
    assert schedule.begun_ns == 3000
    assert schedule.end(3501) == []
    assert schedule.due_ns == 4000


def test_every_time_comes_to_one_reading_or_one_gap() -> None:
    """Readings of all lengths up to three and a half intervals, begun as late as a wake-up may be."""
    schedule, now, outcomes = Schedule(EVERY, 0), 0, list[int]()
    for length in (10, 999, 1000, 1001, 2500, 3500, 1, 1999):
        now = max(now, schedule.due_ns) + 7
        outcomes += schedule.begin(now)
        assert schedule.begun_ns is not None
        outcomes.append(schedule.begun_ns)
        outcomes += schedule.passed(now + length // 2)
        now += length
        outcomes += schedule.end(now)
    assert sorted(outcomes) == [*range(0, schedule.due_ns, EVERY)]
