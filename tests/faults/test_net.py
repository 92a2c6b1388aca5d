"""Faults of the net layer on a real server in a network namespace: the fault's own counter, and what a client sees."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest
from kernel_faults import MEMCACHED, answers_again, ask_for, fault, server_for

from loadgen.faults.interpreter import FaultError
from loadgen.faults.net import NetFaults, filters
from loadgen.target.server import ManagedServer

KINDS = ("loss", "black_hole", "syn_drop", "refuse", "rst", "throttle", "link_down")
QUEUED = ("delay", "reorder", "burst_loss", "duplicate")
MS = 1_000_000


@pytest.fixture(scope="module")
def server():
    with server_for(KINDS + QUEUED) as started:
        yield started


def test_every_nth_packet_is_lost_and_each_costs_a_retransmission(server: ManagedServer):
    with NetFaults([server]) as faults:
        loss = fault("loss", nth=20, direction="in")
        faults.begin(loss, 1)
        seen = ask_for(server, 0.6, timeout_s=5)
        faults.end(loss, 1)
        assert seen.errors == {}
        # The kernel sends a lost packet again after 200 ms at the earliest: a second has room for few losses.
        assert max(seen.latencies_s) >= 0.19
        assert 1 <= faults.effects(loss, 1) <= 30


@pytest.mark.parametrize(
    ("kind", "parameters", "errors"),
    [
        ("loss", {"probability": 1.0, "direction": "out"}, {"TimeoutError"}),
        ("black_hole", {"direction": "in"}, {"TimeoutError"}),
        ("syn_drop", {}, {"TimeoutError"}),
        ("refuse", {}, {"ConnectionRefusedError"}),
        ("rst", {}, {"ConnectionResetError"}),
    ],
)
def test_a_filter_is_seen_by_a_client_until_its_end_and_counts(server: ManagedServer, kind, parameters, errors):
    with NetFaults([server]) as faults:
        filtered = fault(kind, **parameters)
        faults.begin(filtered, 1)
        seen = ask_for(server, 0.35)
        faults.end(filtered, 1)
        assert (seen.answered, seen.errors.keys()) == (0, errors)
        assert faults.effects(filtered, 1) >= seen.errors.total()
        assert answers_again(server)
        assert "lg-" not in server.inside("nft", "list", "tables")


def test_a_link_that_is_down_silences_the_server(server: ManagedServer):
    with NetFaults([server]) as faults:
        down = fault("link_down")
        faults.begin(down, 1)
        assert ask_for(server, 0.35).answered == 0
        faults.end(down, 1)
        assert answers_again(server)
        assert faults.effects(down, 1) == 1


def test_a_throttled_server_sends_no_faster_than_the_rate(server: ManagedServer):
    with NetFaults([server]) as faults:
        slow = fault("throttle", rate=20_000, burst=2_000)
        faults.begin(slow, 1)
        seen = ask_for(server, 0.6, timeout_s=5)
        faults.end(slow, 1)
        # A reply is a packet of at least 70 bytes: 314 fit into a second, and tens of thousands without the fault.
        assert 0 < seen.answered <= 1_000
        assert faults.effects(slow, 1) >= 1


def test_two_faults_at_once_have_counters_of_their_own(server: ManagedServer):
    with NetFaults([server]) as faults:
        # Old connections may still send an end: of a million packets, one would be taken.
        drop, never = fault("syn_drop"), fault("loss", direction="out", nth=1_000_000)
        faults.begin(drop, 1)
        faults.begin(never, 1)
        ask_for(server, 0.4)
        assert faults.effects(drop, 1) >= 1
        assert faults.effects(never, 1) == 0


def test_the_hosts_own_network_is_refused():
    with ManagedServer(MEMCACHED) as plain, NetFaults([plain]) as faults:
        for kind in KINDS + QUEUED:
            with pytest.raises(FaultError, match=r"node 1: the server has no network namespace of its own"):
                faults.begin(fault(kind), 1)


def test_rules_match_the_link_only_in_the_directions_asked_for():
    both = filters.script("lg-1", fault("loss", probability=0.25))
    assert both.count("numgen random mod 1000000 < 250000 counter name effects drop") == 2
    matches = [line.split()[:2] for line in both.splitlines() if "counter name" in line]
    assert matches == [["iifname", '"lg-0"']] * 2 + [["oifname", '"lg-0"']] * 2
    assert "oifname" not in filters.script("lg-1", fault("loss", direction="in"))
    assert "iifname" not in filters.script("lg-1", fault("loss", direction="out"))
    assert "numgen inc mod 7 == 6 counter" in filters.script("lg-1", fault("loss", nth=7))


def test_the_share_of_packets_dropped_is_the_probability(server: ManagedServer):
    with NetFaults([server]) as faults, ExitStack() as stack:
        half = fault("syn_drop", probability=0.5)
        faults.begin(half, 1)
        for _ in range(400):
            # Each connect sends one packet at once, and the next after a second.
            connection = stack.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex((server.host, server.port))
        counters = filters.counted(server.inside("nft", "-j", "list", "counters"))
        assert counters["seen"] >= 400
        # Five standard deviations of the binomial distribution.
        assert abs(counters["effects"] - counters["seen"] / 2) <= 5 * (counters["seen"] / 4) ** 0.5
        assert faults.effects(half, 1) >= counters["effects"]


# ── Packets queued for decisions ────────────────────────────────────────────────────────────────────────────────────


def netstat(server: ManagedServer, name: str) -> int:
    """A counter of TCP in the server's namespace, from proc_net(5)'s netstat."""
    names, values = (line.split() for line in server.inside("cat", "/proc/self/net/netstat").splitlines()[:2])
    return int(values[names.index(name)])


def test_a_delay_is_added_to_every_answer_until_its_end(server: ManagedServer):
    with NetFaults([server]) as faults:
        delay = fault("delay", delay=30 * MS, direction="out")
        faults.begin(delay, 1)
        seen = ask_for(server, 0.6, timeout_s=5)
        faults.end(delay, 1)
        assert min(seen.latencies_s) >= 0.03
        assert faults.effects(delay, 1) >= seen.answered
        assert ask_for(server, 0.3).quantile_s(0.1) < 0.02


def test_a_burst_is_lost_and_sent_again(server: ManagedServer):
    before = netstat(server, "TCPLostRetransmit") + netstat(server, "TCPTimeouts")
    with NetFaults([server]) as faults:
        burst = fault("burst_loss", seed=3, enter=0.2, leave=0.5, direction="out")
        faults.begin(burst, 1)
        seen = ask_for(server, 0.6, timeout_s=5)
        faults.end(burst, 1)
        assert seen.errors == {}
        assert faults.effects(burst, 1) >= 1
        assert max(seen.latencies_s) > 0.15 or netstat(server, "TCPTimeouts") > before


def test_a_packet_sent_twice_arrives_twice(server: ManagedServer):
    with NetFaults([server]) as faults:
        for direction, counter in (("out", "TCPDSACKRecv"), ("in", "TCPDSACKOldSent")):
            twice, before = fault("duplicate", probability=0.5, direction=direction), netstat(server, counter)
            faults.begin(twice, 1)
            seen = ask_for(server, 0.4, timeout_s=5)
            faults.end(twice, 1)
            assert seen.errors == {}
            # RFC 2883: a receiver reports each segment that it had already. Few reports are lost or put together.
            reported = netstat(server, counter) - before
            assert faults.effects(twice, 1) / 2 <= reported <= faults.effects(twice, 1)


def test_a_packet_held_back_is_overtaken(server: ManagedServer):
    with NetFaults([server]) as faults:
        held = fault("reorder", probability=0.2, delay=20 * MS, direction="out")
        faults.begin(held, 1)
        seen = ask_for(server, 0.6, timeout_s=5)
        faults.end(held, 1)
        assert seen.errors == {}
        assert max(seen.latencies_s) >= 0.02 > min(seen.latencies_s)
        assert 1 <= faults.effects(held, 1) < seen.answered


def test_two_queues_at_once_both_decide(server: ManagedServer):
    with NetFaults([server]) as faults:
        one, two = (fault("delay", delay=delay * MS, direction="out") for delay in (20, 21))
        faults.begin(one, 1)
        faults.begin(two, 1)
        seen = ask_for(server, 0.4, timeout_s=5)
        faults.end(one, 1)
        faults.end(two, 1)
        assert min(seen.latencies_s) >= 0.041
        assert min(faults.effects(one, 1), faults.effects(two, 1)) >= seen.answered
