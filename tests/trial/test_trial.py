"""Four scenarios for real, one of each layer, with a fault and a recovery of a few seconds.

The machine may be busy: what is asserted is what no lateness excuses. A limit on time may be untold (exit status 4).
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from command import loadgen
from places import ROOT

from loadgen.config import catalogue
from loadgen.faults.needs import missing

SHORT = (
    *("--set", "phases.settle=300ms", "--set", "phases.baseline=1200ms", "--set", "phases.recovery=2s"),
    *("--duration", "2s", "--concurrency", "20", "--set", "rate=200", "--seed", "7", "--format", "json"),
    *("--set", "limits.recovery=30s"),
)

OF_TIME = {"healthy nodes", "statistics", "refusals fast", "deadlines kept", "recovered"}
"""The checks whose limits are times, which a busy machine may exceed."""


def on_trial(scenario: str, *options: str) -> tuple[int, dict[str, Any]]:
    done = loadgen("chaos", "--scenario", scenario, *SHORT, *options)
    assert done.status in (0, 1, 4), done.stderr
    document = json.loads(done.stdout)
    [trial] = document["results"]
    assert document["summary"]["exit_status"] == done.status
    failed = {check["name"]: check["found"] for check in trial["checks"] if check["passed"] is False}
    assert not set(failed) - OF_TIME, failed
    return done.status, trial


def answers(trial: dict[str, Any]) -> dict[str, Any]:
    return {check["name"]: check["passed"] for check in trial["checks"]}


@pytest.mark.parametrize("scenario", ["total-packet-drop", "packet-loss-25-pct", "kill-1-of-3", "disk-full"])
def test_a_client_comes_through_a_scenario(scenario: str) -> None:
    if lacks := missing(catalogue.scenario(scenario).needs):
        pytest.skip(f"this machine lacks {'; '.join(map(str, lacks))}")
    _, trial = on_trial(scenario)
    found = answers(trial)
    assert found["fault fired"] is True
    assert found["answers right"] is True
    assert found["nothing left"] is True
    assert [*trial["phases"]][:4] == ["settle", "baseline", "fault", "recovery"]
    [report] = trial["faults"]
    assert report["fired"]
    [spell] = report["spells"]
    assert 1.0 < spell["ended_secs"] - spell["began_secs"] < 20.0
    # Every operation that began has ended, in one place.
    counted = [counts for phase in trial["phases"].values() for counts in phase["by_node"].values()]
    began = sum(counts["begun"] for counts in counted)
    assert began == sum(counts["ok"] + counts["wrong"] + sum(counts["errors"].values()) for counts in counted) > 100
    assert_servers_counted_the_same(trial)


def assert_servers_counted_the_same(trial: dict[str, Any]) -> None:
    """What the client sent to a node on which nothing failed is what the node's server counted itself."""
    judged = 0
    for server in trial["servers"]:
        of_node = [phase["by_node"].get(str(server["node"]), {}) for phase in trial["phases"].values()]
        if any(counts.get("errors") for counts in of_node):
            continue
        assert server["operations"] is not None
        assert sum(server["operations"].values()) == sum(counts.get("begun", 0) for counts in of_node)
        judged += 1
    assert judged or trial["plan"]["protocol"] == "resp"


def mutant_on_trial(monkeypatch: pytest.MonkeyPatch, scenario: str, name: str, *options: str) -> dict[str, Any]:
    """Put a mutant of tests/support/client_mutants.py on trial, without its breaker; it must fail."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "support"))
    client = ("--client", f"client_mutants:{name}", "--set", "client.breaker=false")
    done = loadgen("chaos", "--scenario", scenario, *SHORT, *client, *options)
    assert done.status == 1, done.stderr
    [trial] = json.loads(done.stdout)["results"]
    assert trial["verdict"] == "fail"
    return trial  # type: ignore[no-any-return]


def test_a_late_reply_that_is_delivered_is_found_within_10_s_with_both_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Acceptance 4.10: the client uses a connection again after a timeout."""
    reads = ("--workload", "get-heavy", "--set", "rate=300", "--duration", "3s")
    trial = mutant_on_trial(monkeypatch, "latency-spikes", "late_reply_delivered", *reads)
    assert answers(trial)["answers right"] is False
    first = trial["wrong"][0]
    assert (first["kind"], first["node"]) == ("other_key", 1)
    assert first["at_secs"] < 10
    # The request that got the reply, and the one that it belonged to.
    theirs = re.search(
        r"for key (lg:\S+), .*; a get of (lg:\S+) that had failed began .*; this get began", first["found"]
    )
    assert theirs is not None, first["found"]
    assert theirs[1] == theirs[2] != first["key"]


def test_a_client_that_shows_one_group_of_callers_old_values_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its copies are of the other group's keys only, and each copy is replaced by a newer one."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "support"))
    done = loadgen("chaos", "--scenario", "split-brain", *SHORT, "--client", "near_cache:NearCache")
    assert done.status == 1, done.stderr
    [trial] = json.loads(done.stdout)["results"]
    assert answers(trial)["answers right"] is False
    for wrong in trial["wrong"]:
        assert wrong["kind"] == "stale"
        named = re.fullmatch(
            r"value (\d+) of writer ([12]) for key lg:\2:s\d+, written (\S+) s before; "
            r"write (\d+), begun (\S+) s before, had taken effect; this get began (\S+) s before",
            wrong["found"],
        )
        assert named is not None, wrong["found"]
        assert int(named[1]) < int(named[4])
        assert float(named[3]) > float(named[5]) >= float(named[6])


def test_a_pool_that_leaks_when_a_dial_fails_is_held_against_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = mutant_on_trial(monkeypatch, "single-node-failure", "pool_leaks_on_dial_failure")
    [pool] = [check for check in trial["checks"] if check["name"] == "pool arithmetic"]
    assert pool["passed"] is False
    assert re.search(r"^node 1: 10 connections at rest, and \d sockets by the kernel$", pool["found"])


def test_the_loads_of_each_expiry_are_told_and_are_those_of_the_backend() -> None:
    """Acceptance 4.17, of 60 callers and some expiries; `make trials` has it of 200 callers and more of them."""
    words = ("--workload", "stampede", "--nodes", "1", "--concurrency", "60", "--set", "rate=400", "--duration", "6s")
    found = {}
    for client in ("builtin", "pymemcache"):
        done = loadgen("chaos", *words, "--client", client, "--format", "json", "--no-tui")
        assert done.status == 0, done.stderr
        [trial] = json.loads(done.stdout)["results"]
        loads = sum(phase["backend_loads"] for phase in trial["phases"].values())
        expiries = sum(phase["expiries"] for phase in trial["phases"].values())
        assert loads == trial["backend_served"]
        # The key lives for 1 to 2 s, as memcached counts whole seconds.
        assert 3 <= expiries <= 7
        found[client] = loads / expiries
    # By the right that the server gives to one caller, and by every caller that misses within the 50 ms of a load.
    assert 1 <= found["builtin"] < 1.5
    assert found["pymemcache"] > 5
