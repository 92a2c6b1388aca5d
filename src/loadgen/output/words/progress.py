"""Progress events in words. Pure functions to plain text.

Rates and remaining times are computed from the event's own clock.
"""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.events import FaultBegan, FaultEnded, Progress
from loadgen.output.words import figures
from loadgen.phase import OF_A_LOAD, Phase
from loadgen.units import NS_PER_S

LONGEST_TARGET = 24
MOST_MACHINES = 3
"""Machines whose rates are shown beside a bar, each."""

_UNITS: dict[str, str] = {Phase.PREFILL: "keys", Phase.CONNECT: "connections"}


def title(event: Progress) -> str:
    """Return the place in the whole, the server and the phase: "round 3/8, slice 5/24, redis".

    The phase of a slice is left out, as it is too short to be read.
    """
    if event.overall is None:
        return ": ".join(filter(None, [printable(event.target, LONGEST_TARGET), printable(event.phase)]))
    parts = [str(part) for part in event.overall.parts]
    phase = [printable(event.phase)] if event.phase not in OF_A_LOAD or len(parts) < 2 else []
    where = ", ".join([*parts, *filter(None, [printable(event.target, LONGEST_TARGET)])])
    return ": ".join([where, *phase])


def share(event: Progress) -> float:
    """Return the share that is done, 0 to 1: of the phase, or of the whole, counted in its finished parts."""
    if event.overall is None:
        return min(1.0, event.done / event.total)
    share = 0.0
    for part in reversed(event.overall.parts):
        share = (part.number - 1 + share) / part.total
    return share


def done(event: Progress) -> str:
    unit = event.unit or _UNITS.get(event.phase)
    part = figures.share(event.done / event.total) if event.total else figures.NOTHING
    return f"{event.done:,} of {event.total:,} {unit} ({part} %)" if unit else f"{part} %"


def words(event: Progress) -> str:
    """Return share, rate and time left at the mean rate so far; or the most time left of the whole, where known.

    For example "52.3 %, 123K keys/s, 8 s left".
    """
    if event.overall is not None and event.overall.left_ns is not None:
        return f"at most {figures.left(event.overall.left_ns)} left"
    unit = event.unit or _UNITS.get(event.phase)
    parts = [f"{figures.share(share(event)):>5} %"]
    if unit and event.elapsed_ns:
        parts.append(f"{figures.rate(event.done * NS_PER_S / event.elapsed_ns)} {unit}/s")
    parts += [machines(event)] * bool(event.per_s)
    if event.left_ns is not None:
        parts.append(f"{figures.left(event.left_ns)} left")
    elif event.overall is None and event.done and event.done <= event.total:
        rest_ns = event.elapsed_ns * (event.total - event.done) / event.done if unit else event.total - event.done
        parts.append(f"{figures.left(rest_ns)} left")
    return ", ".join(parts)


def machines(event: Progress) -> str:
    """Return what each machine does per second: "local-0 210/s, local-1 205/s"; of many, the slowest and the quickest.

    For example "10 machines, 12/s (h7) to 210/s (h2)".
    """
    rates = {printable(name, LONGEST_TARGET): f"{figures.rate(rate)}/s" for name, rate in event.per_s.items()}
    if len(rates) <= MOST_MACHINES:
        return ", ".join(f"{name} {rate}" for name, rate in rates.items())
    ordered = sorted(event.per_s, key=lambda name: event.per_s[name])
    slowest, quickest = (printable(name, LONGEST_TARGET) for name in (ordered[0], ordered[-1]))
    return f"{len(rates)} machines, {rates[slowest]} ({slowest}) to {rates[quickest]} ({quickest})"


def fault(event: FaultBegan | FaultEnded) -> str:
    """Return a fault that lasts: "kill on node 1"."""
    return f"{event.fault.kind} on {event.fault.place(event.node)}"
