"""A proxy before a redis answers some GETs with an old value: every counter is right, and the history is illegal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from in_process import invoked
from real_servers import RealServer
from runs import measure
from stale_proxy import StaleProxy

MIXED = (
    "workload.keyspace.count=50",
    "workload.prefill=true",
    "workload.commands.get=6",
    "workload.commands.set=3",
    "connection.connections=8",
)


@pytest.mark.parametrize("every", [0, 20])
def test_a_stale_read_is_found_with_the_write_that_it_missed(every: int, tmp_path: Path) -> None:
    """Without stale reads the same proxy is legal."""
    with RealServer.redis() as redis, StaleProxy(redis.port, every) as proxy:
        result = measure(proxy.port, *MIXED, f"workload.history={tmp_path / 'history'}")
    assert result.overall.total.not_ok == 0
    done = invoked("check", str(tmp_path / "history"), "--no-eviction", "--format", "json")
    document = json.loads(done.stdout)
    assert done.status == (1 if every else 0)
    assert bool(document["results"]) == (proxy.stale > 0) == bool(every)
    # Two values at once: the old one was read while others read the new one.
    assert {*document["summary"]["kinds"]} <= {"overwritten", "two-values"}
    for violation in document["results"]:
        # Of each value its write, and the first and the last that saw it, where these are others than the write.
        assert 3 <= len(violation["window"]) <= 6
        [accused] = [each for each in violation["window"] if each["accused"]]
        assert accused["operation"].startswith("read")
