"""The baseline's interval, and the time from which a server is back inside it."""

import random
from collections.abc import Callable

import pytest

from loadgen.stats.recovery import HOLD_NS, LEAST_SAMPLES, Baseline, Level, back_at, baseline

MS = 1_000_000
SLOT = 100 * MS


def level(slot: int, good: int = 1000, p99_ns: int | None = 2 * MS) -> Level:
    return Level(slot * SLOT, (slot + 1) * SLOT, good, p99_ns)


def noisy(slots: range, seed: int = 1) -> list[Level]:
    """Samples of 10,000 operations a second ± 3 %, with a p99 of 2 ms ± 10 %."""
    chance = random.Random(seed)
    return [level(slot, round(chance.gauss(1000, 30)), round(chance.gauss(2 * MS, 0.2 * MS))) for slot in slots]


def test_the_interval_lies_a_tenth_around_a_quiet_baseline() -> None:
    assert baseline([level(slot) for slot in range(10)]) == Baseline(9000, 2.2 * MS)


def test_a_p99_up_to_the_floor_is_inside_of_a_quiet_baseline_and_of_no_other() -> None:
    quiet, slow = [level(slot) for slot in range(10)], [level(slot, p99_ns=20 * MS) for slot in range(10)]
    assert baseline(quiet, 10 * MS) == Baseline(9000, 10 * MS)
    assert baseline(slow, 10 * MS) == baseline(slow)


def test_a_noisy_baseline_has_an_interval_of_three_times_its_noise() -> None:
    inside = baseline(noisy(range(200)))
    assert inside is not None
    assert inside.least_per_s == pytest.approx(10_000 - 3 * 300, rel=0.02)
    assert inside.most_p99_ns == pytest.approx(2 * MS + 3 * 0.2 * MS, rel=0.1)


def test_a_few_disturbed_samples_do_not_widen_the_interval() -> None:
    calm = [level(slot) for slot in range(20)]
    assert baseline([*calm, level(20, 100, 500 * MS), level(21, 0, None)]) == baseline(calm)


def test_there_is_no_baseline_of_too_few_samples_or_of_a_server_that_does_not_answer() -> None:
    assert baseline([level(slot) for slot in range(LEAST_SAMPLES - 1)]) is None
    assert baseline([level(slot, 0, None) for slot in range(20)]) is None


INSIDE = Baseline(9000, 2.2 * MS)


def test_a_server_is_back_at_the_first_sample_from_which_it_stays_inside() -> None:
    outage = [level(slot, 0, None) for slot in range(10, 30)]
    slow = [level(slot, 1000, 9 * MS) for slot in range(30, 34)]
    after = [level(slot) for slot in range(34, 60)]
    assert back_at([*outage, *slow, *after], INSIDE, 29 * SLOT) == 34 * SLOT


def test_a_server_is_back_no_sooner_than_the_fault_has_ended() -> None:
    assert back_at([level(slot) for slot in range(40)], INSIDE, 12 * SLOT + 5) == 12 * SLOT + 5


def test_a_single_good_sample_is_no_recovery() -> None:
    after = [level(slot, 1000 if slot % 2 else 100) for slot in range(40)]
    assert back_at(after, INSIDE, 0) is None


def test_a_single_bad_sample_is_no_relapse() -> None:
    after = [level(slot, 100 if slot == 3 else 1000) for slot in range(40)]
    assert back_at(after, INSIDE, 0) == 0


def test_a_server_that_answers_with_errors_is_not_back_unless_it_did_so_before() -> None:
    failing = [Level(slot * SLOT, (slot + 1) * SLOT, 1000, 2 * MS, failed=200) for slot in range(20)]
    well = [level(slot) for slot in range(20, 40)]
    assert back_at([*failing, *well], INSIDE, 0) == 20 * SLOT
    before = baseline(failing)
    assert before is not None
    assert back_at(failing, before, 0) == 0


def test_a_higher_rate_and_a_lower_p99_are_inside() -> None:
    assert back_at([level(slot, 5000, MS) for slot in range(20)], INSIDE, 0) == 0


def test_samples_from_the_next_fault_on_are_not_looked_at() -> None:
    levels = [*(level(slot) for slot in range(6)), *(level(slot, 0, None) for slot in range(6, 40))]
    assert back_at(levels, INSIDE, 0) is None
    assert back_at(levels, INSIDE, 0, until_ns=6 * SLOT) == 0
    assert back_at(levels, INSIDE, 3 * SLOT, until_ns=6 * SLOT) is None  # too little is left to tell


def tailed(slots: range, seed: int) -> list[Level]:
    """Samples of a host that others disturb: rates ± 15 %, and p99s with a tail of ten times their median."""
    chance = random.Random(seed)
    return [
        level(slot, round(chance.gauss(1000, 150)), round(2 * MS * chance.lognormvariate(0, 0.8))) for slot in slots
    ]


@pytest.mark.parametrize("samples", [noisy, tailed])
def test_noise_like_that_of_the_baseline_is_inside(samples: Callable[[range, int], list[Level]]) -> None:
    found = []
    for seed in range(200):
        before = baseline(samples(range(20), seed))
        assert before is not None
        found.append(back_at(samples(range(20), seed + 1000), before, 0))
    assert sum(at is not None and at <= 5 * SLOT for at in found) >= 190


@pytest.mark.parametrize("samples", [noisy, tailed])
def test_a_tenth_of_the_rate_or_thirty_times_the_p99_is_outside(samples: Callable[[range, int], list[Level]]) -> None:
    for seed in range(200):
        before = baseline(samples(range(20), seed))
        assert before is not None
        after = samples(range(20), seed + 1000)
        slow = [Level(each.from_ns, each.to_ns, each.good, 30 * (each.p99_ns or 0)) for each in after]
        few = [Level(each.from_ns, each.to_ns, each.good // 10, each.p99_ns) for each in after]
        assert back_at(slow, before, 0) is None
        assert back_at(few, before, 0) is None


def test_longer_samples_need_to_hold_as_long() -> None:
    second = [Level(n * HOLD_NS, (n + 1) * HOLD_NS, 10_000, 2 * MS) for n in range(10)]
    assert back_at(second, INSIDE, 3 * HOLD_NS) == 3 * HOLD_NS
