"""The command line of `loadgen chaos`: what it lists and prints, and what is wrong with words, each in one sentence."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from loadgen.cli.main import main
from loadgen.cli.options import Given, parse
from loadgen.cli.trials import Case, cases_of
from loadgen.cli.verbs import chaos
from loadgen.config import catalogue
from loadgen.errors import ConfigError, UsageError
from loadgen.faults.fault import Layer
from loadgen.faults.kinds import KINDS
from loadgen.trial.drawn import scenario as drawn
from loadgen.trial.workloads import WORKLOADS

S = 1_000_000_000


def given(*words: str) -> Given:
    return parse(chaos.SYNTAX, words)


def cases(*words: str, seed: int = 7) -> list[Case]:
    return cases_of(given(*words), seed)


def test_the_list_has_every_scenario_workload_and_client(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "--list"]) == 0
    words = capsys.readouterr().out.split()
    for name in (*catalogue.entries(), *WORKLOADS, "builtin", "pymemcache", "redis-py", "module:factory"):
        assert name in words


def test_a_scenario_that_is_shown_can_be_run_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "--show", "packet_loss_5_pct"]) == 0
    path = tmp_path / "mine.toml"
    path.write_text(capsys.readouterr().out)
    [case] = cases("--scenario", str(path))
    assert case.plan.scenario == "mine"
    assert case.plan.faults[0].parameters["probability"] == 0.05


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["--scenario", "kill-1-of-4"], 2, 'no scenario and no file "kill-1-of-4"; did you mean kill-1-of-3?'),
        (["--scenario", "nope.toml"], 2, "nope.toml: there is no such file; check the path"),
        (["--scenario", "latency", "--workload", "mixd"], 2, "did you mean mixed?"),
        (["--scenario", "latency", "--client", "pymemcach"], 2, "did you mean pymemcache?"),
        (["--scenario", "disk-full", "--client", "pymemcache"], 2, "speaks memcache, and the nodes speak resp"),
        (["--scenario", "disk-full", "--protocol", "memcache"], 2, "the scenario disk-full is for resp only"),
        (["--scenario", "kill-2-of-3", "--nodes", "1"], 2, "there is no node 2; there is one node, 1"),
        (["--scenario", "latency", "--set", "nodez=3"], 2, "--set: nodez: unknown key; did you mean nodes?"),
        (["--scenario", "latency", "--endpoints", "127.0.0.1"], 2, '"127.0.0.1" has no port'),
        (["--scenario", "latency", "--endpoints", "a:1,b:2", "--nodes", "2"], 2, "keep one of them"),
        (["--scenario", "packet-loss", "--endpoints", "a:1"], 3, "a fault of the net layer, which takes servers that"),
        (["--scenario", "latency", "--faults", "kill"], 2, "keep one of them"),
        (["--seeds", "3"], 2, "add --faults"),
        (["--faults", "latency,disk_full"], 2, "give each group a command of its own"),
        (["--faults", "power_cut", "--history", "of"], 2, "--history is for a client on trial"),
        (["--faults", "latency,crash"], 2, "give each group a command of its own"),
        (["--faults", "lateny"], 2, "did you mean latency?"),
        (["--faults", ","], 2, "names no kind"),
        (["--client", ","], 2, "names no client"),
        (["--tui", "--no-tui"], 2, "contradict each other"),
        (["--format", "json", "--quiet"], 2, "--format and --quiet each name a format: keep one of them"),
        (["--show", "kill"], 2, "no scenario"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: list[str], status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["chaos", *words]) == status
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_several_clients_take_turns_under_one_scenario() -> None:
    found = cases("--scenario", "kill-1-of-3", "--client", "builtin,pymemcache,redis-py")
    assert [(case.plan.client.name, case.plan.protocol) for case in found] == [
        ("builtin", "memcache"),
        ("pymemcache", "memcache"),
        ("redis-py", "resp"),
    ]
    assert all(len(case.bench.managed) == 3 for case in found)


def test_a_file_names_its_clients_and_the_command_line_wins(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    plain = 'title = "nothing"\n[trial]\nclient = {}\n'
    path.write_text(plain.format('["pymemcache", "os:path"]'))
    assert [case.plan.client.name for case in cases("--scenario", str(path))] == ["pymemcache", "os:path"]
    assert [case.plan.client.name for case in cases("--scenario", str(path), "--client", "builtin")] == ["builtin"]
    assert [case.plan.client.name for case in cases("--set", "trial.client=pymemcache")] == ["pymemcache"]
    path.write_text(plain.format('"pymemcach"'))
    with pytest.raises(UsageError, match=r"did you mean pymemcache\?"):
        cases("--scenario", str(path))
    path.write_text(plain.format("[]"))
    with pytest.raises(ConfigError, match=r"mine.toml:3:1: trial.client: must name a client"):
        cases("--scenario", str(path))


def test_the_default_client_of_a_scenario_for_redis_speaks_redis() -> None:
    [case] = cases("--scenario", "disk-full")
    assert (case.plan.client.name, case.plan.protocol) == ("redis-py", "resp")


def test_all_scenarios_of_a_client_are_those_whose_nodes_it_speaks_to() -> None:
    found = {case.plan.scenario for case in cases("--scenario", "all", "--client", "pymemcache")}
    assert found == {name for name in catalogue.scenarios() if catalogue.scenario(name).protocol != "resp"}
    assert len(cases("--scenario", "all")) == len([*catalogue.scenarios()])


def test_options_set_the_plan() -> None:
    [case] = cases(
        *(
            "--scenario",
            "latency",
            "--workload",
            "get-heavy",
            "--concurrency",
            "250",
            "--duration",
            "7s",
            "--nodes",
            "5",
        ),
        *("--set", "timeout=400ms", "--set", "client.max_size=9"),
    )
    plan = case.plan
    assert (plan.traffic.name, plan.concurrency, plan.nodes, plan.timeout_ns) == ("get-heavy", 250, 5, 400_000_000)
    assert plan.phases.fault_ns == 7 * S
    assert plan.client.options == {"max_size": 9}
    assert len(case.bench.managed) == 5


def test_settings_of_a_scenario_are_the_built_in_client_s_and_that_is_said() -> None:
    [case] = cases("--scenario", "pool-exhaustion", "--client", "pymemcache")
    assert case.plan.client.options == {}
    assert "[client] of the scenario is for the built-in client" in case.notes[0].words
    [asked] = cases("--scenario", "pool-exhaustion", "--client", "pymemcache", "--set", "client.max_pool_size=4")
    assert asked.plan.client.options == {"max_pool_size": 4}


def test_without_a_scenario_the_workload_runs_until_it_is_stopped() -> None:
    [case] = cases("--workload", "burst", "--nodes", "2")
    assert (case.plan.scenario, case.plan.faults, case.plan.nodes) == ("", (), 2)
    assert case.plan.phases.baseline_ns == 0
    assert case.plan.traffic.name == "burst"
    assert case.plan.traffic.peak_per_s
    [timed] = cases("--duration", "30s")
    assert timed.plan.phases.baseline_ns == 30 * S


def test_nodes_that_are_there_are_used_through_a_toxiproxy() -> None:
    [case] = cases("--scenario", "latency", "--endpoints", "10.0.0.1:11211,10.0.0.2:11211,10.0.0.3:11211",
                   "--toxiproxy", "http://10.0.0.9:8474")  # fmt: skip
    assert [str(endpoint) for endpoint in case.bench.given] == ["10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211"]
    assert case.bench.managed == ()
    assert case.bench.toxiproxy == "http://10.0.0.9:8474"


def test_faults_of_a_seed_are_the_same_each_time_and_others_by_another_seed() -> None:
    first, second = cases("--faults", "latency,kill", "--seeds", "2", "--seed", "1", seed=1)
    [again] = cases("--faults", "latency,kill", seed=1)
    assert first.plan.faults == again.plan.faults
    assert first.plan.faults != second.plan.faults
    assert {fault.kind for fault in first.plan.faults} == {"latency", "kill"}
    assert [first.plan.scenario, second.plan.scenario] == ["seed-1", "seed-2"]


@pytest.mark.parametrize("seed", range(50))
def test_drawn_faults_lie_within_the_fault_phase_and_never_twice_on_one_node_at_once(seed: int) -> None:
    found = drawn([KINDS["latency"], KINDS["loss"], KINDS["pause"]], seed, 3)
    spells = [(fault.kind, fault.on, fault.at_ns, fault.at_ns + fault.for_ns) for fault in found.faults]
    for kind, on, begin, end in spells:
        assert 0 <= begin < end <= found.phases.fault_ns
        assert on[0] in (1, 2, 3)
        others = [other for other in spells if other[:2] == (kind, on) and other != (kind, on, begin, end)]
        assert all(other[3] <= begin or end <= other[2] for other in others)


def test_the_chaos_monkey_draws_its_schedule_from_the_three_kinds_by_seed() -> None:
    plans = [cases("--scenario", "chaos-monkey", seed=seed)[0].plan for seed in (1, 1, 2, *range(3, 20))]
    assert plans[0].faults == plans[1].faults != plans[2].faults
    layers = {fault.layer for plan in plans for fault in plan.faults}
    assert layers == {Layer.PROXY, Layer.NET, Layer.PROCESS}
    for plan in plans:
        assert len({fault.kind for fault in plan.faults}) >= 5
        for fault in plan.faults:
            assert 0 <= fault.at_ns < fault.at_ns + fault.for_ns <= plan.phases.fault_ns
            assert fault.seed
        for node in (1, 2, 3):
            spells = sorted((f.at_ns, f.at_ns + f.for_ns) for f in plan.faults if f.on == (node,))
            assert all(after[0] - before[1] >= 6 * S for before, after in pairwise(spells))


@pytest.mark.parametrize("seed", range(20))
def test_a_short_schedule_has_its_faults_within_its_phase(seed: int) -> None:
    [case] = cases("--scenario", "chaos-monkey", "--duration", "3s", seed=seed)
    assert 1 <= len(case.plan.faults) <= 3
    assert all(fault.at_ns + fault.for_ns <= 3 * S for fault in case.plan.faults)


def test_a_client_may_be_judged_by_faults_of_the_disk() -> None:
    [case] = cases("--faults", "disk_full", "--client", "redis-py")
    assert case.plan.faults[0].layer is Layer.DISK
    assert any("appendonly" in word for word in case.bench.managed[0].command)


def test_a_kind_of_the_disk_is_for_nodes_with_a_disk() -> None:
    with pytest.raises(UsageError, match="speaks memcache, and the nodes speak resp"):
        cases("--faults", "disk_full", "--client", "pymemcache")


def test_quick_leaves_the_phases_that_set_names() -> None:
    [case] = cases("--scenario", "kill-1-of-3", "--quick", "--set", "phases.recovery=12s", "--set", "phases.fault=20s")
    phases = case.plan.phases
    assert (phases.settle_ns, phases.baseline_ns, phases.recovery_ns) == (10**9, 5 * 10**9, 12 * 10**9)
    assert phases.fault_ns == 5 * 10**9, "a quarter, as of any scenario"


def test_the_wish_for_the_next_trial_is_taken_once() -> None:
    skip = chaos.Skip()
    assert not skip.taken()
    skip.wish()
    skip.wish()
    assert [skip.taken(), skip.taken()] == [True, False]
