"""Streams over links, as TCP has them: when bytes arrive, and what becomes of a stream under each fault."""

from __future__ import annotations

import errno

import pytest
from small_worlds import MS, PORT, Kept, Pair, S

from loadgen.verify.tape import Tape
from loadgen.verify.world._network import REFUSING, UNANSWERING


def test_bytes_take_the_latency_and_their_time_on_the_link() -> None:
    pair = Pair().links(latency_ns=3 * MS, bytes_per_s=1_000_000)
    near, far = pair.connected()
    began = pair.world.now_ns
    near.transport.write(bytes(1000))
    near.transport.write(bytes(1000))
    pair.run(began + S)
    assert [at - began for at, _ in far.reads] == [4 * MS, 5 * MS]


def test_a_stream_has_no_hole_and_keeps_its_order() -> None:
    splits = losses = starvations = 0
    for seed in range(25):
        pair = Pair(Tape.seeded("stream", seed), buffer_bytes=1 << 12, drawn=True)
        pair.links(latency_ns=MS, jitter_ns=5 * MS, split=0.5, loss=0.1)
        near, far = pair.connected()
        sent = b"".join(b"%d," % n for n in range(3000))
        for at in range(0, len(sent), 700):
            near.transport.write(sent[at : at + 700])
        pair.run(pair.world.now_ns + 200 * S)
        assert far.received == sent, seed
        splits += pair.network.splits
        losses += pair.network.losses
        starvations += pair.network.starvations
    assert min(splits, losses, starvations) > 25


def test_a_lost_segment_arrives_after_the_kernels_timeouts_and_holds_up_what_follows() -> None:
    pair = Pair(Tape.of((0, 1, 1, 0, 0)))
    near, far = pair.connected()
    pair.links(latency_ns=MS, loss=0.5)
    began = pair.world.now_ns
    # The first write draws: not lost. The second is lost twice, and the third is not.
    for word in (b"a", b"b", b"c"):
        near.transport.write(word)
    pair.run(began + 10 * S)
    assert [(at - began, data) for at, data in far.reads] == [(MS, b"a"), (601 * MS, b"b"), (601 * MS, b"c")]


def test_a_partition_of_one_direction_holds_bytes_until_the_sender_tries_again() -> None:
    pair = Pair().links(latency_ns=MS)
    near, far = pair.connected()
    began = pair.world.now_ns
    pair.network.cut(pair.near, pair.far)
    near.transport.write(b"there")
    far.transport.write(b"back")
    pair.world.at(began + 500 * MS, lambda: pair.network.heal(pair.near, pair.far))
    pair.run(began + 10 * S)
    assert [at - began for at, _ in near.reads] == [MS]
    # 200 ms, then 400 ms after the first attempt.
    assert [(at - began, data) for at, data in far.reads] == [(601 * MS, b"there")]
    assert pair.network.holds == 1


def test_a_connection_that_is_refused_fails_after_a_round_trip() -> None:
    pair = Pair().links(latency_ns=MS)
    pair.network.set_listener(pair.far, PORT, REFUSING)
    pair.connect()
    pair.run(3 * MS)
    assert [error and error.errno for error in pair.results] == [errno.ECONNREFUSED]


def test_a_silent_listener_hangs_a_handshake_which_is_sent_again() -> None:
    pair = Pair().links(latency_ns=MS)
    pair.network.set_listener(pair.far, PORT, UNANSWERING)
    pair.connect()
    pair.world.at(2 * S, pair.listen)
    pair.run(3 * S)
    assert not pair.results
    # After 1 s, then 2 s.
    pair.run(3 * S + 3 * MS)
    assert pair.results == [None]
    pair.network.set_listener(pair.far, PORT, UNANSWERING)
    pair.connect()
    pair.run(200 * S)
    assert pair.results[1] is not None
    assert pair.results[1].errno == errno.ETIMEDOUT


def test_a_reset_is_told_to_both_ends_after_what_had_arrived() -> None:
    pair = Pair().links(latency_ns=MS)
    near, far = pair.connected()
    far.transport.pause_reading()
    near.transport.write(b"arrived")
    pair.run(pair.world.now_ns + 2 * MS)
    near.transport.write(b"under way")
    pair.network.reset(far.transport.end)
    far.transport.resume_reading()
    pair.run(pair.world.now_ns + S)
    assert far.received == b"arrived"
    assert near.ends == far.ends == [f"lost: {errno.ECONNRESET}"]


def test_an_end_that_vanishes_tells_the_other_nothing() -> None:
    pair = Pair(buffer_bytes=1000).links(latency_ns=MS)
    near, far = pair.connected()
    pair.network.vanish(far.transport.end)
    near.transport.write(bytes(3000))
    pair.run(pair.world.now_ns + 1000 * S)
    assert far.ends == [f"lost: {errno.ECONNRESET}"]
    assert near.ends == []
    assert near.transport.get_write_buffer_size() == 2000


def test_closing_in_good_order_ends_the_stream_behind_its_bytes() -> None:
    pair = Pair().links(latency_ns=MS)
    near, far = pair.connected()
    near.transport.write(b"all")
    near.transport.close()
    pair.run(pair.world.now_ns + S)
    assert far.received == b"all"
    assert far.ends == ["end", "lost"]
    assert near.ends == ["lost"]


def test_closing_on_bytes_that_were_not_read_resets_the_stream() -> None:
    pair = Pair().links(latency_ns=MS)
    near, far = pair.connected()
    far.transport.pause_reading()
    near.transport.write(b"unread")
    pair.run(pair.world.now_ns + 5 * MS)
    far.transport.close()
    pair.run(pair.world.now_ns + S)
    assert near.ends == [f"lost: {errno.ECONNRESET}"]


def test_bytes_to_an_end_that_was_closed_are_answered_by_a_reset() -> None:
    pair = Pair().links(latency_ns=MS)
    near, far = pair.connected()
    near.stays = True
    far.transport.write(b"x")
    far.transport.close()
    near.transport.write(b"too late")
    pair.run(pair.world.now_ns + S)
    assert near.received == b"x"
    assert pair.network.resets == 1
    # The stream's end had been read; writing shows the reset.
    assert near.ends == ["end"]
    near.transport.write(b"again")
    pair.run(pair.world.now_ns + S)
    assert near.ends == ["end", f"lost: {errno.EPIPE}"]


@pytest.mark.parametrize("power", [True, False])
def test_a_killed_host_closes_its_streams_and_one_without_power_says_nothing(power: bool) -> None:
    pair = Pair().links(latency_ns=MS)
    near, _ = pair.connected()
    pair.far.kill(power=power)
    near.transport.write(b"anybody?")
    pair.run(pair.world.now_ns + 5 * S)
    assert near.ends == (["end", "lost"] if power else [])
    pair.connect()
    pair.run(pair.world.now_ns + 500 * MS)
    assert [error and error.errno for error in pair.results[1:]] == ([errno.ECONNREFUSED] if power else [])
    pair.far.restart()
    pair.run(pair.world.now_ns + 60 * S)
    assert near.ends == (["end", "lost"] if power else [f"lost: {errno.ECONNRESET}"])
    assert [error and error.errno for error in pair.results[1:]] == [errno.ECONNREFUSED]


def test_a_paused_host_reads_nothing_and_its_kernel_goes_on() -> None:
    pair = Pair().links(latency_ns=MS)
    near, far = pair.connected()
    began = pair.world.now_ns
    pair.far.pause(began, began + 50 * MS)
    near.transport.write(b"a")
    pair.world.at(began + 10 * MS, lambda: near.transport.write(b"b"))
    pair.run(began + S)
    assert [(at - began, data) for at, data in far.reads] == [(50 * MS, b"ab")]


class Sip(Kept):
    """A protocol that reads 100 bytes every 2 ms."""

    read = 0

    def get_buffer(self, size_hint: int) -> bytearray:
        return bytearray(100)

    def buffer_updated(self, size: int) -> None:
        self.read += size
        self.transport.pause_reading()
        self.world.at(self.world.now_ns + 2 * MS, self.transport.resume_reading)


def test_whoever_waits_for_room_is_told_when_a_third_of_the_buffer_is_free() -> None:
    """A reader that takes little at a time is not written to in as small pieces."""
    pair = Pair(buffer_bytes=3000).links(latency_ns=MS)
    sips: list[Sip] = []
    pair.far_streams.listen(PORT + 1, lambda: sips.append(Sip(pair.world)) or sips[-1])  # type: ignore[func-returns-value]
    near = Kept(pair.world)
    pair.near_streams.connect(pair.far, PORT + 1, near, pair.results.append)
    pair.run(S)
    segments = pair.network.segments
    near.transport.write(b"x" * 30_000)
    pair.run(3 * S)
    assert sips[0].read == 30_000
    # One fills the buffer, and 27 a third of it.
    assert pair.network.segments - segments == 28
