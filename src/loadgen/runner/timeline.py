"""Actions at set times of a load, such as a fault. The time is an argument; this file reads no clock.

The leader of the load takes out the actions that are due and does them. An action whose time the load does not reach
is not done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from loadgen.phase import Phase


@dataclass(frozen=True, slots=True)
class At:
    """An action at an offset from the beginning of a phase of a load: the warm-up or the measure window."""

    phase: Phase
    offset_ns: int
    do: Callable[[], object]
    """Called in the leader's thread, which receives no reports meanwhile: a call should take milliseconds at most."""


class Timeline:
    """Actions and the times at which they are due, by a monotonic clock. `due` returns each action once."""

    def __init__(self, actions: Iterable[At], begins_ns: Mapping[Phase, int]) -> None:
        """`begins_ns` has the time at which each phase begins. Raises ValueError for an action in any other phase."""
        actions = tuple(actions)
        for action in actions:
            if action.phase not in begins_ns:
                phases = " or ".join(begins_ns)
                raise ValueError(f"an action is due in the {action.phase} phase of a load: it can be in {phases}")
        # Actions at the same time keep the order in which they were passed.
        self._waiting = sorted(
            ((begins_ns[action.phase] + action.offset_ns, action) for action in actions), key=lambda each: each[0]
        )

    @property
    def next_ns(self) -> int | None:
        """The time at which the next action is due; None when none is left."""
        return self._waiting[0][0] if self._waiting else None

    def due(self, now_ns: int) -> list[At]:
        """Remove and return the actions that are due at this time, in the order of their times."""
        found = [action for at_ns, action in self._waiting if at_ns <= now_ns]
        del self._waiting[: len(found)]
        return found
