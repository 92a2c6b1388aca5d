"""What one node says of its cluster, or a sentinel of its master: values, and the replies that they are read from.

Replies are as hiredis reads them: bytes, numbers, lists, and mappings in RESP3.

Sources: redis.io, CLUSTER SHARDS, CLUSTER SLOTS, SENTINEL GET-MASTER-ADDR-BY-NAME, SENTINEL REPLICAS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

SLOTS = 16_384


class UnreadableError(ValueError):
    """A reply is not what its command answers."""


@dataclass(frozen=True, slots=True)
class FoundNode:
    """One node, as another one names it."""

    id: str
    """The node's id; of a master that sentinels watch, its address."""
    host: str
    """Empty: the host of the node that was asked."""
    port: int
    is_primary: bool


@dataclass(frozen=True, slots=True)
class FoundShard:
    """A primary, its replicas that are well, and its slots."""

    nodes: tuple[FoundNode, ...]
    """The primary first; none of them where it is not known."""
    slots: tuple[tuple[int, int], ...] = ()

    @property
    def primary(self) -> FoundNode | None:
        return next((node for node in self.nodes if node.is_primary), None)

    @property
    def replicas(self) -> tuple[FoundNode, ...]:
        return tuple(node for node in self.nodes if not node.is_primary)


def of_shards(reply: object, *, tls: bool) -> tuple[FoundShard, ...]:
    """Return what CLUSTER SHARDS answers. Raises UnreadableError."""
    return tuple(_shard(_fields(each), tls=tls) for each in _list(reply))


def _shard(shard: Mapping[str, object], *, tls: bool) -> FoundShard:
    bounds = [_number(each) for each in _list(shard.get("slots"))]
    slots = tuple(zip(bounds[::2], bounds[1::2], strict=True)) if len(bounds) % 2 == 0 else _unreadable(bounds)
    nodes = [_fields(each) for each in _list(shard.get("nodes"))]
    well = [node for node in nodes if _text(node.get("health")) == "online" or _text(node.get("role")) == "master"]
    found = [
        FoundNode(
            _text(node.get("id")),
            _host(node.get("endpoint"), node.get("ip")),
            _number(node.get("tls-port" if tls else "port")),
            _text(node.get("role")) == "master",
        )
        for node in well
        if ("tls-port" if tls else "port") in node
    ]
    return FoundShard(tuple(sorted(found, key=lambda node: not node.is_primary)), slots)


def of_slots(reply: object) -> tuple[FoundShard, ...]:
    """Return what CLUSTER SLOTS answers, its ranges by their primaries. Raises UnreadableError."""
    shards: dict[str, FoundShard] = {}
    for each in _list(reply):
        first, last, *nodes = _at_least(3, each)
        found = tuple(
            FoundNode(_text(node[2]) if len(node) > 2 else f"{_text(node[0])}:{node[1]}", _host(node[0]),
                      _number(node[1]), place == 0)
            for place, node in enumerate(_at_least(2, node) for node in nodes)
        )  # fmt: skip
        before = shards.get(found[0].id, FoundShard(found))
        shards[found[0].id] = FoundShard(found, (*before.slots, (_number(first), _number(last))))
    return tuple(shards.values())


def of_sentinel(master: object, replicas: object) -> tuple[FoundShard, ...]:
    """Return the one shard of a master that sentinels watch. Raises UnreadableError."""
    host, port = map(_text, _at_least(2, master)[:2])
    found = [FoundNode(f"{host}:{port}", host, _number(port), is_primary=True)]
    for each in _list(replicas):
        replica = _fields(each)
        flags = _text(replica.get("flags")).split(",")
        if not {"s_down", "o_down", "disconnected"} & set(flags):
            host, port = _text(replica.get("ip")), _text(replica.get("port"))
            found.append(FoundNode(f"{host}:{port}", host, _number(port), is_primary=False))
    return (FoundShard(tuple(found)),)


def uncovered(shards: Sequence[FoundShard]) -> int:
    """Return the number of slots that no shard with a primary has."""
    owned = {
        slot for shard in shards if shard.primary for first, last in shard.slots for slot in range(first, last + 1)
    }
    return SLOTS - len(owned)


# ── Replies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _list(reply: object) -> Sequence[object]:
    return reply if isinstance(reply, list) else _unreadable(reply)


def _at_least(length: int, reply: object) -> Sequence[object]:
    listed = _list(reply)
    return listed if len(listed) >= length else _unreadable(reply)


def _fields(reply: object) -> Mapping[str, object]:
    """Return a mapping, which RESP2 writes as a list of keys and values in turn."""
    if isinstance(reply, Mapping):
        return {_text(key): value for key, value in reply.items()}
    flat = _list(reply)
    return {_text(key): value for key, value in _pairs(flat)}


def _pairs(flat: Sequence[object]) -> Iterator[tuple[object, object]]:
    if len(flat) % 2:
        _unreadable(flat)
    yield from zip(flat[::2], flat[1::2], strict=True)


def _text(reply: object) -> str:
    if isinstance(reply, bytes):
        return reply.decode("utf-8", "replace")
    return reply if isinstance(reply, str) else _unreadable(reply)


def _host(*names: object) -> str:
    """Return the first name that is one: "?" and "" stand for the node that was asked."""
    return next((text for name in names if name is not None and (text := _text(name)) not in ("", "?")), "")


def _number(reply: object) -> int:
    if isinstance(reply, int):
        return reply
    text = _text(reply)
    return int(text) if text.isdecimal() else _unreadable(text)


def _unreadable(reply: object) -> NoReturn:
    raise UnreadableError(f"not what the command answers: {str(reply)[:80]}")
