"""Scenarios drawn by seed: when which of some kinds of faults comes over which node, and for how long.

The same kinds, seed and number of nodes give the same scenario, on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import Kind
from loadgen.trial.plan import Phases
from loadgen.trial.scenario import Scenario
from loadgen.units import NS_PER_MS, NS_PER_S

PHASES = Phases(settle_ns=2 * NS_PER_S, baseline_ns=10 * NS_PER_S, fault_ns=30 * NS_PER_S, recovery_ns=20 * NS_PER_S)

EXPECTS = ("timeout", "refused", "lost", "breaker_open", "pool_exhausted", "server")
"""The classes of errors that faults of any kind may cause."""

_LEAST_NS, _MOST_NS = NS_PER_S, 8 * NS_PER_S
"""The bounds of a spell's length."""


def scenario(kinds: Sequence[Kind], seed: int, nodes: int) -> Scenario:
    """Return the scenario of a seed: each kind once or twice, on one node at a time."""
    random = Random(f"chaos/{seed}")
    faults = [_fault(kind, random, nodes) for kind in kinds for _ in range(random.randint(1, 2))]
    names = ", ".join(dict.fromkeys(kind.name for kind in kinds))
    return Scenario(
        name=f"seed-{seed}",
        title=f"faults drawn by seed {seed}: {names}",
        # memcached has no files.
        protocol="resp" if any(kind.layer is Layer.DISK for kind in kinds) else "any",
        nodes=nodes,
        rate_per_s=600.0,
        phases=PHASES,
        faults=tuple(sorted(_apart(faults), key=lambda fault: (fault.at_ns, fault.kind))),
        expects=EXPECTS,
    )


def _fault(kind: Kind, random: Random, nodes: int) -> Fault:
    for_ns = random.randrange(_LEAST_NS, _MOST_NS, 100 * NS_PER_MS)
    return Fault(
        kind=kind.name,
        layer=kind.layer,
        on=(random.randint(1, nodes),),
        at_ns=random.randrange(0, PHASES.fault_ns - for_ns, 100 * NS_PER_MS),
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
