"""The model of a Redis Cluster answers as redis-server does, in each state of a slot and of a node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hiredis
import pytest
from plain_client import PlainClient
from real_cluster import RealCluster
from real_nodes import wait_until

from loadgen.verify.reply import Reply
from loadgen.verify.world.cluster.cluster import Cluster
from loadgen.verify.world.cluster.node import Place, Session
from loadgen.verify.world.cluster.slots import NOBODY, SLOTS, ranges, shared_out, slot_of
from loadgen.verify.world.redis.resp import reply_bytes

SOURCE, TARGET, REPLICA = 0, 1, 2
TAG = b"{a}"
"""Its slot, 15495, is the second master's; `OURS` is of the first."""
OURS = b"{b}"


@pytest.fixture(scope="module")
def real() -> Iterator[RealCluster]:
    with RealCluster(2, 1, node_timeout_ms=400) as cluster:
        yield cluster


class Both:
    """The real cluster and its model, asked the same on a connection to each node."""

    def __init__(self, real: RealCluster) -> None:
        self.real = real
        places = [Place(node.name.encode(), node.host.encode(), node.port) for node in real.nodes]
        self.model = Cluster(places, masters=2)
        self._clients = [PlainClient(node.host, node.port) for node in real.nodes]
        self._sessions = [Session() for _ in places]

    def ask(self, node: int, *words: bytes) -> Any:
        """The reply of both to a command, which must be the same."""
        said = shown(self._clients[node].ask_all([words])[0])
        assert shown(read(self.model.nodes[node].answer(self._sessions[node], words))) == said, (node, words)
        return said

    def agree(self, node: int) -> None:
        """Both have the same slots. A real node shows a replica once it has heard of what the replica has."""
        real, model = self.real.nodes[node], self.model.nodes[node]
        wait_until(lambda: sorted(real.ask("CLUSTER", "SLOTS")) == read(model.slots(2)), "both have the same slots")
        assert shards(real.ask("CLUSTER", "SHARDS")) == shards(read(model.shards(2)))

    def close(self) -> None:
        for client in self._clients:
            client.close()


def shown(reply: Any) -> Any:
    return str(reply) if isinstance(reply, hiredis.ReplyError) else reply


@pytest.fixture
def both(real: RealCluster) -> Iterator[Both]:
    both = Both(real)
    yield both
    both.close()


def test_slots_are_those_of_the_specification() -> None:
    assert slot_of(b"123456789") == 12739  # CRC-16/XMODEM of it is 0x31C3.
    assert slot_of(b"user:{42}:name") == slot_of(b"{42}") == slot_of(b"42")
    assert slot_of(b"{}x") != slot_of(b"")
    assert slot_of(b"a{b") == slot_of(b"a{b")
    owners = shared_out((7, 8, 9))
    assert ranges(owners) == [(0, 5461, 7), (5462, 10922, 8), (10923, SLOTS - 1, 9)]
    assert ranges([NOBODY, 1, NOBODY, NOBODY, 2, 2]) == [(1, 1, 1), (4, 5, 2)]


def test_every_reply_is_that_of_a_real_node_before_during_and_after_a_migration(both: Both) -> None:
    ours, theirs = OURS, TAG
    assert both.model.owner_of(ours) is both.model.nodes[SOURCE]
    # At rest: each key has one node.
    assert both.ask(SOURCE, b"SET", ours + b"1", b"one") == b"OK"
    assert both.ask(SOURCE, b"GET", theirs).startswith("MOVED 15495 ")
    both.ask(TARGET, b"GET", ours)
    both.ask(SOURCE, b"MGET", ours, theirs)
    both.ask(SOURCE, b"MSET", ours + b"1", b"1", ours + b"2", b"2")
    for node in range(3):
        assert both.ask(node, b"CLUSTER", b"KEYSLOT", ours) == slot_of(ours)
        both.ask(node, b"PING")
        both.ask(node, b"SELECT", b"1")
        both.agree(node)
    # A replica answers reads of what its master serves, when it may.
    both.ask(REPLICA, b"GET", ours + b"1")
    both.ask(REPLICA, b"READONLY")
    wait_until(lambda: both.real.nodes[REPLICA].ask("DBSIZE") == 2, "the replica has both keys")
    assert both.ask(REPLICA, b"GET", ours + b"1") == b"1"
    both.ask(REPLICA, b"SET", ours + b"1", b"x")
    both.ask(REPLICA, b"GET", theirs)
    both.ask(REPLICA, b"READWRITE")
    both.ask(REPLICA, b"GET", ours + b"1")
    # A slot on its way.
    slot = slot_of(ours)
    with both.real.migrating([slot], both.real.nodes[TARGET]) as moving:
        both.model.open_target([slot], SOURCE, TARGET)
        both.model.open_source([slot], SOURCE, TARGET)
        for node in (SOURCE, TARGET):
            both.ask(node, b"GET", ours + b"1")
            both.ask(node, b"GET", ours + b"none")
            both.ask(node, b"SET", ours + b"none", b"x")
            both.ask(node, b"MGET", ours + b"1", ours + b"none")
            both.ask(node, b"MGET", ours + b"none", ours + b"nothing")
            both.ask(node, b"MGET", ours + b"none", ours + b"none")
            both.ask(node, b"DEL", ours + b"1", ours + b"none", b"x")
        both.ask(TARGET, b"ASKING")
        assert both.ask(TARGET, b"SET", ours + b"3", b"three") == b"OK"
        both.ask(TARGET, b"GET", ours + b"3")
        for words in (
            (b"GET", ours + b"none"),
            (b"MGET", ours + b"3", ours + b"none"),
            (b"MGET", ours + b"3", ours + b"3"),
        ):
            both.ask(TARGET, b"ASKING")
            both.ask(TARGET, *words)
        # Which key a real node moves first is its own choice.
        assert moving.move(1) == 1
        [left] = both.real.nodes[SOURCE].ask("CLUSTER", "GETKEYSINSLOT", slot, 10)
        held = both.model.nodes[SOURCE].items
        both.model.nodes[SOURCE].items = {key: held[key] for key in sorted(held, key=left.__eq__)}
        assert both.model.move_keys([slot], SOURCE, TARGET, 1) == 1
        for node in (SOURCE, TARGET):
            both.ask(node, b"GET", ours + b"1")
            both.ask(node, b"GET", ours + b"2")
            both.ask(node, b"MGET", ours + b"1", ours + b"2")
    both.model.settle([slot], SOURCE, TARGET)
    for number in (SOURCE, REPLICA):
        both.model.tell_owner(number, [slot], TARGET)
    both.real.wait_until_ok()
    for node in (SOURCE, TARGET):
        for key in (b"1", b"2", b"3"):
            both.ask(node, b"GET", ours + key)
        both.agree(node)


def test_a_slot_without_an_owner_takes_the_cluster_down(both: Both) -> None:
    node, slot = both.real.nodes[TARGET], slot_of(TAG)
    node.ask("CLUSTER", "DELSLOTS", slot)
    wait_until(lambda: b"cluster_state:fail" in node.ask("CLUSTER", "INFO"), "it is down")
    both.model.tell_owner(TARGET, [slot], NOBODY)
    both.model.nodes[TARGET].failed = True
    assert both.ask(TARGET, b"GET", TAG) == "CLUSTERDOWN Hash slot not served"
    assert both.ask(TARGET, b"GET", OURS) == "CLUSTERDOWN The cluster is down"
    assert both.ask(TARGET, b"MGET", OURS, TAG).startswith("CROSSSLOT")
    both.ask(TARGET, b"PING")
    node.ask("CLUSTER", "ADDSLOTS", slot)
    both.real.wait_until_ok()


def shards(reply: Any) -> Any:
    """CLUSTER SHARDS without what the model does not have: how much of its master each replica has."""
    found = []
    for _, slots, _, nodes in reply:
        rows = [dict(zip(node[::2], node[1::2], strict=True)) for node in nodes]
        found.append((slots, sorted([(row[b"id"], row[b"ip"], row[b"port"], row[b"role"]) for row in rows])))
    return sorted(found)


def read(reply: Reply) -> Any:
    """A reply as it comes out of hiredis, from the bytes of the model."""
    reader = hiredis.Reader()
    reader.feed(reply_bytes(reply, 2))
    return reader.gets()
