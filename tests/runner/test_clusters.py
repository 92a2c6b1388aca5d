"""Loads on real clusters and under real sentinels: shares, redirects, moves, fail-overs, and configurations that do not
fit the servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster_loads import calls, load, port_of, sent, told
from real_cluster import RealCluster
from real_nodes import wait_until
from real_sentinel import NAME, RealSentinel
from real_servers import RealServer
from runs import described

import loadgen
from loadgen.errors import TargetError
from loadgen.events import Event, TopologyChanged
from loadgen.topology.found import of_shards
from loadgen.verify.world.cluster.slots import slot_of

SLOTS = 16_384


@pytest.fixture(scope="module")
def cluster() -> Iterator[RealCluster]:
    """Three masters with a replica each, for all tests that leave every node alive."""
    with RealCluster(3, 3) as cluster:
        yield cluster


@pytest.mark.parametrize("loop", ["closed", "open"])
def test_every_shard_gets_its_share_and_the_nodes_count_what_was_sent(cluster: RealCluster, loop: str) -> None:
    before = calls(cluster)
    rate = ("general.duration=1s", "workload.rate_limit=12000") if loop == "open" else ("general.requests=12000",)
    result, _ = load(cluster.endpoints[0], "workload.prefill=true", "general.warmup=0s", *rate)
    assert result.measured.total.ok == result.measured.total.planned
    assert result.measured.tallies["get"].misses == 0
    got = {name: count - before[name] for name, count in calls(cluster).items()}
    assert sum(got.values()) == sent(result)
    nodes = result.measured.nodes
    assert {name: node.ok for name, node in nodes.items()}.keys() == got.keys()
    for node in nodes.values():
        assert node.ok == pytest.approx(result.measured.total.ok / 3, rel=0.1)
    assert dict(result.measured.redirects) == {}


def test_keys_of_a_request_have_one_slot(cluster: RealCluster) -> None:
    before = cluster.commandstats()
    mix = [f"workload.commands.{name}={weight}" for name, weight in (("mget", 30), ("mset", 30), ("incr", 30))]
    keys = ("workload.keyspace.count=60000", "workload.keys_per_request=4", "workload.prefill=true")
    result, _ = load(cluster.endpoints[0], *mix, *keys, "general.requests=6000", "general.warmup=0s")
    total, tallies = result.measured.total, result.measured.tallies
    # No CROSSSLOT, no redirect, and no missing key.
    assert (total.ok, dict(result.measured.redirects), tallies["mget"].misses) == (6000, {}, 0)
    # 60,000 keys are 3 or 4 a slot: a slot with fewer than four has shorter requests.
    for name in ("mget", "mset"):
        assert 2 * tallies[name].ok < tallies[name].keys < 4 * tallies[name].ok
        assert tallies[name].keys_found == tallies[name].keys
    counted = {node: cluster.commandstats()[node.endpoint] for node in cluster.masters()}
    for name in ("mget", "mset", "incr"):
        executed = sum(stats.get(name, 0) - before[node.endpoint].get(name, 0) for node, stats in counted.items())
        assert executed == result.overall.tallies[name].sent
    # Each counter has the slot of its key.
    for name in cluster.masters()[0].ask("KEYS", "counter:*")[:50]:
        assert slot_of(bytes(name)) == slot_of(bytes(name)[9:-1])


def test_requests_of_several_keys_wait_while_their_slot_moves(cluster: RealCluster) -> None:
    keys = ('workload.keyspace.prefix="{moving}:"', "workload.keyspace.count=500", "workload.prefill=true")
    moving = slot_of(b"{moving}:")
    source = cluster.owner_of(moving)
    target = next(node for node in cluster.masters() if node is not source)

    def tried_again() -> bool:
        return any(b"errorstat_TRYAGAIN" in bytes(node.ask("INFO", "errorstats")) for node in (source, target))

    def move() -> None:
        with cluster.migrating([moving], target) as migration:
            migration.move(250)
            # Requests whose keys are on both nodes are refused by both.
            wait_until(tried_again, "a node has said TRYAGAIN")

    source.ask("CONFIG", "RESETSTAT")
    mix = ("workload.commands.mget=1", "workload.commands.mset=1", "workload.commands.get=0", "workload.commands.set=0")
    settings = ("general.duration=1s", "workload.rate_limit=1000", "general.warmup=0s")
    result, _ = load(source.endpoint, *keys, *mix, *settings, meanwhile=move)
    total = result.measured.total
    assert (total.ok, total.errors, total.lost) == (total.planned, 0, 0)
    assert result.measured.tallies["mget"].misses == 0
    assert result.overall.redirects["tryagain"] > 0
    cluster.migrate([moving], source)


def test_reads_from_replicas_are_answered_by_replicas_and_keep_the_mix(cluster: RealCluster) -> None:
    def replicas() -> int:
        shards = of_shards(cluster.nodes[0].ask("CLUSTER", "SHARDS"), tls=False)
        return sum(len(shard.replicas) for shard in shards)

    # A replica that has just been started is not well for a while.
    wait_until(lambda: replicas() == 3, "each master has a replica that is well")
    before = {name: stats.get("get", 0) for name, stats in cluster.commandstats().items()}
    settings = ("general.requests=6000", "general.warmup=0s", "workload.prefill=true", 'target.read_from="replicas"')
    result, _ = load(cluster.endpoints[0], *settings)
    total = result.measured.total
    assert (total.ok, total.planned) == (6000, 6000)
    got = {name: stats.get("get", 0) - before[name] for name, stats in cluster.commandstats().items()}
    masters = {node.endpoint for node in cluster.masters()}
    assert {name for name, count in got.items() if count} == set(got) - masters
    assert result.measured.tallies["get"].ok == pytest.approx(4800, rel=0.05)


def test_slots_that_move_under_load_take_their_requests_along(cluster: RealCluster) -> None:
    source, target, _ = cluster.masters()
    slots = [slot for part in cluster.slots_of(source) for slot in part][:1500]
    settings = ("general.duration=1500ms", "workload.rate_limit=4000", "workload.prefill=true", "general.warmup=0s")
    result, _ = load(source.endpoint, *settings, meanwhile=lambda: cluster.migrate(slots, target))
    total = result.measured.total
    assert (total.ok, total.errors, total.lost) == (total.planned, 0, 0)
    assert result.measured.tallies["get"].misses == 0
    redirects = result.overall.redirects
    assert 0 < redirects["redirected"] <= redirects.get("moved", 0) + redirects.get("ask", 0)
    after, _ = load(source.endpoint, "general.requests=12000", "general.warmup=0s")
    assert dict(after.measured.redirects) == {}
    for node in cluster.masters():
        share = sum(map(len, cluster.slots_of(node))) / SLOTS
        assert after.measured.nodes[node.endpoint].ok == pytest.approx(12_000 * share, rel=0.1)
    cluster.migrate(slots, source)


def test_a_node_that_comes_and_goes_under_load_gets_requests_while_it_has_slots(cluster: RealCluster) -> None:
    came: list[str] = []
    events: list[Event] = []

    def come_and_go() -> None:
        node = cluster.add()
        came.append(node.endpoint)
        slots = range(600)
        cluster.migrate(slots, node)
        wait_until(lambda: f"the shard of {node.endpoint} is new" in told(events), "the node is known")
        cluster.migrate(slots, cluster.nodes[0])
        wait_until(lambda: f"the shard of {node.endpoint} serves nothing any more" in told(events), "it is left")
        cluster.remove(node)

    settings = ("general.duration=5s", "workload.rate_limit=2000", "general.warmup=0s")
    result, _ = load(cluster.endpoints[0], *settings, meanwhile=come_and_go, events=events)
    total = result.measured.total
    # A request that was under way when the node ended, with no slots any more, is lost.
    assert (total.ok + total.lost, total.lost <= 4) == (total.planned, True)
    assert result.measured.nodes[came[0]].ok > 0


def test_connections_that_we_close_when_a_replica_takes_over_are_no_failures(cluster: RealCluster) -> None:
    replica = next(node for node in cluster.nodes if node not in cluster.masters())
    before = cluster.master_of(replica)
    assert before is not None
    settings = ("general.duration=1s", "workload.rate_limit=2000", "general.warmup=0s")
    result, events = load(
        before.endpoint, *settings, "general.interval=100ms", meanwhile=lambda: cluster.fail_over(replica)
    )
    assert f"{replica.endpoint} serves instead of {before.endpoint}" in told(events)
    total, counts = result.measured.total, result.overall.connections
    assert total.ok == total.planned
    # The four connections to the shard's lane have gone to the other node.
    assert (counts.failed, counts.closed, counts.reconnects, counts.recycled) == (0, 0, 0, 4)
    assert dict(result.overall.failures) == {}
    cluster.fail_over(before)


def test_a_cluster_is_logged_in_to_by_a_users_name_and_password(cluster: RealCluster) -> None:
    for node in cluster.nodes:
        node.ask("ACL", "SETUSER", "tester", "on", ">a password", "~*", "+@all")
    before, logins = calls(cluster), logged_in(cluster)
    settings = ("general.requests=3000", "general.warmup=0s", 'target.username="tester"')
    result, _ = load(cluster.endpoints[0], *settings, 'target.password="a password"')
    assert result.measured.total.ok == result.measured.total.planned == 3000
    assert sum(calls(cluster).values()) - sum(before.values()) == sent(result)
    # Beside the connections of the load, those that ask for the topology.
    assert all(logged_in(cluster)[name] - logins[name] >= 4 for name in before)
    wrong = refused(port_of(cluster.endpoints[0]), "target.cluster=true", *settings, 'target.password="another"')
    assert "WRONGPASS" in wrong


def logged_in(cluster: RealCluster) -> dict[str, int]:
    """How often each live node was sent AUTH, which Redis counts where it succeeds."""
    failed = cluster.commandstats("failed_calls")
    return {name: stats.get("auth", 0) - failed[name].get("auth", 0) for name, stats in cluster.commandstats().items()}


def test_a_replica_takes_over_from_a_master_that_is_killed() -> None:
    with RealCluster(3, 3, "--cluster-require-full-coverage", "no", node_timeout_ms=500) as cluster:
        lost = cluster.nodes[0]

        def fail_over() -> None:
            cluster.kill(lost)
            cluster.wait_for_promotion(lost)

        settings = ("general.duration=5s", "workload.rate_limit=1500", "general.warmup=0s", "verdict.failures=1")
        result, events = load(cluster.nodes[1].endpoint, *settings, "general.interval=500ms", meanwhile=fail_over)
        assert any(isinstance(event, TopologyChanged) for event in events)
        nodes, total = result.measured.nodes, result.measured.total
        # What waited for the new master is sent to it; only what was under way is lost, or refused meanwhile.
        assert total.ok > 0.9 * total.planned
        assert total.lost <= 16
        assert nodes[lost.endpoint].ok == pytest.approx(total.ok / 3, rel=0.15)


def test_a_replica_takes_over_from_a_master_that_sentinels_watch() -> None:
    with RealSentinel() as group:
        lost = group.master

        def fail_over() -> None:
            group.kill(lost)
            group.wait_for_promotion(lost)

        own = ("target.cluster=false", f'target.sentinel_master="{NAME}"', "verdict.failures=1")
        settings = (*own, "general.duration=4s", "workload.rate_limit=500", "general.warmup=0s")
        result, events = load(group.endpoints[0], *settings, meanwhile=fail_over)
        assert any(words.endswith(f"serves instead of {lost.endpoint}") for words in told(events))
        assert result.measured.total.ok > 0.6 * result.measured.total.planned
        assert result.measured.total.lost <= 48


# ── Configurations that do not fit ──────────────────────────────────────────────────────────────────────────────────


def refused(port: int, *settings: str) -> str:
    with pytest.raises(TargetError) as raised:
        loadgen.run(described(port, *settings))
    return str(raised.value)


def test_a_single_server_is_no_cluster_and_no_sentinel() -> None:
    with RealServer.redis() as server:
        assert "is a single server, not a node of a cluster" in refused(server.port, "target.cluster=true")
        assert "is no node of a cluster and no sentinel" in refused(server.port, 'target.sentinel_master="mymaster"')


def test_a_cluster_that_is_not_configured_ends_the_load_with_its_remedy(cluster: RealCluster) -> None:
    port = port_of(cluster.endpoints[0])
    result = loadgen.run(described(port, "general.duration=3s", "general.interval=100ms", "general.warmup=0s"))
    assert "is a node of a Redis Cluster" in str(result.failure)
    assert "target.cluster = true (--cluster)" in str(result.failure)
    assert "is a node of a Redis Cluster" in refused(port, "workload.prefill=true")


def test_each_node_needs_a_connection(cluster: RealCluster) -> None:
    words = refused(port_of(cluster.endpoints[0]), "target.cluster=true", "connection.connections=2")
    assert "has 3 nodes to put load on, and connection.connections is 2" in words


# ── Faults ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fault_comes_over_one_node_of_a_cluster_and_the_others_go_on(cluster: RealCluster) -> None:
    fault = 'fault=[{kind="down", on=[2], at="400ms", for="500ms"}]'
    settings = ("general.duration=2s", "workload.rate_limit=1500", "general.warmup=0s", fault)
    result, _ = load(cluster.endpoints[0], *settings)
    [report] = result.faults
    assert report.effects > 0
    [outage] = result.outages
    assert (outage.node, outage.refused > 0) == (2, True)
    failed = {name for name, node in result.measured.nodes.items() if node.failed}
    assert failed <= {str(result.plan.target.endpoints[1])}
    assert result.measured.total.unfinished == 0
