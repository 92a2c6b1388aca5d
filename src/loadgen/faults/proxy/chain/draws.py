"""Random draws of toxics, seeded and logged: equal seeds give equal draws. No I/O.

Each toxic draws for each connection from a stream of its own, so that a draw depends on the seed, the toxic and the
connection's number, and not on the order in which connections are served.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from random import Random

KEPT = 10_000
"""The number of draws that the log keeps; whoever is told each draw may keep all."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw."""

    number: int
    """From 1, over all draws of the proxy's process."""
    proxy: str
    toxic: str
    spell: int
    """From 1: how often a toxic of this name has been added to the proxy."""
    connection: int
    """The number of the connection, from 1, in the order in which the proxy accepted them."""
    stream: str
    what: str
    """The use of the draw: toxicity, jitter, size or byte."""
    value: float
    """The value drawn: a share for toxicity, ms for jitter, bytes for size and byte."""


class DrawLog:
    """The log of all draws of one process. `write` receives each draw as a line of JSON."""

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self.count = 0
        self.kept: deque[Draw] = deque(maxlen=KEPT)
        self._write = write

    def add(self, draw: Draw) -> None:
        self.kept.append(draw)
        if self._write is not None:
            self._write(json.dumps(asdict(draw)) + "\n")


class Draws:
    """The draws of one toxic for one connection."""

    __slots__ = ("_connection", "_log", "_proxy", "_random", "_seed", "_spell", "_stream", "_toxic")

    def __init__(
        self, log: DrawLog, seed: int, proxy: str, toxic: str, spell: int, connection: int, stream: str
    ) -> None:
        self._log = log
        self._seed = seed
        self._proxy = proxy
        self._toxic = toxic
        self._spell = spell
        self._connection = connection
        self._stream = stream
        self._random: Random | None = None

    def share(self, what: str) -> float:
        """Return a number uniform in [0, 1)."""
        return self._logged(what, self._source().random())

    def below(self, what: str, bound: int) -> int:
        """Return a whole number uniform in 0 … bound − 1; 0 for a bound below 1."""
        return int(self._logged(what, self._source().randrange(bound) if bound > 0 else 0))

    def _source(self) -> Random:
        if self._random is None:
            # Seeded by text: Python hashes it by SHA-512, which is the same in every process.
            self._random = Random(
                f"{self._seed}/{self._proxy}/{self._toxic}/{self._spell}/{self._stream}/{self._connection}"
            )
        return self._random

    def _logged(self, what: str, value: float) -> float:
        log = self._log
        log.count += 1
        log.add(Draw(log.count, self._proxy, self._toxic, self._spell, self._connection, self._stream, what, value))
        return value
