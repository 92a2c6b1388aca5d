"""What `--compress` does to a soak, so that half an hour wears like days: connections, and times to live. A value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from loadgen.units import NS_PER_MS


@dataclass(frozen=True, slots=True)
class Wear:
    """How much faster than by itself things wear."""

    times: int = 1
    """All connections are replaced so many times between two checkpoints; 1: they stay."""
    ttl_ns: int = 0
    """How long each key lives that the load writes; 0: for ever, which nothing makes shorter."""
    by_itself_ns: int = 0
    """How long it would live without `times`."""

    @classmethod
    def of(cls, times: int, ttl_ns: int, unit_ns: int) -> Self:
        """Return the wear of keys that live for `ttl_ns` by themselves, on a protocol with this unit of time."""
        worn_ns = max(unit_ns, ttl_ns // times // unit_ns * unit_ns) if ttl_ns else 0
        return cls(times, worn_ns, ttl_ns)

    @property
    def is_faster(self) -> bool:
        return self.times > 1

    def record(self) -> dict[str, Any]:
        """Return the fields of `run.json`."""
        ttl = {"ttl_ms": self.ttl_ns // NS_PER_MS, "ttl_by_itself_ms": self.by_itself_ns // NS_PER_MS}
        return {"compress": self.times, **(ttl if self.ttl_ns else {})}

    @classmethod
    def read(cls, run: Mapping[str, Any]) -> Self:
        """Return the wear from `run.json`. Raises TypeError or ValueError."""
        ttl_ms, by_itself_ms = int(run.get("ttl_ms", 0)), int(run.get("ttl_by_itself_ms", 0))
        return cls(int(run.get("compress", 1)), ttl_ms * NS_PER_MS, by_itself_ms * NS_PER_MS)
