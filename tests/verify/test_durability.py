"""Acknowledged writes judged on constructed logs at told times, and scripts drawn from tapes. No server."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from loadgen.trial.value import read
from loadgen.verify.durability.dump import Demand, Dump
from loadgen.verify.durability.judgement import (
    HOLE,
    LOST,
    PHANTOM,
    REFUSED,
    REVIVED,
    WRONG,
    Expiry,
    Judgement,
    Promise,
    judged,
)
from loadgen.verify.durability.log import Entry, Log, Write, key_of, value_of
from loadgen.verify.durability.script import Pace, Round, script
from loadgen.verify.durability.survival import Survival
from loadgen.verify.kinds.chaos import KINDS
from loadgen.verify.kinds.scene import IN_ORDER, SHORT, Course
from loadgen.verify.kinds.wanted import ANYTHING, Wanted
from loadgen.verify.tape import FAULT, Tape

S = 1_000_000_000
END = 100 * S
NO_WINDOW, EVERYSEC = Promise(), Promise(2 * S)
A, B = key_of(1, 0), key_of(2, 0)


def store(sequence: int, key: str = A, *, before_end: float = 10, ttl_s: int = 0, replied: bool = True) -> Entry:
    """A value that was stored and acknowledged so many seconds before the end of the server."""
    write = Write(sequence, int(key[1]), key, value_of(int(key[1]), key, sequence, 64), ttl_s)
    at = END - int(before_end * S)
    return Entry(write, at - 1, at if replied else 0)


def deletion(sequence: int, key: str = A, *, before_end: float = 10) -> Entry:
    at = END - int(before_end * S)
    return Entry(Write(sequence, int(key[1]), key, None), at - 1, at)


def refused(sequence: int, key: str = A) -> Entry:
    entry = store(sequence, key, replied=False)
    entry.refusal = "MISCONF"
    return entry


def judge(log: Iterable[Entry], *served: Entry, promise: Promise = NO_WINDOW) -> Judgement:
    """Judge a log after whose restart the values of these writes are served."""
    return judged(log, {each.write.key: each.write.value or b"" for each in served}, promise, END)


def names(judgement: Judgement) -> list[str]:
    return [finding.name for finding in judgement.findings]


# ── What became of the writes ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_write_has_survived_with_its_value_or_that_of_a_later_write() -> None:
    first, second, other, gone = store(1), store(2), store(3, B), deletion(4, key_of(3, 0))
    found = judge([first, second, other, gone], second, other)
    assert found == Judgement(Survival(acknowledged=4, survived=4, slowest_ns=1), ())


def test_a_value_that_is_not_there_is_lost_and_the_age_of_the_oldest_is_told() -> None:
    old, new = store(1, before_end=1.5), store(2, B, before_end=0.5)
    found = judge([old, new])
    assert names(found) == [LOST]
    assert "SET w1:k0 #1 (64 bytes) was acknowledged 1.5 s before the end of the server" in found.findings[0].words
    assert (found.survival.lost, found.survival.lost_ns, found.survival.survived) == (2, int(1.5 * S), 0)


def test_an_older_value_means_that_the_writes_after_it_are_lost() -> None:
    found = judge([store(1), store(2), store(3)], store(1))
    assert (found.survival.survived, found.survival.lost) == (1, 2)


@pytest.mark.parametrize(("before_end", "broken"), [(0.1, []), (2.0, []), (2.001, [LOST])])
def test_with_a_fsync_each_second_two_seconds_of_acknowledged_time_may_be_lost(
    before_end: float, broken: list[str]
) -> None:
    found = judge([store(1, before_end=before_end)], promise=EVERYSEC)
    assert names(found) == broken
    assert found.survival.lost == 1


def test_a_fault_that_takes_the_newest_writes_may_take_so_many_and_no_more() -> None:
    log = [store(1, key_of(1, 0)), store(2, key_of(1, 1)), store(3, key_of(1, 2), before_end=9)]
    assert names(judge(log, *log[:2], promise=Promise(newest=1))) == []
    assert names(judge(log, log[0], promise=Promise(newest=1))) == [LOST]


def test_of_rdb_files_what_was_acknowledged_before_the_last_save_must_be_there() -> None:
    before, after = store(1, before_end=5.1), store(2, B, before_end=4.9)
    promise = Promise(5 * S, saved=True)
    assert names(judge([before, after], before, promise=promise)) == []
    found = judge([before, after], promise=promise)
    assert names(found) == [LOST]
    assert found.findings[0].words.endswith("only those that were acknowledged after the last save may be")


def test_a_deleted_key_that_has_a_value_again_is_revived() -> None:
    found = judge([store(1), deletion(2)], store(1))
    assert names(found) == [REVIVED]
    assert (found.survival.survived, found.survival.lost, found.survival.revived) == (1, 0, 1)


def test_a_write_without_a_reply_may_be_there_or_not() -> None:
    acknowledged, unanswered = store(1), store(2, replied=False)
    for served in (acknowledged, unanswered):
        found = judge([acknowledged, unanswered], served)
        assert names(found) == []
        assert (found.survival.survived, found.survival.unanswered) == (1, 1)
    assert names(judge([acknowledged, unanswered])) == [LOST]


def test_a_refused_write_must_not_be_there() -> None:
    assert names(judge([store(1), refused(2)], store(1))) == []
    found = judge([store(1), refused(2)], store(2))
    assert names(found) == [REFUSED]
    assert found.survival.refused == 1


def test_a_refused_deletion_is_no_reason_for_a_missing_key() -> None:
    gone = deletion(2)
    gone.acknowledged_ns, gone.refusal = 0, "MISCONF"
    assert names(judge([store(1), gone])) == [LOST]


def test_a_damaged_value_is_told_with_key_writer_and_expected_checksum() -> None:
    entry = store(7, B)
    value = entry.write.value
    assert value is not None
    found = judged([entry], {B: value[:-1] + b"X"}, NO_WINDOW, END)
    assert names(found) == [WRONG]
    crc = value[2:6].hex()
    assert f"GET {B} (writer 2, sequence 7, expected CRC {crc}) is a value of 64 bytes" in found.findings[0].words
    assert (found.survival.wrong, found.survival.survived) == (1, 0)


def test_the_value_of_another_key_is_wrong_and_that_key_is_named() -> None:
    mine, other = store(1, A), store(2, B)
    assert mine.write.value is not None
    assert other.write.value is not None
    found = judged([mine, other], {A: other.write.value, B: other.write.value}, NO_WINDOW, END)
    assert names(found) == [WRONG]
    assert f"is that of {B} by writer 2, sequence 2" in found.findings[0].words


def test_a_key_that_nobody_wrote_is_a_finding() -> None:
    entry = store(1)
    assert entry.write.value is not None
    found = judged([entry], {A: entry.write.value, "w1:\xff0": entry.write.value}, NO_WINDOW, END)
    assert names(found) == [PHANTOM]
    assert r'the key "w1:\xff0", with the value of w1:k0 by writer 1, sequence 1' in found.findings[0].words


def test_no_log_loses_a_write_and_keeps_one_that_was_sent_after_its_reply() -> None:
    early, late = store(1, A, before_end=1), store(2, B, before_end=0.5)
    assert names(judge([early, late], late, promise=EVERYSEC)) == [HOLE]
    assert names(judge([early, late], early, promise=EVERYSEC)) == []
    # Sent before the reply: the server may have taken them in either order.
    late.sent_ns = early.acknowledged_ns
    assert names(judge([early, late], late, promise=EVERYSEC)) == []


def test_the_gravest_finding_comes_first() -> None:
    log = [store(1, A), store(2, B)]
    assert names(judged(log, {B: b"nonsense"}, NO_WINDOW, END)) == [WRONG, LOST]
    value = log[0].write.value
    assert value is not None
    assert names(judged([refused(1)], {A: value, "nobody's": b"x"}, NO_WINDOW, END)) == [PHANTOM, REFUSED]


@pytest.mark.parametrize(
    ("expiry", "there", "broken"),
    [
        (Expiry.NOT_YET, True, []),
        (Expiry.NOT_YET, False, [LOST]),
        (Expiry.PERHAPS, True, []),
        (Expiry.PERHAPS, False, []),
        (Expiry.PASSED, True, [REVIVED]),
        (Expiry.PASSED, False, []),
    ],
)
def test_a_key_whose_time_has_passed_is_gone_and_no_other_is(expiry: Expiry, there: bool, broken: list[str]) -> None:
    entry = store(1, ttl_s=100)
    assert entry.write.value is not None
    found = judged([entry], {A: entry.write.value} if there else {}, NO_WINDOW, END, lambda write: expiry)
    assert names(found) == broken


@pytest.mark.parametrize("seed", range(20))
def test_a_server_that_keeps_a_beginning_of_its_log_loses_what_it_does_not_keep_and_nothing_else(seed: int) -> None:
    random = Random(seed)
    rounds = script(Tape.seeded("durability", seed), "kill", lambda tape: {}, SHORT, SHORT, SHORT).before
    writes = [write for each in rounds if isinstance(each, Round) for write in each.writes]
    log = [Entry(write, at := END - (len(writes) - n) * 1_000, at + 500) for n, write in enumerate(writes)]
    kept = random.randrange(len(log) + 1)
    found: dict[str, bytes] = {}
    for entry in log[:kept]:
        if entry.write.value is None:
            found.pop(entry.write.key, None)
        else:
            found[entry.write.key] = entry.write.value
    survival = judged(log, found, Promise(window_ns=END), END).survival
    assert judged(log, found, Promise(window_ns=END), END).findings == ()
    assert survival.acknowledged == len(log) == survival.survived + survival.lost + survival.revived
    # A deletion that is not kept, and changes nothing, is not seen.
    assert survival.survived >= kept
    assert (survival.lost == 0) == all(entry.write.value is None for entry in log[kept:])


def test_the_slowest_reply_is_told() -> None:
    fast, slow = store(1, A), store(2, B)
    slow.sent_ns -= 4
    assert judge([fast, slow], fast, slow).survival.slowest_ns == 5


def test_a_reply_that_was_read_after_the_end_of_the_server_is_not_older_than_it() -> None:
    found = judge([store(1, before_end=-0.5)], promise=EVERYSEC)
    assert (names(found), found.survival.lost, found.survival.lost_ns) == ([], 1, 0)


def test_survivals_add_and_keep_the_longest_times() -> None:
    one, other = Survival(acknowledged=2, lost=1, lost_ns=5, slowest_ns=9), Survival(acknowledged=3, lost_ns=7)
    assert one + other == Survival(acknowledged=5, lost=1, lost_ns=7, slowest_ns=9)


# ── The log and the script ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_write_is_a_command_of_redis() -> None:
    assert Write(1, 1, A, b"x").command == (b"SET", b"w1:k0", b"x")
    assert Write(1, 1, A, b"x", 100).command == (b"SET", b"w1:k0", b"x", b"EX", b"100")
    assert Write(1, 1, A, None).command == (b"DEL", b"w1:k0")


def test_a_log_counts_what_was_acknowledged() -> None:
    log = Log()
    log.sent(Write(1, 1, A, b"x"), 5).acknowledged_ns = 6
    log.sent(Write(2, 1, A, None), 7).refusal = "OOM"
    log.sent(Write(3, 1, A, b"x", 100), 8)
    assert (len(log), log.acknowledged) == (3, 1)
    assert [*map(str, log)] == [
        "SET w1:k0 #1 (1 bytes) → OK",
        "DEL w1:k0 #2 → -OOM",
        "SET w1:k0 #3 (1 bytes) EX 100 → no reply",
    ]


def test_a_script_is_that_of_its_tape_and_writes_each_key_on_one_connection() -> None:
    first, again = (script(Tape.seeded("kind", 5), "torn_tail", lambda tape: {}, SHORT, SHORT, SHORT) for _ in range(2))
    assert first == again
    assert first.fault is not None
    rounds = (*first.before, *first.during, *first.after)
    writes = [write for each in rounds for write in each.writes]
    assert [write.sequence for write in writes] == [*range(1, len(writes) + 1)]
    assert {write.writer for each in rounds for write in each.writes if write.writer != each.writer} == set()
    for write in writes:
        assert write.key.startswith(f"w{write.writer}:")
        if write.value is not None:
            seal = read(write.value)
            assert (seal.key, seal.writer, seal.sequence) == (write.key, write.writer, write.sequence)


def test_rounds_that_are_not_to_overlap_do_not() -> None:
    overlapping, in_order = (
        script(Tape.seeded("kind", 1), "bit_flip", lambda tape: {}, pace, Pace(0), Pace(0)).before
        for pace in (SHORT, IN_ORDER)
    )
    assert {each.waits_for_replies for each in overlapping} == {True, False}
    assert {each.waits_for_replies for each in in_order} == {True}


def test_the_fault_and_each_round_can_be_left_out() -> None:
    tape = Tape.seeded("kind", 2)
    whole = script(tape, "kill", lambda tape: {}, Pace(3), Pace(2), Pace(1))
    drawn = tape.recording()
    for span in drawn.spans:
        shorter = (*drawn.values[: span.start], *drawn.values[span.end :])
        left = script(Tape.of(shorter), "kill", lambda tape: {}, Pace(3), Pace(2), Pace(1))
        parts = (len(left.before), len(left.during), len(left.after))
        assert (sum(parts), left.fault is None) == ((6, True) if span.name == FAULT else (5, False))
    assert len(whole.before) == 3


# ── Dumps and bounds ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_log_has_dumps_between_writes() -> None:
    log = Log()
    log.sent(Write(1, 1, A, b"x"), 5).acknowledged_ns = 6
    for dump in (Dump.SAVE, Dump.BGSAVE, Dump.REWRITE):
        log.asked(Demand(dump), 7)
    log.dumps[0].done, log.dumps[1].refusal = True, "ERR no"
    assert [*map(str, log)] == [log.lines()[0]]
    assert log.lines()[1:] == ("SAVE → OK", "BGSAVE → -ERR no", "BGREWRITEAOF → begun")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", KINDS)
def test_each_case_of_rdb_files_has_a_save_and_a_bound_is_kept(kind: str, seed: int) -> None:
    scene, persistence = KINDS[kind]
    for most in (3, 40):
        paces = scene.paces(persistence, Wanted(most, deletes=False))
        found = script(Tape.seeded(kind, seed), scene.fault, scene.drawn, **paces)
        parts = (found.before, found.during, found.after)
        rounds = [each for part in parts for each in part if isinstance(each, Round)]
        dumps = {each.dump for part in parts for each in part if isinstance(each, Demand)}
        writes = [write for each in rounds for write in each.writes]
        assert 0 < len(writes) <= most
        assert all(write.value is not None for write in writes)
        assert dumps <= {*persistence.dumps}
        assert any(isinstance(each, Demand) for each in found.before) or not persistence.saves
        if scene.course is Course.CRASH:
            assert Dump.SAVE not in {each.dump for each in found.during if isinstance(each, Demand)}


def test_most_cases_with_an_append_only_file_have_no_rewrite_before_the_fault() -> None:
    scene, persistence = KINDS["power_cut_everysec"]
    paces = scene.paces(persistence, ANYTHING)
    found = [script(Tape.seeded("kind", seed), scene.fault, scene.drawn, **paces) for seed in range(50)]
    before, during = (
        sum(any(isinstance(each, Demand) for each in getattr(one, part)) for one in found)
        for part in ("before", "during")
    )
    assert 5 < before < 25
    assert 15 < during < 35
