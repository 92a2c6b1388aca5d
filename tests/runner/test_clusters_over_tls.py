"""Loads over TLS, with a password, on a real cluster and under a real sentinel: what was planned adds up, and the
servers have counted what was sent."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority
from cluster_loads import calls, load, sent, told
from real_cluster import SLOTS, RealCluster
from real_nodes import HOST, Tls
from real_sentinel import NAME, RealSentinel

from loadgen.errors import TargetError

PASSWORD = "a password"


@pytest.fixture(scope="module")
def tls() -> Iterator[Tls]:
    with tempfile.TemporaryDirectory(prefix="loadgen-tls-") as folder:
        # A server that has given up root reads it, too.
        Path(folder).chmod(0o755)
        authority = Authority(Path(folder))
        own = authority.sign("localhost", f"IP:{HOST}", "DNS:localhost")
        yield Tls(own.certificate, own.key, authority.certificate)


@pytest.fixture(scope="module")
def cluster(tls: Tls) -> Iterator[RealCluster]:
    with RealCluster(3, password=PASSWORD, tls=tls) as cluster:
        yield cluster


def settings(tls: Tls, **more: object) -> list[str]:
    given = {"tls": True, "tls_ca_file": str(tls.authority), "password": PASSWORD, **more}
    return ["general.warmup=0s", *(f"target.{key}={json.dumps(value)}" for key, value in given.items())]


def test_nodes_over_tls_get_their_shares_on_connections_that_are_renewed(cluster: RealCluster, tls: Tls) -> None:
    before = calls(cluster)
    lives = ("connection.reconnect_every=200", 'check=[{expr="unevenness < 10 % and p99[every node] < 30s"}]')
    result, _ = load(cluster.endpoints[0], *settings(tls), "general.requests=12000", *lives)
    assert result.measured.total.ok == result.measured.total.planned == 12_000
    got = {name: count - before[name] for name, count in calls(cluster).items()}
    assert sum(got.values()) == sent(result)
    assert {name: node.sent for name, node in result.measured.nodes.items()} == got
    for node in result.measured.nodes.values():
        assert node.ok == pytest.approx(4000, rel=0.1)
    assert [each.passed for each in result.checked] == [True]
    counts = result.overall.connections
    assert (counts.failed, counts.closed, counts.reconnects) == (0, 0, 0)
    assert counts.opened == 12 + counts.recycled
    assert 12_000 // 200 - 12 <= counts.recycled <= 12_000 // 200
    # The first handshake with each node has no session to go on with, nor those that began before it was over.
    assert counts.recycled <= counts.resumed < counts.opened
    assert result.overall.handshake.count == counts.opened


def test_slots_that_move_between_nodes_over_tls_take_their_requests_along(cluster: RealCluster, tls: Tls) -> None:
    source, target, _ = cluster.masters()
    slots = [slot for part in cluster.slots_of(source) for slot in part][:1000]
    before = calls(cluster)
    result, _ = load(
        source.endpoint,
        *settings(tls),
        *("general.duration=1s", "workload.rate_limit=3000", "workload.prefill=true"),
        meanwhile=lambda: cluster.migrate(slots, target),
    )
    total = result.measured.total
    assert total.ok == total.planned == pytest.approx(3000, abs=10)
    assert result.measured.tallies["get"].misses == 0
    assert sum(calls(cluster).values()) - sum(before.values()) == sent(result)
    redirects = result.overall.redirects
    assert 0 < redirects["redirected"] <= redirects["moved"] + redirects.get("ask", 0)
    shares = {node.endpoint: sum(map(len, cluster.slots_of(node))) / SLOTS for node in cluster.masters()}
    after, _ = load(target.endpoint, *settings(tls), "general.requests=12000")
    assert dict(after.measured.redirects) == {}
    for name, node in after.measured.nodes.items():
        assert node.ok == pytest.approx(12_000 * shares[name], rel=0.1)


def test_a_password_that_nodes_over_tls_refuse_ends_the_run_before_the_load(cluster: RealCluster, tls: Tls) -> None:
    with pytest.raises(TargetError, match="WRONGPASS"):
        load(cluster.endpoints[0], *settings(tls, password="another"))


def test_a_replica_over_tls_takes_over_under_sentinels(tls: Tls) -> None:
    with RealSentinel(password=PASSWORD, tls=tls) as group:
        lost = group.master
        result, events = load(
            group.endpoints[0],
            *settings(tls, cluster=False, sentinel_master=NAME),
            *("verdict.failures=1", "general.duration=2s", "workload.rate_limit=1000"),
            meanwhile=group.fail_over,
        )
        assert f"{group.master.endpoint} serves instead of {lost.endpoint}" in told(events)
        total, get = result.measured.total, result.measured.tallies["get"]
        assert total.planned - total.ok <= 48
        # A GET that was under way when the old master closed its connections may have been executed.
        assert get.ok <= sum(node.commandstats()["get"] for node in group.nodes) <= get.sent
        assert group.master.commandstats()["get"] > 0
