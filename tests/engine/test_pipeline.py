"""One connection without a socket: invented bytes and times in, exact counts out; then random ones against a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import pytest
from counted import snapshot_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from loadgen._codec import Codec
from loadgen._memcache import Memcache
from loadgen._request import PHASE_NAMES
from loadgen._resp import Resp
from loadgen.engine._histogram import Histogram
from loadgen.engine._pipeline_face import PipelineFace
from loadgen.engine._recorder import Recorder
from loadgen.snapshot import Snapshot, Tally

TIMEOUT = 1000
HIT = b"$5\r\nhello\r\n"
MISS = b"$-1\r\n"
STORED = b"+OK\r\n"
REFUSED = b"-OOM no memory left\r\n"
GARBAGE = b"HTTP/1.1 400 Bad Request\r\n"


class Line(PipelineFace):
    """A pipeline of RESP. `get` sends a GET of the measure phase at its intended time."""

    def __new__(
        cls, depth: int = 8, *, timeout_ns: int = TIMEOUT, backfill: bool = False, scheduled: bool = False
    ) -> Self:
        return super().__new__(cls, Resp(), Recorder(scheduled), depth, timeout_ns, backfill=backfill)

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def get(self, now_ns: int, **more: int) -> None:
        self.push("get", "measure", now_ns, now_ns, **more)

    def tally(self, command: str = "get", phase: str = "measure") -> Tally:
        return self.counts(phase).tally(command)

    def response(self, command: str = "get") -> Histogram:
        return self.counts("measure").response[command]

    def errors(self) -> Mapping[str, int]:
        return self.counts("measure").errors

    def counts(self, phase: str) -> Snapshot:
        return counted(self.recorder, phase)


def counted(recorder: Recorder, phase: str = "measure") -> Snapshot:
    return snapshot_of(recorder.counts(PHASE_NAMES.index(phase)))


def histogram(*values: int, censored: tuple[int, ...] = ()) -> Histogram:
    h = Histogram()
    for value in values:
        h.record(value)
    for value in censored:
        h.record(value, censored=True)
    return h


# A reply, by its outcome.


@pytest.mark.parametrize(
    ("command", "reply", "expected"),
    [
        ("get", HIT, Tally(planned=1, ok=1, hits=1)),
        ("get", MISS, Tally(planned=1, ok=1, misses=1)),
        ("get", REFUSED, Tally(planned=1, errors=1)),
        ("get", b"?\r\n", Tally(planned=1, corrupt=1)),
        ("get", b":1\r\n", Tally(planned=1, corrupt=1)),
        ("set", STORED, Tally(planned=1, ok=1, hits=1)),
        ("set", b"_\r\n", Tally(planned=1, ok=1, misses=1)),
        ("set", REFUSED, Tally(planned=1, errors=1)),
        ("backfill", STORED, Tally(planned=1, ok=1, hits=1)),
        ("backfill", REFUSED, Tally(planned=1, errors=1)),
        ("delete", b":1\r\n", Tally(planned=1, ok=1, hits=1)),
        ("delete", b":0\r\n", Tally(planned=1, ok=1, misses=1)),
        ("delete", STORED, Tally(planned=1, corrupt=1)),
        ("ping", b"+PONG\r\n", Tally(planned=1, ok=1, hits=1)),
        ("hello", b"%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n", Tally(planned=1, ok=1, hits=1)),
        ("auth", b"+OK\r\n", Tally(planned=1, ok=1, hits=1)),
        ("auth", b"-WRONGPASS\r\n", Tally(planned=1, errors=1)),
    ],
)
def test_each_reply_ends_its_request_in_one_place(command: str, reply: bytes, expected: Tally) -> None:
    line = Line()
    line.push(command, "measure", 100, 100)
    line.feed(reply, 142)
    assert line.tally(command) == expected
    assert line.tally(command).balance == 0
    assert line.response(command) == (histogram() if expected.corrupt else histogram(42))
    assert line.errors() == ({reply[1:].split()[0].decode(): 1} if expected.errors else {})


def test_a_push_between_replies_answers_nobody_and_shifts_nothing() -> None:
    line = Line()
    line.get(0)
    line.push("set", "measure", 0, 0)
    push = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n"
    assert line.feed(push + HIT + push + b"|1\r\n+ttl\r\n:3600\r\n" + STORED + push, 5) == "fed"
    assert (line.tally("get"), line.tally("set")) == (Tally(planned=1, ok=1, hits=1), Tally(planned=1, ok=1, hits=1))


def test_replies_answer_requests_in_the_order_in_which_they_were_sent() -> None:
    line = Line()
    for command, at_ns in (("get", 10), ("set", 20), ("delete", 30), ("get", 40)):
        line.push(command, "measure", at_ns, at_ns)
    assert line.feed(HIT + STORED + b":0\r\n" + MISS, 100) == "fed"
    assert line.response("get") == histogram(90, 60)
    assert line.response("set") == histogram(80)
    assert line.response("delete") == histogram(70)
    assert (line.room, line.open) == (8, 0)


def test_a_reply_that_is_cut_counts_when_its_last_byte_comes() -> None:
    replies = HIT + REFUSED + MISS
    for cut in range(len(replies) + 1):
        line = Line()
        for _ in range(3):
            line.get(0)
        assert line.feed(replies[:cut], 10) == "fed"
        assert line.feed(replies[cut:], 20) == "fed"
        ends = [len(HIT), len(HIT + REFUSED), len(replies)]
        assert line.response() == histogram(*[10 if end <= cut else 20 for end in ends]), cut
        assert line.tally() == Tally(planned=3, ok=2, errors=1, hits=1, misses=1), cut


def test_a_request_belongs_to_the_phase_in_which_it_was_intended() -> None:
    line = Line()
    for phase in ("precheck", "prefill", "warmup", "measure"):
        line.push("get", phase, 0, 0)
    line.feed(HIT * 2 + REFUSED + HIT, 10)
    assert [line.tally("get", phase).ok for phase in PHASE_NAMES] == [1, 1, 0, 1, 0]
    assert [line.counts(phase).errors for phase in PHASE_NAMES] == [{}, {}, {"OOM": 1}, {}, {}]


def test_with_a_schedule_response_service_and_lag_are_three_numbers() -> None:
    line = Line(scheduled=True)
    line.push("get", "measure", 100, 130)
    line.push("set", "measure", 110, 130)
    line.feed(HIT + STORED, 200)
    counts = line.counts("measure")
    assert counts.response == {"get": histogram(100), "set": histogram(90)}
    assert counts.service == {"get": histogram(70), "set": histogram(70)}
    assert counts.lag == counts.lag_backpressure == histogram(30, 20)
    assert counts.lag_ours == histogram(0, 0)


def test_a_full_pipeline_has_no_room_until_a_reply_comes() -> None:
    line = Line(depth=3)
    for room in (3, 2, 1):
        assert line.room == room
        line.get(0)
    assert line.room == 0
    with pytest.raises(ValueError, match="full"):
        line.get(0)
    line.feed(HIT, 1)
    assert line.room == 1


def test_a_ring_goes_round_as_often_as_it_is_asked_to() -> None:
    line = Line(depth=3)
    for round in range(1000):
        while line.room:
            line.get(round)
        line.feed(HIT * (1 + round % 3), round + 7)
    line.feed(HIT * line.open, 1007)
    # 3 in the first round, and in each of the 999 others as many as the one before it ended: 1, 2 and 3 in turn.
    assert line.tally() == Tally(planned=2001, ok=2001, hits=2001)


# Timeouts.


def test_a_timeout_is_counted_at_its_deadline_however_late_it_is_found() -> None:
    line = Line()
    line.get(100)
    assert not line.expire(100 + TIMEOUT - 1)
    assert line.tally() == Tally(planned=1)
    line.expire(100 + TIMEOUT + 555)
    assert line.tally() == Tally(planned=1, timeouts=1)
    assert line.response() == histogram(censored=(TIMEOUT,))
    assert line.response().is_lower_bound(0.5)


def test_a_timeout_runs_from_the_send_and_its_response_time_from_the_intended_time() -> None:
    line = Line(scheduled=True)
    line.push("get", "measure", 0, 600)
    line.expire(TIMEOUT + 599)
    assert line.tally().timeouts == 0
    line.expire(TIMEOUT + 600)
    assert line.tally().timeouts == 1
    assert line.response() == histogram(censored=(TIMEOUT + 600,))
    assert line.counts("measure").service["get"] == histogram(censored=(TIMEOUT,))


@pytest.mark.parametrize(("at_ns", "in_time"), [(TIMEOUT - 1, True), (TIMEOUT, False)])
def test_a_reply_must_come_before_the_deadline(at_ns: int, in_time: bool) -> None:
    line = Line()
    line.get(0)
    line.feed(HIT, at_ns)
    assert line.tally() == (Tally(planned=1, ok=1, hits=1) if in_time else Tally(planned=1, timeouts=1, late=1))


def test_a_late_reply_is_drained_and_never_matched_to_another_request() -> None:
    line = Line()
    line.get(0)
    line.push("set", "measure", 900, 900)
    line.expire(TIMEOUT)
    # Were the late one matched to the SET, a bulk string would be no reply to it, and the +OK one to nobody.
    assert line.feed(HIT + STORED, TIMEOUT + 200) == "fed"
    assert line.tally("get") == Tally(planned=1, timeouts=1, late=1)
    assert line.tally("set") == Tally(planned=1, ok=1, hits=1)
    assert line.response("get") == histogram(censored=(TIMEOUT,))
    assert line.response("set") == histogram(300)


def test_a_late_error_reply_is_late_and_not_an_error() -> None:
    line = Line()
    line.get(0)
    line.expire(TIMEOUT)
    line.feed(REFUSED, TIMEOUT + 1)
    assert line.tally() == Tally(planned=1, timeouts=1, late=1)
    assert line.errors() == {}


def test_a_reply_that_began_in_time_and_ended_late_is_late() -> None:
    line = Line()
    line.get(0)
    line.feed(HIT[:-1], TIMEOUT - 1)
    line.feed(HIT[-1:], TIMEOUT)
    assert line.tally() == Tally(planned=1, timeouts=1, late=1)


def test_an_expired_request_keeps_its_slot_until_its_reply_is_drained() -> None:
    line = Line(depth=2)
    line.get(0)
    line.expire(TIMEOUT)
    assert (line.room, line.open) == (1, 0)
    line.feed(HIT, TIMEOUT)
    assert (line.room, line.open) == (2, 0)


def test_a_pipeline_whose_every_slot_has_expired_is_stalled() -> None:
    line = Line(depth=3)
    for at_ns in (0, 0, 500):
        line.get(at_ns)
    assert not line.expire(TIMEOUT)
    assert not line.expire(TIMEOUT + 499)
    assert line.expire(TIMEOUT + 500)
    line.abandon()
    assert line.tally() == Tally(planned=3, timeouts=3)


def test_a_pipeline_whose_oldest_is_twice_past_the_timeout_is_stalled() -> None:
    line = Line(depth=8)
    line.get(0)
    line.get(1900)
    assert not line.expire(2 * TIMEOUT - 1)
    assert line.expire(2 * TIMEOUT)
    line.abandon()
    assert line.tally() == Tally(planned=2, timeouts=1, lost=1)


def test_a_drained_late_reply_ends_the_stall() -> None:
    line = Line(depth=2)
    line.get(0)
    line.get(0)
    assert line.expire(TIMEOUT)
    line.feed(HIT, TIMEOUT + 1)
    assert not line.expire(TIMEOUT + 1)
    line.get(TIMEOUT + 1)
    assert line.feed(HIT + HIT, TIMEOUT + 5) == "fed"
    assert line.tally() == Tally(planned=3, ok=1, timeouts=2, late=2, hits=1)


def test_an_idle_pipeline_never_stalls() -> None:
    line = Line()
    assert not line.expire(10**18)
    line.get(10**18)
    line.feed(HIT, 10**18 + 1)
    assert not line.expire(2 * 10**18)


# Ends.


def test_a_lost_connection_loses_what_was_open_and_nothing_else() -> None:
    line = Line()
    line.get(0)
    line.get(0)
    line.get(500)
    line.get(500, written=False)
    line.feed(HIT, 10)
    line.expire(TIMEOUT)
    line.abandon()
    assert line.tally() == Tally(planned=4, ok=1, timeouts=1, lost=2, hits=1, unsent=1)
    assert line.tally().balance == 0
    assert line.response() == histogram(10, censored=(TIMEOUT,))


def test_after_a_lost_connection_the_pipeline_is_as_new() -> None:
    line = Line(depth=2)
    line.get(0)
    line.get(0)
    line.feed(HIT[:4], 1)  # a reply cut in its head,
    line.abandon()
    line.get(10)
    line.feed(HIT[:-3], 11)  # and one in its body
    line.abandon()
    assert (line.room, line.open) == (2, 0)
    line.get(20)
    assert line.feed(MISS, 21) == "fed"
    assert line.tally() == Tally(planned=4, ok=1, lost=3, misses=1)


def test_what_is_open_at_the_end_is_unfinished_at_its_age_as_a_lower_bound() -> None:
    line = Line(scheduled=True)
    line.push("get", "measure", 0, 5)
    line.push("get", "measure", 100, 130)
    line.push("get", "measure", 200, 230, written=False)
    line.feed(HIT, 50)
    line.finish(400)
    assert line.tally() == Tally(planned=3, ok=1, unfinished=2, hits=1, unsent=1)
    assert line.response() == histogram(50, censored=(300, 200))
    # What was never written has no service time.
    assert line.counts("measure").service["get"] == histogram(45, censored=(270,))
    assert not line.response().is_lower_bound(0.33)
    assert line.response().is_lower_bound(0.99)
    assert (line.room, line.open) == (8, 0)


def test_what_had_timed_out_is_not_unfinished_as_well() -> None:
    line = Line()
    line.get(0)
    line.get(900)
    line.expire(TIMEOUT)
    line.finish(TIMEOUT + 50)
    assert line.tally() == Tally(planned=2, timeouts=1, unfinished=1)
    assert line.response() == histogram(censored=(TIMEOUT, 150))


def test_a_request_that_never_left_is_unsent_wherever_it_ends() -> None:
    timed_out, lost, unfinished = Line(), Line(), Line()
    for line in (timed_out, lost, unfinished):
        line.get(0)
        line.get(0, written=False)
    timed_out.expire(TIMEOUT)
    timed_out.abandon()
    lost.abandon()
    unfinished.finish(10)
    assert timed_out.tally() == Tally(planned=2, timeouts=2, unsent=1)
    assert lost.tally() == Tally(planned=2, lost=2, unsent=1)
    assert unfinished.tally() == Tally(planned=2, unfinished=2, unsent=1)


def test_a_request_that_leaves_after_its_timeout_was_sent_all_the_same() -> None:
    line = Line()
    line.get(0, written=False)
    line.expire(TIMEOUT)
    line.get(TIMEOUT)  # which takes the one before it along
    line.feed(HIT + HIT, TIMEOUT + 10)
    assert line.tally() == Tally(planned=2, ok=1, timeouts=1, late=1, hits=1)


# Replies that should not be.


def test_an_error_may_answer_a_request_of_which_a_part_was_written() -> None:
    # Redis refuses a bulk length that is too large before it has read the bulk.
    line = Line()
    line.push("set", "measure", 0, 0, written=False)
    line.get(0, written=False)
    assert line.feed(b"-ERR Protocol error: invalid bulk length\r\n", 10) == "fed"
    assert line.tally("set") == Tally(planned=1, errors=1)
    line.abandon()
    assert line.tally("get") == Tally(planned=1, lost=1, unsent=1)


def test_any_other_reply_to_a_request_that_is_not_written_is_corrupt() -> None:
    line = Line()
    line.get(0)
    line.get(0, written=False)
    assert line.feed(HIT + HIT, 10) == "corrupt reply"
    assert line.tally() == Tally(planned=2, ok=1, corrupt=1, hits=1, unsent=1)
    line.abandon()
    assert line.tally().balance == 0


def test_garbage_makes_the_oldest_request_corrupt_and_the_rest_are_lost_with_the_connection() -> None:
    line = Line()
    for _ in range(4):
        line.get(0)
    assert line.feed(HIT + GARBAGE + HIT, 10) == "corrupt reply"
    assert line.tally() == Tally(planned=4, ok=1, corrupt=1, hits=1)
    line.abandon()
    assert line.tally() == Tally(planned=4, ok=1, corrupt=1, lost=2, hits=1)


def test_garbage_where_a_late_reply_was_due_is_not_counted_twice() -> None:
    line = Line()
    line.get(0)
    line.get(900)
    line.expire(TIMEOUT)
    assert line.feed(GARBAGE, TIMEOUT + 10) == "corrupt reply"
    line.abandon()
    assert line.tally() == Tally(planned=2, timeouts=1, lost=1)


def test_garbage_where_a_request_timed_out_unsent_leaves_it_unsent() -> None:
    line = Line()
    line.get(0, written=False)
    line.get(0, written=False)
    line.expire(TIMEOUT)
    line.get(TIMEOUT, written=False)
    assert line.feed(GARBAGE, TIMEOUT + 10) == "corrupt reply"
    line.abandon()
    assert line.tally() == Tally(planned=3, timeouts=2, lost=1, unsent=3)


def test_a_reply_to_nobody_is_told_and_not_counted() -> None:
    line = Line()
    assert line.feed(HIT, 10) == "answers nobody"
    line = Line()
    line.get(0)
    assert line.feed(HIT + HIT, 10) == "answers nobody"
    assert line.tally() == Tally(planned=1, ok=1, hits=1)
    line = Line()
    assert line.feed(REFUSED, 10) == "answers nobody"
    assert line.errors() == {}


def test_memcache_replies_are_matched_the_same_way() -> None:
    recorder = Recorder()
    line = PipelineFace(Memcache(), recorder, 8, TIMEOUT)
    for command in ("get", "get", "set", "delete", "set"):
        line.push(command, "measure", 0, 0, key=0xBEEF)
    replies = (
        b"VALUE 000000000000beef 0 5\r\nhello\r\nEND\r\nEND\r\nSTORED\r\nNOT_FOUND\r\nSERVER_ERROR out of memory\r\n"
    )
    assert line.feed(replies, 10) == "fed"
    counts = counted(recorder)
    assert counts.tallies["get"] == Tally(planned=2, ok=2, hits=1, misses=1)
    assert counts.tallies["set"] == Tally(planned=2, ok=1, errors=1, hits=1)
    assert counts.tallies["delete"] == Tally(planned=1, ok=1, misses=1)
    assert counts.errors == {"SERVER_ERROR": 1}


@pytest.mark.parametrize(
    ("length", "asked", "replied", "fed"),
    [
        (16, 0x1F, b"000000000000001f", "fed"),
        (16, 2**64 - 1, b"ffffffffffffffff", "fed"),
        (4, 0x1F, b"001f", "fed"),
        (1, 0xF, b"f", "fed"),
        (40, 0x1F, b"%040x" % 0x1F, "fed"),
        (250, 2**63, b"%0250x" % 2**63, "fed"),
        (16, 0x1F, b"000000000000001e", "wrong answer"),
        (16, 0x1F, b"000000000000001F", "wrong answer"),
        (16, 0x1F, b"100000000000001f", "wrong answer"),
        (16, 0x1F, b"00000000000001f", "wrong answer"),
        (16, 0x1F, b"0000000000000001f", "wrong answer"),
        (16, 0x1F, b"k", "wrong answer"),
        (40, 0x1F, b"1" + b"%039x" % 0x1F, "wrong answer"),
        (40, 0x1F, b"%016x" % 0x1F, "wrong answer"),
        (16, 0x1F, b"", "wrong answer"),
        (16, 0x1F, b"a b", "corrupt reply"),
    ],
)
def test_a_value_is_of_the_key_that_was_asked_for(length: int, asked: int, replied: bytes, fed: str) -> None:
    reply = b"VALUE %b 0 5\r\nhello\r\nEND\r\n" % replied
    for cut in (0, 5, 6, 7, 12, len(reply) - 8, len(reply) - 1):
        recorder = Recorder()
        line = PipelineFace(Memcache(length), recorder, 8, TIMEOUT)
        line.push("get", "measure", 0, 0, key=asked)
        line.push("get", "measure", 0, 0, key=asked)
        end = line.feed(reply[:cut], 10)
        if end == "fed":
            end = line.feed(reply[cut:], 10)
        assert end == fed
        right = fed == "fed"
        assert counted(recorder).tallies["get"] == Tally(planned=2, ok=right, hits=right, corrupt=not right)


def test_a_reply_of_a_stream_that_is_out_of_step_is_seen_at_once() -> None:
    recorder = Recorder()
    line = PipelineFace(Memcache(), recorder, 8, TIMEOUT)
    for key in range(4):
        line.push("get", "measure", 0, 0, key=key)
    value = b"VALUE %016x 0 5\r\nhello\r\nEND\r\n"
    # The second was swallowed on its way.
    assert line.feed(value % 0 + value % 2 + value % 3, 10) == "wrong answer"
    line.abandon()
    assert counted(recorder).tallies["get"] == Tally(planned=4, ok=1, hits=1, corrupt=1, lost=2)


# Keys owed.


def test_a_miss_owes_its_key_only_where_backfill_is_on() -> None:
    for backfill, owed in ((True, [7]), (False, [])):
        line = Line(backfill=backfill)
        line.get(0, key=5)
        line.get(0, key=6)
        line.get(0, key=7)
        line.push("delete", "measure", 0, 0, key=8)
        line.feed(HIT + REFUSED + MISS + b":0\r\n", 10)
        assert line.owed_now() == owed
        assert line.owed_now() == []


def test_a_miss_in_a_greeting_owes_nothing() -> None:
    line = Line(backfill=True)
    line.push("get", "precheck", 0, 0, key=0)
    line.feed(MISS, 10)
    assert line.owed_now() == []


def test_a_late_miss_owes_nothing() -> None:
    line = Line(backfill=True)
    line.get(0, key=5)
    line.expire(TIMEOUT)
    line.feed(MISS, TIMEOUT + 1)
    assert line.owed_now() == []


def test_a_key_that_the_prefill_could_not_store_is_owed_whatever_became_of_it() -> None:
    line = Line(depth=8)
    for key, at_ns in ((1, 0), (2, 0), (3, 0), (4, 500), (5, 500)):
        line.push("set", "prefill", at_ns, at_ns, key=key)
    line.feed(STORED + REFUSED, 10)
    assert line.owed_now() == [2]
    line.expire(TIMEOUT)
    assert line.owed_now() == [3]
    line.feed(STORED, TIMEOUT + 10)  # late, and paid by the write that the timeout has asked for
    assert line.owed_now() == []
    line.feed(GARBAGE, TIMEOUT + 20)
    assert line.owed_now() == [4]
    line.abandon()
    assert line.owed_now() == [5]
    tally = line.tally("set", "prefill")
    assert tally == Tally(planned=5, ok=1, errors=1, timeouts=1, corrupt=1, lost=1, hits=1, late=1)


def test_a_finished_prefill_owes_nothing() -> None:
    line = Line()
    line.push("set", "prefill", 0, 0, key=1)
    line.finish(10)
    assert line.owed_now() == []


# Anything, in any order.


@dataclass
class Sent:
    """A request as the model remembers it."""

    command: str
    phase: str
    intended_ns: int
    send_ns: int
    key: int
    written: bool
    expired: bool = False


class Model:
    """What a pipeline must count, in the plainest Python: a list of requests, oldest first."""

    def __init__(self, depth: int, backfill: bool, scheduled: bool) -> None:
        self.depth = depth
        self.backfill = backfill
        self.scheduled = scheduled
        self.line: list[Sent] = []
        self.ended: Counter[tuple[str, str, str]] = Counter()
        self.sent: Counter[tuple[str, str]] = Counter()
        self.response: dict[tuple[str, str], Histogram] = {}
        self.failed: dict[tuple[str, str], Histogram] = {}
        self.service: dict[tuple[str, str], Histogram] = {}
        self.lag = {phase: Histogram() for phase in PHASE_NAMES}
        self.classes: Counter[tuple[str, str]] = Counter()
        self.owed: list[int] = []
        self.refused = False
        """A refusal came before all of its request was out. There is one such request at most on a connection."""

    def count(self, r: Sent, *places: str) -> None:
        for place in places:
            self.ended[r.phase, r.command, place] += 1

    def took(self, r: Sent, now_ns: int, *, censored: bool = False) -> None:
        self.response[r.phase, r.command].record(now_ns - r.intended_ns, censored=censored)
        if r.written or not censored:
            self.service[r.phase, r.command].record(now_ns - r.send_ns, censored=censored)

    def fail(self, r: Sent, now_ns: int, *, censored: bool = False) -> None:
        self.failed[r.phase, r.command].record(now_ns - r.intended_ns, censored=censored)

    def push(self, r: Sent) -> None:
        self.line.append(r)
        self.count(r, "planned")
        self.response.setdefault((r.phase, r.command), Histogram())
        self.failed.setdefault((r.phase, r.command), Histogram())
        self.service.setdefault((r.phase, r.command), Histogram())
        if r.written:
            self.lag[r.phase].record(r.send_ns - r.intended_ns)
            for earlier in self.line:
                earlier.written = True

    def expire(self, now_ns: int) -> bool:
        for r in self.line:
            if not r.expired and now_ns - r.send_ns >= TIMEOUT:
                r.expired = True
                self.count(r, "timeouts")
                self.took(r, r.send_ns + TIMEOUT, censored=True)
                self.fail(r, r.send_ns + TIMEOUT, censored=True)
                self.owe(r, r.phase == "prefill")
        expired = [r for r in self.line if r.expired]
        return len(expired) == self.depth or any(now_ns - r.send_ns >= 2 * TIMEOUT for r in expired)

    def leave(self) -> Sent:
        r = self.line.pop(0)
        self.sent[r.phase, r.command] += r.written
        return r

    def owe(self, r: Sent, owed: bool) -> None:
        if owed:
            self.owed.append(r.key)

    def reply(self, said: str, now_ns: int) -> str:
        if not self.line:
            return "answers nobody"
        if said == "garbage" or (not self.line[0].written and (said != "error" or self.refused)):
            return self.garbage()
        if not self.line[0].written:
            # A refusal that came early: when the last byte will go, nobody asks.
            self.line[0].written = self.refused = True
            self.lag[self.line[0].phase].record(self.line[0].send_ns - self.line[0].intended_ns)
        r = self.leave()
        if r.expired:
            self.count(r, "late")
            return "fed"
        self.took(r, now_ns)
        if said == "error":
            self.count(r, "errors")
            self.fail(r, now_ns)
            self.classes[r.phase, "OOM"] += 1
        else:
            self.count(r, "ok", "hits" if said == "good" else "misses")
        self.owe(
            r, r.phase == "prefill" if said == "error" else self.backfill and (r.command, said) == ("get", "empty")
        )
        return "fed"

    def garbage(self) -> str:
        r = self.leave()
        if not r.expired:
            self.count(r, "corrupt")
            self.owe(r, r.phase == "prefill")
        return "corrupt reply"

    def abandon(self) -> None:
        self.refused = False
        while self.line:
            r = self.leave()
            if not r.expired:
                self.count(r, "lost")
                self.owe(r, r.phase == "prefill")

    def finish(self, now_ns: int) -> None:
        self.refused = False
        while self.line:
            r = self.leave()
            if not r.expired:
                self.count(r, "unfinished")
                self.took(r, now_ns, censored=True)


REPLIES = {
    "get": {"good": HIT, "empty": MISS},
    "set": {"good": STORED, "empty": b"$-1\r\n"},
    "backfill": {"good": STORED, "empty": b"_\r\n"},
    "delete": {"good": b":1\r\n", "empty": b":0\r\n"},
    "ping": {"good": b"+PONG\r\n", "empty": b"+PONG\r\n"},
}
SAID = st.sampled_from(["good", "good", "good", "empty", "empty", "error"])


class Anything(RuleBasedStateMachine):
    """Any order of sends, replies, cuts, waits, garbage and losses comes to the model's counts."""

    @initialize(depth=st.sampled_from([1, 2, 3, 5, 8]), backfill=st.booleans(), scheduled=st.booleans())
    def begin(self, depth: int, backfill: bool, scheduled: bool) -> None:
        self.now_ns = 0
        self.line = Line(depth, backfill=backfill, scheduled=scheduled)
        self.model = Model(depth, backfill, scheduled)

    @rule(by_ns=st.integers(0, 3 * TIMEOUT // 2))
    def wait(self, by_ns: int) -> None:
        self.now_ns += by_ns

    @rule(
        requests=st.lists(
            st.tuples(
                st.sampled_from(sorted(REPLIES)),
                st.sampled_from(["prefill", "measure"]),
                st.integers(0, 50),
                st.integers(0, 99),
                st.booleans(),
            ),
            max_size=8,
        )
    )
    def send(self, requests: list[tuple[str, str, int, int, bool]]) -> None:
        for command, phase, lag_ns, key, written in requests[: self.line.room]:
            intended_ns = self.now_ns - lag_ns
            self.line.push(command, phase, intended_ns, self.now_ns, key=key, written=written)
            self.model.push(Sent(command, phase, intended_ns, self.now_ns, key, written))

    @rule(said=st.lists(SAID, max_size=9), cut=st.integers(0, 100), between_ns=st.sampled_from([0, 1, TIMEOUT]))
    def receive(self, said: list[str], cut: int, between_ns: int) -> None:
        """As many of these replies as there are requests, in two reads."""
        replies, refused = [], self.model.refused
        for reply, request in zip(said, self.model.line, strict=False):
            if not request.written:
                if reply != "error" or refused:
                    break
                refused = True
            ping = request.command == "ping" and reply == "empty"
            bytes_ = REFUSED if reply == "error" else REPLIES[request.command][reply]
            replies.append(("good" if ping else reply, bytes_))
        whole = b"".join(bytes_ for _, bytes_ in replies)
        cut = len(whole) * cut // 100
        seen = 0
        for part, end in ((whole[:cut], cut), (whole[cut:], len(whole))):
            assert self.line.feed(part, self.now_ns) == "fed"
            self.model.expire(self.now_ns)
            while replies and seen + len(replies[0][1]) <= end:
                reply, bytes_ = replies.pop(0)
                seen += len(bytes_)
                assert self.model.reply(reply, self.now_ns) == "fed"
            if end == cut:
                self.now_ns += between_ns

    @rule(said=st.sampled_from(["good", "garbage"]))
    def receive_garbage(self, said: str) -> None:
        """Bytes that are no reply, or a good reply to what is not written or to nobody; then the connection goes."""
        first = self.model.line[0] if self.model.line else None
        if said == "good" and first is not None and first.written:
            return
        self.model.expire(self.now_ns)
        expected = self.model.reply(said, self.now_ns)
        command = "get" if first is None else first.command
        assert self.line.feed(GARBAGE if said == "garbage" else REPLIES[command]["good"], self.now_ns) == expected
        self.line.abandon()
        self.model.abandon()

    @rule()
    def expire(self) -> None:
        assert self.line.expire(self.now_ns) == self.model.expire(self.now_ns)

    @rule()
    def abandon(self) -> None:
        self.line.abandon()
        self.model.abandon()

    @rule()
    def finish(self) -> None:
        self.line.finish(self.now_ns)
        self.model.finish(self.now_ns)

    @rule()
    def pay(self) -> None:
        assert self.line.owed_now() == self.model.owed
        self.model.owed.clear()

    @invariant()
    def counts_are_the_models(self) -> None:
        model = self.model
        assert self.line.room == model.depth - len(model.line)
        assert self.line.open == sum(not r.expired for r in model.line)
        for phase in PHASE_NAMES:
            counts = self.line.counts(phase)
            assert counts.errors == {kind: n for (p, kind), n in model.classes.items() if p == phase}
            assert counts.response == {c: h for (p, c), h in model.response.items() if p == phase}
            assert counts.failed == {c: h for (p, c), h in model.failed.items() if p == phase}
            service = {c: h for (p, c), h in model.service.items() if p == phase} if model.scheduled else {}
            assert counts.service == service
            assert counts.lag == (model.lag[phase] if model.scheduled else Histogram())
            for command, tally in counts.tallies.items():
                assert tally.balance == sum(
                    not r.expired for r in model.line if (r.phase, r.command) == (phase, command)
                )
                for name in (
                    "planned",
                    "ok",
                    "errors",
                    "timeouts",
                    "lost",
                    "corrupt",
                    "unfinished",
                    "hits",
                    "misses",
                    "late",
                ):
                    assert getattr(tally, name) == model.ended[phase, command, name], (phase, command, name)

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        self.line.abandon()
        self.model.abandon()
        self.counts_are_the_models()
        for phase in PHASE_NAMES:
            for command, tally in self.line.counts(phase).tallies.items():
                assert tally.balance == 0
                assert tally.sent == self.model.sent[phase, command], (phase, command)


def test_any_order_of_events_comes_to_the_counts_of_a_plain_model() -> None:
    run_state_machine_as_test(Anything, settings=settings(max_examples=200, stateful_step_count=30))


def test_a_codec_without_a_protocol_understands_nothing() -> None:
    line = PipelineFace(Codec(), Recorder(), 1, TIMEOUT)
    line.push("get", "measure", 0, 0)
    assert line.feed(b"+OK\r\n", 1) == "corrupt reply"


# A connection that the server has recycled.


def test_what_had_not_reached_the_server_is_sent_again_and_counted_once() -> None:
    line = Line(scheduled=True)
    for intended in (0, 10, 20, 30):
        line.get(intended)
    line.get(40, written=False)
    assert line.feed(HIT, 50) == "fed"
    line.abandon(received=2)  # The second had reached the server, and the connection ended; three had not.
    assert (line.tally().lost, line.requeued, line.open) == (1, 3, 0)
    for send_ns in (100, 110, 120):
        line.take_requeued(send_ns)
    assert line.feed(HIT * 3, 200) == "fed"
    assert line.tally() == Tally(planned=5, ok=4, hits=4, lost=1)
    assert line.requeued == line.tally().balance == 0
    # Of each, the wait counts from its intended time; its lag was known when it was first sent.
    assert line.response() == histogram(50, 180, 170, 160)
    assert line.counts("measure").service["get"] == histogram(50, 100, 90, 80)
    assert line.counts("measure").lag == histogram(0, 0, 0, 0, 80)


def test_what_has_timed_out_and_what_is_no_load_is_not_sent_again() -> None:
    line = Line()
    line.get(0)
    line.push("ping", "precheck", 900, 900)
    line.push("set", "prefill", 900, 900, key=7)
    line.expire(TIMEOUT)
    line.abandon(received=0)
    assert line.requeued == 0
    assert line.tally() == Tally(planned=1, timeouts=1)
    assert line.tally("ping", "precheck").lost == line.tally("set", "prefill").lost == 1
    assert line.owed_now() == [7]


def test_what_is_requeued_again_and_never_answered_is_unfinished_and_was_sent() -> None:
    line = Line(scheduled=True)
    line.get(0)
    line.abandon(received=0)
    line.take_requeued(10)
    line.abandon(received=1)
    line.take_requeued(20)
    line.finish(100)
    assert line.tally() == Tally(planned=1, unfinished=1)
    assert line.response() == histogram(censored=(100,))
