"""What is to be done at set times of a load, such as a fault, by its leader. It is told the time, and reads none.

The leader asks which actions are due, and how long it may wait for the next. An action whose time the load does not
reach is not done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from loadgen.phase import Phase


@dataclass(frozen=True, slots=True)
class At:
    """An action at an offset from the begin of a phase of a load, which is the warm-up or the measure window."""

    phase: Phase
    offset_ns: int
    do: Callable[[], object]
    """Called in the leader's thread, which hears no worker meanwhile: it should take milliseconds, and no longer."""


class Timeline:
    """Actions at the instants at which they are due, by a monotonic clock. Each is given out once."""

    def __init__(self, actions: Iterable[At], begins_ns: Mapping[Phase, int]) -> None:
        """`begins_ns` says when each phase begins. Raises ValueError for an action in a phase that it does not have."""
        actions = tuple(actions)
        for action in actions:
            if action.phase not in begins_ns:
                phases = " or ".join(begins_ns)
                raise ValueError(f"an action is due in the {action.phase} phase of a load: it can be in {phases}")
        # Of two at the same time, the one that was named first comes first.
        self._waiting = sorted(
            ((begins_ns[action.phase] + action.offset_ns, action) for action in actions), key=lambda each: each[0]
        )

    @property
    def next_ns(self) -> int | None:
        """When the next action is due; None when none is left."""
        return self._waiting[0][0] if self._waiting else None

    def due(self, now_ns: int) -> list[At]:
        """Takes out the actions that are due at this time, in the order of their times."""
        found = [action for at_ns, action in self._waiting if at_ns <= now_ns]
        del self._waiting[: len(found)]
        return found
