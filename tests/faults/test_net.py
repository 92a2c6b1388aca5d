"""Faults of the net layer on a real server in a network namespace: the fault's own counter, and what a client sees."""

from __future__ import annotations

import pytest
from kernel_faults import MEMCACHED, answers_again, ask_for, fault, server_for

from loadgen.faults.interpreter import FaultError
from loadgen.faults.net import NetFaults, filters
from loadgen.target.server import ManagedServer

KINDS = ("loss", "black_hole", "syn_drop", "refuse", "rst", "throttle", "link_down")


@pytest.fixture(scope="module")
def server():
    with server_for(KINDS) as started:
        yield started


def test_every_nth_packet_is_lost_and_each_costs_a_retransmission(server: ManagedServer):
    with NetFaults([server]) as faults:
        loss = fault("loss", nth=20, direction="in")
        faults.begin(loss, 1)
        seen = ask_for(server, 1.0, timeout_s=5)
        faults.end(loss, 1)
        late = sum(latency >= 0.19 for latency in seen.latencies_s)
        assert seen.errors == {}
        # The kernel sends a lost packet again after 200 ms at the earliest.
        assert 1 <= late <= faults.effects(loss, 1)


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
        seen = ask_for(server, 0.5)
        faults.end(filtered, 1)
        assert (seen.answered, seen.errors.keys()) == (0, errors)
        assert faults.effects(filtered, 1) >= seen.errors.total()
        assert answers_again(server)
        assert "lg-" not in server.inside("nft", "list", "tables")


def test_a_link_that_is_down_silences_the_server(server: ManagedServer):
    with NetFaults([server]) as faults:
        down = fault("link_down")
        faults.begin(down, 1)
        assert ask_for(server, 0.5).answered == 0
        faults.end(down, 1)
        assert answers_again(server)
        assert faults.effects(down, 1) == 1


def test_a_throttled_server_sends_no_faster_than_the_rate(server: ManagedServer):
    with NetFaults([server]) as faults:
        slow = fault("throttle", rate=20_000, burst=2_000)
        faults.begin(slow, 1)
        seen = ask_for(server, 1.0, timeout_s=5)
        faults.end(slow, 1)
        # A reply is a packet of at least 70 bytes.
        assert 0 < seen.answered <= (20_000 + 2_000) / 70
        assert faults.effects(slow, 1) >= 1


def test_two_faults_at_once_have_counters_of_their_own(server: ManagedServer):
    with NetFaults([server]) as faults:
        drop, never = fault("syn_drop"), fault("black_hole", direction="out")
        faults.begin(drop, 1)
        faults.begin(never, 1)
        ask_for(server, 0.4)
        assert faults.effects(drop, 1) >= 1
        assert faults.effects(never, 1) == 0


def test_the_hosts_own_network_is_refused():
    with ManagedServer(MEMCACHED) as plain, NetFaults([plain]) as faults:
        for kind in KINDS:
            with pytest.raises(FaultError, match=r"node 1: the server has no network namespace of its own"):
                faults.begin(fault(kind), 1)


def test_rules_match_the_link_only_in_the_directions_asked_for():
    both = filters.script("lg-1", fault("loss", probability=0.25))
    assert both.count("numgen random mod 1000000 < 250000 counter name effects drop") == 2
    assert [line.split()[1] for line in both.splitlines() if "iifname" in line or "oifname" in line] == ['"lg-0"'] * 2
    assert "oifname" not in filters.script("lg-1", fault("loss", direction="in"))
    assert "iifname" not in filters.script("lg-1", fault("loss", direction="out"))
    assert "numgen inc mod 7 == 6 counter" in filters.script("lg-1", fault("loss", nth=7))
