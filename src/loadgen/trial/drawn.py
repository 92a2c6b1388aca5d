"""Scenarios drawn by seed: when which of some kinds of faults comes over which node, and for how long.

The same kinds, seed and number of nodes give the same scenario, on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from loadgen.faults.fault import Fault
from loadgen.faults.kinds import KINDS, Judged, Kind
from loadgen.trial.plan import Phases
from loadgen.trial.scenario import Scenario
from loadgen.units import NS_PER_MS, NS_PER_S

PHASES = Phases(settle_ns=2 * NS_PER_S, baseline_ns=10 * NS_PER_S, fault_ns=30 * NS_PER_S, recovery_ns=20 * NS_PER_S)

EXPECTS = ("timeout", "refused", "lost", "breaker_open", "pool_exhausted", "server")
"""The classes of errors that faults of any kind may cause."""

_LEAST_NS, _MOST_NS = NS_PER_S, 8 * NS_PER_S
"""The bounds of a spell's length."""

GAP_NS = 6 * NS_PER_S
"""The time between two faults of a drawn schedule on one node. A breaker that one has opened, for 5 s by upstream's
settings, keeps operations from the node, and a fault on a node without operations has no effect."""

FOR_EACH_NS = 7 * NS_PER_S
"""A drawn schedule has a fault for each such part of the fault phase, and one for each node at the least."""

_ATTEMPTS = 100
"""Places that are tried for a fault; one for which there is no room is left out."""


def scenario(kinds: Sequence[Kind], seed: int, nodes: int) -> Scenario:
    """Return the scenario of a seed: each kind once or twice, on one node at a time."""
    random = Random(f"chaos/{seed}")
    faults = [_fault(kind, random, nodes) for kind in kinds for _ in range(random.randint(1, 2))]
    names = ", ".join(dict.fromkeys(kind.name for kind in kinds))
    return Scenario(
        name=f"seed-{seed}",
        title=f"faults drawn by seed {seed}: {names}",
        # memcached has no files.
        protocol="resp" if any(kind.judged is Judged.SERVER for kind in kinds) else "any",
        nodes=nodes,
        rate_per_s=600.0,
        phases=PHASES,
        faults=tuple(sorted(_apart(faults), key=lambda fault: (fault.at_ns, fault.kind))),
        expects=EXPECTS,
    )


def completed(of: Scenario, seed: int) -> Scenario:
    """Return a scenario with the faults drawn that it is to draw; any other scenario as it is.

    The kinds come in turn, in an order that is drawn, so that none comes twice before all came. Faults on several nodes
    may be there at once; on one node each has the time GAP_NS before the next.
    """
    if not of.draws:
        return of
    random = Random(f"schedule/{seed}")
    kinds = [KINDS[name] for name in of.draws]
    random.shuffle(kinds)
    found: list[Fault] = []
    for number in range(max(of.nodes, of.phases.fault_ns // FOR_EACH_NS)):
        for _ in range(_ATTEMPTS):
            fault = _fault(kinds[number % len(kinds)], random, of.nodes, of.phases.fault_ns)
            if not any(_near(fault, other) for other in (*of.faults, *found)):
                found.append(fault)
                break
    faults = sorted((*of.faults, *found), key=lambda fault: (fault.at_ns, fault.kind))
    return replace(of, faults=tuple(faults), draws=())


def _near(one: Fault, other: Fault) -> bool:
    """Return True for two faults that come over one node with less than GAP_NS between them."""
    apart = one.at_ns >= other.at_ns + other.for_ns + GAP_NS or other.at_ns >= one.at_ns + one.for_ns + GAP_NS
    return not apart and (not one.on or not other.on or bool({*one.on} & {*other.on}))


def _fault(kind: Kind, random: Random, nodes: int, window_ns: int = PHASES.fault_ns) -> Fault:
    for_ns = random.randrange(min(_LEAST_NS, window_ns // 2), min(_MOST_NS, window_ns), 100 * NS_PER_MS)
    return Fault(
        kind=kind.name,
        layer=kind.layer,
        on=(random.randint(1, nodes),),
        at_ns=random.randrange(0, window_ns - for_ns, 100 * NS_PER_MS),
        for_ns=for_ns,
        parameters=kind.defaults(),
        seed=random.getrandbits(32) + 1,
    )


def _apart(faults: list[Fault]) -> list[Fault]:
    """Return the faults without those that overlap an earlier one of their kind and node, which would be one fault."""
    kept: list[Fault] = []
    for fault in faults:
        if not any(_overlap(fault, other) for other in kept):
            kept.append(fault)
    return kept


def _overlap(one: Fault, other: Fault) -> bool:
    same = (one.kind, one.on) == (other.kind, other.on)
    return same and one.at_ns < other.at_ns + other.for_ns and other.at_ns < one.at_ns + one.for_ns
