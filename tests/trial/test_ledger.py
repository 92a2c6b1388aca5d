"""No correct server is ever accused, and what a correct server cannot have returned is found.

Histories are drawn at random (`tests/support/histories.py`), in virtual time. The definition of a stale value is
written a second time here, over the whole history.
"""

from __future__ import annotations

from random import Random

import pytest
from histories import Op, drawn, moments
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.trial.counters import Counters, Increment
from loadgen.trial.ledger import MOST_FAILED, Ledger, OwnRead, Write
from loadgen.trial.reads import Reads, Wrong
from loadgen.trial.value import Seal, sealed

SEEDS = st.integers(0, 2**32 - 1)
"""Of a `Random`, which draws a history a hundred times as fast as hypothesis itself would."""


def judged(ledger: Ledger, request: OwnRead, value: bytes, now_ns: int, reads: Reads | None = None) -> Wrong | None:
    seal = (reads or Reads()).opened(request, value, now_ns)
    return seal if isinstance(seal, Wrong) else ledger.judge(request, seal, now_ns)


@settings(max_examples=300)
@given(SEEDS)
def test_a_server_that_is_right_is_never_accused(seed: int) -> None:
    random = Random(seed)
    ledger, held = Ledger(1, 7), None
    for at, _, what, op in moments(random, drawn(random, ["set", "get", "delete"])):
        match what, op.kind:
            case "evict", _:
                held = None
            case "begin", "get":
                op.token = ledger.read("k", at)
            case "begin", kind:
                op.token = ledger.write("k", at) if kind == "set" else ledger.delete("k", at)
            case "effect", "get":
                op.value = held
            case "effect", kind:
                assert isinstance(op.token, Write)
                held = ledger.value(op.token, 80) if kind == "set" else None
            case "end", "get":
                assert isinstance(op.token, OwnRead)
                if isinstance(op.value, bytes) and not op.fails:
                    assert judged(ledger, op.token, op.value, at) is None
            case "end", _:
                assert isinstance(op.token, Write)
                ledger.failed(op.token) if op.fails else ledger.acknowledged(op.token, at)


@settings(max_examples=300)
@given(SEEDS)
def test_a_value_is_stale_exactly_when_a_later_write_was_acknowledged_before_the_read(seed: int) -> None:
    """Any value may come back here. The ledger forgets only where writes are acknowledged while a read is under way."""
    random = Random(seed)
    ledger = Ledger(1, 7)
    writes: list[Op] = []
    for at, _, what, op in moments(random, drawn(random, ["set", "get", "delete"])):
        match what, op.kind:
            case "begin", "get":
                op.token = ledger.read("k", at)
            case "begin", kind:
                op.token = ledger.write("k", at) if kind == "set" else ledger.delete("k", at)
                writes.append(op)
            case "end", "get":
                sets = [write for write in writes if write.kind == "set"]
                if not sets:
                    continue
                chosen = random.choice(sets)
                assert isinstance(op.token, OwnRead)
                assert isinstance(chosen.token, Write)
                wrong = judged(ledger, op.token, ledger.value(chosen.token, 80), at)
                stale = (
                    chosen.ended <= at
                    and not chosen.fails
                    and any(
                        later.begun > chosen.ended and later.ended <= op.begun and not later.fails for later in writes
                    )
                )
                undisturbed = not any(op.begun < write.ended <= at and not write.fails for write in writes)
                if wrong is not None:
                    assert wrong.kind == "stale"
                    assert stale
                elif undisturbed:
                    assert not stale
            case "end", _:
                assert isinstance(op.token, Write)
                ledger.failed(op.token) if op.fails else ledger.acknowledged(op.token, at)


@settings(max_examples=300)
@given(SEEDS)
def test_a_counter_that_is_right_is_never_accused(seed: int) -> None:
    random = Random(seed)
    counters, held = Counters(), 0
    for at, _, what, op in moments(random, drawn(random, ["increment"])):
        del at
        match what:
            case "evict":
                held = 0
            case "begin":
                op.token = counters.begin("n", op.delta)
            case "effect":
                held += op.delta
                op.value = held
            case "end":
                assert isinstance(op.token, Increment)
                if op.fails:
                    counters.failed(op.token)
                else:
                    assert isinstance(op.value, int)
                    assert counters.judge(op.token, op.value) is None


def counted(counters: Counters, value: int, delta: int = 1) -> str | None:
    return counters.judge(counters.begin("n", delta), value)


def test_an_increment_that_took_effect_twice_is_found_at_once_and_once() -> None:
    counters = Counters()
    assert [counted(counters, value) for value in (1, 2, 3)] == [None] * 3
    assert counted(counters, 5) == "counter n is 5, and all its increments come to 4 at most"
    assert [counted(counters, value) for value in (6, 7)] == [None] * 2


def test_an_increment_that_took_effect_twice_is_found_after_the_counter_was_set_back() -> None:
    counters = Counters()
    assert [counted(counters, value) for value in (1, 2, 3, 1, 2)] == [None] * 5
    assert counted(counters, 4) is not None


def test_an_acknowledged_increment_that_was_lost_is_found() -> None:
    counters = Counters()
    assert [counted(counters, value, 10) for value in (10, 20, 30)] == [None] * 3
    found = counted(counters, 30, 10)
    assert found is not None
    assert "is 30, was 30 before" in found


def test_a_failed_increment_allows_one_more_and_not_two() -> None:
    counters = Counters()
    counters.failed(counters.begin("n", 1))
    assert counted(counters, 2) is None
    assert counted(counters, 4) is not None


def test_a_stale_value_names_both_writes() -> None:
    ledger = Ledger(1, 7)
    first = ledger.write("k", 0)
    ledger.acknowledged(first, 100_000_000)
    second = ledger.write("k", 200_000_000)
    ledger.acknowledged(second, 300_000_000)
    request = ledger.read("k", 400_000_000)
    wrong = judged(ledger, request, ledger.value(first, 64), 500_000_000)
    assert wrong is not None
    assert wrong.kind == "stale"
    assert wrong.found == (
        "value 1 of writer 1 for key k, written 0.500 s before; write 2 was acknowledged 0.200 s before"
    )


def test_a_late_reply_names_the_request_that_had_failed() -> None:
    ledger = Ledger(1, 7)
    write = ledger.write("a", 0)
    ledger.acknowledged(write, 1)
    reads = Reads()
    reads.gave_up(ledger.read("a", 1_000_000_000))
    wrong = judged(ledger, ledger.read("b", 1_500_000_000), ledger.value(write, 64), 2_000_000_000, reads)
    assert wrong is not None
    assert wrong.kind == "other_key"
    assert wrong.found == (
        "value 1 of writer 1 for key a, written 2.000 s before; a get of a that had failed began 1.000 s before"
    )


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (sealed(Seal("k", 1, 2, 0, 7), 64), "unwritten"),
        (sealed(Seal("k", 2, 1, 0, 7), 64), "unwritten"),
        (sealed(Seal("k", 1, 1, 0, 6), 64), "stale"),
        (sealed(Seal("k", 1, 1, 0, 7), 64)[:-1], "damaged"),
        (b"17", "damaged"),
    ],
)
def test_a_value_that_nobody_wrote_is_found(value: bytes, kind: str) -> None:
    ledger = Ledger(1, 7)
    ledger.acknowledged(ledger.write("k", 0), 1)
    wrong = judged(ledger, ledger.read("k", 2), value, 3)
    assert wrong is not None
    assert wrong.kind == kind


def test_a_value_of_an_earlier_run_is_right_until_this_run_has_written_the_key() -> None:
    ledger, left = Ledger(1, 7), sealed(Seal("k", 1, 9, 0, 6), 64)
    assert judged(ledger, ledger.read("k", 0), left, 1) is None
    write = ledger.write("k", 2)
    assert judged(ledger, ledger.read("k", 3), left, 4) is None
    ledger.acknowledged(write, 5)
    wrong = judged(ledger, ledger.read("k", 6), left, 7)
    assert wrong is not None
    assert wrong.kind == "stale"


def test_a_value_whose_failure_was_forgotten_is_taken_for_right() -> None:
    ledger = Ledger(1, 7)
    first = ledger.write("k", 0)
    ledger.failed(first)
    for at in range(MOST_FAILED):
        ledger.failed(ledger.write("k", at + 1))
    ledger.acknowledged(ledger.write("k", 5_000), 5_001)
    assert judged(ledger, ledger.read("k", 6_000), ledger.value(first, 64), 6_001) is None
