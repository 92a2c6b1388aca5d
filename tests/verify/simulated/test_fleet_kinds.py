"""The kind of agents: what holds for every seed, what seeds reach, and that each law finds what breaks it."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from loadgen.units import NS_PER_MS
from loadgen.verify.kinds.simulated.bounds import Bounds
from loadgen.verify.kinds.simulated.fleet_case import FleetCase
from loadgen.verify.kinds.simulated.fleet_kinds import STATES, FleetKind
from loadgen.verify.kinds.simulated.fleet_laws import LAWS, findings
from loadgen.verify.kinds.simulated.fleet_plan import PROFILE, THOUSAND, Fault, FleetPlan
from loadgen.verify.kinds.simulated.suite import SUITE
from loadgen.verify.mutants import fleet
from loadgen.verify.mutants.registry import MUTANTS
from loadgen.verify.tape import Tape
from loadgen.verify.world._order import Uniform
from loadgen.verify.world._world import World
from loadgen.verify.world.fleet.local_clock import LocalClock
from loadgen.verify.world.policy import drawn_order
from loadgen.verify.world.seal import sealed

OPTIONS = {"ops": "100"}
SEEDS = 6
MOST_SEEDS = 30
"""For a law to find what breaks it."""


def test_a_load_on_agents_keeps_its_promises_with_every_seed_and_a_seed_is_one_run() -> None:
    states: Counter[str] = Counter()
    with SUITE.opened([PROFILE.name], OPTIONS, print) as opened:
        for seed in range(SEEDS):
            outcome = opened.kinds[0].run(Tape.seeded(PROFILE.name, seed))
            assert not outcome.failed, f"seed {seed}: {outcome.invariant}: {outcome.message}"
            states.update(outcome.sometimes)
    assert {*states} == {*STATES, *(f"fault: {kind}" for kind in Fault)}
    assert states["a load is drained by all"]
    assert states["several loads are put on"]


LAWS_OF = {
    "any claim": ("no rank is fired twice", 1),
    "order passed on twice": ("no rank is fired twice", 1),
    "clocks that do not drift": ("a load starts everywhere within the stated error of each clock", 4),
    "half the error": ("a load starts everywhere within the stated error of each clock", 10),
    "our clock": ("a load starts everywhere within the stated error of each clock", 1),
    "order without a margin": ("first requests are sent together where orders arrive in time", 2),
    "interval with later counts": ("merged counts are the sum of what was reported", 7),
    "histograms of one worker": ("merged histograms are those of all requests, bit for bit", 1),
    "open requests forgotten": ("each planned request has one end", 11),
    "patient leader": ("a lost agent ends the run within 3 s", 3),
    "hasty leader": ("a run ends well without a loss", 2),
    "agent beats by itself": ("no load goes on for longer than a lease without its leader", 24),
    "no lease": ("no load goes on for longer than a lease without its leader", 24),
    "wait without an end": ("nothing waits for ever", 9),
    "wrong agent named": ("the reason of a failed run names an agent that was lost", 3),
}
"""Mutants, each with a law that it breaks, and a seed that shows it."""


def test_each_law_has_a_mutant_that_breaks_it() -> None:
    assert {law for law, _ in LAWS_OF.values()} == {*LAWS}
    assert [*LAWS_OF] == [mutant.name for mutant in fleet.MUTANTS]
    assert max(seed for _, seed in LAWS_OF.values()) < MOST_SEEDS


@pytest.mark.parametrize("name", LAWS_OF)
def test_a_law_finds_what_breaks_it_and_what_ships_keeps_it(name: str) -> None:
    law, seed = LAWS_OF[name]
    with sealed():
        with MUTANTS[name].planted():
            assert law in {broken for broken, _ in findings(_ran(seed))}
        assert not [*findings(_ran(seed))]


def _ran(seed: int) -> FleetCase:
    tape = Tape.seeded(PROFILE.name, seed)
    world = World(tape, drawn_order(tape, 4 * int(OPTIONS["ops"])))
    case = FleetCase(world, tape, FleetPlan.drawn(tape, PROFILE))
    case.run()
    world.close()
    return case


@contextmanager
def _uncollected() -> Iterator[None]:
    """A thousand agents are a million objects, and looking for garbage among them takes a quarter of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_a_thousand_agents_start_together_and_their_counts_are_exact() -> None:
    """On links of 20 ms, give or take 5, with clocks that are days apart and drift."""
    kind = FleetKind(THOUSAND, THOUSAND.agents)
    with sealed(), _uncollected():
        tape = Tape.seeded(THOUSAND.name, 9)  # no warm-up, and intervals of 1 s
        world = World(tape, Uniform(tape))
        case = FleetCase(world, tape, FleetPlan.drawn(tape, kind.profile))
        case.run()
        world.close()
    assert [*findings(case)] == []
    [put] = case.ran.loads
    assert len(put.counted.hosts) == len({started.rank for started in case.ledger.started}) == 1000
    assert put.counted.measured.total.planned == sum(part.measured.total.planned for part in put.counted.hosts) > 0
    assert max(abs(started.began_ns - put.start_ns) for started in case.ledger.started) < 2 * NS_PER_MS


def test_a_specification_bounds_what_is_drawn() -> None:
    bounds = Bounds.read({"clients": "3", "fault-rate": "0.05", "faults": "crash,power_cut", "tick-ms": "250"}, 100)
    profile = bounds.fleet(PROFILE)
    tape = Tape.seeded("bounded", 1)
    plans = [FleetPlan.drawn(tape, profile) for _ in range(20)]
    assert max(len(plan.agents) for plan in plans) == 3
    faults = [fault for plan in plans for fault in plan.faults]
    assert {fault.kind for fault in faults} == {Fault.AGENT_KILLED, Fault.POWER_LOST}
    assert all(fault.at_ns % (250 * NS_PER_MS) == 0 for fault in faults)
    assert Bounds.read({"fault-rate": "0"}, 100).fleet(PROFILE).most_faults == 0
    assert replace(PROFILE, tick_ns=profile.tick_ns) != PROFILE


def test_a_local_clock_shows_a_time_first_when_it_is_asked_to() -> None:
    for gain_ppb in (0, 100_000, -100_000, 333_333):
        clock = LocalClock(-(10**18), gain_ppb)
        for world_ns in (1, 10**9, 123_456_789_012):
            local_ns = clock.at(world_ns)
            found = clock.world(local_ns)
            assert clock.at(found) >= local_ns > clock.at(found - 1)
