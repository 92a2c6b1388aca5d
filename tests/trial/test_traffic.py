"""The traffic of callers: what is drawn, when it falls due, and that a seed says all of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import chi_square
import pytest
from trials import plan

from loadgen.errors import UsageError
from loadgen.trial.plan import OPERATIONS
from loadgen.trial.schedule import Schedule
from loadgen.trial.traffic import Draws, Names, Operation
from loadgen.trial.workloads import MEANINGS, ROWS, WORKLOADS, workload_named
from loadgen.units import NS_PER_S

DRAWN = 8_000


def drawn(workload: str, count: int = DRAWN, caller: int = 0, seed: int = 1) -> list[Operation]:
    draws = Draws(plan(workload=workload, seed=seed), caller)
    return [draws.next() for _ in range(count)]


@pytest.mark.parametrize("workload", [row.name for row in ROWS if row.shape != "stampede"])
def test_operations_come_in_the_shares_of_the_workload(workload: str) -> None:
    weights = WORKLOADS[workload].weights
    counts = Counter(operation.kind for operation in drawn(workload))
    assert set(counts) == {kind for kind in weights if weights[kind]}
    kinds = [kind for kind in OPERATIONS if weights.get(kind)]
    assert chi_square.fits([counts[kind] for kind in kinds], [weights[kind] for kind in kinds])


def test_three_in_ten_operations_of_the_mixed_workload_go_to_ten_hot_keys() -> None:
    names = Names(plan(workload="mixed"))
    hot = {names.shared_key(number) for number in range(10)}
    keyed = [operation.key for operation in drawn("mixed") if operation.kind != "increment"]
    counts = Counter(key if key in hot else "own" for key in keyed)
    assert chi_square.fits([*(counts[key] for key in sorted(hot)), counts["own"]], [*[3] * 10, 70])
    assert all(key.startswith(f"{names.prefix}o0-") for key in keyed if key not in hot)


def test_the_other_keys_are_drawn_uniformly() -> None:
    counts = Counter(operation.key for operation in drawn("get-heavy", 20_000))
    names = Names(plan(workload="get-heavy"))
    assert chi_square.fits([counts[names.shared_key(number)] for number in range(1_000)], [1] * 1_000)


def test_a_batch_has_up_to_fifty_keys_each_once() -> None:
    batches = [operation.keys for operation in drawn("batches") if operation.kind == "get_many"]
    assert {len(keys) for keys in batches} == set(range(1, 51))
    assert all(len(set(keys)) == len(keys) for keys in batches)


def test_the_tail_of_a_long_tail_is_its_share() -> None:
    operations = [operation for operation in drawn("long-tail") if operation.kind != "get"]
    slow = sum(len(operation.keys) == 100 or operation.value_bytes == 100_000 for operation in operations)
    assert chi_square.fits([slow, len(operations) - slow], [2, 98])


def test_a_time_to_live_is_within_its_bounds() -> None:
    lives = {operation.ttl_s for operation in drawn("mixed") if operation.kind == "set"}
    assert lives == set(range(30, 91))


def test_a_seed_and_a_caller_say_every_operation() -> None:
    assert drawn("mixed", 500) == drawn("mixed", 500)
    assert drawn("mixed", 500) != drawn("mixed", 500, seed=2)
    assert drawn("constant", 500) != drawn("constant", 500, caller=1)


def test_no_two_processes_and_no_two_kinds_share_a_key() -> None:
    spaces = []
    for writer in (1, 2):
        names = Names(replace(plan(workload="mixed"), writer=writer, writers=2))
        spaces.append({names.shared_key(1)})
        spaces.append({names.own_key(0, 1), names.own_key(1, 1)})
        spaces.append({names.counter(1)})
    assert len(set().union(*spaces)) == sum(map(len, spaces))


def test_every_process_reads_the_shared_keys_of_all_and_writes_its_own_alone() -> None:
    plans = [replace(plan(workload="constant", shared_keys=20), writer=writer, writers=2) for writer in (1, 2)]
    written = [{Names(each).shared_key(number) for number in range(10)} for each in plans]
    for each, own in zip(plans, written, strict=True):
        traffic = replace(each.traffic, weights={"get": 1, "get_many": 1, "set": 1, "delete": 1}, batch=(1, 5))
        draws = Draws(replace(each, traffic=traffic), 0)
        keys: dict[str, set[str]] = {kind: set() for kind in traffic.weights}
        for _ in range(2_000):
            operation = draws.next()
            keys[operation.kind].update(operation.keys)
        everything = written[0] | written[1]
        assert keys == {"get": everything, "get_many": everything, "set": own, "delete": own}
        assert {key for key in everything if Names(each).is_own(key)} == own


def test_a_missing_counter_begins_again_and_a_stampede_loads_what_it_missed() -> None:
    counting = Draws(plan(workload="constant"), 0)
    increment = Operation("increment", ("c",))
    assert counting.after(increment, None) == Operation("set", ("c",))
    assert counting.after(increment, 3) is None
    assert counting.after(Operation("get", ("k",)), None) is None
    stampede = Draws(plan(workload="stampede"), 0)
    load = stampede.after(stampede.next(), None)
    assert load is not None
    assert (load.kind, load.ttl_s, load.loads_first) == ("set", 2, True)
    assert stampede.after(stampede.next(), b"there") is None


# ── Schedules ───────────────────────────────────────────────────────────────────────────────────────────────────────


def rates(workload: str, seconds: int, rate_per_s: float = 0, writers: int = 1) -> list[int]:
    """The operations that fall due in each tenth of a second, over all processes."""
    traffic = WORKLOADS[workload]
    traffic = replace(traffic, rate_per_s=rate_per_s) if rate_per_s else traffic
    schedules = [
        Schedule(replace(plan(workload=workload), traffic=traffic, writer=writer, writers=writers))
        for writer in range(1, writers + 1)
    ]
    due = [sum(schedule.due_by(tenth * NS_PER_S // 10 - 1) for schedule in schedules) for tenth in range(seconds * 10)]
    return [after - before for before, after in pairwise(due)]


@pytest.mark.parametrize("writers", [1, 3])
def test_a_constant_rate_is_constant(writers: int) -> None:
    assert set(rates("constant", 3, writers=writers)) == {100}


@pytest.mark.parametrize("writers", [1, 3])
def test_a_burst_is_a_tenth_of_its_period_at_the_peak(writers: int) -> None:
    counted = rates("burst", 10, writers=writers)
    bursts = {*range(5), *range(50, 55)}
    assert all(abs(count - (400 if tenth in bursts else 50)) <= 1 for tenth, count in enumerate(counted))


def test_a_ramp_rises_evenly_and_stays_at_its_peak() -> None:
    counted = rates("ramp", 35)
    # The rate in the middle of each tenth: 20 per tenth at first, 280 more after 30 s.
    wanted = [20 + 280 * min(1.0, (tenth + 0.5) / 300) for tenth in range(len(counted))]
    assert all(abs(count - rate) <= 1 for count, rate in zip(counted, wanted, strict=True))


@pytest.mark.parametrize("workload", ["constant", "burst", "ramp"])
def test_every_operation_falls_due_once_in_one_process(workload: str) -> None:
    whole = Schedule(plan(workload=workload))
    parts = [Schedule(replace(plan(workload=workload), writer=writer, writers=3)) for writer in (1, 2, 3)]
    times = sorted(part.due_ns(number) for part in parts for number in range(1_000))
    assert times == [whole.due_ns(number) for number in range(3_000)]
    assert all(part.due_by(part.due_ns(number)) == number + 1 for part in parts for number in range(500))


def test_a_closed_loop_has_nothing_due() -> None:
    closed = replace(plan(), traffic=replace(WORKLOADS["constant"], rate_per_s=0))
    assert not Schedule(closed).is_open
    assert Schedule(closed).due_by(NS_PER_S) == 0


# ── Names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_workload_has_its_line_for_the_list() -> None:
    assert list(MEANINGS) == list(WORKLOADS)


def test_a_workload_is_found_by_both_spellings_and_another_name_by_its_likeness() -> None:
    assert workload_named("Hot_Keys").name == "hot-keys"
    with pytest.raises(UsageError, match=r"There is no workload 'mixd'; did you mean mixed\?"):
        workload_named("mixd")
    with pytest.raises(UsageError, match="the workloads are constant, burst"):
        workload_named("xyzzy")
