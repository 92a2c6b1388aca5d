"""Ranges by index, as commands of strings, lists and sorted sets have them: both ends are included, −1 is the last."""

from __future__ import annotations


def bounds(start: int, end: int, size: int) -> tuple[int, int]:
    """Return a range as a slice (first, behind the last), within `size` elements; (0, 0) when the range is empty."""
    start = max(0, start + size) if start < 0 else start
    end = end + size if end < 0 else end
    if start > end or start >= size:
        return 0, 0
    return start, min(end, size - 1) + 1


def substring(value: bytes, start: int, end: int) -> bytes:
    """Return the bytes of a range of a string.

    A string differs from a list in one case: an end before the first byte is the first byte, unless both ends count
    from the end and are in the wrong order.
    """
    if start < 0 and end < 0 and start > end:
        return b""
    size = len(value)
    first, last = bounds(start, max(0, end + size) if end < 0 else end, size)
    return value[first:last]
