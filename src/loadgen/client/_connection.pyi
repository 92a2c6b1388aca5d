from enum import IntEnum
from typing import Any

class Place(IntEnum):
    CONSTRUCTING = 0
    IDLE = 1
    ACTIVE = 2
    CLOSED = 3

class Connection:
    request: Any
    stream: Any
    def __init__(self, number: int, node: int) -> None: ...
    @property
    def number(self) -> int: ...
    @property
    def node(self) -> int: ...
    @property
    def place(self) -> Place: ...
    @property
    def born_ns(self) -> int: ...
    @property
    def used_ns(self) -> int: ...
