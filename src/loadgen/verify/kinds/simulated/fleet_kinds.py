"""The kinds of agents: the shipping leader of many machines, with simulated machines."""

from __future__ import annotations

from dataclasses import replace

from loadgen.units import NS_PER_S
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.kinds.simulated.fleet_case import WALL_NS, FleetCase
from loadgen.verify.kinds.simulated.fleet_laws import findings
from loadgen.verify.kinds.simulated.fleet_plan import Fault, FleetPlan, Profile
from loadgen.verify.kinds.simulated.world_case import WorldCase
from loadgen.verify.tape import MOST, Tape
from loadgen.verify.world import seal
from loadgen.verify.world._world import World

STATES = (
    "a load is drained by all",
    "a load is ended early",
    "an agent is lost under load",
    "an agent is lost before the load",
    "several loads are put on",
    "a second agent of a rank is refused",
)


class FleetKind(WorldCase):
    """Cases of a profile, of so many agents at most."""

    def __init__(self, profile: Profile, operations: int) -> None:
        super().__init__(profile.name, operations)
        self.profile = replace(profile, agents=min(profile.agents, operations))

    def _outcome(self, tape: Tape, world: World) -> Outcome:
        began_ns = world.now_ns
        plan = FleetPlan.drawn(tape, self.profile)
        with seal.opened(_Clocks(world), tape.below(MOST, "seed of random numbers")):
            case = FleetCase(world, tape, plan)
            ran = case.run()
        found = next(findings(case), None)
        world.note_text(repr((ran.failed, [put.counted.measured.total for put in ran.loads])).encode())
        return Outcome(
            Verdict.PASS if found is None else Verdict.FAIL,
            "" if found is None else found[0],
            "" if found is None else found[1],
            operations=() if found is None else (str(plan), *_lines(case)),
            faults=tuple(str(fault) for fault in ran.began),
            trace=world.digest(),
            sometimes={**_states(case), **{f"fault: {kind}": _count(case, kind) for kind in self.profile.faults}},
            virtual_ns=world.now_ns - began_ns,
        )


class _Clocks:
    """The leader's machine, on which all code of the front end runs."""

    def __init__(self, world: World) -> None:
        self._world = world

    def monotonic_ns(self) -> int:
        return self._world.now_ns

    def unix_ns(self) -> int:
        return self._world.now_ns + WALL_NS

    def sleep_ns(self, wait_ns: int) -> None:
        raise NotImplementedError("a crew waits for its members, and does not sleep")


def _count(case: FleetCase, kind: Fault) -> int:
    return sum(fault.kind is kind for fault in case.ran.began)


def _states(case: FleetCase) -> dict[str, int]:
    loads = case.ran.loads
    refused = sum(again.agent.over != "" for again in case.again)
    lost = any(line.gone_ns for line in case.exchange.lines)
    found = (
        any(not put.counted.ended_early for put in loads),
        any(put.counted.ended_early for put in loads),
        lost and bool(loads),
        bool(case.ran.failed) and not loads,
        len(loads) > 1,
        refused > 0,
    )
    return {state: int(reached) for state, reached in zip(STATES, found, strict=True)}


def _lines(case: FleetCase) -> list[str]:
    starts = (
        f"{each.began_ns / NS_PER_S:.6f} s  worker {each.worker} of rank {each.rank} begins load {each.load}"
        for each in case.ledger.started
    )
    gone = (
        f"{line.gone_ns / NS_PER_S:.6f} s  agent {line.name} {line.link.over}"
        for line in case.exchange.lines
        if line.gone_ns
    )
    return [*starts, *gone, case.ran.failed or "no failure"]
