"""Topologies that follow what nodes say: lanes keep their places and names, whoever serves them."""

from __future__ import annotations

from loadgen.plan import Discovery, Endpoint, Placement, Reads, Topology
from loadgen.topology.follow import Follower, changes
from loadgen.topology.found import FoundNode, FoundShard


def locate(node: FoundNode) -> Endpoint:
    return Endpoint(node.host, node.port, node.host)


def at(port: int) -> Endpoint:
    return Endpoint("h", port, "h")


def shard(*ports: int, slots: tuple[tuple[int, int], ...] = ()) -> FoundShard:
    """The first port is the primary's; a node's id is its port."""
    return FoundShard(
        tuple(FoundNode(str(port), "h", port, is_primary=place == 0) for place, port in enumerate(ports)), slots
    )


HALVES = (shard(1, 3, slots=((0, 8191),)), shard(2, 4, slots=((8192, 16383),)))


def follower(reads: Reads = Reads.PRIMARY) -> Follower:
    return Follower(Discovery(reads=reads), locate)


def primaries(topology: Topology) -> list[tuple[str, Endpoint | None]]:
    return [(each.name, each.endpoint) for each in topology.placements if each.writes]


def test_shards_are_placed_by_their_first_slots_in_whatever_order_they_are_told() -> None:
    assert follower().follow(HALVES) == follower().follow(HALVES[::-1])
    assert primaries(follower().follow(HALVES)) == [("h:1", at(1)), ("h:2", at(2))]


def test_a_promoted_replica_serves_the_same_lane() -> None:
    following = follower()
    before = following.follow(HALVES)
    after = following.follow((shard(3, slots=((0, 8191),)), HALVES[1]))
    assert primaries(after) == [("h:1", at(3)), ("h:2", at(2))]
    assert after.slots == before.slots
    assert changes(before, after) == ("h:3 serves instead of h:1",)


def test_a_follower_goes_on_from_a_topology_as_one_that_has_seen_it() -> None:
    promoted = (shard(3, slots=((0, 8191),)), HALVES[1])
    following = follower()
    first = following.follow(HALVES)
    assert Follower(Discovery(), locate, first).follow(promoted) == following.follow(promoted)


def test_moved_slots_change_hands_and_a_new_shard_comes_last() -> None:
    following = follower()
    before = following.follow(HALVES)
    after = following.follow((shard(5, slots=((0, 999),)), shard(1, 3, slots=((1000, 8191),)), HALVES[1]))
    assert primaries(after) == [("h:1", at(1)), ("h:2", at(2)), ("h:5", at(5))]
    assert after.slots == ((0, 999, 2), (1000, 8191, 0), (8192, 16383, 1))
    assert changes(before, after) == ("the shard of h:5 is new", "1,000 slots moved from h:1 to h:5")


def test_a_shard_without_slots_has_no_node_and_keeps_its_place() -> None:
    following = follower()
    before = following.follow(HALVES)
    after = following.follow((shard(1), shard(2, 4, slots=((0, 16383),))))
    assert primaries(after) == [("h:1", None), ("h:2", at(2))]
    assert changes(before, after) == ("the shard of h:1 serves nothing any more", "8,192 slots moved from h:1 to h:2")
    again = following.follow(HALVES)
    assert primaries(again) == primaries(before)
    assert again.slots == before.slots


def test_a_node_that_has_no_slots_yet_gets_no_lane() -> None:
    assert len(follower().follow((*HALVES, shard(9))).placements) == 2


def test_replicas_have_lanes_for_reads_and_lose_them_with_the_node() -> None:
    following = follower(Reads.ALL)
    first = following.follow((shard(1, 3, 5, slots=((0, 16383),)),))
    assert first.placements == (
        Placement("h:1", 0, at(1), 1 / 3),
        Placement("h:3", 0, at(3), 1 / 3, writes=False),
        Placement("h:5", 0, at(5), 1 / 3, writes=False),
    )
    without = following.follow((shard(3, 5, slots=((0, 16383),)),))
    assert without.placements == (
        Placement("h:1", 0, at(3), 0.5),
        Placement("h:3", 0, None, 0.0, writes=False),
        Placement("h:5", 0, at(5), 0.5, writes=False),
    )
    back = following.follow((shard(3, 1, 5, slots=((0, 16383),)),))
    assert [each.endpoint for each in back.placements] == [at(3), None, at(5), at(1)]


def test_reads_of_a_shard_without_replicas_go_to_its_primary() -> None:
    [alone] = follower(Reads.REPLICAS).follow((shard(1, slots=((0, 16383),)),)).placements
    assert alone.reads == 1
    primary, replica = follower(Reads.REPLICAS).follow((shard(1, 2, slots=((0, 16383),)),)).placements
    assert (primary.reads, primary.writes) == (0, True)
    assert (replica.reads, replica.writes) == (1, False)


def test_a_master_of_sentinels_has_no_slots_and_moves() -> None:
    following = Follower(Discovery("mymaster"), locate)
    before = following.follow((shard(1, 2),))
    after = following.follow((shard(2),))
    assert (before.slots, primaries(before), primaries(after)) == ((), [("h:1", at(1))], [("h:1", at(2))])
