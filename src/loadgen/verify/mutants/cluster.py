"""Mutants of an engine on a cluster, and of the cluster: redirects, topologies and keys on their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loadgen.plan import Reads
from loadgen.topology import follow
from loadgen.verify.mutants import _steerings
from loadgen.verify.mutants.mutant import Mutant, Where
from loadgen.verify.reply import Null, Reply
from loadgen.verify.world import engine_load
from loadgen.verify.world.cluster.cluster import Cluster
from loadgen.verify.world.cluster.node import Node
from loadgen.verify.world.cluster.slots import NOBODY

KIND = "engine_cluster_changes"
REPLICAS = "engine_cluster_replicas"

_execute, _get = Node.execute, Node._get


def _write_twice(self: Node, name: bytes, words: Sequence[bytes]) -> Reply:
    if name == b"SET":
        _execute(self, name, words)
    return _execute(self, name, words)


def _behind(self: Node, key: bytes, value: bytes) -> None:
    """Write a key at the master alone: a replica gets what there was when it came."""
    self.items[key] = value


def _another(self: Node, words: Sequence[bytes]) -> Reply:
    """Answer a GET at a replica with what the greatest other key has."""
    if self.master == NOBODY:
        return _get(self, words)
    return self.items.get(max((key for key in self.items if key != words[0]), default=words[0]), Null.BULK)


def _stays_behind(self: Cluster, number: int) -> None:
    """Leave a replica where it is."""


def _at_primary(reads: Reads, replicas: int) -> tuple[float, float]:
    return 1.0, 0.0


def _engine(name: str, breaks: str, replacement: type[Any]) -> Mutant:
    return Mutant(name, breaks, Where.ENGINE, KIND, ((engine_load, "Engine", replacement),))


MUTANTS = (
    _engine(
        "ask taken for moved",
        "a slot on its way is taken for one that has moved, and no ASKING is sent",
        _steerings.EngineAskForMoved,
    ),
    _engine("redirect twice", "a request that is redirected is sent twice", _steerings.EngineTwice),
    _engine("redirect given up", "a request that is redirected fails at once", _steerings.EngineGivesUp),
    _engine("topology ignored", "the nodes are those of the beginning", _steerings.EngineWithoutTopology),
    Mutant(
        "write carried out twice",
        "a node carries a write out twice, and answers once",
        Where.SERVER,
        KIND,
        ((Node, "execute", _write_twice),),
    ),
    Mutant(
        "replica behind",
        "writes are acknowledged before a replica has them, and it takes over without them",
        Where.SERVER,
        KIND,
        ((Node, "put", _behind),),
    ),
    Mutant(
        "replica answers for another key",
        "a replica answers reads with another key's value",
        Where.SERVER,
        REPLICAS,
        ((Node, "_get", _another),),
    ),
    Mutant(
        "replica stays behind",
        "a replica that has fallen behind never shows what it gets",
        Where.SERVER,
        REPLICAS,
        ((Cluster, "catch_up", _stays_behind),),
    ),
    Mutant(
        "replicas not read from",
        "reads go to masters where replicas are to answer them",
        Where.ENGINE,
        REPLICAS,
        ((follow, "_parts", _at_primary),),
    ),
)
