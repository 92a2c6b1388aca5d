"""The lanes that a fault on a node of a cluster comes over, by who served them when."""

from __future__ import annotations

from loadgen.faults.fault import Fault, Layer
from loadgen.faults.report import FaultReport, Spell
from loadgen.judge.lanes import on_lanes
from loadgen.plan import Endpoint, Placement, Topology

MASTERS = (Endpoint("h", 1, "h"), Endpoint("h", 2, "h"))
REPLICA = Endpoint("h", 3, "h")
NODES = (*MASTERS, REPLICA)


def serving(*endpoints: Endpoint | None) -> Topology:
    return Topology(tuple(Placement(f"lane {place}", place, each) for place, each in enumerate(endpoints)))


BEFORE, AFTER = serving(*MASTERS), serving(REPLICA, MASTERS[1])
"""The replica has taken the first lane over."""


def lanes(spell: Spell, *served: tuple[int, Topology]) -> list[int]:
    [report] = on_lanes([FaultReport(Fault("kill", Layer.PROCESS), (spell,), 1)], NODES, served)
    assert all((each.began_ns, each.ended_ns) == (spell.began_ns, spell.ended_ns) for each in report.spells)
    return [each.node for each in report.spells]


def test_a_fault_on_a_master_is_on_its_lane_also_after_another_node_has_taken_it_over() -> None:
    served = ((0, BEFORE), (200, AFTER))
    assert lanes(Spell(1, 100, 900), *served) == [1]
    assert lanes(Spell(2, 100, 900), *served) == [2]


def test_a_fault_on_a_replica_is_on_no_lane_until_it_serves_one() -> None:
    served = ((0, BEFORE), (200, AFTER))
    assert lanes(Spell(3, 50, 100), *served) == []
    assert lanes(Spell(3, 50, 300), *served) == [1]
    assert lanes(Spell(3, 50, None), *served) == [1]


def test_a_fault_on_a_master_that_has_lost_its_lane_is_on_none() -> None:
    assert lanes(Spell(1, 300, 400), (0, BEFORE), (200, AFTER)) == []


def test_a_replica_that_is_read_from_has_a_lane_of_its_own() -> None:
    assert lanes(Spell(3, 100, 200), (0, serving(MASTERS[0], REPLICA, MASTERS[1]))) == [2]
    assert lanes(Spell(2, 100, 200), (0, serving(MASTERS[0], REPLICA, MASTERS[1]))) == [3]
