"""The simulation of a spec file: each of its keys changes what simulated cases draw."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from loadgen.cli import specification
from loadgen.cli.verification import Job
from loadgen.config import spec_file
from loadgen.errors import UsageError
from loadgen.verify.case import Verdict
from loadgen.verify.kinds.simulated import suite as simulated
from loadgen.verify.kinds.simulated.bounds import Bounds
from loadgen.verify.kinds.simulated.client_kinds import PROFILES
from loadgen.verify.kinds.simulated.client_plan import Plan
from loadgen.verify.kinds.simulated.engine_faults import drawn_faults
from loadgen.verify.kinds.simulated.engine_operations import ENGINE_KINDS, EngineOperations
from loadgen.verify.kinds.simulated.jobs_plan import PROFILES as QUEUES
from loadgen.verify.kinds.simulated.jobs_plan import Weather
from loadgen.verify.scenario.settings import MOST_FAULTS
from loadgen.verify.tape import Tape

TEXT = """
[simulation]
default_config = { seeds = 4, operations_per_seed = 300, clients = 3, tick_ms = 7 }
[[simulation.scenarios]]
name = "quiet"
[[simulation.scenarios]]
name = "crash_recovery"
fault_rate = 0.05
faults = ["crash", "slow_fsync", "disk_full"]
"""


def jobs(words: str | None = None, text: str = TEXT) -> list[Job]:
    spec = spec_file.spec_of(text, "my.toml", specification.vocabulary())
    return specification.simulation(spec, {"ops": "300"}, range(4), simulated.SUITE.kinds, words)


def test_a_scenario_is_a_job_of_the_kinds_of_its_name_with_its_faults() -> None:
    quiet, crashes = jobs()
    assert quiet.kinds == simulated.SUITE.kinds
    assert quiet.options == {"ops": "300", "clients": "3", "tick-ms": "7", "fault-rate": "0.0", "faults": ""}
    assert crashes.kinds == ("engine_crash_recovery", "client_crash_recovery")
    assert (crashes.options["fault-rate"], crashes.options["faults"]) == ("0.05", "crash,slow_fsync")


def test_a_filter_names_scenarios_and_kinds() -> None:
    assert [job.options["fault-rate"] for job in jobs("quiet")] == ["0.0"]
    [job] = jobs("quiet,engine_liveness")
    assert job.kinds == ("engine_liveness",)


def test_words_without_a_simulated_fault_are_left_out_aloud_and_a_scenario_of_these_alone_is_refused() -> None:
    spec = spec_file.spec_of(TEXT, "my.toml", specification.vocabulary())
    assert [words for words in specification.cautions(spec) if "disk_full is left out" in words]
    with pytest.raises(UsageError, match="crash_recovery has no fault that simulated servers have"):
        jobs(text=TEXT.replace('"crash", "slow_fsync", ', ""))


def test_faults_without_a_rate_are_left_out_aloud() -> None:
    text = TEXT.replace("fault_rate = 0.05\n", "")
    spec = spec_file.spec_of(text, "my.toml", specification.vocabulary())
    said = specification.cautions(spec)
    assert said == ["simulation: crash_recovery: its faults are left out, as its fault_rate is 0"]
    assert [job.options["fault-rate"] for job in jobs(text=text)] == ["0.0", "0.0"]


def test_clients_bound_the_connections_of_the_engine_and_the_callers_of_the_client() -> None:
    bounds = Bounds.read({"clients": "3"}, 300)
    for kind in ENGINE_KINDS:
        case = EngineOperations(20, bounds.engine(kind))
        for seed in range(6):
            outcome = case.run(Tape(seed))
            assert outcome.verdict is Verdict.PASS
        shape = bounds.engine(kind).shape
        assert shape.servers * max(shape.connections) <= 3 < kind.shape.servers * max(kind.shape.connections)
    profiles = [bounds.client(profile) for profile in PROFILES]
    assert {len(Plan.drawn(Tape(seed), each, 5).callers) for seed in range(6) for each in profiles} <= {1, 2, 3}


def test_the_rate_is_the_mean_number_of_faults_for_each_operation() -> None:
    kind = Bounds.read({"fault-rate": "0.1"}, 300).engine(ENGINE_KINDS[0])
    counts = [
        len([*drawn_faults(Tape(seed), kind.faults, kind.means, 1, 0, 10**9, most=kind.most_faults)])
        for seed in range(200)
    ]
    assert 20 < sum(counts) / len(counts) < 40
    assert not Bounds.read({"fault-rate": "0.0"}, 300).engine(ENGINE_KINDS[0]).faults


def test_faults_are_of_the_words_and_begin_and_end_at_whole_ticks() -> None:
    bounds = Bounds.read({"fault-rate": "0.1", "faults": "crash,slow_fsync", "tick-ms": "7"}, 300)
    kind = bounds.engine(ENGINE_KINDS[0])
    tick_ns = 7_000_000
    faults = [
        fault
        for seed in range(5)
        for fault in drawn_faults(Tape(seed), kind.faults, kind.means, 1, 5, 10**9, tick_ns=kind.tick_ns)
    ]
    assert {fault.word for fault in faults} == {"server is killed", "server pauses"}
    assert {(at_ns - 5) % tick_ns for fault in faults for at_ns in (fault.from_ns, fault.until_ns)} == {0}


def test_cases_of_every_subject_take_the_bounds() -> None:
    options = {"ops": "60", "clients": "2", "fault-rate": "0.1", "faults": "power_cut", "tick-ms": "7"}
    names = ("engine_liveness", "client_liveness", "redis_power_cuts")
    with simulated.SUITE.opened(names, options, lambda event: None) as opened:
        for kind, own in zip(opened.kinds, ("server loses power", "kill", "loses its power"), strict=True):
            found = [kind.run(Tape(seed)) for seed in range(6)]
            assert all(outcome.verdict is Verdict.PASS for outcome in found)
            words = {word for outcome in found for word in outcome.faults}
            assert words, kind.name
            assert all(own in word for word in words), words


def test_queues_have_the_faults_of_the_words_and_a_file_has_those_of_workers() -> None:
    options = {"clients": "1", "fault-rate": "0.5", "faults": "power_cut,crash", "tick-ms": "7"}
    streams, _, sqlite = (Bounds.read(options, 40).jobs(profile) for profile in QUEUES)
    assert streams.weather == (Weather.POWER_CUT, Weather.KILL_REDIS)
    assert sqlite.weather == (Weather.KILL_WORKER,)
    assert {(each.workers, each.mean_faults, each.tick_ns) for each in (streams, sqlite)} == {((1,), 20.0, 7_000_000)}
    calm = Bounds.read({"fault-rate": "0"}, 40).jobs(QUEUES[0])
    with simulated.SUITE.opened(["jobs_streams"], {"ops": "10", "fault-rate": "0"}, lambda event: None) as opened:
        outcome = opened.kinds[0].run(Tape.seeded("jobs_streams", 1))
    assert calm.weather == ()
    assert outcome.verdict is Verdict.PASS
    assert all(" is killed" in words for words in outcome.faults), "by a job, and by nothing else"


@pytest.mark.parametrize("name", ["client_liveness", "redis_power_cuts"])
def test_faults_of_scenarios_are_as_many_as_the_rate_says_and_begin_at_whole_ticks(name: str) -> None:
    options = {"ops": "60", "clients": "2", "fault-rate": "0.5", "faults": "slow_fsync", "tick-ms": "7"}
    most = 0
    with simulated.SUITE.opened([name], options, lambda event: None) as opened:
        for seed in range(6):
            tape = Tape(seed)
            outcome = opened.kinds[0].run(tape)
            assert outcome.verdict is Verdict.PASS
            begun_us = [round(float(word.partition(" s ")[0]) * 1e6) for word in outcome.faults]
            assert begun_us
            assert {at_us % 7000 for at_us in begun_us} == {0}
            drawn = Counter((draw.site, draw.n) for draw in tape.recording().draws)
            most = max(most, drawn["kind of fault", 1])
            assert [n for site, n in drawn if site == "clients"] == ([2] if name == "redis_power_cuts" else [])
    assert most > MOST_FAULTS


@pytest.mark.parametrize("option", ["clients=0", "fault-rate=2", "faults=luck", "tick-ms=5000", "clients=x"])
def test_an_option_that_is_none_is_refused(option: str) -> None:
    name, _, value = option.partition("=")
    with pytest.raises(UsageError, match=re.escape(f"--{name}: ")):
        Bounds.read({name: value}, 100)
