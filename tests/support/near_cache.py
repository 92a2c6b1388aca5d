"""The built-in client behind a cache in its own process, which no other process's write changes.

`NearCache` is a factory for a trial. It keeps no copy of a key that it has written itself, so that only the readers of
another process's keys get old values.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from loadgen.trial.adapters.builtin import Builtin


class NearCache(Builtin):
    """A client that answers from a copy until the copy is `keep_s` old."""

    def __init__(self, nodes: Sequence[tuple[str, int]], timeout_s: float, keep_s: float = 1.0, **options: Any) -> None:
        super().__init__(nodes, timeout_s, **options)
        self.keep_s = keep_s
        self.written: set[str] = set()
        self.copies: dict[str, tuple[float, bytes]] = {}

    async def get(self, key: str) -> bytes | None:
        copied_s, copy = self.copies.get(key, (-self.keep_s, b""))
        if time.monotonic() < copied_s + self.keep_s:
            return copy
        value = await super().get(key)
        if value is not None and key not in self.written:
            self.copies[key] = (time.monotonic(), value)
        return value

    async def set(self, key: str, value: bytes, ttl_s: int) -> None:
        self.written.add(key)
        await super().set(key, value, ttl_s)
