"""The engine in a world: what is held of it, what a seed reaches, and that a seed is one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from in_process import invoked
from small_worlds import MS, PORT, Pair, S

from loadgen.plan import Keyspace, Load, Plan, Target, Weights, Wire, WorkerPlan, Workload
from loadgen.protocol import Wire as Format
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.history._operations import OK, READ, RECORD_BYTES, Operations
from loadgen.verify.history.record import Record
from loadgen.verify.kinds.simulated import engine_operations
from loadgen.verify.kinds.simulated import suite as simulated
from loadgen.verify.kinds.simulated.engine_faults import Scene
from loadgen.verify.kinds.simulated.engine_operations import ENGINE_KINDS, EngineKind, EngineOperations
from loadgen.verify.kinds.simulated.planted import Planted
from loadgen.verify.kinds.simulated.suite import ENGINE, ROWS
from loadgen.verify.kinds.simulated.twice import INVARIANT, Twice
from loadgen.verify.mutants.registry import MUTANTS
from loadgen.verify.tape import Tape
from loadgen.verify.world._accounts import Accounts
from loadgen.verify.world._network import REFUSING
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
        Workload(Keyspace(100, 16, "uniform", 1.0), Weights(get=1, set=1), 64, prefill=True),
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


def refused(longest_backoff_ns: int) -> EngineLoad:
    """Return a load of two connections to a server that refuses them for ten seconds."""
    pair = Pair().links(latency_ns=MS)
    plan = plan_on(BuiltinServer(pair.far, PORT + 1, Format.RESP))
    pair.network.set_listener(pair.far, PORT + 1, REFUSING)
    load = EngineLoad(pair.near, replace(plan, wire=replace(plan.wire, longest_backoff_ns=longest_backoff_ns)))
    load.connect(S)
    with pytest.raises(Unfinished):
        load.load(10 * S)
    return load


def test_a_connection_that_fails_again_and_again_is_opened_after_ever_longer_waits() -> None:
    """The first wait is 50 to 100 ms, and each is twice the one before, up to the longest."""
    assert 2 * 5 <= refused(5 * S).backoff.judged <= 2 * 8
    assert 2 * 50 <= refused(100 * MS).backoff.judged <= 2 * 200


def test_a_connection_that_is_opened_before_its_wait_is_over_is_found() -> None:
    with MUTANTS["reconnect herd"].planted(), pytest.raises(BrokenInvariant, match="waits before it is opened again"):
        refused(5 * S)


def outcomes(kind: EngineKind, seeds: int, *, faults: bool = True) -> list[Outcome]:
    cases = EngineOperations(OPERATIONS, kind, faults=faults)
    return [cases.run(Tape.seeded(cases.name, seed)) for seed in range(seeds)]


def reached_by(found: list[Outcome]) -> Counter[str]:
    return sum((Counter(outcome.sometimes) for outcome in found), Counter())


def test_seeds_pass_without_faults_and_reach_what_weather_does() -> None:
    found = outcomes(ENGINE_KINDS[0], SEEDS, faults=False)
    assert [outcome.message for outcome in found if outcome.failed] == []
    reached = reached_by(found)
    for state in ("a segment is split", "a segment is lost", "a write finds no room", "a request times out"):
        assert reached[state], state
    assert not any(state.startswith(("fault", "planted")) for state in reached)


@pytest.mark.parametrize("kind", ENGINE_KINDS, ids=lambda kind: kind.name)
def test_seeds_pass_under_faults_and_reach_every_state(kind: EngineKind) -> None:
    found = outcomes(kind, SEEDS)
    assert [outcome.message for outcome in found if outcome.failed] == []
    names = {state for outcome in found for state in outcome.sometimes}
    assert {f"fault: {word}" for word in kind.faults} <= names <= {*NEVER, *reached_by(found)} | RARE
    assert all(outcome.virtual_ns > 0 for outcome in found)


ONLY_ERRORS = EngineKind("errors", faults=("engine pauses",), means=(0.0,))
"""Seeds in which nothing but what is planted in servers keeps replies from being good."""


@pytest.mark.parametrize(
    ("more", "invariant"),
    [(-1, engine_operations.UNDERSTOOD), (1, engine_operations.REFUSED), (0, "")],
    ids=["one that no server gave", "one that is not counted", "as they are"],
)
def test_error_replies_are_counted_as_many_as_servers_gave(
    more: int, invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Scene.all_faults

    def miscounted(scene: Scene) -> Any:
        found = whole(scene)
        refused = sum(faults.refused for faults in found)
        return [SimpleNamespace(refused=refused + more, closed=0)] if refused else found

    monkeypatch.setattr(Scene, "all_faults", miscounted)
    monkeypatch.setattr(Planted, "drawn", classmethod(lambda cls, tape: cls(error_rate=0.3)))
    found = outcomes(ONLY_ERRORS, 10)
    assert reached_by(found)["planted: server answers with errors"] > 100
    assert {outcome.invariant for outcome in found if outcome.failed} == ({invariant} if invariant else set())


@pytest.mark.parametrize("less", [0, 1], ids=["all", "one less"])
def test_what_was_not_answered_with_an_error_was_executed(less: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Scene.all_calls

    def miscounted(scene: Scene) -> dict[str, int]:
        found = whole(scene)
        command = max(found, key=found.__getitem__)
        return {**found, command: found[command] - less}

    monkeypatch.setattr(Scene, "all_calls", miscounted)
    monkeypatch.setattr(Planted, "drawn", classmethod(lambda cls, tape: cls(error_rate=0.3)))
    found = outcomes(ONLY_ERRORS, 10)
    assert {outcome.invariant for outcome in found if outcome.failed} == (
        {engine_operations.EXECUTED} if less else set()
    )


def test_a_server_that_is_started_again_has_the_same_planted() -> None:
    pair = Pair()
    server = BuiltinServer(pair.far, PORT + 1, Format.RESP)
    scene = Scene(pair.network, pair.near, [server], planted=Planted(error_rate=0.3))
    scene.kill(0, power=True)
    scene.start_again(0, keeps=False)
    [faults] = scene.all_faults()
    assert (faults.error_rate, faults.refused) == (0.3, 0)


NEVER = {"a connection is turned away", "a connection is refused"}
RARE = {"a write finds no room", "a toxic is removed while chunks wait in it"}
"""By too few of so few seeds."""


PROGRAM = """
import sys
from loadgen.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def traces(text: str) -> dict[tuple[str, int], str]:
    return {(each["name"], each["seed"]): each["trace_hash"] for each in json.loads(text)["results"]}


@pytest.mark.parametrize("seeds", [12, pytest.param(100, marks=pytest.mark.law)])
def test_a_seed_is_one_run_in_every_process_and_beside_others(seeds: int) -> None:
    """In a second process with another PYTHONHASHSEED, and beside a program that takes the CPU."""
    words = ("simulate", "--subject", "engine", "--seeds", str(seeds), "--ops", "50", "--format", "json")
    done = invoked(*words)
    here = traces(done.stdout)
    assert len(here) == len({*here.values()}) == seeds * sum(row.subject == ENGINE for row in ROWS)
    summary = json.loads(done.stdout)["summary"]
    assert summary["virtual_ratio"] >= 100
    assert summary["seeds_per_s"] > 0
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as hog:
        try:
            environment = {**os.environ, "PYTHONHASHSEED": "17"}
            command = [sys.executable, "-c", PROGRAM, *words]
            said = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
        finally:
            hog.kill()
    assert traces(said.stdout) == here


def test_a_history_that_is_illegal_or_not_whole_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    gathered = engine_operations.file.gathered

    def read_of_nobody(blocks: bytes) -> Operations:
        operations = gathered(blocks)
        for index, record in enumerate(map(Record._make, operations)):
            if record.op == READ and record.outcome == OK:
                with memoryview(operations) as whole:
                    at = index * RECORD_BYTES + 24
                    whole[at : at + 8] = (record.value + 1_000_000).to_bytes(8, "little")
                return operations
        return operations

    def one_less(blocks: bytes) -> Operations:
        operations = gathered(blocks)
        operations.cut(len(operations) - 1)
        return operations

    kind = EngineOperations(200)
    for wrong, invariant in ((read_of_nobody, engine_operations.LEGAL), (one_less, engine_operations.COUNTED)):
        monkeypatch.setattr(engine_operations.file, "gathered", wrong)
        found = [kind.run(Tape.seeded(kind.name, seed)) for seed in range(10)]
        assert {outcome.invariant for outcome in found if outcome.failed} == {invariant}


def test_a_campaign_that_is_large_enough_fails_for_a_state_that_it_did_not_reach(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("simulate", "--subject", "engine", "--ops", "300", "--seeds")
    assert invoked(*words, "1").status == 0
    monkeypatch.setattr(simulated, "STATES_FROM", 1)
    done = invoked(*words, "1", "--format", "json")
    assert done.status == 1
    assert "no case reached the state" in json.loads(done.stdout)["summary"]["reasons"][0]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("--ops 0", '--ops: "0" is not a whole number from 1 to 1000000'),
        ("--filter nothing", 'simulate has no test "nothing"'),
        ("--subject engine --filter client_liveness", "the filter names no test of engine"),
        ("a:b --ops 10", "--ops is for loadgen's own code"),
        ("--subject server", "must be one of engine, client"),
    ],
)
def test_what_names_no_case_is_refused(words: str, problem: str) -> None:
    done = invoked("simulate", *words.split())
    assert done.status == 2
    assert problem in done.stderr


class Unsteady:
    """A kind that another state of the process decides."""

    name = "unsteady"

    def __init__(self) -> None:
        self.runs = 0

    def run(self, tape: Tape) -> Outcome:
        self.runs += 1
        tape.below(10 * self.runs, "digit")
        return Outcome(Verdict.PASS, trace=f"{self.runs}")

    def events(self, tape: Tape) -> list[str]:
        self.runs += 1
        return ["same", f"event of run {self.runs}"]


def test_a_kind_that_differs_when_it_is_run_twice_fails_where_it_went_another_way() -> None:
    outcome = Twice(Unsteady()).run(Tape.seeded("unsteady", 1))
    assert outcome.failed
    assert outcome.invariant == INVARIANT
    assert outcome.message.startswith("not deterministic: ")
    assert 'at draw 1 of 1: "digit" below 10 when recorded, "digit" below 20 now' in outcome.message
    assert "event 2 differs: event of run 3, then event of run 4" in outcome.message
    kind = EngineOperations(50)
    tape = Tape.seeded(kind.name, 1)
    outcome = Twice(kind).run(tape)
    assert outcome == kind.run(tape.again())
    events = kind.events(tape.again())
    assert len(events) > 50
    assert events == kind.events(tape.again())
