"""How started servers become a Redis Cluster: a conversation without a socket, as in `topology.ask`.

`Forming.steps` is a generator. It yields a Question and is sent an Answer, or yields None to be resumed a little later.
It ends when every node serves, and knows every other node with its slots or its master. It never gives up by itself:
that is for the shell, which finds in `Forming.lacking` what was still waited for.

Source: redis.io, Redis cluster specification; CLUSTER ADDSLOTS, MEET, NODES, REPLICATE, SET-CONFIG-EPOCH.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from loadgen.errors import TargetError
from loadgen.escape import printable
from loadgen.plan import Endpoint
from loadgen.server_plan import ClusterPlan
from loadgen.topology.ask import NO_CLUSTER, Answer, Question
from loadgen.topology.found import SLOTS, of_shards

Steps = Generator[Question | None, Answer, None]

_Asked = Generator[Question | None, Answer, str]
"""A part of the conversation that comes to a node's reply, as text."""

_Look = Callable[[int], _Asked]
"""A look at a node, by its place: it comes to what lacks, or to nothing."""


@dataclass(frozen=True, slots=True)
class _View:
    """What a node says of one of the cluster's nodes: a line of CLUSTER NODES."""

    id: str
    flags: frozenset[str]
    master: str
    """The id of a replica's master; "-" for a master."""
    is_connected: bool
    slots: int


class Forming:
    """A cluster that is being formed of nodes at these endpoints, in the order of the plan's roles."""

    def __init__(self, plan: ClusterPlan, endpoints: Sequence[Endpoint], *, reads_replicas: bool = False) -> None:
        """Take the plan; with `reads_replicas`, every node must also name each replica to those who ask."""
        self._masters = plan.masters
        self._names = [f"{role} ({endpoint})" for role, endpoint in zip(plan.roles, endpoints, strict=True)]
        self._endpoints = tuple(endpoints)
        self._reads_replicas = reads_replicas
        self._ids: list[str] = []
        self.lacking = ""
        """What is not there yet, as a clause: "replica 1 (127.0.0.1:7003) is not connected to master 2 (…)"."""

    def steps(self) -> Steps:
        """Yield what to ask. Raises TargetError when a node refuses."""
        for place in range(len(self._endpoints)):
            self._ids.append((yield from self._told(place, "CLUSTER", "MYID")))
        for place in range(self._masters):
            # Equal epochs would be a conflict, which nodes resolve by and by.
            yield from self._told(place, "CLUSTER", "SET-CONFIG-EPOCH", str(place + 1))
            yield from self._told(place, "CLUSTER", "ADDSLOTS", *map(str, self._slots(place)))
        for place in range(len(self._endpoints)):
            for other in self._others(place):
                yield from self._told(place, "CLUSTER", "MEET", other.address, str(other.port))
        yield from self._until(self._strangers)
        for place in range(self._masters, len(self._endpoints)):
            yield from self._told(place, "CLUSTER", "REPLICATE", self._ids[self._master_of(place)])
        yield from self._until(self._differences)
        yield from self._until(self._not_in_step)
        yield from self._until(self._not_serving)
        if self._reads_replicas:
            yield from self._until(self._unnamed)

    def _slots(self, place: int) -> range:
        return range(SLOTS * place // self._masters, SLOTS * (place + 1) // self._masters)

    def _master_of(self, place: int) -> int:
        return (place - self._masters) % self._masters

    def _others(self, place: int) -> list[Endpoint]:
        return [endpoint for index, endpoint in enumerate(self._endpoints) if index != place]

    # ── Questions ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _told(self, place: int, *words: str) -> _Asked:
        """Ask a node, and return its reply as text. Raises TargetError when it refuses or does not answer."""
        answer = yield Question(self._endpoints[place], tuple(word.encode() for word in words))
        if answer.silence:
            raise TargetError(
                f"{self._names[place]} does not answer {' '.join(words[:2])}: {printable(answer.silence)}."
            )
        if answer.error.startswith(NO_CLUSTER):
            raise TargetError(
                f"{self._names[place]} has no cluster support switched on: have target.server.command say so, by "
                "--cluster-enabled yes."
            )
        if answer.error:
            raise TargetError(
                f"{self._names[place]} cannot be a node of a cluster: it answers {' '.join(words[:2])} with "
                f'"{printable(answer.error)}"; see target.server.command.'
            )
        return answer.value.decode("utf-8", "replace") if isinstance(answer.value, bytes) else str(answer.value)

    def _views(self, place: int) -> Generator[Question | None, Answer, dict[str, _View]]:
        lines = (yield from self._told(place, "CLUSTER", "NODES")).splitlines()
        return {view.id: view for view in map(_view, lines) if view is not None}

    # ── What is waited for ──────────────────────────────────────────────────────────────────────────────────────────

    def _until(self, look: _Look) -> Steps:
        """Wait until a look at each node finds nothing that lacks."""
        for place in range(len(self._endpoints)):
            while lacks := (yield from look(place)):
                self.lacking = f"{self._names[place]} {lacks}"
                yield None
        self.lacking = ""

    def _strangers(self, place: int) -> _Asked:
        views = yield from self._views(place)
        for other, name in zip(self._ids, self._names, strict=True):
            if other not in views or not views[other].is_connected:
                return f"is not connected to {name}"
        return ""

    def _differences(self, place: int) -> _Asked:
        views = yield from self._views(place)
        for index, (other, name) in enumerate(zip(self._ids, self._names, strict=True)):
            its = views.get(other)
            if its is None or its.flags & {"fail", "fail?", "handshake"}:
                return f"takes {name} for failed"
            if index < self._masters and its.slots != len(self._slots(index)):
                return f"does not know the slots of {name}"
            if index >= self._masters and its.master != self._ids[self._master_of(index)]:
                return f"does not know whom {name} follows"
        return ""

    def _not_in_step(self, place: int) -> _Asked:
        if place < self._masters:
            return ""
        said = yield from self._told(place, "INFO", "replication")
        master = self._names[self._master_of(place)]
        return "" if "master_link_status:up" in said else f"has not copied the data of {master}"

    def _not_serving(self, place: int) -> _Asked:
        said = yield from self._told(place, "CLUSTER", "INFO")
        return "" if "cluster_state:ok" in said else "does not serve: its cluster_state is not ok"

    def _unnamed(self, place: int) -> _Asked:
        """Look for replicas that CLUSTER SHARDS does not call online: those from which a node has heard of no write.

        Nodes before Redis 7 do not know the command, and name all replicas.
        """
        answer = yield Question(self._endpoints[place], (b"CLUSTER", b"SHARDS"))
        if answer.error or answer.silence:
            return ""
        shards = [shard for tls in (False, True) for shard in of_shards(answer.value, tls=tls)]
        named = {node.id for shard in shards for node in shard.nodes}
        for other, name in zip(self._ids, self._names, strict=True):
            if other not in named:
                return f"does not call {name} online"
        return ""


def _view(line: str) -> _View | None:
    words = line.split()
    if len(words) < 8:
        return None
    slots = 0
    for part in words[8:]:
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            slots += int(last or first) - int(first) + 1
    return _View(words[0], frozenset(words[2].split(",")), words[3], words[7] == "connected", slots)
