"""Several requests to several nodes that are one call of the user. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from loadgen.client._request import Request


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

    def replies(self) -> Iterable[tuple[Sequence[bytes], Any]]:
        """Return each reply, or an exception in its place, with the keys that it is about. Every part has ended."""
        for part in self.parts:
            about = [[key] if isinstance(key, bytes) else key for key in part.expected]
            if part.error is not None:
                yield [key for keys in about for key in keys], part.error
            else:
                yield from zip(about, part.reply, strict=True)
