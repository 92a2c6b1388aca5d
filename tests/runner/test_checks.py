"""`[[check]]` of a real run: judged at its end, on a real server, and shown by the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import invoked
from real_servers import RealServer

import loadgen
from loadgen.judge.check import Verdict

CONFIG = """
[general]
duration = "300ms"
warmup = "50ms"
interval = "50ms"
threads = 1
seed = 1
[target]
endpoints = ["127.0.0.1:{port}"]
[connection]
connections = 4
[workload]
rate_limit = 500
arrival = "constant"
[workload.keyspace]
count = 100
[verdict]
lag = "30s"
shortfall = 1.0
[[check]]
expr = "max < 1h and requests == 150 and errors == 0 and throughput[get] < 500/s"
[[check]]
expr = "rate(requests) > 100/s and count(p99) >= 1 and mean(requests) <= 150"
"""


@pytest.fixture(scope="module")
def redis() -> Iterator[RealServer]:
    with RealServer.redis() as server:
        yield server


@pytest.mark.parametrize(
    ("more", "status", "answers", "remark"),
    [
        ("", 0, ["pass", "pass"], ""),
        ('[[check]]\nexpr = "max < 1ns"\nlevel = "nice"', 0, ["pass", "pass", "fail"], ""),
        ('[[check]]\nexpr = "max < 1ns"', 1, ["pass", "pass", "fail"], "loadgen: checks FAIL: max < 1ns (max = "),
        (
            '[[check]]\nexpr = "p99[delete] < 1s"',
            4,
            ["pass", "pass", "cannot-tell"],
            "loadgen: checks cannot tell: p99[delete] < 1s (no delete was measured)",
        ),
        ('[[check]]\nexpr = "max(rss) < 1GB or max < 1h"', 0, ["pass", "pass", "pass"], ""),
    ],
)
def test_the_result_of_a_run_is_held_against_its_checks(
    redis: RealServer, tmp_path: Path, more: str, status: int, answers: list[str], remark: str
) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(CONFIG.format(port=redis.port) + more)
    done = invoked("run", str(path), "--format", "json")
    result = [json.loads(line) for line in done.stdout.splitlines()][-1]
    assert [check["answer"] for check in result["checks"]] == answers, result["checks"]
    assert done.status == status, result["verdict"]
    assert done.stderr.startswith(remark) if remark else "check" not in done.stderr


def test_a_program_gives_checks_by_keyword(redis: RealServer) -> None:
    plan = loadgen.Plan(
        f"127.0.0.1:{redis.port}",
        keys=100,
        threads=1,
        warmup="20ms",
        duration="200ms",
        checks=[{"expr": "errors == 0"}, {"expr": "max < 1ns", "level": "nice"}],
    )
    result = loadgen.run(plan)
    assert [each.verdict for each in result.checked] == [Verdict.PASS, Verdict.FAIL]
    with pytest.raises(loadgen.ConfigError, match="column 1: there is no erors here; did you mean errors"):
        plan.replace(checks=[{"expr": "erors == 0"}])
