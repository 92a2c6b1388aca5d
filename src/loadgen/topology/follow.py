"""A topology that follows what nodes say over time: shards and lanes keep their places, whoever serves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from loadgen.plan import Discovery, Endpoint, Placement, Reads, Topology
from loadgen.topology.found import FoundNode, FoundShard

Locate = Callable[[FoundNode], Endpoint]
"""A function that returns the endpoint of a node."""


@dataclass(eq=False)
class _Shard:
    """A shard that has been seen: all nodes that it ever had, and the place of its lane."""

    number: int
    place: int
    ids: set[str] = field(default_factory=set)
    slots: tuple[tuple[int, int], ...] = ()


class Follower:
    """The topology of a cluster, or of a master that sentinels watch, after each of the nodes' answers."""

    def __init__(self, discovery: Discovery, locate: Locate, topology: Topology | None = None) -> None:
        self._reads = discovery.reads
        self._proxies = dict(discovery.proxies)
        self._locate = locate
        self._placements = list(topology.placements) if topology is not None else []
        self._shards = _shards_of(topology) if topology is not None else []
        self._replicas: dict[tuple[int, str], int] = {
            (each.shard, each.name): place for place, each in enumerate(self._placements) if not each.writes
        }
        """The place of the lane of each replica, by its shard and address."""

    def follow(self, found: Sequence[FoundShard]) -> Topology:
        """Return the topology by what a node has said now. Places, names and numbers of shards stay."""
        # A node without slots serves nothing yet, or no more; a master that sentinels watch has no slots at all.
        has_slots = any(shard.slots for shard in found)
        serving = [shard for shard in found if shard.primary is not None and (shard.slots or not has_slots)]
        serving.sort(key=lambda shard: shard.slots)
        known = self._matched(serving)
        for shard in self._shards:
            shard.slots = ()
        for index, each in enumerate(serving):
            shard = known[index] = known.get(index) or self._new(each)
            shard.ids |= {node.id for node in each.nodes}
            shard.slots = each.slots
            self._serve(shard, each)
        for shard in self._shards:
            if shard not in known.values():
                self._leave(shard)
        slots = sorted((first, last, shard.number) for shard in self._shards for first, last in shard.slots)
        return Topology(
            tuple(map(self._behind, self._placements)),
            tuple(slots),
            tuple(tuple(sorted(each.ids)) for each in self._shards),
        )

    def _behind(self, placement: Placement) -> Placement:
        return replace(placement, proxy=self._proxies.get(str(placement.endpoint)))

    def _matched(self, found: Sequence[FoundShard]) -> dict[int, _Shard]:
        """Return the shards that were seen before, by the places of the found ones: by nodes in common, then slots."""
        matched: dict[int, _Shard] = {}
        left = list(self._shards)
        for common in (_primary_in_common, _nodes_in_common, _slots_in_common):
            for index, each in enumerate(found):
                if index in matched or not left:
                    continue
                best = max(left, key=lambda shard: common(shard, each))
                if common(best, each):
                    matched[index] = best
                    left.remove(best)
        return matched

    def _new(self, found: FoundShard) -> _Shard:
        assert found.primary is not None
        shard = _Shard(len(self._shards), len(self._placements))
        self._shards.append(shard)
        endpoint = self._locate(found.primary)
        self._placements.append(Placement(self._name(endpoint), shard.number, endpoint))
        return shard

    def _leave(self, shard: _Shard) -> None:
        """Take the nodes of a shard away, which has no slots any more."""
        for place, placement in enumerate(self._placements):
            if placement.shard == shard.number:
                self._placements[place] = replace(placement, endpoint=None)

    def _name(self, endpoint: Endpoint) -> str:
        """Return a name for a new lane: its node's address, told from another lane's that had the node before."""
        names = {placement.name for placement in self._placements}
        name, again = str(endpoint), 2
        while name in names:
            name, again = f"{endpoint} ({again})", again + 1
        return name

    def _serve(self, shard: _Shard, found: FoundShard) -> None:
        """Place the nodes that serve a shard now."""
        assert found.primary is not None
        replicas = found.replicas if self._reads is not Reads.PRIMARY else ()
        of_primary, of_replica = _parts(self._reads, len(replicas))
        self._placements[shard.place] = replace(
            self._placements[shard.place], endpoint=self._locate(found.primary), reads=of_primary
        )
        here = set()
        for node in replicas:
            endpoint = self._locate(node)
            place = self._replicas.get((shard.number, str(endpoint)))
            if place is None:
                place = self._replicas[shard.number, str(endpoint)] = len(self._placements)
                self._placements.append(Placement(self._name(endpoint), shard.number, None, writes=False))
            here.add(place)
            self._placements[place] = replace(self._placements[place], endpoint=endpoint, reads=of_replica)
        for (number, _), place in self._replicas.items():
            if number == shard.number and place not in here:
                self._placements[place] = replace(self._placements[place], endpoint=None, reads=0.0)


def _shards_of(topology: Topology) -> list[_Shard]:
    shards = [_Shard(number, 0, set(ids)) for number, ids in enumerate(topology.members)]
    for shard in shards:
        shard.place = next(
            p for p, each in enumerate(topology.placements) if each.shard == shard.number and each.writes
        )
        shard.slots = tuple((first, last) for first, last, owner in topology.slots if owner == shard.number)
    return shards


def _parts(reads: Reads, replicas: int) -> tuple[float, float]:
    """Return the part of a shard's reads that goes to its primary, and to each of its replicas."""
    if not replicas or reads is Reads.PRIMARY:
        return 1.0, 0.0
    if reads is Reads.REPLICAS:
        return 0.0, 1 / replicas
    return 1 / (replicas + 1), 1 / (replicas + 1)


def _primary_in_common(shard: _Shard, found: FoundShard) -> int:
    return int(found.primary is not None and found.primary.id in shard.ids)


def _nodes_in_common(shard: _Shard, found: FoundShard) -> int:
    return len(shard.ids & {node.id for node in found.nodes})


def _slots_in_common(shard: _Shard, found: FoundShard) -> int:
    return sum(
        max(0, min(last, other_last) - max(first, other_first) + 1)
        for first, last in shard.slots
        for other_first, other_last in found.slots
    )


def changes(before: Topology, after: Topology) -> tuple[str, ...]:
    """Return what changed between two topologies, one sentence for each change, without full stops."""
    words: list[str] = []
    for place, placement in enumerate(after.placements):
        was = before.placements[place] if place < len(before.placements) else None
        role = "" if placement.writes else "the replica "
        if was is None:
            words.append(f"{role or 'the shard of '}{placement.name} is new")
        elif was.endpoint != placement.endpoint:
            if placement.endpoint is None:
                words.append(f"{role or 'the shard of '}{placement.name} serves nothing any more")
            elif was.endpoint is None:
                words.append(f"{role or 'the shard of '}{placement.name} is served by {placement.endpoint} again")
            else:
                words.append(f"{placement.endpoint} serves instead of {was.endpoint}")
    moved: dict[tuple[int, int], int] = {}
    owners = _owners(before)
    for slot, shard in _owners(after).items():
        if owners.get(slot, shard) != shard:
            moved[owners[slot], shard] = moved.get((owners[slot], shard), 0) + 1
    names = {placement.shard: placement.name for placement in reversed(after.placements) if placement.writes}
    words += (
        f"{count:,} {'slot' if count == 1 else 'slots'} moved from {names[source]} to {names[to]}"
        for (source, to), count in sorted(moved.items())
    )
    return tuple(words)


def _owners(topology: Topology) -> dict[int, int]:
    return {slot: shard for first, last, shard in topology.slots for slot in range(first, last + 1)}
