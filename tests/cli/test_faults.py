"""`loadgen run` with `[[fault]]`: the files that are shipped, what other verbs say, and what cannot be carried out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomli
from in_process import invoked
from places import CONFIGS, SERVERS
from real_servers import RealServer
from records import check_record
from runs import endpoints, sets

from loadgen.units import parse_duration

FAULTY = sorted(path for path in CONFIGS.glob("*.toml") if "fault" in tomli.loads(path.read_text()))
SHORTER = 20
"""How many times as fast everything happens here."""

BRIEFLY = (
    "general.warmup=50ms",
    "general.interval=100ms",
    "connection.request_timeout=30s",
    "workload.keyspace.count=2000",
    "verdict.lag=30s",
    "verdict.shortfall=1",
)


def hurried(fault: dict[str, Any]) -> str:
    """One of `[[fault]]`, as it stands but short."""
    lengths = {
        key: f"{parse_duration(fault[key]) // SHORTER // 1000}us" for key in ("at", "for", "every") if key in fault
    }
    return "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in (fault | lengths).items()) + "}"


def test_there_is_a_file_for_a_process_and_for_a_proxy() -> None:
    assert [path.stem for path in FAULTY] == ["fault-cluster", "fault-kill", "fault-latency"]


# A cluster takes its time: tests/runner/test_started_clusters.py runs that file.
@pytest.mark.parametrize("path", FAULTY[1:], ids=lambda path: path.stem)
def test_a_shipped_file_with_faults_runs_and_its_faults_fire(path: Path) -> None:
    shipped = tomli.loads(path.read_text())
    length_ns = parse_duration(shipped["general"]["duration"]) // SHORTER
    short = [
        *BRIEFLY,
        f"general.duration={length_ns // 1000}us",
        f"fault=[{', '.join(map(hurried, shipped['fault']))}]",
    ]
    with RealServer.redis() as server:
        here = [] if "server" in shipped["target"] else [endpoints(server)]
        done = invoked(str(path), "--format", "json", *sets(*short, *here))
    assert done.status == 0, done.stderr
    for record in done.records:
        check_record(record)
    assert done.records[0]["faults"][0]["kind"] == shipped["fault"][0]["kind"]
    marks = [record for record in done.records if record["type"] == "fault"]
    times = shipped["fault"][0].get("times", 1)
    assert [mark["begins"] for mark in marks] == times * [True, False]
    [report] = done.result["faults"]
    assert report["fired"]
    assert len(report["spells"]) == times
    assert {outage["node"] for outage in done.result["outages"]} == {1}
    assert done.result["verdict"]["failed_because"] == []


def refused(*words: str) -> tuple[int, str]:
    done = invoked(*words)
    assert done.stdout == ""
    return done.status, done.stderr


KILL = 'fault=[{kind="kill", at="1s"}]'


def test_a_fault_that_takes_a_server_of_ours_is_refused_on_one_that_others_run() -> None:
    status, words = refused("run", "-p", "1", "--duration", "5s", "--set", KILL)
    assert status == 3
    assert words.startswith("loadgen: [[fault]] 1, kill (process) on every node: loadgen did not start this server")


def test_a_fault_on_a_node_that_is_not_there_is_refused() -> None:
    status, words = refused("run", "-p", "1", "--duration", "5s", "--set", 'fault=[{kind="down", on=2}]')
    assert status == 2
    assert "there is 1 node, and no node 2" in words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("smoke", "-p", "1"), "[[fault]] is for loadgen run, and a smoke test is of servers without faults"),
        (
            ("gate", str(CONFIGS / "gate.toml"), "--baseline", "127.0.0.1:1", "--server", str(SERVERS / "redis.toml")),
            "[[fault]] is for loadgen run, and a comparison is of servers without faults",
        ),
        (
            ("compare", "127.0.0.1:1", "127.0.0.1:2"),
            "[[fault]] is for loadgen run, and a comparison is of servers without faults",
        ),
        (("saturate", "-p", "1"), "a search looks for the highest rate of servers without faults"),
        (
            ("run", "-p", "1", "--duration", "5s", "-t", "get,set"),
            "-t runs tests one after another, and [[fault]] is for one load",
        ),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_verbs_that_carry_out_no_faults_say_so(words: tuple[str, ...], said: str) -> None:
    status, printed = refused(*words, "--set", KILL)
    assert status == 2
    assert said in printed
