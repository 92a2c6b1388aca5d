"""The recorder's counts: by command and phase, errors by class, and the counts of several workers merged."""

from __future__ import annotations

import pytest
from counted import snapshot_of
from hypothesis import given
from hypothesis import strategies as st

from loadgen._request import PHASE_NAMES, Commands
from loadgen._resp import Resp
from loadgen.engine._histogram import Histogram
from loadgen.engine._pipeline_face import PipelineFace
from loadgen.engine._recorder import Recorder
from loadgen.snapshot import ConnectionCounts, Snapshot, Tally

TIMEOUT = 1000
MEASURE = PHASE_NAMES.index("measure")
GOOD = {"get": b"$1\r\nv\r\n", "set": b"+OK\r\n", "delete": b":1\r\n"}
EMPTY = {"get": b"$-1\r\n", "set": b"$-1\r\n", "delete": b":0\r\n"}


def answer(
    recorder: Recorder, *replies: bytes, command: str = "get", phase: str = "measure", took_ns: int = 10
) -> None:
    """Has one request answered by each of these replies."""
    line = PipelineFace(Resp(), recorder, 1, TIMEOUT)
    for reply in replies:
        line.push(command, phase, 0, 0)
        assert line.feed(reply, took_ns) == "fed"


def snapshot(recorder: Recorder, phase: int = MEASURE) -> Snapshot:
    return snapshot_of(recorder.counts(phase))


def test_a_new_recorder_has_counted_nothing() -> None:
    for phase in range(len(PHASE_NAMES)):
        assert snapshot(Recorder(), phase) == Snapshot()
    assert Recorder().examples() == {}


def test_each_command_and_phase_is_counted_by_itself() -> None:
    recorder = Recorder()
    for phase in PHASE_NAMES:
        for n, command in enumerate(GOOD, PHASE_NAMES.index(phase) + 1):
            answer(recorder, *[GOOD[command]] * n, command=command, phase=phase, took_ns=n)
    for index, _ in enumerate(PHASE_NAMES):
        counts = snapshot(recorder, index)
        assert counts.tallies == {command: Tally(planned=n, ok=n, hits=n) for n, command in enumerate(GOOD, index + 1)}
        assert {c: (h.count, h.sum) for c, h in counts.response.items()} == {
            c: (n, n * n) for n, c in enumerate(GOOD, index + 1)
        }


def test_every_field_of_a_tally_is_the_recorders_of_that_name() -> None:
    recorder = Recorder()
    line = PipelineFace(Resp(), recorder, 64, TIMEOUT)

    def push(n: int, at_ns: int, written: bool = True) -> None:
        for _ in range(n):
            line.push("get", "measure", at_ns, at_ns, written=written)

    push(3, 0)
    line.feed(GOOD["get"] * 2 + EMPTY["get"], 1)
    push(4, 0)
    line.feed(b"-ERR no\r\n" * 4, 1)
    push(7, 0)
    line.expire(TIMEOUT)
    line.feed(GOOD["get"] * 2, TIMEOUT)
    push(8, TIMEOUT)
    push(1, TIMEOUT, written=False)
    line.abandon()
    push(1, TIMEOUT)
    line.feed(b"?", TIMEOUT)
    push(11, TIMEOUT)
    line.finish(TIMEOUT)
    assert snapshot(recorder).tallies == {
        "get": Tally(
            planned=35, ok=3, errors=4, timeouts=7, lost=9, corrupt=1, unfinished=11, hits=2, misses=1, late=2, unsent=1
        )
    }


def test_error_replies_are_counted_by_their_first_word() -> None:
    recorder = Recorder()
    answer(
        recorder, b"-ERR unknown command\r\n", b"-OOM command not allowed\r\n", b"-ERR syntax error\r\n", b"-OOM\r\n"
    )
    assert snapshot(recorder).errors == {"ERR": 2, "OOM": 2}
    assert recorder.examples() == {"ERR": "ERR unknown command", "OOM": "OOM command not allowed"}


def test_error_classes_are_counted_in_the_phase_of_their_request() -> None:
    recorder = Recorder()
    answer(recorder, b"-LOADING wait\r\n", phase="precheck")
    answer(recorder, b"-OOM full\r\n", b"-OOM full\r\n", phase="prefill")
    assert [snapshot(recorder, phase).errors for phase in range(4)] == [{"LOADING": 1}, {"OOM": 2}, {}, {}]


def test_what_has_no_class_of_its_own_any_more_is_other_and_none_is_lost() -> None:
    recorder = Recorder()
    for n in range(100):
        answer(recorder, b"-E%d first\r\n" % n, b"-E%d second\r\n" % n)
    errors = snapshot(recorder).errors
    assert errors == {**{f"E{n}": 2 for n in range(31)}, "other": 138}
    assert snapshot(recorder).total.errors == 200
    assert recorder.examples()["other"] == "E31 first"


def test_a_class_name_and_an_example_are_cut_and_need_not_be_text() -> None:
    recorder = Recorder()
    answer(
        recorder, b"-" + b"N" * 100 + b"\r\n", b"-" + b"N" * 32 + b" other tail\r\n", b"-\xff\xfe word\r\n", b"-\r\n"
    )
    errors = snapshot(recorder).errors
    assert errors == {"N" * 32: 2, "\xff\xfe": 1, "": 1}
    assert recorder.examples()["N" * 32] == "N" * 100
    assert recorder.examples()["\xff\xfe"] == "\ufffd\ufffd word"
    answer(recorder, b"-LONG " + b"x" * 400 + b"\r\n")
    assert recorder.examples()["LONG"] == "LONG " + "x" * 195


def test_without_a_schedule_there_is_neither_service_time_nor_lag() -> None:
    recorder = Recorder()
    answer(recorder, *[GOOD["get"]] * 3)
    counts = snapshot(recorder)
    lags = (counts.lag, counts.lag_ours, counts.lag_backpressure, counts.lag_unsure, counts.lag_unsure_most)
    assert (counts.response["get"].count, counts.service, [lag.count for lag in lags]) == (3, {}, [0] * 5)
    assert not recorder.scheduled


def test_counts_are_a_copy_and_do_not_move_afterwards() -> None:
    recorder = Recorder(True)
    answer(recorder, GOOD["get"], b"-ERR no\r\n")
    before, again = recorder.counts(MEASURE), recorder.counts(MEASURE)
    answer(recorder, GOOD["get"], b"-ERR no\r\n", b"-OOM full\r\n")
    assert before == again
    assert recorder.counts(MEASURE) != before


# A request: command, reply, response time.
request = st.tuples(
    st.sampled_from(sorted(GOOD)), st.sampled_from(["good", "empty", "ERR", "OOM"]), st.integers(0, TIMEOUT - 1)
)


def record(recorder: Recorder, requests: list[tuple[str, str, int]]) -> None:
    for command, said, took_ns in requests:
        reply = {"good": GOOD[command], "empty": EMPTY[command]}.get(said, b"-%b no\r\n" % said.encode())
        answer(recorder, reply, command=command, took_ns=took_ns)


@given(st.lists(request), st.lists(request), st.booleans())
def test_two_workers_counts_added_are_the_counts_of_one_who_did_it_all(
    first: list[tuple[str, str, int]], second: list[tuple[str, str, int]], scheduled: bool
) -> None:
    a, b, both = Recorder(scheduled), Recorder(scheduled), Recorder(scheduled)
    record(a, first)
    record(b, second)
    record(both, first + second)
    assert snapshot(a) + snapshot(b) == snapshot(both)
    assert snapshot(b) + snapshot(a) == snapshot(both)


@given(st.lists(request), st.lists(request))
def test_now_minus_before_is_what_happened_in_between(
    first: list[tuple[str, str, int]], second: list[tuple[str, str, int]]
) -> None:
    recorder, alone = Recorder(), Recorder()
    record(recorder, first)
    before = snapshot(recorder)
    record(recorder, second)
    record(alone, second)
    since = snapshot(recorder) - before
    assert since.total == snapshot(alone).total
    for command in Commands().names:
        assert since.tallies.get(command, Tally()) == snapshot(alone).tallies.get(command, Tally())
        assert since.latency(command).buckets() == snapshot(alone).latency(command).buckets()
    assert {kind: n for kind, n in since.errors.items() if n} == dict(snapshot(alone).errors)


def test_a_backfill_stands_apart_from_the_mix() -> None:
    recorder = Recorder()
    answer(recorder, GOOD["get"], EMPTY["get"])
    answer(recorder, GOOD["set"], command="backfill", took_ns=500)
    counted = snapshot(recorder)
    assert counted.total == Tally(planned=2, ok=2, hits=1, misses=1)
    assert counted.tallies["backfill"] == Tally(planned=1, ok=1, hits=1)
    assert counted.latency().max == 10
    assert counted.latency("backfill").max == 500
    assert counted.hit_rate == 0.5


def test_connections_that_are_active_add_up_over_workers_and_stay_what_they_are_over_time() -> None:
    before = Snapshot(connections=ConnectionCounts(opened=4, failed=1, active=4))
    now = Snapshot(connections=ConnectionCounts(opened=6, failed=1, closed=2, reconnects=2, active=4))
    assert (now + now).connections == ConnectionCounts(opened=12, failed=2, closed=4, reconnects=4, active=8)
    assert (now - before).connections == ConnectionCounts(opened=2, failed=0, closed=2, reconnects=2, active=4)


@pytest.mark.parametrize("clock", ["response", "service"])
def test_the_latency_of_all_commands_is_the_union_of_each(clock: str) -> None:
    recorder = Recorder(True)
    line = PipelineFace(Resp(), recorder, 8, TIMEOUT)
    for n, command in enumerate(GOOD):
        line.push(command, "measure", 0, 100 * n)
    line.feed(b"".join(GOOD.values()), 500)
    counted = snapshot(recorder)
    values = [500, 500, 500] if clock == "response" else [500, 400, 300]
    union = Histogram()
    for value in values:
        union.record(value)
    assert counted.latency(clock=clock) == union
    assert [counted.latency(command, clock).max for command in GOOD] == values
