"""How nodes become a cluster, without a socket: what they are told, what is waited for, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loadgen.errors import TargetError
from loadgen.plan import Endpoint
from loadgen.server_plan import ClusterPlan
from loadgen.topology.ask import Answer, Question
from loadgen.topology.form import Forming

NODES = tuple(Endpoint("h", port, "10.0.0.1") for port in range(1, 7))
PLAN = ClusterPlan(3, 1)
OK = Answer(b"OK")


class Nodes:
    """Six nodes that know what they are told at once, and count how often each was asked what."""

    def __init__(self) -> None:
        self.slots: dict[int, list[int]] = {}
        self.masters: dict[int, str] = {}
        self.met: set[tuple[int, int]] = set()
        self.epochs: dict[int, int] = {}
        self.state = "ok"
        self.link = "up"
        self.health = b"online"
        self.instead: Callable[[int, list[str]], Answer | None] = lambda port, words: None
        """An answer in place of the node's own."""

    def answer(self, question: Question) -> Answer:
        port, words = question.endpoint.port, [word.decode() for word in question.words]
        return self.instead(port, words) or self._own(port, words)

    def _own(self, port: int, words: list[str]) -> Answer:
        match words:
            case ["CLUSTER", "MYID"]:
                return Answer(f"id{port}".encode())
            case ["CLUSTER", "SET-CONFIG-EPOCH", epoch]:
                self.epochs[port] = int(epoch)
            case ["CLUSTER", "ADDSLOTS", *slots]:
                self.slots[port] = [*map(int, slots)]
            case ["CLUSTER", "MEET", "10.0.0.1", other]:
                self.met.add((port, int(other)))
            case ["CLUSTER", "REPLICATE", master]:
                self.masters[port] = master
            case ["CLUSTER", "NODES"]:
                return Answer("\n".join(map(self._line, range(1, 7))).encode())
            case ["CLUSTER", "INFO"]:
                return Answer(f"cluster_state:{self.state}\r\n".encode())
            case ["CLUSTER", "SHARDS"]:
                return Answer([self._shard(place) for place in range(3)])
            case ["INFO", "replication"]:
                return Answer(f"role:slave\r\nmaster_link_status:{self.link}\r\n".encode())
            case _:
                raise AssertionError(words)
        return OK

    def _shard(self, place: int) -> list[object]:
        nodes = [
            [b"id", b"id%d" % port, b"port", port, b"ip", b"h", b"role", role, b"health", self.health]
            for port, role in ((place + 1, b"master"), (place + 4, b"replica"))
        ]
        return [b"slots", [0, 1], b"nodes", nodes]

    def _line(self, port: int) -> str:
        slots = self.slots.get(port, [])
        owned = f" {slots[0]}-{slots[-1]}" if slots else ""
        master = self.masters.get(port, "-")
        return f"id{port} 10.0.0.1:{port}@{port + 10_000} master {master} 0 0 1 connected{owned}"


def formed(nodes: Nodes, waits: int = 0, *, reads_replicas: bool = False) -> Forming:
    """Form the cluster, and wait so often at most."""
    forming = Forming(PLAN, NODES, reads_replicas=reads_replicas)
    steps = forming.steps()
    question = next(steps)
    try:
        while True:
            if question is not None:
                question = steps.send(nodes.answer(question))
            elif waits:
                waits -= 1
                question = next(steps)
            else:
                return forming
    except StopIteration:
        return forming


def test_masters_share_the_slots_and_each_replica_follows_one() -> None:
    nodes = Nodes()
    assert formed(nodes).lacking == ""
    assert sorted(slot for owned in nodes.slots.values() for slot in owned) == [*range(16_384)]
    assert {port: len(owned) for port, owned in nodes.slots.items()} == {1: 5461, 2: 5461, 3: 5462}
    assert nodes.masters == {4: "id1", 5: "id2", 6: "id3"}
    assert len({*nodes.epochs.values()}) == 3
    assert nodes.met == {(one, other) for one in range(1, 7) for other in range(1, 7) if one != other}


@pytest.mark.parametrize(
    ("wrong", "lacking"),
    [
        ({"state": "fail"}, "master 1 (h:1) does not serve: its cluster_state is not ok"),
        ({"link": "down"}, "replica 1 (h:4) has not copied the data of master 1 (h:1)"),
    ],
)
def test_what_is_waited_for_is_named(wrong: dict[str, str], lacking: str) -> None:
    nodes = Nodes()
    for name, value in wrong.items():
        setattr(nodes, name, value)
    assert formed(nodes, waits=5).lacking == lacking


def test_replicas_that_are_to_be_read_from_are_waited_for_until_they_are_named() -> None:
    nodes = Nodes()
    nodes.health = b"loading"
    assert formed(nodes).lacking == ""
    assert formed(nodes, reads_replicas=True).lacking == "master 1 (h:1) does not call replica 1 (h:4) online"
    old = Answer(error="ERR Unknown subcommand or wrong number of arguments for 'SHARDS'. Try CLUSTER HELP.")
    nodes.instead = lambda port, words: old if words[1] == "SHARDS" else None
    assert formed(nodes, reads_replicas=True).lacking == ""


def test_a_node_that_another_does_not_reach_is_named() -> None:
    nodes = Nodes()
    apart = b"id1 10.0.0.1:1@10001 myself,master - 0 0 1 connected 0-5460"
    nodes.instead = lambda port, words: Answer(apart) if (port, words[1]) == (1, "NODES") else None
    assert formed(nodes).lacking == "master 1 (h:1) is not connected to master 2 (h:2)"
    failed = "\n".join(nodes._line(port).replace("master", "master,fail", port == 2) for port in range(1, 7)).encode()
    nodes.instead = lambda port, words: Answer(failed) if words[1] == "NODES" else None
    assert formed(nodes).lacking == "master 1 (h:1) takes master 2 (h:2) for failed"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            Answer(error="ERR This instance has cluster support disabled"),
            "master 2 (h:2) has no cluster support switched on: have target.server.command say so, by "
            "--cluster-enabled yes.",
        ),
        (
            Answer(error="ERR unknown command 'CLUSTER'"),
            'master 2 (h:2) cannot be a node of a cluster: it answers CLUSTER MYID with "ERR unknown command '
            "'CLUSTER'\"; see target.server.command.",
        ),
        (
            Answer(silence="nothing listens there"),
            "master 2 (h:2) does not answer CLUSTER MYID: nothing listens there.",
        ),
    ],
)
def test_a_node_that_refuses_is_named_with_its_reason(answer: Answer, sentence: str) -> None:
    nodes = Nodes()
    nodes.instead = lambda port, words: answer if port == 2 else None
    with pytest.raises(TargetError) as refused:
        formed(nodes)
    assert str(refused.value) == sentence
