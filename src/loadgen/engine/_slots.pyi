from collections.abc import Iterable
from typing import final

from loadgen.engine._route import Route

DIGITS: bytes

@final
class Slots(Route):
    def __init__(
        self, key_length: int, prefix: bytes, shards: int, ranges: Iterable[tuple[int, int, int]] = ()
    ) -> None: ...
    def copy(self) -> Slots: ...
    def slot_of(self, key: int) -> int: ...
    def owned(self) -> list[int]: ...

@final
class BySlot(Route):
    def __init__(self, slots: Slots) -> None: ...
