"""Mutants of an engine on a cluster, and of the cluster: redirects, topologies and keys on their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loadgen.verify.mutants import _steerings
from loadgen.verify.mutants.mutant import Mutant, Where
from loadgen.verify.reply import Reply
from loadgen.verify.world import engine_load
from loadgen.verify.world.cluster.node import Node

KIND = "engine_cluster_changes"

_execute = Node.execute


def _write_twice(self: Node, name: bytes, words: Sequence[bytes]) -> Reply:
    if name == b"SET":
        _execute(self, name, words)
    return _execute(self, name, words)


def _behind(self: Node, key: bytes, value: bytes) -> None:
    """Write a key at the master alone: a replica gets what there was when it came."""
    self.items[key] = value


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
)
