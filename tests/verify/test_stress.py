"""`loadgen stress`: loads whose connections contend for the same keys, and one table of them."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from command import PLACES
from constructed_stress import STRESSES, row
from in_process import invoked
from real_servers import RealServer, free_port
from rendered import text

from loadgen.cli import specification
from loadgen.cli.options.parse import parse
from loadgen.cli.verbs import stress as verb
from loadgen.errors import ExitCode, UsageError
from loadgen.events import Event, Result
from loadgen.host import memory
from loadgen.output.reports.stress_junit import junit
from loadgen.plan import Endpoint, Target
from loadgen.runner.stop import Stop
from loadgen.target.talk.memory import used_bytes
from loadgen.units import NS_PER_S
from loadgen.verify.case import Verdict
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded
from loadgen.verify.stress.shape import Shape, shapes
from loadgen.verify.stress.stress import StressTest

SHORT = ("--duration", "300ms", "--warmup", "100ms")

# A machine that is busy with other tests makes a generator that is late: such a load is not judged.
MEASURED = (ExitCode.YES, ExitCode.CANNOT_TELL)


def document(*words: str) -> tuple[int, dict[str, Any]]:
    done = invoked("stress", *SHORT, *words, "--format", "json")
    return done.status, json.loads(done.stdout)


# ── Real loads ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_thousand_connections_contend_for_ten_hot_keys_of_100_kb() -> None:
    done = invoked("stress", *SHORT, "-c", "1000", "-k", "10", "--value-size", "100kb", "--format", "ndjson")
    [result] = [record for record in done.records if record["type"] == "result"]
    load, end = done.records[-2:]
    assert done.status in MEASURED
    assert result["counts"]["planned"] == sum(result["counts"][place] for place in PLACES) == load["planned"]
    assert result["conns_failed"] == 0
    assert (load["connections"], load["keys"], load["value_bytes"]) == (1000, 10, 102_400)
    # Several connections are on each key at the same time.
    assert load["in_flight_per_key"] > 10
    assert load["hit_pct"] == 100
    assert 0 < load["p50_us"] <= load["p99_us"]
    assert load["memory_bytes"] > 10 * 102_400
    assert end["metadata"]["suite"] == "stress"
    assert load["server"].startswith("redis ")


def test_all_connections_share_the_keys_and_every_request_is_accounted_for() -> None:
    with RealServer.redis() as server:
        done = invoked("stress", *SHORT, "-p", str(server.port), "-c", "5,20", "-k", "7", "--format", "ndjson")
        # Keys of one load are those of the next, whatever the number of connections.
        assert server.redis().dbsize() == 7
        counted = server.redis().info("commandstats")
    assert done.status in MEASURED
    results = [record for record in done.records if record["type"] == "result"]
    loads = [record for record in done.records if record["type"] == "stress-load"]
    assert [record["type"] for record in done.records[-2:]] == ["stress-load", "stress"]
    assert [load["connections"] for load in loads] == [5, 20]
    for result, load in zip(results, loads, strict=True):
        counts = result["counts"]
        assert counts["planned"] == sum(counts[place] for place in PLACES) == load["planned"]
        assert load["not_ok"] == counts["planned"] - counts["ok"]
    sent = sum(result["totals"]["sent"] for result in results)
    asked = sum(counted[f"cmdstat_{name}"]["calls"] for name in ("get", "set", "ping"))
    # Beside the loads' own, each load and its beginning ask whether the server answers.
    assert 0 <= asked - sent <= 10


def test_a_rate_makes_an_open_loop_and_the_table_has_a_row_for_each_combination() -> None:
    done = invoked("stress", *SHORT, "-c", "4,8", "-k", "3", "--value-size", "64", "--rate", "500", "--color=never")
    assert done.status in MEASURED
    lines = [line.split() for line in done.stdout.splitlines()]
    rows = [line[:4] for line in lines if len(line) > 4 and line[0] in ("4", "8")]
    assert rows == [["4", "3", "64", "B"], ["8", "3", "64", "B"]]
    assert "loop poisson, 500 requests/s" in done.stdout


def test_checks_of_a_configuration_judge_each_load(tmp_path: Path) -> None:
    file = tmp_path / "contention.toml"
    checks = '[[check]]\nexpr = "throughput < 1/s"\n'
    file.write_text(f'{checks}[general]\nwarmup = "100ms"\nduration = "300ms"\n[connection]\nconnections = 3\n')
    done = invoked("stress", str(file), "-k", "5", "--format", "json", "-o", str(tmp_path / "report.json"))
    found = json.loads((tmp_path / "report.json").read_text())
    # Beside the file, standard output shows the table for people.
    assert "checks FAIL: throughput < 1/s" in done.stdout
    assert done.status == ExitCode.NO
    assert found["summary"]["failed"] == 1
    [failed] = found["failed_seeds"]
    assert failed["error"] == "check: throughput < 1/s"
    words = shlex.split(failed["replay_command"])
    seed = str(failed["seed"])
    assert words == ["loadgen", "stress", str(file), "-c", "3", "-k", "5", "--value-size", "64", "--seed", seed]


def test_a_server_that_does_not_answer_is_said_of_each_load() -> None:
    status, found = document("-p", str(free_port()), "-c", "1,2")
    assert status == ExitCode.COULD_NOT_RUN
    assert found["summary"]["untold"] == 2
    assert all("Nothing is listening" in load["failure"] for load in found["results"])


# ── What is put on ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_combination_is_a_shape() -> None:
    made = shapes([10, 100], [1, 2], [64])
    assert made == (Shape(10, 1, 64), Shape(10, 2, 64), Shape(100, 1, 64), Shape(100, 2, 64))
    assert str(Shape(1000, 1, 102_400)) == "1,000 connections × 1 key × 102,400 B"


def test_the_scenarios_are_those_of_redlite_dst_and_share_their_keys() -> None:
    every = [shape for shape, _ in specification.stress(specification.spec_of(None), "all")]
    assert {shape.connections for shape in every} == {10, 100, 1000}
    assert {shape.keys for shape in every} >= {1_000, 100_000, 1_000_000}
    assert {shape.value_bytes for shape in every} == {1024, 10_240, 102_400}
    assert Shape(1000, 10, 102_400) in every


def test_all_scenarios_are_loads_without_doubles_and_too_large_ones_are_left_out() -> None:
    given = parse(verb.SYNTAX, ["--scenario", "all", "--max-memory", "150MB", "--embedded", "--seed", "7"])
    loads = verb.loads_of(given)
    assert len({load.shape for load in loads}) == len(loads)
    left_out = [load.shape for load in loads if load.lack]
    assert left_out == [shape for shape in (load.shape for load in loads) if shape.stored_bytes > 150_000_000]
    assert left_out == [Shape(100, 1_000_000, 1024)]
    assert all(load.plan.workload.prefill and load.plan.seed == 7 for load in loads)


def test_a_spec_file_has_scenarios_of_its_own(tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    test = 'name = "mine"\nconnections = [2, 4]\nvalue_sizes = [64]\noperations_per_connection = 50\n'
    spec.write_text(f"[[scenarios.stress.tests]]\n{test}")
    words = ["--spec", str(spec), "--scenario", "all", "--embedded"]
    loads = verb.loads_of(parse(verb.SYNTAX, words))
    assert [load.shape for load in loads] == [Shape(2, 100_000, 64), Shape(4, 100_000, 64)]
    assert [load.plan.load.requests for load in loads] == [100, 200]
    assert loads[0].replay.endswith(" -n 100")
    # A duration that was typed wins over the file's number of requests.
    timed = verb.loads_of(parse(verb.SYNTAX, [*words, "--duration", "2s"]))
    assert [(load.plan.load.requests, load.plan.load.duration_ns) for load in timed] == [(0, 2 * NS_PER_S)] * 2
    assert " -n " not in timed[0].replay
    spec.write_text("")
    with pytest.raises(UsageError, match="the spec file has no test of stress"):
        verb.loads_of(parse(verb.SYNTAX, words))


def test_a_password_is_not_repeated() -> None:
    words = ["-c", "1", "-a", "secret", "-u", "redis://me:secret@h:1", "--set", "general.interval=1s", "-q"]
    others = [["--set", "target.password=secret"], ["--set", 'target.endpoints=["redis://:secret@h"]']]
    for other in others:
        assert "secret" not in verb.replay_command(parse(verb.SYNTAX, other), Shape(1, 2, 3), 4)
    command = verb.replay_command(parse(verb.SYNTAX, words), Shape(1, 2, 3), 4)
    assert command == (
        "loadgen stress -a PASSWORD -u redis://PASSWORD@h:1 --set general.interval=1s -c 1 -k 2 --value-size 3 --seed 4"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scenario", "keys", "-c", "1"], "--scenario has its own shapes: leave out -c."),
        (["-c", "10,x"], '-c: "x" is not a count'),
        (["-c", "0"], "-c: must be at least 1, not 0"),
        (["-d", "10s"], "-d is the size of a value in bytes"),
        (["--embedded", "-p", "1"], "--embedded and -p each name the server"),
        (["--protocol", "ping"], "ping has no keys to contend for"),
        (["--set", "workload.saturation_search={}"], "workload.saturation_search"),
        (["--scenario", "hot"], "there is no scenario of stress hot; there are connections, keys, hot_keys"),
        (["--spec", "spec.toml"], "--spec has the loads of --scenario"),
    ],
)
def test_wrong_words_end_with_one_sentence(words: list[str], said: str) -> None:
    done = invoked("stress", *words)
    assert done.status == ExitCode.USAGE
    assert said in done.stderr
    assert done.stdout == ""


# ── What came of it ───────────────────────────────────────────────────────────────────────────────────────────────────


def stressed(run: str, **changes: object) -> Stressed:
    found = row(Shape(100, 10, 64), run, **changes)[-1]
    assert isinstance(found, Stressed)
    return found


@pytest.mark.parametrize(
    ("run", "changes", "verdict"),
    [
        ("closed_loop", {}, Verdict.PASS),
        ("objectives", {}, Verdict.FAIL),
        ("errors_of_all_kinds", {}, Verdict.UNTOLD),
        ("closed_loop", {"result": None, "failure": "it did not start"}, Verdict.UNTOLD),
        ("closed_loop", {"result": None, "skipped": "too large"}, Verdict.SKIPPED),
    ],
)
def test_a_load_passes_when_its_result_holds_and_nothing_was_missed(
    run: str, changes: dict[str, object], verdict: Verdict
) -> None:
    assert stressed(run, **changes).verdict is verdict


@pytest.mark.parametrize(
    ("scene", "status"),
    [
        ("stress_passed", ExitCode.YES),
        ("stress_failed", ExitCode.CANNOT_TELL),
        ("stress_could_not_run", ExitCode.COULD_NOT_RUN),
        ("stress_skipped", ExitCode.CANNOT_TELL),
        ("stress_interrupted", ExitCode.INTERRUPTED),
    ],
)
def test_the_exit_status_is_that_of_the_gravest_load(scene: str, status: ExitCode) -> None:
    ended = STRESSES[scene]()[-1]
    assert isinstance(ended, StressEnded)
    assert ended.exit_code is status


def test_requests_under_way_on_a_key_are_by_littles_law() -> None:
    found = stressed("closed_loop")
    assert found.result is not None
    service = found.result.measured.latency(clock="service")
    answered_per_s = found.result.measured.answered_in_time / (found.result.duration_ns / NS_PER_S)
    assert found.in_flight_per_key == pytest.approx(answered_per_s * service.mean / NS_PER_S / 10)
    assert replace(found, shape=Shape(100, 1, 64)).in_flight_per_key == pytest.approx(found.in_flight_per_key * 10)


def test_an_interrupt_ends_the_loads_and_keeps_what_there_is() -> None:
    stop, told = Stop(), list[Event]()
    loads = verb.loads_of(parse(verb.SYNTAX, ["-c", "2,4,8", "-k", "3", "--duration", "200ms", "--warmup", "0"]))

    def emit(event: Event) -> None:
        told.append(event)
        if isinstance(event, Result):
            stop.set()

    ended = StressTest(loads, emit, stop).ended(StressBegan(tuple(load.shape for load in loads), "1", {}))
    assert [found.shape.connections for found in ended.rows] == [2]
    assert ended.exit_code is ExitCode.INTERRUPTED


def test_markdown_has_the_table_and_says_what_did_not_pass() -> None:
    shown = text("markdown", "stress_failed")
    assert shown.startswith("# stress: CANNOT TELL\n")
    table = [line for line in shown.splitlines() if line.startswith("| 100 | ")]
    assert len(table) == 3
    others = shown.partition("## Loads That Did Not Pass")[2]
    assert others.count("loadgen stress -c 100") == 2
    # A server's words make neither cells nor sequences.
    assert "\x1b" not in shown


def test_junit_has_a_case_for_each_load_and_counts_those_that_did_not_pass() -> None:
    for scene, counts in {"stress_passed": (0, 0, 1), "stress_failed": (1, 1, 0)}.items():
        ended = STRESSES[scene]()[-1]
        assert isinstance(ended, StressEnded)
        suites = ElementTree.fromstring(junit(ended))
        assert [int(suites.attrib[name]) for name in ("failures", "errors", "skipped")] == [*counts]
        cases = suites.findall("./testsuite/testcase")
        assert len(cases) == 3 == int(suites.attrib["tests"])
        for kind, count in zip(("failure", "error", "skipped"), counts, strict=True):
            found = [case.find(kind) for case in cases if case.find(kind) is not None]
            assert len(found) == count
            assert all("loadgen stress -c 100 " in (each.text or "") for each in found if each is not None)


# ── Memory ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_available_memory_is_what_the_kernel_estimates(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:       100 kB\nMemAvailable:    40 kB\n")
    assert memory.available_bytes(tmp_path) == 40 * 1024
    assert (memory.available_bytes(tmp_path / "nowhere") or 0) > 1 << 20


def test_a_server_says_what_it_uses() -> None:
    with RealServer.memcached() as server:
        target = Target("memcache", (Endpoint("h", server.port, server.host),))
        assert used_bytes(target) == 0
    assert used_bytes(target) is None
    with RealServer.redis() as server:
        there = Endpoint("h", server.port, server.host)
        alone = used_bytes(Target("resp", (there,)))
        assert (alone or 0) > 100_000
        # A part is not all.
        assert used_bytes(Target("resp", (there, *target.endpoints))) is None
