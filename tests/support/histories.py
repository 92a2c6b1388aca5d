"""Histories of one key, drawn at random: operations that overlap, fail, and take effect late. Virtual time.

A server that is right applies each write at one instant. A write that fails takes effect while it is under way, at any
later time, or never.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

NEVER = 10**9


@dataclass(eq=False)
class Op:
    """One operation of a history."""

    kind: str
    begun: int
    effect: int
    ended: int
    fails: bool
    reader: int = 0
    token: Any = None
    """What began the operation returned."""
    value: bytes | int | None = None
    delta: int = 1


def drawn(random: Random, kinds: list[str], count: int = 40, failing: float = 0.3, readers: int = 1) -> list[Op]:
    """Return operations of one key, of which a share fails."""
    ops = []
    for _ in range(count):
        begun = random.randrange(0, 1_000) * 10
        ended = begun + random.randrange(1, 200) * 10
        fails = random.random() < failing
        effect = random.randrange(begun, ended)
        if fails:
            effect = random.choice([effect, ended + random.randrange(0, 5_000), NEVER])
        delta, reader = random.randrange(1, 10), random.randrange(readers)
        ops.append(Op(random.choice(kinds), begun, effect, ended, fails, reader, delta=delta))
    return ops


def moments(random: Random, ops: list[Op]) -> list[tuple[int, int, str, Op]]:
    """All that happens, in the order of time; at one time ends come first, so that nothing is taken for concurrent."""
    order = {"end": 0, "begin": 1, "effect": 2, "evict": 3}
    found = [
        (at, order[what], what, op)
        for op in ops
        for what, at in (("begin", op.begun), ("effect", op.effect), ("end", op.ended))
    ]
    evictions = [(random.randrange(10_000), order["evict"], "evict", ops[0]) for _ in range(random.randrange(3))]
    return sorted([*found, *evictions], key=lambda moment: moment[:2])
