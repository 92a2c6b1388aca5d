"""The benchmark runs, its tables have their rows, and its figures are numbers. Their size is not tested."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

GENERATORS = {"bare C", "loadgen", "redis-benchmark"}
GOALS = (
    "4×8 redis: loadgen ÷ bare C",
    "4×8 redis: loadgen ÷ redis-benchmark",
    "4×8 loadgen: memcached ÷ redis",
    "encode GET, resp",
    "decode 64 B GET reply, resp",
    "record",
    "1 MiB values: CPU per byte, loadgen ÷ bare recv",
    "loadgen --version ÷ python -c pass",
)
REST = ("4×8 meta ÷ text: loadgen's CPU per request", "memory of each of 200 connections")
# Every other section is made of the same runs, rounds and ratios, and is left to `make laws`.
FEW = ("--only", "shapes,micro,bytes,start")


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "benchmark" / "bench.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


PROGRAMS = ("redis-server", "redis-benchmark", "memcached")


@pytest.mark.skipif(sys.platform != "linux", reason="bare C is written for epoll")
@pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason="redis or memcached is not installed")
@pytest.mark.parametrize(
    ("sections", "named"),
    [(FEW, GOALS), pytest.param((), GOALS + REST, marks=pytest.mark.law)],
    ids=["some sections", "all sections"],
)
def test_a_quick_benchmark_has_a_row_for_everything_and_every_figure_is_a_number(
    sections: tuple[str, ...], named: tuple[str, ...], tmp_path: Path
) -> None:
    done = bench("--quick", *sections, "--json", str(tmp_path / "figures.json"))
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    written = json.loads((tmp_path / "figures.json").read_text())

    runs = written["figures"]["shapes"]["runs"]
    assert {run["generator"] for run in runs if run["server"] == "redis"} >= GENERATORS
    assert {(run["server"], run["shape"]) for run in runs} == {("redis", "4×8"), ("memcached", "4×8")}
    assert all(math.isfinite(value) for run in runs for figures in run["rounds"] for value in figures.values())
    assert all(figures["requests_per_s"] > 0 for run in runs for figures in run["rounds"])

    goals = {goal["what"]: goal for goal in written["goals"]}
    assert set(named) <= set(goals)
    assert all(math.isfinite(value) for goal in goals.values() for value in goal["values"])
    for what in named:
        assert goals[what]["met"] in (True, False)
        assert any(line.startswith(what) for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--only", "shapes,speed"), "there is no section speed"),
        (("--rounds", "0"), "at least one round"),
        (("--shapes", "fifty"), "argument --shapes"),
        (("--against", "no-such-revision", "--only", "start"), "no-such-revision"),
    ],
)
def test_what_the_benchmark_cannot_do_is_said(arguments: tuple[str, ...], why: str) -> None:
    done = bench("--quick", *arguments)
    assert done.returncode in (2, 3)
    assert why in done.stderr


def test_the_benchmark_of_proxies_has_both_goals_or_says_what_it_needs(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "benchmark" / "proxy.py", "--rounds", "1", "--for", "0.05"]
    done = subprocess.run([*command, "--json", tmp_path / "figures.json"], capture_output=True, text=True, timeout=120)
    if done.returncode == 3:
        assert "Toxiproxy 2.12.0 is not built: set LOADGEN_BUILD_TOXIPROXY=1, with Go installed." in done.stderr
        return
    assert done.returncode in (0, 1), done.stderr
    assert "added p50, loadgen proxy ÷ toxiproxy" in done.stdout
    assert "throughput, toxiproxy ÷ loadgen proxy" in done.stdout
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures) == {"direct", "loadgen proxy", "toxiproxy 2.12.0"}
    assert all(value > 0 for way in figures.values() for values in way.values() for value in values)


def test_the_benchmark_of_histories_has_a_row_for_each_and_names_its_goals(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "benchmark/histories.py", "--operations", "5000", "--rounds", "1"]
    done = subprocess.run([*command, "--json", tmp_path / "f.json"], capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "1,000 keys: time for each operation" in done.stdout
    figures = json.loads((tmp_path / "f.json").read_text())
    assert len(figures) == 6
    assert all(value > 0 for way in figures.values() for values in way.values() for value in values)


@pytest.mark.skipif(not shutil.which("memcached"), reason="memcached is not installed")
def test_the_benchmark_of_clients_has_a_row_for_each_way_and_names_its_goals() -> None:
    cpus = ",".join(map(str, [*sorted(os.sched_getaffinity(0)), *os.sched_getaffinity(0)][:2]))
    command = [sys.executable, ROOT / "benchmark/client.py", "--operations", "1000", "--rounds", "1", "--cpus", cpus]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0] for line in done.stdout.splitlines()[1:7]}
    assert rows == {"loop", "threads", "client", "client10", "pipelined", "bound"}
    goals = re.findall("^goal: ([a-z]+) ≥ [0-9]+ × ([a-z]+): ", done.stdout, re.MULTILINE)
    assert goals == [(ours, theirs) for ours in ("client", "pipelined") for theirs in ("threads", "loop")]


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis is not installed")
def test_the_benchmark_of_agents_leads_those_that_only_report_and_counts_all_of_their_reports(tmp_path: Path) -> None:
    """The benchmark itself holds what the leader has counted against what was reported."""
    less = ["--rounds", "0", "--agents", "", "--pretended", "3", "--seconds", "0.2"]
    command = [sys.executable, ROOT / "benchmark/agents.py", *less, "--json", tmp_path / "f.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    [led] = json.loads((tmp_path / "f.json").read_text())["leader"]["agents that only report"]
    assert led["agents"] == 3
    assert led["requests"] == 30_000
    assert led["cpu_ms"] > 0
