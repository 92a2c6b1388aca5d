"""The actions that the state machines ask their shell for, in order. Values; no I/O."""

from __future__ import annotations

from typing import NamedTuple

from loadgen.client.batch import Batch
from loadgen.client.breaker import Transition
from loadgen.client.connection import Connection
from loadgen.client.request import Request


class Dial(NamedTuple):
    """Open a connection to its node, and tell `on_open` or `on_refused`."""

    connection: Connection


class Send(NamedTuple):
    """Write bytes to a connection."""

    connection: Connection
    data: bytes


class Close(NamedTuple):
    """Close a connection at once, or stop its dial. Nothing that happens to it later needs to be told."""

    connection: Connection


class Ended(NamedTuple):
    """A call ended: its request's `reply` or `error` is there, or those of each part of a batch."""

    call: Request | Batch


class Changed(NamedTuple):
    """A node's breaker changed its state."""

    node: int
    transition: Transition


class Closed(NamedTuple):
    """Everything is closed."""


Action = Dial | Send | Close | Ended | Changed | Closed
Actions = list[Action]
