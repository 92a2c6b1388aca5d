"""A toxic of a proxy: its name, its stream, its toxicity, its behaviour and its effects, shared by all links."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen.faults.proxy.chain.toxics import IDLE
from loadgen.faults.proxy.chain.toxics.behaviour import Behaviour

if TYPE_CHECKING:
    from loadgen.faults.proxy.chain.draws import Draws

UPSTREAM = "upstream"
"""From client to server."""
DOWNSTREAM = "downstream"
"""From server to client."""
STREAMS = (UPSTREAM, DOWNSTREAM)


@dataclass(slots=True)
class Effects:
    """The effects of all toxics of one name on one proxy, removed ones included."""

    type: str
    stream: str
    count: int = 0
    """How often the toxic took effect; `faults.kinds` says of what."""
    connections: int = 0
    """How often a draw of toxicity put the toxic on a connection."""
    spells: int = 0
    """How often a toxic of this name was added."""


@dataclass(slots=True, eq=False)
class Toxic:
    """One toxic of one proxy."""

    name: str
    stream: str
    """`upstream` or `downstream`, as it was written: Toxiproxy accepts any case, and shows what it was given."""
    toxicity: float
    """The share of connections that the toxic is on, a float32."""
    behaviour: Behaviour
    effects: Effects
    seed: int | None = None
    """The seed of the toxic's draws; None: that of the proxy's process."""
    spell: int = 1
    idle: Behaviour = IDLE
    """The behaviour on connections that the draw of toxicity leaves alone."""

    @property
    def direction(self) -> str:
        return self.stream.lower()

    @property
    def capacity(self) -> int:
        """The number of chunks that a stub takes, the one that it works on included."""
        return 1 + self.behaviour.buffered

    def is_drawn(self, draws: Draws) -> bool:
        """Draw if the toxic is on a connection. Nothing is drawn where the toxicity leaves no choice."""
        if self.toxicity >= 1.0:
            return True
        return self.toxicity > 0.0 and draws.share("toxicity") < self.toxicity

    def shown(self) -> dict[str, object]:
        """Return the toxic as Toxiproxy's JSON."""
        return {
            "attributes": self.behaviour.attributes(),
            "name": self.name,
            "type": self.behaviour.name,
            "stream": self.stream,
            "toxicity": _shortest(self.toxicity),
        }


def _shortest(number: float) -> float:
    """Return the number with the fewest digits that is the same float32, as Go writes it; a whole one as an int."""
    if number.is_integer():
        return int(number)
    same = (float(f"{number:.{digits}g}") for digits in range(1, 10))
    return next(short for short in same if struct.pack("f", short) == struct.pack("f", number))
