"""Who is asked, and what is made of the answers, without a socket."""

from __future__ import annotations

import pytest

from loadgen.errors import TargetError
from loadgen.plan import Discovery, Endpoint, Target
from loadgen.topology.ask import Answer, ask
from loadgen.topology.found import FoundShard

ONE, TWO = Endpoint("h", 1, "h"), Endpoint("h", 2, "h")
CLUSTER = Target("resp", (ONE, TWO), discovery=Discovery())
SENTINELS = Target("resp", (ONE, TWO), discovery=Discovery("mymaster"))
SHARDS = [
    [b"slots", [0, 16383], b"nodes", [[b"id", b"a", b"port", 1, b"ip", b"h", b"role", b"master", b"health", b"online"]]]
]
DISABLED = Answer(error="ERR This instance has cluster support disabled")


def told(target: Target, *answers: Answer) -> tuple[tuple[FoundShard, ...], list[str]]:
    """Return what was found, and the questions; the answers come one after the other."""
    asking = ask(target, target.endpoints)
    asked, question = [], next(asking)
    for answer in answers:
        asked.append(f"{question.endpoint.port} {b' '.join(question.words).decode()}")
        try:
            question = asking.send(answer)
        except StopIteration as end:
            return end.value, asked
    raise AssertionError(f"it asks on: {question}")


def test_the_first_node_that_knows_is_believed() -> None:
    found, asked = told(CLUSTER, Answer(silence="nothing listens there"), Answer(SHARDS))
    assert len(found) == 1
    assert asked == ["1 CLUSTER SHARDS", "2 CLUSTER SHARDS"]


def test_an_older_node_is_asked_for_its_slots() -> None:
    old = Answer(error="ERR Unknown subcommand or wrong number of arguments for 'SHARDS'. Try CLUSTER HELP.")
    found, asked = told(CLUSTER, old, Answer([[0, 16383, [b"h", 1, b"a"]]]))
    assert asked == ["1 CLUSTER SHARDS", "1 CLUSTER SLOTS"]
    assert found[0].slots == ((0, 16383),)


def test_sentinels_name_the_master_and_its_replicas() -> None:
    found, asked = told(SENTINELS, Answer([b"h", b"7"]), Answer([]))
    assert asked == ["1 SENTINEL GET-MASTER-ADDR-BY-NAME mymaster", "1 SENTINEL REPLICAS mymaster"]
    assert found[0].primary is not None
    assert found[0].primary.port == 7


@pytest.mark.parametrize(
    ("target", "answer", "words"),
    [
        (CLUSTER, DISABLED, "h:1 is a single server, not a node of a cluster: write target.cluster = false"),
        (CLUSTER, Answer(error="ERR unknown command 'CLUSTER'"), "no node of a cluster and no sentinel"),
        (
            CLUSTER,
            Answer(silence="nothing listens there"),
            "h:1 does not say who its nodes are: nothing listens there.",
        ),
        (CLUSTER, Answer(error="NOAUTH Authentication required."), 'it answers "NOAUTH Authentication required."'),
        (CLUSTER, Answer(7), "with what no Redis Cluster does"),
        (CLUSTER, Answer([]), "16,384 of the cluster's 16,384 slots have no node"),
        (SENTINELS, Answer(None), "The sentinel at h:1 knows no master named mymaster"),
        (SENTINELS, Answer(error="ERR unknown command 'SENTINEL'"), "no node of a cluster and no sentinel"),
    ],
)
def test_when_nobody_knows_the_first_reason_is_said(target: Target, answer: Answer, words: str) -> None:
    with pytest.raises(TargetError, match=r".") as raised:
        told(target, answer, answer)
    assert words in str(raised.value)
