"""Plans by keyword: each keyword is a key of the configuration, with the same checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import loadgen
from loadgen import config
from loadgen.config.tables.schema import Config
from loadgen.config.told.tls import tls_plan
from loadgen.library.plan import KEYS
from loadgen.plan import TlsPlan

GIVEN: dict[str, Any] = {
    "protocol": "resp3",
    "username": "someone",
    "password": "secret",
    "tls": True,
    "tls_verify": False,
    "tls_hostname": "cache.example.com",
    "tls_ca_file": "ca.pem",
    "tls_cert": "client.pem",
    "tls_key": "client.key",
    "connections": 7,
    "pipeline_depth": 3,
    "connect_timeout": "3s",
    "request_timeout": "4s",
    "keepalive": "7s",
    "nodelay": False,
    "source_addresses": ("127.0.0.1",),
    "reconnect_every": "5s",
    "reconnect_by": "reset",
    "tracking": "bcast",
    "tracking_noloop": True,
    "commands": {"get": 1, "set": 2, "delete": 3},
    "keys": 1234,
    "key_bytes": 20,
    "value_bytes": 100,
    "prefill": True,
    "rate": 5000,
    "arrival": "constant",
    "warmup": "1s",
    "duration": "2s",
    "interval": "100ms",
    "threads": 1,
    "cpu_list": "0",
    "seed": 42,
    "slo": {"p99": "1ms", "get": {"p50": "100us"}},
    "checks": ({"expr": "p99 < 5ms", "level": "must"},),
    "faults": ({"kind": "kill", "on": (1,), "at": "5s", "for": "2s"},),
    "monitors": ({"kind": "self", "every": "2s"},),
}


def at(settings: Config, key: str) -> object:
    value: object = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def plain(value: Any) -> object:
    """The lists of TOML."""
    if isinstance(value, tuple):
        return [*map(plain, value)]
    return {key: plain(each) for key, each in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("keyword", sorted(KEYS))
def test_a_keyword_is_its_key_of_the_configuration(keyword: str) -> None:
    value: object = GIVEN.get(keyword, 1000)
    # A username needs a password, a password a protocol that has one.
    tracked = {"protocol": "resp3", "tracking": "on"}
    beside = {
        "username": {"password": "secret"},
        "key_bytes": {"keys": 1234},
        "reconnect_by": {"reconnect_every": 10},
        "tracking": {"protocol": "resp3"},
        "tracking_noloop": tracked,
    }.get(keyword, {})
    plan = loadgen.Plan(**{keyword: value, **beside})
    by_key = config.load(None, (), {KEYS[name]: given for name, given in {keyword: plain(value), **beside}.items()})
    assert at(plan.config, KEYS[keyword]) == at(by_key, KEYS[keyword])
    # `requests` also takes duration and warm-up away, as it does in a file.
    assert plan.config == by_key
    assert at(plan.config, KEYS[keyword]) != at(config.load(None), KEYS[keyword])


def test_a_plan_of_tls_is_made_by_its_keys() -> None:
    told = TlsPlan(verify=False, hostname="name", min_version="1.2", ciphers="ECDHE+AESGCM", resume=False)
    flags = {key: config.Flag("target", value) for key, value in config.tls_keys(told).items()}
    assert tls_plan(config.load(None, (), flags).target) == told
    assert config.tls_keys(None) == {}


def test_every_problem_is_named_at_once_by_its_keyword() -> None:
    with pytest.raises(loadgen.ConfigError) as raised:
        loadgen.Plan(connections=0, duration="soon", settings={"verdict.lagg": "1s"})
    problems = raised.value.problems
    assert [problem.partition(":")[0] for problem in problems] == ["connections", "duration", "settings"]
    assert "verdict.lagg" in problems[2]


def test_addresses_are_one_or_several() -> None:
    assert loadgen.Plan("127.0.0.1:7000").config.target.endpoints == ("127.0.0.1:7000",)
    several = loadgen.Plan(["127.0.0.1:7000", "127.0.0.1:7001"], connections=2)
    assert several.config.target.endpoints == ("127.0.0.1:7000", "127.0.0.1:7001")


def test_keywords_go_over_a_file_and_settings_are_any_other_key(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[connection]\nconnections = 9\npipeline_depth = 2\n[general]\nduration = '7s'\n")
    plan = loadgen.Plan(file=path, pipeline_depth=4, settings={"verdict.lag": "30s"})
    assert (plan.config.connection.connections, plan.config.connection.pipeline_depth) == (9, 4)
    assert plan.config.verdict.lag == 30_000_000_000
    assert loadgen.Plan(file="quick-test").config.connection.connections > 1
    with pytest.raises(loadgen.UsageError, match="no file and no preset"):
        loadgen.Plan(file="quick-tst")


def test_the_server_of_a_file_is_started_unless_another_target_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[target.server]\ncommand = ["redis-server", "--port", "{port}"]\n')
    plan = loadgen.Plan(file=path)
    assert plan.server is not None
    assert plan.server.plan.command == ("redis-server", "--port", "{port}")
    assert loadgen.Plan("127.0.0.1:7000", file=path).server is None


def test_a_servers_protocol_and_password_are_the_plans_unless_it_has_its_own() -> None:
    server = loadgen.serve("memcache")
    assert loadgen.Plan(server).config.target.protocol == "memcache"
    assert loadgen.Plan(loadgen.serve(), protocol="resp3").config.target.protocol == "resp3"


def test_a_cluster_as_target_is_found_by_slots_and_its_nodes_have_roles() -> None:
    cluster = loadgen.Server.file("redis-cluster")
    faults = [{"kind": "kill", "on": "replica 1"}, {"kind": "pause", "on": [2, "master 1"]}, {"kind": "kill"}]
    plan = loadgen.Plan(target=cluster, connections=6, faults=faults)
    assert plan.config.target.cluster
    assert [fault.on for fault in plan.config.fault] == [(4,), (2, 1), ()]
    with pytest.raises(loadgen.UsageError, match='no node "master 4" in the cluster of the target'):
        loadgen.Plan(target=cluster, connections=6, faults=[{"kind": "kill", "on": "master 4"}])


def test_a_plan_with_other_keywords_keeps_the_rest() -> None:
    plan = loadgen.Plan("127.0.0.1:7000", connections=5, rate=100, settings={"verdict.lag": "30s"})
    other = plan.replace(rate=200)
    assert (plan.config.workload.rate_limit, other.config.workload.rate_limit) == (100, 200)
    assert other.config.connection.connections == 5
    assert other.config.verdict.lag == plan.config.verdict.lag
    assert "rate=200" in repr(other)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(loadgen.Plan(password="secret"))
