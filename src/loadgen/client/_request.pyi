from collections.abc import Callable
from enum import IntEnum
from typing import Any

from loadgen.client._connection import Connection
from loadgen.client.errors import CacheError
from loadgen.client.reply import Parser

class Stage(IntEnum):
    NEW = 0
    WAITING = 1
    DIALLING = 2
    SENT = 3
    DONE = 4

class Request:
    node: int
    stays: bool
    retries: int
    parse: Parser
    reads: bool
    follow: Callable[[Any], Request | None] | None
    connection: Connection | None
    reply: Any
    error: CacheError | None
    batch: Any
    owner: Any
    def __init__(
        self,
        name: str,
        data: bytes,
        parse: Parser,
        expected: Any = None,
        *,
        key: bytes | None = None,
        replies: int = 0,
        reads: bool = False,
        follow: Callable[[Any], Request | None] | None = None,
    ) -> None: ...
    @property
    def turn(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def expected(self) -> Any: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def replies(self) -> int: ...
    @property
    def deadline_ns(self) -> int: ...
    @property
    def stage(self) -> Stage: ...
    def go_on_as(self, following: Request) -> None: ...
