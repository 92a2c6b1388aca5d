"""The slot of a key, and slots as ranges. Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Sequence

SLOTS = 16_384
NOBODY = -1
"""The owner of a slot that no node serves."""


def slot_of(key: bytes) -> int:
    """Return the slot of a key: of the text between the first "{" and the next "}" where there is any."""
    begin = key.find(b"{")
    if begin >= 0:
        end = key.find(b"}", begin + 1)
        if end > begin + 1:
            key = key[begin + 1 : end]
    return binascii.crc_hqx(key, 0) % SLOTS


def shared_out(owners: Sequence[int]) -> list[int]:
    """Return the owner of each slot, with slots divided evenly in the order of the owners."""
    return [owners[slot * len(owners) // SLOTS] for slot in range(SLOTS)]


def ranges(owners: Iterable[int]) -> list[tuple[int, int, int]]:
    """Return the runs of one owner as (first slot, last slot, owner), in order; those of NOBODY are left out."""
    found: list[tuple[int, int, int]] = []
    first, before = 0, NOBODY
    for slot, owner in enumerate((*owners, None)):
        if owner != before:
            if before != NOBODY:
                found.append((first, slot - 1, before))
            if owner is None:
                break
            first, before = slot, owner
    return found
