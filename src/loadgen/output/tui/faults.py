"""The faults that are on, from their events."""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.events import FaultBegan, FaultEnded
from loadgen.faults.kinds import KINDS
from loadgen.output.tui.log import Log
from loadgen.output.words import figures

_LONGEST = 200


class Faults:
    """The faults that are on now, each with its node, and their log entries."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._on: list[FaultBegan] = []

    def __bool__(self) -> bool:
        return bool(self._on)

    @property
    def on(self) -> tuple[FaultBegan, ...]:
        return tuple(self._on)

    def nodes(self) -> frozenset[int]:
        """Return the numbers of the nodes that a fault is on."""
        return frozenset(event.node for event in self._on)

    def clear(self) -> None:
        self._on.clear()

    def began(self, event: FaultBegan) -> None:
        self._on.append(event)
        self._log.say(event.wall_s, f"fault began: {kind(event)} on {event.fault.place(event.node)}", "warn")

    def ended(self, event: FaultEnded) -> None:
        self._on = [each for each in self._on if (each.fault, each.node) != (event.fault, event.node)]
        if event.failure:
            words = (
                f"fault failed: {kind(event)} on {event.fault.place(event.node)}: {printable(event.failure, _LONGEST)}"
            )
            self._log.say(event.wall_s, words, "bad")
            return
        effects = f"{KINDS[event.fault.kind].counts}: {figures.grouped(event.effects)}"
        self._log.say(event.wall_s, f"fault ended: {kind(event)} on {event.fault.place(event.node)}; {effects}", "warn")


def kind(event: FaultBegan | FaultEnded) -> str:
    """Return the kind and the layer: "loss (net)"."""
    return f"{event.fault.kind} ({event.fault.layer})"
