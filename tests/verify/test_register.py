"""The law of a register: zones and the search agree, what is right is never accused, and each anomaly is named."""

import pytest
from simulated_register import simulated

from loadgen.verify.checkers._register import Register
from loadgen.verify.history._operations import (
    ADD,
    CAS,
    CAS_TO,
    DELETE,
    FOREIGN,
    MISS,
    NO_END,
    NOT_DONE,
    READ,
    UNKNOWN,
    UNMARKED,
    WRITE,
    Operations,
)

SEEDS = 400
OLDER, OTHER_OLDER = FOREIGN | UNMARKED | 1, FOREIGN | UNMARKED | 2
"""Values that may have been there before the history began."""


def history(*rows: tuple[int, ...]) -> Operations:
    """A history of one key: each row is op, value, call, return and perhaps process and outcome."""
    found = Operations()
    for op, value, call, end, *more in rows:
        found.append(op, 7, value, call, end, *more)
    return found


def judged(found: Operations, **how: bool) -> tuple[str, ...]:
    """The verdict and, for each accused key, the law."""
    register = Register(**how)
    verdict = register.judged(found)
    return (verdict, *(register.accusation(index)[0] for index in range(register.accused)))


def accused(register: Register) -> set[int]:
    return {register.accusation(index)[1] for index in range(register.accused)}


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("values", [0, 3])
def test_a_register_that_is_right_is_never_accused(values: int, conditional: bool) -> None:
    register, strict = Register(), Register(strict=True)
    for seed in range(SEEDS):
        assert register.judged(simulated(seed, 5 + seed % 25, values=values, conditional=conditional)) == "legal", seed
        kept = simulated(seed, 5 + seed % 25, values=values, conditional=conditional, evicts=False)
        assert strict.judged(kept) == "legal", seed


@pytest.mark.parametrize("strict", [False, True])
def test_zones_and_the_search_find_the_same_keys_illegal(strict: bool) -> None:
    zones, search = Register(strict=strict), Register(strict=strict, by_search=True)
    verdicts = {"legal": 0, "illegal": 0}
    for seed in range(2 * SEEDS):
        found = simulated(seed, 3 + seed % 25, lies=0.15, evicts=not strict)
        verdict = zones.judged(found)
        verdicts[verdict] += 1
        assert (search.judged(found), accused(search)) == (verdict, accused(zones)), seed
    assert min(verdicts.values()) > SEEDS // 4


def test_zones_and_the_search_agree_on_keys_with_hundreds_of_operations() -> None:
    """The search then goes back over operations that fill several words of a state."""
    zones, search = Register(), Register(by_search=True)
    verdicts = {"legal": 0, "illegal": 0}
    for seed in range(40):
        found = simulated(seed, 600, lies=0.004 * (seed % 2))
        verdict = zones.judged(found)
        verdicts[verdict] += 1
        assert (search.judged(found), accused(search)) == (verdict, accused(zones)), seed
        # The order in which operations are given is no matter.
        backwards = found.chosen(range(len(found) - 1, -1, -1))
        assert (zones.judged(backwards), accused(zones)) == (verdict, accused(search)), seed
    assert min(verdicts.values()) > 10


@pytest.mark.parametrize(
    ("law", "rows"),
    [
        ("unwritten", [(READ, 1, 0, 1)]),
        ("unwritten", [(WRITE, 1, 0, 1, 0, NOT_DONE), (READ, 1, 2, 3)]),
        ("early", [(READ, 1, 0, 1), (WRITE, 1, 2, 3)]),
        ("two-values", [(WRITE, 1, 0, 1), (WRITE, 2, 0, 1), (READ, 1, 2, 3), (READ, 2, 2, 3), (READ, 1, 4, 5)]),
        ("overwritten", [(WRITE, 1, 0, 1), (WRITE, 2, 2, 3), (READ, 1, 4, 5)]),
        ("revived", [(WRITE, 1, 0, 1), (READ, 0, 2, 3, 0, MISS), (READ, 1, 4, 5)]),
        ("revived", [(WRITE, 1, 0, 1), (DELETE, 0, 2, 3), (READ, 1, 4, 5)]),
        ("revived", [(WRITE, 1, 0, 1), (DELETE, 0, 2, 3, 0, MISS), (READ, 1, 4, 5)]),
        ("unwritten", [(READ, FOREIGN | 5, 0, 1)]),
        ("overwritten", [(READ, OLDER, 0, 1), (WRITE, 1, 2, 3), (READ, OLDER, 4, 5)]),
        ("revived", [(READ, 0, 0, 1, 0, MISS), (READ, OLDER, 2, 3)]),
        ("two-values", [(READ, OLDER, 0, 1), (READ, OTHER_OLDER, 2, 3)]),
        # A write that timed out was seen: from then on it is there.
        ("overwritten", [(WRITE, 1, 0, 1), (WRITE, 2, 2, NO_END, 0, UNKNOWN), (READ, 2, 4, 5), (READ, 1, 6, 7)]),
        ("no-order", [(WRITE, 1, 0, 1), (CAS, 2, 2, 3), (CAS_TO, 3, 2, 3)]),
        ("no-order", [(WRITE, 1, 0, 1), (CAS, 1, 2, 3), (CAS_TO, 2, 2, 3), (READ, 1, 4, 5)]),
        ("no-order", [(DELETE, 0, 0, 1), (ADD, 1, 2, 3, 0, MISS)]),
        ("no-order", [(WRITE, 1, 0, 1), (WRITE, 2, 2, 3), (WRITE, 2, 4, 5), (READ, 1, 6, 7)]),
    ],
)
def test_an_anomaly_is_found_and_none_of_its_operations_is_spare(law: str, rows: list[tuple[int, ...]]) -> None:
    assert judged(history(*rows)) == ("illegal", law)
    assert judged(history(*rows), by_search=True) == ("illegal", "no-order")


@pytest.mark.parametrize(
    "rows",
    [
        # Operations that touch are concurrent.
        [(WRITE, 1, 0, 2), (READ, 1, 0, 1)],
        [(WRITE, 1, 0, 1), (WRITE, 2, 2, 3), (READ, 1, 3, 4)],
        [(WRITE, 1, 0, 1), (WRITE, 2, 0, 2), (READ, 1, 2, 3), (READ, 2, 3, 4)],
        [(WRITE, 1, 0, 1), (READ, 0, 2, 5, 0, MISS), (READ, 1, 4, 5)],
        [(READ, OLDER, 0, 1), (READ, OLDER, 2, 3), (WRITE, 1, 3, 4), (READ, 1, 5, 6), (READ, 0, 7, 8, 0, MISS)],
        # Evicted; and a write that is never seen again.
        [(WRITE, 1, 0, 1), (READ, 0, 2, 3, 0, MISS), (READ, 0, 4, 5, 0, MISS)],
        # A write that timed out takes effect late, or never.
        [(WRITE, 1, 0, NO_END, 0, UNKNOWN), (WRITE, 2, 1, 2), (READ, 2, 3, 4), (READ, 1, 5, 6)],
        [(WRITE, 1, 0, NO_END, 0, UNKNOWN), (WRITE, 2, 1, 2), (READ, 2, 3, 4)],
        # The time at which somebody gave up is no end.
        [(WRITE, 1, 0, 1), (WRITE, 2, 2, 3, 0, UNKNOWN), (READ, 1, 4, 5), (READ, 2, 6, 7)],
        [(WRITE, 1, 0, 1), (DELETE, 0, 2, 3, 0, UNKNOWN), (READ, 1, 4, 5)],
        [(WRITE, 1, 0, 1), (DELETE, 0, 2, NO_END, 0, UNKNOWN), (READ, 1, 4, 5), (READ, 0, 6, 7, 0, MISS)],
        [(WRITE, 1, 0, 1), (ADD, 2, 2, 3, 0, MISS), (READ, 1, 4, 5)],
        [(WRITE, 1, 0, 1), (ADD, 2, 2, 3), (READ, 2, 4, 5)],
        [(WRITE, 1, 0, 1), (CAS, 1, 2, NO_END, 0, UNKNOWN), (CAS_TO, 2, 2, NO_END, 0, UNKNOWN), (READ, 2, 4, 5)],
    ],
)
def test_what_a_cache_may_do_is_legal(rows: list[tuple[int, ...]]) -> None:
    assert judged(history(*rows)) == judged(history(*rows), by_search=True) == ("legal",)


@pytest.mark.parametrize(
    ("law", "rows"),
    [
        ("lost", [(WRITE, 1, 0, 1), (READ, 0, 2, 3, 0, MISS)]),
        ("no-order", [(DELETE, 0, 0, 1), (WRITE, 1, 2, 3), (READ, 0, 4, 5, 0, MISS)]),
        ("no-order", [(WRITE, 1, 0, 1), (ADD, 2, 2, 3)]),
    ],
)
def test_without_eviction_a_key_is_absent_only_after_a_delete(law: str, rows: list[tuple[int, ...]]) -> None:
    assert judged(history(*rows)) == ("legal",)
    assert judged(history(*rows), strict=True) == ("illegal", law)
    assert judged(history(*rows), strict=True, by_search=True) == ("illegal", "no-order")


def test_a_key_whose_search_reaches_its_bound_is_not_judged_and_the_others_are() -> None:
    found = Operations()
    for value in range(12):
        found.append(WRITE, 1, 1 + value % 6, 0, 100, value)
        found.append(READ, 1, 1 + value % 6, 0, 100, 20 + value)
    found.append(READ, 2, 1, 0, 1)
    register = Register()
    register.searcher.most_states = 10
    assert register.judged(found) == "illegal"
    assert accused(register) == {2}
    assert register.unjudged_count == 1
    assert register.not_judged(0) == (1, False, 24)
    register.searcher.most_states = 1_000_000
    register.judged(found)
    assert register.unjudged_count == 0


def test_a_write_without_an_identity_keeps_its_key_from_being_judged() -> None:
    register = Register()
    assert register.judged(history((WRITE, 0, 0, 1), (READ, 3, 2, 3))) == "untold"
    assert register.not_judged(0) == (7, True, 2)


def test_a_search_of_many_operations_keeps_few_states() -> None:
    """Values come again after 50 writes, so zones cannot judge; each operation overlaps some others."""
    found = Operations()
    for number in range(20_000):
        found.append(READ if number % 2 else WRITE, 1, 1 + number // 2 % 50, 10 * number, 10 * number + 25)
    register = Register()
    assert register.judged(found) == "legal"
    assert register.searcher.states <= 2 * len(found)
    found.append(READ, 1, 1, 1_000_000, 1_000_001)
    assert register.judged(found) == "illegal"


def test_a_judge_is_used_again_and_counts_anew() -> None:
    register = Register()
    register.judged(simulated(1, 2000, lies=0.2))
    assert register.accused == 2
    few = history((WRITE, 1, 0, 1), (READ, 1, 2, 3), (READ, 0, 4, 5, 0, MISS), (WRITE, 2, 6, NO_END, 0, UNKNOWN))
    assert register.judged(few) == "legal"
    counts = (register.reads, register.misses, register.writes, register.unknown, register.key_count, register.accused)
    assert counts == (2, 1, 1, 1, 1, 0)
