"""The channel of messages between a child process and its parent, as the child's loop sees it."""

from __future__ import annotations

import asyncio
import pickle
import struct
from collections.abc import Callable
from typing import Any, cast


class Pipe(asyncio.Protocol):
    """The channel of messages to and from the parent process.

    Sent messages wait in the loop's own buffer, so that a slow reader does not hold up the load.
    """

    transport: asyncio.Transport

    def __init__(self, received: Callable[[Any], None], closed: Callable[[], None]) -> None:
        self.received = received
        self.closed = closed
        self.buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while len(self.buffer) >= 4:
            (length,) = struct.unpack_from("!i", self.buffer)
            if len(self.buffer) < 4 + length:
                return
            message = pickle.loads(self.buffer[4 : 4 + length])
            del self.buffer[: 4 + length]
            self.received(message)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed()

    def send(self, message: object) -> None:
        if self.transport.is_closing():
            return  # The parent is gone, and this process is about to end.
        data = pickle.dumps(message)
        self.transport.write(struct.pack("!i", len(data)) + data)

    def close(self) -> None:
        """Close the channel after all sent messages have been written."""
        self.transport.close()
