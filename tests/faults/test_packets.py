"""The decisions over packets and the packets held back, in virtual time; and the kernel's messages, as bytes."""

from __future__ import annotations

import itertools
import struct

import pytest
from kernel_faults import fault

from loadgen.faults.packets import netlink
from loadgen.faults.packets.decisions import KINDS, Decision, decisions
from loadgen.faults.packets.holding import Action, Holding, Verdict

MS = 1_000_000
IN, OUT = 1, 3


def first(count: int, kind: str, seed: int = 1, **parameters: int | float) -> list[Decision]:
    return list(itertools.islice(decisions(kind, fault(kind, **parameters).parameters, seed), count))


def holding(kind: str, seed: int = 1, **parameters: int | float) -> Holding:
    return Holding(kind, fault(kind, **parameters).parameters, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_decides_the_same_again_and_another_seed_differently(kind):
    parameters = {"jitter": 5 * MS} if kind == "delay" else {}
    assert first(500, kind, **parameters) == first(500, kind, **parameters)
    assert first(500, kind, **parameters) != first(500, kind, seed=2, **parameters)


def test_a_delay_without_jitter_holds_every_packet_as_long():
    assert set(first(100, "delay", delay=7 * MS)) == {Decision(hold_ns=7 * MS)}


def test_jitter_stays_within_its_bounds_and_reaches_both_halves():
    held = [decision.hold_ns for decision in first(2_000, "delay", delay=10 * MS, jitter=3 * MS)]
    assert 7 * MS <= min(held) < 8 * MS
    assert 12 * MS < max(held) <= 13 * MS
    assert sum(held) / len(held) == pytest.approx(10 * MS, rel=0.02)


def test_jitter_beyond_the_delay_holds_no_packet_for_less_than_nothing():
    assert min(decision.hold_ns for decision in first(500, "delay", delay=MS, jitter=5 * MS)) == 0


@pytest.mark.parametrize("kind", ["reorder", "duplicate"])
def test_the_share_of_packets_that_are_hit_is_the_probability(kind):
    hit = sum(decision.harms for decision in first(10_000, kind, probability=0.05))
    # Six standard deviations of the binomial distribution are 131.
    assert 369 <= hit <= 631


def test_bursts_are_as_frequent_and_as_long_as_the_chain_says():
    drops = [decision.drop for decision in first(40_000, "burst_loss", enter=0.01, leave=0.25)]
    bursts = [len(list(run)) for dropped, run in itertools.groupby(drops) if dropped]
    # The mean length is 1 / leave, and the share of packets in bursts enter / (enter + leave).
    assert sum(bursts) / len(bursts) == pytest.approx(4, rel=0.2)
    assert sum(drops) / len(drops) == pytest.approx(0.01 / 0.26, rel=0.3)


def test_a_burst_that_drops_half_lets_the_other_half_pass():
    drops = [decision.drop for decision in first(10_000, "burst_loss", enter=1.0, leave=0.0, drop=0.5)]
    assert 4_700 <= sum(drops) <= 5_300


def test_a_held_packet_is_released_at_its_time_and_not_before():
    queue = holding("delay", delay=10 * MS)
    assert queue.on_packet(1, IN, now_ns=0) is None
    assert queue.on_packet(2, IN, now_ns=4 * MS) is None
    assert queue.next_ns() == 10 * MS
    assert list(queue.on_time(10 * MS - 1)) == []
    assert list(queue.on_time(10 * MS)) == [Action(1, Verdict.ACCEPT)]
    assert queue.next_ns() == 14 * MS
    assert list(queue.on_time(20 * MS)) == [Action(2, Verdict.ACCEPT)]
    assert (queue.next_ns(), queue.seen, queue.effects) == (None, 2, 2)


def test_packets_of_one_due_time_keep_their_order():
    queue = holding("delay", delay=10 * MS)
    for packet in (9, 3, 7):
        queue.on_packet(packet, IN, now_ns=0)
    assert [action.packet for action in queue.on_time(10 * MS)] == [9, 3, 7]


def test_a_packet_that_passes_overtakes_those_held_back():
    queue = holding("reorder", probability=0.5, delay=5 * MS)
    passed = [action.packet for n in range(100) if (action := queue.on_packet(n, IN, now_ns=n)) is not None]
    later = [action.packet for action in queue.on_time(6 * MS)]
    assert sorted(passed + later) == list(range(100))
    assert len(later) == queue.effects
    assert later[0] < passed[-1]


def test_a_direction_draws_for_itself_however_the_directions_interleave():
    alone, mixed = holding("burst_loss", enter=0.3), holding("burst_loss", enter=0.3)
    one = [alone.on_packet(n, IN, 0) for n in range(200)]
    other = []
    for n in range(200):
        other.append(mixed.on_packet(n, IN, 0))
        mixed.on_packet(1_000 + n, OUT, 0)
    assert one == other


def test_one_direction_is_not_the_echo_of_the_other():
    queue = holding("burst_loss", enter=0.5)
    pairs = [(queue.on_packet(n, IN, 0), queue.on_packet(n, OUT, 0)) for n in range(200)]
    assert any(one != other for one, other in pairs)


def test_at_the_end_everything_held_passes_and_nothing_is_harmed_any_more():
    queue = holding("delay", delay=10 * MS)
    queue.on_packet(1, IN, 0)
    queue.on_packet(2, IN, 1)
    assert [action.packet for action in queue.on_end()] == [1, 2]
    assert queue.on_packet(3, IN, 2) == Action(3, Verdict.ACCEPT)
    assert (queue.seen, queue.effects) == (3, 2)


def kernel_packet(number: int, hook: int, payload: bytes) -> bytes:
    """A packet as the kernel of this machine sent it, but for its numbers."""
    attributes = struct.pack("=HH", 11, 1) + struct.pack("!IHB", number, 0x0800, hook) + b"\0"
    attributes += struct.pack("=HH", 8, 0x8000 | 3) + struct.pack("!I", 0)
    attributes += struct.pack("=HH", 4 + len(payload), 10) + payload + b"\0" * (-len(payload) % 4)
    body = struct.pack("!BBH", 2, 0, 5) + attributes
    return struct.pack("=IHHII", 16 + len(body), 0x300, 0, 0, 0) + body


def test_packets_are_read_one_after_the_other_with_their_hooks_and_payloads():
    received = kernel_packet(1, IN, b"abcde") + kernel_packet(0x01020304, OUT, b"")
    assert list(netlink.packets(received)) == [
        netlink.Packet(1, IN, b"abcde"),
        netlink.Packet(0x01020304, OUT, b""),
    ]


@pytest.mark.parametrize("cut", range(16))
def test_half_a_header_is_no_packet(cut):
    assert list(netlink.packets(kernel_packet(1, IN, b"")[:cut])) == []


def test_an_error_of_the_kernel_is_raised_and_an_acknowledgement_is_not():
    def acknowledgement(number: int) -> bytes:
        return struct.pack("=IHHIIi", 36, 2, 0, 0, 0, number) + bytes(16)

    assert list(netlink.packets(acknowledgement(0))) == []
    with pytest.raises(OSError, match="refused the packet queue"):
        list(netlink.packets(acknowledgement(-1)))


def test_a_verdict_names_queue_packet_and_number():
    # From nfnetlink_queue.h: the queue is the resource id, the verdict's attribute has type 2 and both numbers in it.
    assert netlink.verdict(5, 7, 1) == (
        struct.pack("=IHHII", 32, 0x301, 1, 0, 0) + b"\0\0\0\5" + struct.pack("=HH", 12, 2) + b"\0\0\0\1\0\0\0\7"
    )
