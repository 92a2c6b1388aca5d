"""How often something costly may be looked at. Pure: told the time."""

from __future__ import annotations

SHARE = 0.002
"""The share of one CPU that each costly look may take."""


class Thrift:
    """Lets a look be taken as often as all looks together take no more than a share of the time."""

    def __init__(self, share: float = SHARE) -> None:
        self._share = share
        self._next_ns: int | None = None

    def allows(self, now_ns: int) -> bool:
        """True when the next look may be taken; the first may always."""
        return self._next_ns is None or now_ns >= self._next_ns

    def took(self, from_ns: int, to_ns: int) -> None:
        """Take note of a look's beginning and end."""
        self._next_ns = to_ns + int((to_ns - from_ns) / self._share)
