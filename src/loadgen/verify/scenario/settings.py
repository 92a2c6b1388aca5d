"""How a scenario wants to be run: its faults, its bounds and its states. A frozen value; no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

PAUSE, CUT, VANISH, PARTITION, SLOW, KILL, REFUSE, SILENCE, GARBLE, POWER_CUT, DISK_FULL, TOXIC = (
    "pause",
    "cut",
    "vanish",
    "partition",
    "slow",
    "kill",
    "refuse",
    "silence",
    "garble",
    "power_cut",
    "disk_full",
    "toxic",
)

KINDS = {
    PAUSE: "a host stops for a while, as with SIGSTOP or a long collection of garbage",
    CUT: "the connections of a host are reset",
    VANISH: "a host forgets its connections, and what they are connected to is not told",
    PARTITION: "nothing passes from one host to another for a while, one way or both",
    SLOW: "everything that a host sends takes longer for a while",
    KILL: "a server is killed and started again: what it has written is there",
    REFUSE: "a server refuses connections for a while, and ends those that it has",
    SILENCE: "a server answers no handshake for a while, and ends the connections that it has",
    GARBLE: "a server sends an error that nothing asked for, on each of its connections",
    POWER_CUT: "a server's host loses its power and comes back: what was synced is there, and perhaps more",
    DISK_FULL: "the disk of a server takes no more for a while",
    TOXIC: "a proxy has a toxic for a while, which may be changed on the way",
}
"""The kinds of faults, in words."""

DEFAULT = (PAUSE, CUT, PARTITION, SLOW)
"""The kinds that are drawn unless a scenario says otherwise: those that no server loses data by."""

MEAN_FAULTS = 2.0
MOST_FAULTS = 8
"""The most faults that a run draws, unless its settings say otherwise."""
WITHIN_S = 10.0
UNTIL_S = 3600.0
MOST_CALLBACKS = 1_000_000

STATES_FROM = 100
"""The seeds from which a state that none of them reached fails a campaign."""

_ATTRIBUTE = "__simulation_settings__"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a scenario."""

    faults: tuple[str, ...] = DEFAULT
    """The kinds that a seed may draw; empty for none."""
    mean_faults: float = MEAN_FAULTS
    """The mean number of faults of a run."""
    within_s: float = WITHIN_S
    """The time from the start in which faults begin."""
    until_s: float = UNTIL_S
    """The simulated time by which the scenario must be over."""
    most_callbacks: int = MOST_CALLBACKS
    """The number of callbacks of the event loop by which the scenario must be over."""
    states: tuple[str, ...] = ()
    """States of `sometimes` that are known beforehand, so that one which is never asked for is missed too."""
    most_faults: int = MOST_FAULTS
    tick_ns: int = 0
    """Faults begin and end at multiples of it; 0: at any time."""

    def __post_init__(self) -> None:
        for kind in self.faults:
            if kind not in KINDS:
                raise ValueError(f"there is no fault {kind!r}; there are {', '.join(KINDS)}")


def settings(
    *,
    faults: tuple[str, ...] | list[str] = DEFAULT,
    mean_faults: float = MEAN_FAULTS,
    within_s: float = WITHIN_S,
    until_s: float = UNTIL_S,
    most_callbacks: int = MOST_CALLBACKS,
    states: tuple[str, ...] | list[str] = (),
    most_faults: int = MOST_FAULTS,
    tick_ns: int = 0,
) -> Callable[[F], F]:
    """Return a decorator that gives a scenario its settings, the fields of `Settings`. Raises ValueError."""
    chosen = Settings(
        tuple(faults), mean_faults, within_s, until_s, most_callbacks, tuple(states), most_faults, tick_ns
    )

    def decorated(scenario: F) -> F:
        setattr(scenario, _ATTRIBUTE, chosen)
        return scenario

    return decorated


def whole_ticks(time_ns: int, tick_ns: int) -> int:
    """Return a time, rounded up to whole ticks; the time itself without a tick."""
    return -(-time_ns // tick_ns) * tick_ns if tick_ns else time_ns


def settings_of(scenario: object) -> Settings:
    """Return the settings of a scenario; the defaults where it has none."""
    found = getattr(scenario, _ATTRIBUTE, None)
    return found if isinstance(found, Settings) else Settings()
