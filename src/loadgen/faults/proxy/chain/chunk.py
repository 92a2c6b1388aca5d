"""The unit in which bytes go through a link: one read of a socket, 32 KiB at most. A value; no I/O."""

from __future__ import annotations

from typing import NamedTuple

MOST_BYTES = 32 * 1024
"""The longest chunk, which is Toxiproxy's: the buffer of Go's io.Copy."""

NEVER = 1 << 62
"""A time that never comes, in ns."""


class Chunk(NamedTuple):
    """Bytes that were read at once."""

    data: bytes
    at_ns: int
    """The time of arrival, which a toxic that delays the chunk moves on."""
