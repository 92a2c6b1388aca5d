"""The command mix as text: loadgen's with names, memtier's without."""

from __future__ import annotations

from loadgen.command import MIXED
from loadgen.plan import Weights


def read_mix(text: str) -> Weights:
    """Return the weights of `get=80,set=20`; a command that is left out has weight 0. Raises ValueError."""
    weights = dict.fromkeys(MIXED, 0)
    shape = "write weights in whole numbers, such as get=80,set=20"
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals or not _is_weight(number):
            raise ValueError(f'"{text[:60]}" is not a mix; {shape}')
        if name.lower() not in weights:
            raise ValueError(f'there is no command "{name[:40]}" here; there are {", ".join(MIXED)}')
        weights[name.lower()] = int(number)
    if not any(weights.values()):
        raise ValueError(f"every weight is 0, so there is nothing to send; {shape}")
    return Weights(**weights)


def read_ratio(text: str) -> Weights:
    """Return the weights of memtier's `SET:GET`. Raises ValueError."""
    parts = text.split(":")
    if len(parts) != 2 or not all(map(_is_weight, parts)):
        raise ValueError(
            f'"{text[:60]}" is not SET:GET in whole numbers, such as 1:10; --mix get=80,set=20,delete=5 names commands'
        )
    return Weights(get=int(parts[1]), set=int(parts[0]), delete=0)


def _is_weight(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
