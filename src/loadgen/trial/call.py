"""An operation of a caller from its beginning to its end, and what is to be known of it at the end. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loadgen.trial.counters import Increment
from loadgen.trial.ledger import OwnRead, Write
from loadgen.trial.sightings import Sighting
from loadgen.trial.traffic import Operation


@dataclass(slots=True, eq=False)
class Call:
    """An operation under way."""

    operation: Operation
    node: int
    intended_ns: int
    begun_ns: int
    parts: Mapping[int, Sequence[str]] = field(default_factory=dict)
    """The keys of each node, of an operation that is on several."""
    overdue: bool = False
    write: Write | None = None
    reads: tuple[OwnRead | Sighting, ...] = ()
    increment: Increment | None = None
    value: bytes = b""
    """The value of a set."""
