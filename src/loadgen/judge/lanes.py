"""Which lanes of a load a fault on a node of a cluster comes over: those that the node served while the fault lasted.

A lane is one server to a load, and another node may take it over: a fault on the master that was killed explains what
fails on its lane until that lane is well again, whoever serves it then. Pure functions; times are monotonic, in ns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from loadgen.faults.report import FaultReport, Spell
from loadgen.plan import Endpoint, Topology


def on_lanes(
    reports: Iterable[FaultReport], nodes: Sequence[Endpoint], served: Sequence[tuple[int, Topology]]
) -> tuple[FaultReport, ...]:
    """Return the reports with a spell for each lane in place of one for each node; lanes are numbered from 1.

    `nodes` are the addresses of the nodes by their numbers, and `served` has each topology with the time from which it
    was known, the first one from the beginning.
    """
    return tuple(
        replace(report, spells=tuple(each for spell in report.spells for each in _of_lanes(spell, nodes, served)))
        for report in reports
    )


def _of_lanes(spell: Spell, nodes: Sequence[Endpoint], served: Sequence[tuple[int, Topology]]) -> Iterator[Spell]:
    address = str(nodes[spell.node - 1])
    places: set[int] = set()
    for index, (from_ns, topology) in enumerate(served):
        until_ns = served[index + 1][0] if index + 1 < len(served) else None
        is_over = until_ns is not None and until_ns < spell.began_ns
        is_to_come = index > 0 and spell.ended_ns is not None and from_ns > spell.ended_ns
        if not is_over and not is_to_come:
            places |= {place for place, each in enumerate(topology.placements, 1) if str(each.endpoint) == address}
    for place in sorted(places):
        yield replace(spell, node=place)
