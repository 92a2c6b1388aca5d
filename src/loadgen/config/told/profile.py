"""The profile of a workload: its phases, or its one rate, as segments of time with a rate each. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from loadgen.config.tables.phase import Phase
from loadgen.config.tables.schema import Workload
from loadgen.plan import LoadPhase, Segment


def profile(workload: Workload, duration_ns: int, times: int = 1) -> tuple[Segment, ...]:
    """Return the offered rate over the measured time; empty without a schedule, or when the search sets the rate.

    `times` is the number of servers that each get the whole rate: the rates of the profile are of all.
    """
    if workload.saturation_search is not None:
        return ()
    if workload.phase:
        return tuple(_times(segment, times) for phase in workload.phase for segment in segments(phase))
    rate = workload.rate_limit
    return (_times(Segment(duration_ns, rate, rate), times),) if rate else ()


def phases(workload: Workload, times: int = 1) -> tuple[LoadPhase, ...]:
    """Return the phases as configured, each with the number of requests due in it, with `times` as in `profile`."""
    if workload.saturation_search is not None:
        return ()
    return tuple(_phase(phase, times) for phase in workload.phase or ())


def _phase(phase: Phase, times: int) -> LoadPhase:
    first, last = phase.rates
    requests = sum(segment.requests for segment in segments(phase))
    return LoadPhase(phase.shape, phase.lasts, times * first, times * last, times * requests)


def _times(segment: Segment, times: int) -> Segment:
    return replace(segment, from_per_s=times * segment.from_per_s, to_per_s=times * segment.to_per_s)


def segments(phase: Phase) -> Iterator[Segment]:
    """Yield a phase's segments, which together last exactly as long as the phase."""
    first, last = phase.rates
    match phase.shape:
        case "step":
            assert phase.steps is not None, "a step's default is filled in"
            stairs = phase.steps
            for stair in range(stairs):
                length = (stair + 1) * phase.lasts // stairs - stair * phase.lasts // stairs
                # The last stair is exactly the second rate, without rounding.
                rate = last if stair == stairs - 1 else first + (last - first) * stair / (stairs - 1)
                yield from _flat(length, rate)
        case "burst":
            assert phase.period is not None, "a burst's defaults are filled in"
            assert phase.width is not None, "a burst's defaults are filled in"
            for begin in range(0, phase.lasts, phase.period):
                left = phase.lasts - begin
                rest = min(phase.period - phase.width, left)
                yield from _flat(rest, first)
                yield from _flat(min(phase.width, left - rest), last)
        case "sine":
            assert phase.period is not None, "a sine's default is filled in"
            yield Segment(phase.lasts, first, last, phase.period)
        case "constant" | "ramp":
            yield Segment(phase.lasts, first, last)


def most_segments(phase: Phase) -> int:
    """Return an upper bound of a phase's number of segments, without making them."""
    if phase.shape == "burst":
        assert phase.period is not None, "a burst's defaults are filled in"
        return 2 * -(-phase.lasts // phase.period)
    return phase.steps or 1


def _flat(length_ns: int, rate_per_s: float) -> Iterator[Segment]:
    """Yield a segment of one rate; none when its length is 0."""
    if length_ns:
        yield Segment(length_ns, rate_per_s, rate_per_s)
