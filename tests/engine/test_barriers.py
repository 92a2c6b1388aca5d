"""Silent requests and the barriers behind them in a pipeline: room, ends, timeouts, and connections that are lost."""

from __future__ import annotations

import pytest
from counted import snapshot_of

from loadgen._binary import MemcacheBinary
from loadgen._memcache import Memcache
from loadgen._meta import MemcacheMeta
from loadgen.engine._pipeline_face import PipelineFace
from loadgen.engine._recorder import Recorder
from loadgen.snapshot import Tally

NOOP = bytes([0x81, 0x0A]) + bytes(10)


def line(codec: Memcache | MemcacheMeta | MemcacheBinary, depth: int = 2) -> PipelineFace:
    return PipelineFace(codec, Recorder(), depth, 1000, barriers=True)


def sent(line: PipelineFace, *commands: str, at: int = 0, written: bool = True) -> None:
    for command in commands:
        line.push(command, "measure", at, at, written=written)


def tallies(line: PipelineFace) -> dict[str, Tally]:
    return dict(snapshot_of(line.recorder.counts(3)).tallies)


@pytest.mark.parametrize(
    ("codec", "reply"),
    [
        (Memcache(quiet=True), b"VERSION 1.6.18\r\n"),
        (MemcacheMeta(quiet=True), b"MN\r\n"),
        (MemcacheBinary(quiet=True), NOOP + (2).to_bytes(4) + bytes(8)),
    ],
    ids=["text", "meta", "binary"],
)
def test_barriers_take_no_room_and_end_the_silence(
    codec: Memcache | MemcacheMeta | MemcacheBinary, reply: bytes
) -> None:
    pipe = line(codec)
    sent(pipe, "set", "delete", "noop")
    assert (pipe.room, pipe.open) == (0, 3)
    for cut in range(1, len(reply)):
        assert pipe.feed(reply[cut - 1 : cut], 10) == "fed"
    assert pipe.feed(reply[-1:], 20) == "fed"
    assert (pipe.room, pipe.open) == (2, 0)
    assert {name: (tally.ok, tally.hits, tally.balance) for name, tally in tallies(pipe).items()} == dict.fromkeys(
        ("set", "delete", "noop"), (1, 1, 0)
    )


def test_a_request_with_a_barrier_each_fills_a_pipeline_of_any_depth() -> None:
    for depth in (1, 2, 3, 8):
        pipe = line(MemcacheMeta(quiet=True), depth)
        for turn in range(3):
            for _ in range(depth):
                sent(pipe, "get", "noop")
            assert pipe.room == 0
            assert pipe.feed(b"MN\r\n" * depth, 10) == "fed"
            assert tallies(pipe)["get"].misses == (turn + 1) * depth


def test_a_batch_without_its_barrier_times_out_and_is_stalled() -> None:
    pipe = line(MemcacheMeta(quiet=True))
    sent(pipe, "set", "set")
    sent(pipe, "noop", written=False)
    assert not pipe.expire(999)
    assert pipe.expire(1000)
    assert tallies(pipe)["set"].timeouts == 2
    assert tallies(pipe)["noop"].timeouts == 1
    # What comes after all is late, and matched to nobody else.
    pipe.finish(1500)
    assert all(tally.balance == 0 for tally in tallies(pipe).values())


def test_a_late_barrier_says_what_was_silent_too_late() -> None:
    pipe = line(MemcacheMeta(quiet=True))
    sent(pipe, "set", "noop")
    pipe.expire(1000)
    sent(pipe, "get", "noop", at=1000)
    assert pipe.feed(b"MN\r\nMN\r\n", 1100) == "fed"
    assert (tallies(pipe)["set"].late, tallies(pipe)["set"].timeouts) == (1, 1)
    assert tallies(pipe)["get"].misses == 1
    assert pipe.room == 2


def test_requests_that_never_arrived_are_sent_again_and_their_barrier_is_not() -> None:
    pipe = line(MemcacheMeta(quiet=True))
    sent(pipe, "set", "get", "noop")
    pipe.abandon(received=1)
    assert pipe.requeued == 1
    assert (tallies(pipe)["set"].lost, tallies(pipe)["noop"].lost) == (1, 1)
    assert (pipe.room, pipe.open) == (2, 0)


def test_a_reply_out_of_step_is_corrupt_and_matched_to_nobody() -> None:
    pipe = line(MemcacheMeta(quiet=True))
    sent(pipe, "get", "get", "noop")
    assert pipe.feed(b"VA 1 O00000007\r\nv\r\n", 10) == "wrong answer"
    pipe.abandon()
    assert (tallies(pipe)["get"].corrupt, tallies(pipe)["get"].lost) == (1, 1)
    assert all(tally.balance == 0 for tally in tallies(pipe).values())
