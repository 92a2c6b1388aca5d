"""What nodes say of their cluster, from replies as hiredis reads them."""

from __future__ import annotations

import pytest

from loadgen.topology.found import FoundNode, FoundShard, UnreadableError, of_sentinel, of_shards, of_slots, uncovered


def node(name: str, port: int, role: str, health: str = "online", **more: object) -> list[object]:
    fields = {
        "id": name,
        "port": port,
        "ip": "10.0.0.1",
        "endpoint": "10.0.0.1",
        "role": role,
        "health": health,
        **more,
    }
    return [word.encode() if isinstance(word, str) else word for pair in fields.items() for word in pair]


SHARDS: list[object] = [
    [b"slots", [0, 99, 200, 16383], b"nodes", [node("b", 2, "replica"), node("a", 1, "master")]],
    [b"slots", [100, 199], b"nodes", [node("c", 3, "master"), node("d", 4, "replica", "fail")]],
    [b"slots", [], b"nodes", [node("e", 5, "master")]],
]


def test_shards_have_their_primary_first_and_only_replicas_that_are_well() -> None:
    assert of_shards(SHARDS, tls=False) == (
        FoundShard(
            (FoundNode("a", "10.0.0.1", 1, is_primary=True), FoundNode("b", "10.0.0.1", 2, is_primary=False)),
            ((0, 99), (200, 16383)),
        ),
        FoundShard((FoundNode("c", "10.0.0.1", 3, is_primary=True),), ((100, 199),)),
        FoundShard((FoundNode("e", "10.0.0.1", 5, is_primary=True),)),
    )


def test_a_map_of_resp3_says_the_same_as_a_list_of_resp2() -> None:
    maps = [
        {
            shard[0]: shard[1],
            shard[2]: [dict(zip(each[::2], each[1::2], strict=True)) for each in shard[3]],
        }
        for shard in SHARDS
    ]
    assert of_shards(maps, tls=False) == of_shards(SHARDS, tls=False)


def test_over_tls_a_node_has_its_tls_port() -> None:
    reply = [[b"slots", [0, 16383], b"nodes", [node("a", 1, "master", **{"tls-port": 7})]]]
    [shard] = of_shards(reply, tls=True)
    assert shard.primary is not None
    assert shard.primary.port == 7


@pytest.mark.parametrize("name", [b"", b"?", None])
def test_a_node_without_an_endpoint_has_its_address_and_without_both_no_host(name: bytes | None) -> None:
    [shard] = of_shards([[b"slots", [], b"nodes", [node("a", 1, "master", endpoint=name)]]], tls=False)
    assert shard.nodes[0].host == "10.0.0.1"
    [shard] = of_shards([[b"slots", [], b"nodes", [node("a", 1, "master", endpoint=name, ip=b"")]]], tls=False)
    assert shard.nodes[0].host == ""


def test_slots_give_the_ranges_of_each_primary() -> None:
    a, b, c = [b"h", 1, b"a", []], [b"h", 2, b"b", []], [b"h", 3, b"c", []]
    assert of_slots([[0, 99, a, b], [100, 199, c], [200, 16383, a, b]]) == (
        FoundShard((FoundNode("a", "h", 1, is_primary=True), FoundNode("b", "h", 2, is_primary=False)),
                   ((0, 99), (200, 16383))),
        FoundShard((FoundNode("c", "h", 3, is_primary=True),), ((100, 199),)),
    )  # fmt: skip


def test_a_sentinel_names_the_master_and_the_replicas_that_are_up() -> None:
    replicas = [
        [b"ip", b"h", b"port", b"2", b"flags", b"slave"],
        [b"ip", b"h", b"port", b"3", b"flags", b"s_down,slave,disconnected"],
    ]
    [shard] = of_sentinel([b"h", b"1"], replicas)
    assert shard.nodes == (FoundNode("h:1", "h", 1, is_primary=True), FoundNode("h:2", "h", 2, is_primary=False))


def test_slots_that_nobody_has_are_counted() -> None:
    assert uncovered(of_shards(SHARDS, tls=False)) == 0
    assert uncovered(of_shards(SHARDS[:1], tls=False)) == 100
    assert uncovered(()) == 16_384


@pytest.mark.parametrize(
    "reply", [None, 1, b"OK", [1], [[b"slots"]], [[b"slots", [1], b"nodes", []]], [[b"slots", [], b"nodes", [[b"id"]]]]]
)
def test_what_is_no_reply_of_a_cluster_is_refused(reply: object) -> None:
    with pytest.raises(UnreadableError):
        of_shards(reply, tls=False)


@pytest.mark.parametrize("reply", [None, [1], [[]], [[1, 2]], [[1, 2, []]], [[1, 2, [b"h"]]], [[1, 2, [b"h", b"x"]]]])
def test_what_is_no_answer_to_slots_is_refused(reply: object) -> None:
    with pytest.raises(UnreadableError):
        of_slots(reply)


@pytest.mark.parametrize(("master", "replicas"), [(b"h", []), ([b"h"], []), ([b"h", b"x"], []), ([b"h", b"1"], 7)])
def test_what_no_sentinel_answers_is_refused(master: object, replicas: object) -> None:
    with pytest.raises(UnreadableError):
        of_sentinel(master, replicas)
