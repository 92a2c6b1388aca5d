"""The result of `loadgen selftest`, the most that the generator reaches: kept per host, and compared with each run.

This module measures nothing. The result of another machine, or of another version, is not used.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from loadgen.host import machine
from loadgen.plan import Plan
from loadgen.signs import Ceiling

FILE = "selftest.json"


@dataclass(frozen=True, slots=True)
class Reach:
    """The most that one worker reaches at one pipeline depth, in requests per second."""

    depth: int
    closed_per_s: float
    closed_is_bound: bool
    """True when the server was the limit, and the worker could have done more."""
    open_per_s: float
    """The highest offered rate at which the verdict was valid."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """One self-test, of one worker against a server that does nothing."""

    version: str
    fingerprint: str
    taken: str
    """ISO 8601."""
    reaches: tuple[Reach, ...]
    """By rising depth."""
    floor_p50_ns: int
    floor_p99_ns: int
    """Response time at a low rate."""

    def ceiling(self, plan: Plan, cpus: int) -> Ceiling | None:
        """Return the ceiling of the plan's number of workers, from the nearest measured depth up to the plan's own."""
        below = [reach for reach in self.reaches if reach.depth <= plan.wire.pipeline_depth]
        if not below:
            return None
        reach = below[-1]
        per_worker = reach.open_per_s if plan.load.open_loop else reach.closed_per_s
        # Workers that share a CPU share its capacity.
        return Ceiling(per_worker * min(len(plan.workers), cpus), self.floor_p50_ns, self.floor_p99_ns, self.taken)


def keep(test: SelfTest) -> bool:
    """Store a self-test for this host. True when it could be stored."""
    return machine.store(FILE, json.dumps(asdict(test), indent=1) + "\n")


def kept(version: str) -> SelfTest | None:
    """Return the self-test that this version took on this machine; None when there is none that can be used."""
    try:
        record = json.loads(machine.stored(FILE))
        reaches = tuple(Reach(**reach) for reach in record.pop("reaches"))
        test = SelfTest(**record, reaches=reaches)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    numbers: list[float] = [test.floor_p50_ns, test.floor_p99_ns]
    numbers += [number for reach in reaches for number in (reach.depth, reach.closed_per_s, reach.open_per_s)]
    if not isinstance(test.taken, str) or not all(isinstance(number, int | float) for number in numbers):
        return None
    return test if (test.version, test.fingerprint) == (version, machine.fingerprint()) else None
