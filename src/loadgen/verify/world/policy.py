"""The policy of a seed: which of several events that are due comes first. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.units import NS_PER_MS, NS_PER_US
from loadgen.verify.tape import Tape
from loadgen.verify.world._order import Order, Priorities, Uniform

BY_PRIORITIES = "events are ordered by priorities"
"""The state of a run whose policy is not the uniform one."""

MOST_CHANGES = 4
"""Of priorities: bugs whose events must come in one order of up to five are looked for."""
WINDOWS_NS = (100 * NS_PER_US, 10 * NS_PER_US, NS_PER_MS)
"""How long an event may wait for others of a higher priority: at most a hundredth of the engine's least timeout."""
LENGTHS = (100, 30, 300, 1_000)
"""The events among which priorities change, where nobody knows how many a run will have."""


def drawn_order(
    tape: Tape, events: int | None = None, windows_ns: Sequence[int] = WINDOWS_NS, *, aside: bool = False
) -> Order:
    """Draw a policy: uniform, or priorities that change in the course of a run of about so many events.

    Without `events` their number is drawn, too. An event waits for others for one of `windows_ns`. Where the choice is
    drawn aside, a seed whose policy is uniform makes the draws that it makes without it.
    """
    draw = tape.aside if aside else tape.weighted
    if not draw(((2, False), (1, True)), "scheduling by priorities"):
        return Uniform(tape)
    changes = tape.between(0, MOST_CHANGES, "changes of priorities")
    window_ns = tape.choice(windows_ns, "window of priorities")
    if events is None:
        events = tape.choice(LENGTHS, "events among which priorities change")
    return Priorities(tape, events, changes, window_ns)
