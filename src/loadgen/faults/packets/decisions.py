"""The decision over each packet of one direction, from the kind of fault, its parameters and a seed. No I/O, no clock.

The nth packet of a direction gets the nth decision: the same seed decides the same again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from loadgen.faults.fault import Value


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one packet."""

    hold_ns: int = 0
    """The time for which the packet is held back; 0: none."""
    drop: bool = False
    twice: bool = False

    @property
    def harms(self) -> bool:
        """True when the packet does not simply pass."""
        return self.hold_ns > 0 or self.drop or self.twice


PASS = Decision()
_DROP = Decision(drop=True)
_TWICE = Decision(twice=True)


def decisions(kind: str, parameters: Mapping[str, Value], seed: int) -> Iterator[Decision]:
    """Yield the decision over each packet, without end."""
    return KINDS[kind](parameters, random.Random(seed))


def _delay(parameters: Mapping[str, Value], draws: random.Random) -> Iterator[Decision]:
    delay_ns, jitter_ns = int(parameters["delay"]), int(parameters["jitter"])
    while True:
        yield Decision(hold_ns=max(0, delay_ns + draws.randint(-jitter_ns, jitter_ns)))


def _reorder(parameters: Mapping[str, Value], draws: random.Random) -> Iterator[Decision]:
    held, probability = Decision(hold_ns=int(parameters["delay"])), float(parameters["probability"])
    while True:
        yield held if draws.random() < probability else PASS


def _burst_loss(parameters: Mapping[str, Value], draws: random.Random) -> Iterator[Decision]:
    """The chain of Gilbert (1960) and Elliott (1963): no loss in the good state, a share of loss in the bad one."""
    enter, leave, drop = (float(parameters[name]) for name in ("enter", "leave", "drop"))
    bad = False
    while True:
        bad = draws.random() >= leave if bad else draws.random() < enter
        yield _DROP if bad and draws.random() < drop else PASS


def _duplicate(parameters: Mapping[str, Value], draws: random.Random) -> Iterator[Decision]:
    probability = float(parameters["probability"])
    while True:
        yield _TWICE if draws.random() < probability else PASS


KINDS: Mapping[str, Callable[[Mapping[str, Value], random.Random], Iterator[Decision]]] = {
    "delay": _delay,
    "reorder": _reorder,
    "burst_loss": _burst_loss,
    "duplicate": _duplicate,
}
"""The kinds of faults that need a decision over each packet."""
