"""The CPU time that the leader of a load on agents takes for each of them, each second, in a simulated world.

The conversation with each agent and the crew are those that ship; agents, links and time are simulated. A load of ten
seconds more costs the leader so much more. Sockets and the wait for them are not in it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from loadgen.units import NS_PER_S
from loadgen.verify.kinds.simulated.fleet_case import FleetCase
from loadgen.verify.kinds.simulated.fleet_plan import THOUSAND, FleetPlan
from loadgen.verify.tape import Tape
from loadgen.verify.world._order import Uniform
from loadgen.verify.world._world import World

LENGTHS_S = (2, 12)


@dataclass(slots=True)
class Clock:
    """CPU time inside of some functions."""

    spent_s: float = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            began_s = time.process_time()
            try:
                return function(*given)
            finally:
                self.spent_s += time.process_time() - began_s

        return timed


def led_s(agents: int, length_s: int) -> tuple[float, float]:
    """Return the CPU time of the leader's side of a load, in s: of the conversations, and of the crew."""
    profile = replace(THOUSAND, agents=agents, measure_ns=(length_s * NS_PER_S,))
    tape = Tape.seeded("leader", agents)
    world = World(tape, Uniform(tape))
    case = FleetCase(world, tape, FleetPlan.drawn(tape, profile))
    links, crew, waits = Clock(), Clock(), Clock()
    exchange = case.exchange
    exchange.arrived = links.around(exchange.arrived)  # type: ignore[method-assign]
    exchange._tell_time = links.around(exchange._tell_time)  # type: ignore[method-assign]
    for rank, agent in enumerate(case.agents):
        assert agent.up is not None
        agent.up.deliver_to(lambda data, rank=rank: exchange.arrived(rank, data))
    exchange.wait = waits.around(exchange.wait)  # type: ignore[method-assign]
    case._lead = crew.around(case._lead)  # type: ignore[method-assign]
    case.run()
    world.close()
    return links.spent_s, crew.spent_s - waits.spent_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, nargs="+", default=[1, 10, 100, 1000])
    more_s = LENGTHS_S[1] - LENGTHS_S[0]
    for agents in parser.parse_args().agents:
        short, long = (led_s(agents, length_s) for length_s in LENGTHS_S)
        each_us = [(after - before) / more_s / agents * 1e6 for before, after in zip(short, long, strict=True)]
        shown = f"{each_us[0]:7.1f} µs its conversation, {each_us[1]:7.1f} µs the crew"
        print(f"{agents:6,} agents: {shown}, {sum(each_us) * agents / 1e4:5.1f} % of a core", flush=True)


if __name__ == "__main__":
    main()
