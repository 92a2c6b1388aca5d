"""A plan divides the load evenly and completely, and the same seed gives the same plan."""

import json
import math
import pickle
import re
import socket
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.config import json_schema, load, resolve
from loadgen.config.document.toml_text import toml_value
from loadgen.engine._ketama import Ketama
from loadgen.errors import ConfigError, ExitCode, TargetError
from loadgen.plan import Endpoint, Segment, Weights
from loadgen.split import split_connections, split_range, worker_seed


@given(st.data())
def test_connections_are_spread_evenly_over_endpoints_and_workers(data: st.DataObject) -> None:
    endpoints = data.draw(st.integers(1, 9))
    workers = data.draw(st.integers(1, 9))
    connections = data.draw(st.integers(workers * endpoints, 300))
    shares = split_connections(connections, [1] * endpoints, workers)
    per_worker = [sum(share) for share in shares]
    per_endpoint = [sum(share[endpoint] for share in shares) for endpoint in range(endpoints)]
    assert sum(per_worker) == sum(per_endpoint) == connections
    assert max(per_worker) - min(per_worker) <= 1
    assert max(per_endpoint) - min(per_endpoint) <= 1
    for endpoint in range(endpoints):
        to_endpoint = [share[endpoint] for share in shares]
        assert min(to_endpoint) >= 1
        assert max(to_endpoint) - min(to_endpoint) <= 1


@given(st.integers(1, 2**63 - 1), st.integers(1, 64))
def test_prefill_ranges_are_contiguous_even_and_cover_every_id(count: int, workers: int) -> None:
    ranges = split_range(count, workers)
    assert [first for first, _ in ranges] == [sum(n for _, n in ranges[:i]) for i in range(workers)]
    assert sum(n for _, n in ranges) == count
    assert max(n for _, n in ranges) - min(n for _, n in ranges) <= 1


def test_worker_seeds_are_splitmix64s_outputs() -> None:
    # The first outputs of Vigna's splitmix64.c from state 0 and from 1234567, as published with other implementations.
    assert [worker_seed(0, index) for index in range(3)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [worker_seed(1234567, index) for index in range(2)] == [6457827717110365317, 3203168211198807973]


def test_workers_of_runs_with_neighbouring_seeds_share_no_seed() -> None:
    seeds = [worker_seed(run, index) for run in range(64) for index in range(64)]
    assert len(set(seeds)) == len(seeds)


@given(st.floats(0.001, 1e9), st.integers(1, 16), st.integers(1, 100))
def test_the_rate_is_split_in_proportion_to_connections(rate: float, threads: int, connections: int) -> None:
    plan = resolve(
        load(
            None, flags={"workload.rate_limit": rate, "general.threads": threads, "connection.connections": connections}
        )
    )
    assert plan.load.profile == (Segment(60 * 10**9, rate, rate),)
    assert math.isclose(plan.load.rate_per_s, rate)
    assert math.isclose(sum(worker.share for worker in plan.workers), 1, rel_tol=1e-12)
    for worker in plan.workers:
        assert worker.share == sum(worker.connections) / connections


def test_no_more_workers_than_can_reach_every_endpoint() -> None:
    endpoints = 'target.endpoints=["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]'
    plan = resolve(load(None, [endpoints, "general.threads=4", "connection.connections=8"]))
    assert [worker.connections for worker in plan.workers] == [(2, 1, 1), (1, 2, 1)]
    assert len(resolve(load(None, ["general.threads=4", "connection.connections=3"])).workers) == 3


def test_workers_cycle_through_the_cpu_list() -> None:
    overrides = ["general.threads=3", "connection.connections=3"]
    assert [worker.cpu for worker in resolve(load(None, overrides)).workers] == [None, None, None]
    plan = resolve(load(None, [*overrides, 'general.cpu_list="0"']))
    assert [worker.cpu for worker in plan.workers] == [0, 0, 0]


def test_the_same_seed_gives_the_same_plan_and_none_draws_a_new_one_that_toml_can_carry() -> None:
    assert resolve(load(None, ["general.seed=7"])) == resolve(load(None, ["general.seed=7"]))
    assert resolve(load(None, ["general.seed=7"])) != resolve(load(None, ["general.seed=8"]))
    drawn = [resolve(load(None)).seed for _ in range(20)]
    assert len(set(drawn)) == 20
    assert all(0 <= seed < 2**63 for seed in drawn)
    assert resolve(load(None, [f"general.seed={drawn[0]}"])).seed == drawn[0]


def test_command_weights_are_brought_to_lowest_terms() -> None:
    assert resolve(load(None)).workload.weights == Weights(get=4, set=1, delete=0)
    assert resolve(load(None, ["workload.commands={get=0, set=300, delete=200}"])).workload.weights == Weights(
        set=3, delete=2
    )


def test_every_number_of_the_plan_comes_from_its_key() -> None:
    plan = resolve(
        load(
            None,
            ["connection.pipeline_depth=8", "connection.batch_size=3", "connection.connect_timeout=2s",
             "connection.request_timeout=3s", "workload.prefill=true", "workload.prefill_timeout=4s",
             "workload.values.length=1KiB", "general.warmup=5s", "general.duration=6s", "general.interval=7s",
             "target.username=u", "target.password=p", "workload.backfill_on_miss=true", "target.protocol=resp3",
             "connection.request_distribution=random", "workload.rate_limit=5", "workload.arrival=constant",
             "workload.spin=true"],
        )
    )  # fmt: skip
    assert (plan.wire.pipeline_depth, plan.wire.batch_size, plan.workload.value_bytes) == (8, 3, 1024)
    assert (plan.wire.connect_timeout_ns, plan.wire.request_timeout_ns, plan.workload.prefill_timeout_ns) == (
        2 * 10**9,
        3 * 10**9,
        4 * 10**9,
    )
    assert (plan.load.warmup_ns, plan.load.duration_ns, plan.load.interval_ns) == (5 * 10**9, 6 * 10**9, 7 * 10**9)
    assert (plan.target.username, plan.target.password, plan.target.protocol) == ("u", "p", "resp3")
    assert (plan.workload.prefill, plan.workload.backfill_on_miss, plan.wire.spin) == (True, True, True)
    assert (plan.wire.request_distribution, plan.load.arrival, plan.load.open_loop) == ("random", "constant", True)
    assert plan.load.profile == (Segment(6 * 10**9, 5, 5),)
    assert [resolve(load(None, [f"connection.refill={way}"])).wire.refill for way in ("slot", "drained")] == [
        "slot",
        "drained",
    ]
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_hosts_are_resolved_and_kept_as_written() -> None:
    plan = resolve(load(None, ['target.endpoints=["localhost:1", "[::1]:2"]', "connection.connections=2"]))
    assert plan.target.endpoints == (Endpoint("localhost", 1, "127.0.0.1"), Endpoint("::1", 2, "::1"))
    assert str(plan.target.endpoints[1]) == "[::1]:2"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70])
def test_an_unknown_host_is_named_and_ends_with_could_not_run(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str, *_: object, **__: object) -> None:
        name.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # no test waits for a resolver that is not there
    with pytest.raises(TargetError, match=f"The host {host} cannot be resolved") as error:
        resolve(load(None, [f'target.endpoints=["{host}:1"]']))
    assert error.value.exit_code is ExitCode.COULD_NOT_RUN


def test_the_json_schema_is_valid_and_agrees_with_what_loads(tmp_path: Path) -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    assert not re.search(r'"[gl][et]":', json.dumps(schema))  # pydantic's own words for bounds, which no reader knows
    accepted = jsonschema.Draft202012Validator(schema)
    good: list[dict[str, object]] = [
        {},
        {"general": {"duration": "1.5s", "warmup": 3}},
        {"connection": {"pool_size": 3}, "workload": {"set_on_miss": True, "values": {"length": "1KiB"}}},
        {"workload": {"saturation_search": {"slo": {"p99": "1ms"}}}, "momento": {}},
        {"workload": {"saturation_search": {}}},
        {"workload": {"arrival": "constant", "spin": True, "rate_limit": 5}},
        {"workload": {"phase": []}},
        {"workload": {"phase": [{"for": "1s", "rate": 5}, {"for": 1, "shape": "ramp", "rate": [0, 5.5]}]}},
        {"workload": {"phase": [{"for": 1, "shape": "step", "rate": [0, 5], "steps": 2}]}},
        {"workload": {"phase": [{"for": 9, "shape": "burst", "rate": [0, 5], "period": "1s", "width": "0.1s"}]}},
        {"slo": {"p99": 1, "max": "1s", "errors": 5, "timeouts": "0.1%", "throughput_min": 1, "hit_rate_min": "100%"}},
        {"slo": {"errors": 0.001, "timeouts": 0}, "verdict": {"lag": "1ms", "lag_share": "5%", "drift_p": 0.05}},
        {"slo": {"get": {"hit_rate_min": 1}, "set": {"p50": 1}}},
        {"verdict": {}},
        {"general": {"requests": "10k", "seed": "1k"}, "connection": {"connections": "0.2K", "batch_size": "1k"}},
        {"workload": {"rate_limit": "2.5k/s", "keyspace": {"count": "1m"}, "values": {"length": "64kb"}}},
        {"workload": {"phase": [{"for": 1, "shape": "ramp", "rate": ["1k", 2000]}]}, "slo": {"errors": "1k"}},
        {"workload": {"phase": [{"for": "1s", "rate": "5"}]}, "slo": {"throughput_min": "10k"}},
    ]
    bad: list[dict[str, object]] = [
        {"general": {"duration": "5x"}},
        {"general": {"bogus": 1}},
        {"connection": {"connections": 0}},
        {"target": {"protocol": "memcach"}},
        {"general": {"seed": -1}},
        {"workload": {"saturation_search": {"slo": {}}}},
        {"workload": {"arrival": "even"}},
        {"workload": {"phase": {"for": "1s", "rate": 5}}},
        {"workload": {"phase": [{"rate": 5}]}},
        {"workload": {"phase": [{"for": "1s"}]}},
        {"workload": {"phase": [{"lasts": "1s", "rate": 5}]}},
        {"workload": {"phase": [{"for": "1s", "rate": -5}]}},
        {"workload": {"phase": [{"for": "1s", "rate": "5x"}]}},
        {"workload": {"rate_limit": "5kb"}},
        {"general": {"requests": "10kb"}},
        {"connection": {"batch_size": -1}},
        {"workload": {"phase": [{"for": "1s", "shape": "ramp", "rate": [1, 2, 3]}]}},
        {"workload": {"phase": [{"for": "1s", "shape": "ramp", "rate": [1]}]}},
        {"workload": {"phase": [{"for": "1s", "shape": "saw", "rate": [1, 2]}]}},
        {"workload": {"phase": [{"for": "1s", "shape": "step", "rate": [1, 2], "steps": 1}]}},
        {"slo": {}},
        {"slo": {"get": {}}},
        {"slo": {"errors": -1}},
        {"slo": {"errors": 1.5}},
        {"slo": {"errors": "100%"}},
        {"slo": {"errors": "5x"}},
        {"slo": {"hit_rate_min": 90}},
        {"slo": {"hit_rate_min": "101%"}},
        {"slo": {"set": {"hit_rate_min": 0.9}}},
        {"slo": {"throughput_min": 0}},
        {"verdict": {"lag_share": "5"}},
        {"verdict": {"lag_share": True}},
    ]
    assert not accepted.is_valid({"general": {"seed": None}}), "TOML has no null"
    assert [accepted.is_valid(tree) for tree in good] == [True] * len(good)
    assert [accepted.is_valid(tree) for tree in bad] == [False] * len(bad)
    assert [loads(tree, tmp_path) for tree in good] == [True] * len(good)
    assert [loads(tree, tmp_path) for tree in bad] == [False] * len(bad)


def loads(tree: dict[str, object], tmp_path: Path) -> bool:
    path = tmp_path / "bench.toml"
    path.write_text("\n".join(f"{name} = {toml_value(table)}" for name, table in tree.items()))
    try:
        load(path)
    except ConfigError:
        return False
    return True


def test_a_server_without_a_key_is_found_however_it_is_written() -> None:
    """What would stop every worker at its start is an error in the configuration, and nothing else is."""
    for count in range(1, 40):
        endpoints = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]
        flags = {"target.endpoints": endpoints, "connection.connections": 3, "workload.keyspace.count": count}
        try:
            Ketama(endpoints, 16, count)
        except ValueError as error:
            with pytest.raises(ConfigError, match=re.escape(str(error))):
                load(None, flags=flags)
        else:
            load(None, flags=flags)
