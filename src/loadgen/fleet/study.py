"""A campaign of seeds that several machines run, as a value: the parts that are leased, and when it ends. No I/O."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from loadgen.fleet.seed_messages import SourceFile


@dataclass(frozen=True, slots=True)
class Part:
    """Kinds that run the same seeds with the same subjects."""

    suite: str
    kinds: tuple[str, ...]
    seeds: range
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Study:
    """What is run, and when it ends."""

    suite: str
    """The campaign's name, such as "simulate"."""
    verb: str
    words: tuple[str, ...]
    """The verb's command line, as it is told to each machine."""
    parts: tuple[Part, ...]
    version: str
    files: tuple[SourceFile, ...] = ()
    host: str = ""
    """The fingerprint of the machine that leads."""
    processes: int = 0
    """Processes on each machine; 0: as many as it has CPUs."""
    keep_going: bool = False
    """True when a failure does not end the campaign."""
    duration_ns: int = 0
    """The time after which no lease is given; 0: none."""
    judges_states: bool = False
    options: dict[str, str] = field(default_factory=dict)
    """What each case depends on, where all parts have the same."""

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(kind for part in self.parts for kind in part.kinds))

    @property
    def digest(self) -> str:
        return digest(self.parts)


def digest(parts: Sequence[Part]) -> str:
    """Return a hash of parts, by which two machines see that they read a command line alike."""
    said = [(part.suite, part.kinds, part.seeds.start, part.seeds.stop, sorted(part.options)) for part in parts]
    return blake2b(json.dumps(said).encode(), digest_size=16).hexdigest()
