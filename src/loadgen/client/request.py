"""A request to one node, with its own history: bytes, deadline, connection, outcome. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from loadgen.client.breaker import Permit
from loadgen.client.connection import Connection
from loadgen.client.errors import CacheError
from loadgen.client.reply import Parser


class Stage(IntEnum):
    """How far a request is."""

    NEW = 0
    WAITING = 1
    """For a connection of the pool to be free."""
    DIALLING = 2
    """For the connection that is dialled for it."""
    SENT = 3
    """Given to a connection to be written; its reply is awaited."""
    DONE = 4


class Request:
    """One request, which a text or a meta command makes, and which the machines carry through to its end.

    A request is handed to one node. Where it is tried again, it is the same request with the same deadline.
    """

    # These change as the request is carried out. Most requests keep most of them as they are.
    node: int = -1
    turn: int = 0
    """The position of the node in the key's order of preference."""
    retries: int = 0
    deadline_ns: int = 0
    stage: Stage = Stage.NEW
    written: bool = False
    """True once the request was given to a connection: from then on the server may carry it out."""
    connection: Connection | None = None
    permit: Permit | None = None
    """The breaker's permit."""
    reply: Any = None
    error: CacheError | None = None
    batch: Any = None
    """The `batch.Batch` that the request is a part of."""
    owner: Any = None
    """The caller's own, such as a future. The state machines never touch it."""

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
    ) -> None:
        self.name = name
        """The operation, for sentences."""
        self.bytes = data
        self.parse = parse
        self.expected = expected
        """What the reply must be about; of a batch, a sequence with one value for each reply."""
        self.key = key
        """The key that chooses the node, and that errors carry; None for a batch."""
        self.replies = replies
        """The number of replies of a batch, whose `reply` is the list of them; 0 for a request with one reply."""
        self.reads = reads
        """True when carrying the request out twice does no harm."""
        self.follow = follow
        """Makes the next request of the same operation out of a reply, on the same connection; None: there is none."""
