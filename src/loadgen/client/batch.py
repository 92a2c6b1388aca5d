"""Several requests to several nodes that are one call of the user. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loadgen.client.request import Request


class Batch:
    """The parts of one call, one request for each node, which end independently of each other."""

    __slots__ = ("left", "owner", "parts")

    def __init__(self, parts: Sequence[Request]) -> None:
        self.parts = parts
        self.left = len(parts)
        """The number of parts that have not ended."""
        self.owner: Any = None
        """The caller's own, such as a future."""
        for part in parts:
            part.batch = self
