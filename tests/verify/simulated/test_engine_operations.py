"""The engine in a world: what is held of it, what a seed reaches, and that a seed is one run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest
from small_worlds import MS, PORT, Pair, S

from loadgen.plan import Keyspace, Load, Plan, Target, Weights, Wire, WorkerPlan, Workload
from loadgen.protocol import Wire as Format
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.kinds.simulated.engine_faults import FAULTS
from loadgen.verify.kinds.simulated.engine_operations import EngineOperations
from loadgen.verify.kinds.simulated.twice import INVARIANT, Twice
from loadgen.verify.tape import Tape
from loadgen.verify.world._accounts import Accounts
from loadgen.verify.world._world import BrokenInvariant
from loadgen.verify.world.engine_load import EngineLoad, Unfinished
from loadgen.verify.world.servers import BuiltinServer

SEEDS = 150
OPERATIONS = 150


def plan_on(*servers: BuiltinServer, requests: int = 200) -> Plan:
    connections = (2,) * len(servers)
    return Plan(
        Target("resp", tuple(server.endpoint for server in servers)),
        Wire(sum(connections), 4, 4, S, S, "roundrobin"),
        Workload(Keyspace(100, 16, "uniform", 1.0), Weights(1, 1, 0), 64, prefill=True),
        Load(0, 0, 0, requests=requests),
        1,
        (WorkerPlan(1, None, connections, 1.0, 0, 100),),
    )


def test_an_engine_in_a_world_sends_what_its_servers_execute() -> None:
    pair = Pair().links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, Format.RESP)
    load = EngineLoad(pair.near, plan_on(server))
    load.connect(S)
    load.write_keys(2 * S)
    load.load(3 * S)
    ran = load.close()
    assert ran.unaccounted == 0
    assert ran.total("ok") == 200 + 100 + 2
    assert ran.sent() == server.calls() == {**server.calls(), "ping": 2}
    assert load.accounts.checks > 50
    # 25 rounds of 8 requests, each of 2 ms, after a prefill of 13 and a handshake.
    assert pair.world.now_ns == pytest.approx(80 * MS, abs=5 * MS)


def test_a_load_that_does_not_end_by_its_time_is_found() -> None:
    pair = Pair().links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, Format.RESP)
    load = EngineLoad(pair.near, plan_on(server))
    load.connect(S)
    with pytest.raises(Unfinished, match="not written by its time"):
        load.write_keys(5 * MS)


def test_accounts_that_do_not_hold_are_found() -> None:
    """Those of an engine that was closed, held on another ground: its connections are gone, and still counted."""
    pair = Pair().links(latency_ns=MS)
    server = BuiltinServer(pair.far, PORT + 1, Format.RESP)
    load = EngineLoad(pair.near, plan_on(server))
    load.connect(S)
    pair.world.hold(Accounts(load.engine, pair.far_streams.ground))
    pair.run(S)
    load.close()
    pair.far_streams.ground.soon(lambda: None)
    with pytest.raises(BrokenInvariant, match="connections that are ready"):
        pair.run(2 * S)


def outcomes(*, faults: bool) -> list[Outcome]:
    kind = EngineOperations(OPERATIONS, faults=faults)
    return [kind.run(Tape.seeded(kind.name, seed)) for seed in range(SEEDS)]


def test_seeds_pass_without_faults_and_reach_what_weather_does() -> None:
    found = outcomes(faults=False)
    assert [outcome.message for outcome in found if outcome.failed] == []
    reached = sum((Counter(outcome.sometimes) for outcome in found), Counter())
    for state in ("a segment is split", "a segment is lost", "a write finds no room", "a request times out"):
        assert reached[state], state
    assert not any(state.startswith("fault") for state in reached)


def test_seeds_pass_under_faults_and_reach_every_fault() -> None:
    found = outcomes(faults=True)
    assert [outcome.message for outcome in found if outcome.failed] == []
    reached = sum((Counter(outcome.sometimes) for outcome in found), Counter())
    for word in FAULTS:
        assert reached[f"fault: {word}"], word
    for state in ("a segment waits for a partition to end", "a connection is opened again", "a reply comes late",
                  "a connection stalls", "a request is lost", "a connection is refused"):  # fmt: skip
        assert reached[state], state


@pytest.mark.parametrize("seed", [14940, 19961, 22398, 22641, 28157])
def test_seeds_that_once_failed_pass(seed: int) -> None:
    """A request that the server's kernel had acknowledged was sent again, as the network forgot what had arrived before
    an end was closed; a full pipeline on small buffers was taken for a calm case."""
    kind = EngineOperations(1000)
    outcome = kind.run(Tape.seeded(kind.name, seed))
    assert not outcome.failed, outcome.message


PROGRAM = """
from loadgen.verify.kinds.simulated.engine_operations import EngineOperations
from loadgen.verify.tape import Tape
kind = EngineOperations(100)
print(*(kind.run(Tape.seeded(kind.name, seed)).trace for seed in range(40)))
"""


def test_a_seed_is_one_run_in_every_process() -> None:
    kind = EngineOperations(100)
    here = [kind.run(Tape.seeded(kind.name, seed)).trace for seed in range(40)]
    assert len(set(here)) == 40
    environment = {**os.environ, "PYTHONHASHSEED": "17"}
    said = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True, text=True)
    assert said.stdout.split() == here


class Unsteady:
    """A kind that another state of the process decides."""

    name = "unsteady"

    def __init__(self) -> None:
        self.runs = 0

    def run(self, tape: Tape) -> Outcome:
        self.runs += 1
        tape.below(10 * self.runs, "digit")
        return Outcome(Verdict.PASS, trace=f"{self.runs}")


def test_a_kind_that_differs_when_it_is_run_twice_fails_where_it_went_another_way() -> None:
    outcome = Twice(Unsteady()).run(Tape.seeded("unsteady", 1))
    assert outcome.failed
    assert outcome.invariant == INVARIANT
    assert 'at draw 1 of 1: "digit" below 10 when recorded, "digit" below 20 now' in outcome.message
    kind = EngineOperations(50)
    tape = Tape.seeded(kind.name, 1)
    assert Twice(kind).run(tape) == kind.run(tape.again())
