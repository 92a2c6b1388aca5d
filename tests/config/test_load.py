"""Configurations that load: the values they come to, and which source of a value wins."""

import os
import re
from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st
from places import CONFIGS as SHIPPED

from loadgen.cli.options.kind import COUNT, RATE
from loadgen.config import Config, Flag, dump, example, json_schema, load
from loadgen.config.tables.schema import Momento
from loadgen.config.tables.tree import dotted, inert, subtable, tables, values
from loadgen.errors import ConfigError

HERE = Path(__file__).parent
EXAMPLE = HERE / "example.toml"
NS = 10**9


def from_text(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "bench.toml"
    path.write_text(text)
    return load(path)


def test_without_a_file_every_key_has_its_default() -> None:
    config = load(None)
    general, target, connection, workload = config.general, config.target, config.connection, config.workload
    assert (general.duration, general.warmup, general.interval) == (60 * NS, 10 * NS, NS)
    assert general.threads == len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert (general.cpu_list, general.seed, general.io_engine) == (None, None, None)
    assert (target.protocol, target.endpoints) == ("resp", ("127.0.0.1:6379",))
    assert (target.tls, target.tls_hostname, target.tls_verify, target.cluster) == (False, None, True, False)
    assert (target.username, target.password) == ("", "")
    assert (connection.connections, connection.pipeline_depth, connection.batch_size) == (1, 1, 1)
    assert (connection.connect_timeout, connection.request_timeout) == (5 * NS, NS)
    assert connection.request_distribution == "roundrobin"
    assert (workload.rate_limit, workload.prefill, workload.prefill_timeout) == (0, False, 300 * NS)
    assert (workload.backfill_on_miss, workload.saturation_search) == (False, None)
    assert (workload.phase, workload.arrival, workload.spin, config.slo) == ((), None, False, None)
    keyspace = workload.keyspace
    assert (keyspace.length, keyspace.count, keyspace.distribution, keyspace.zipf_exponent) == (16, 10**6, "uniform", 1)
    assert (workload.commands.get, workload.commands.set, workload.commands.delete) == (80, 20, 0)
    assert workload.values.length == 64
    assert (config.timestamps.enabled, config.timestamps.mode) == (True, "userspace")
    admin = config.admin
    assert (admin.listen, admin.parquet, admin.parquet_interval) == (None, None, NS)
    assert (admin.format, admin.color) == ("clean", "auto")
    assert config.momento is None
    assert Momento().model_dump() == {
        "cache_name": "default-cache",
        "endpoint": None,
        "ttl_seconds": 3600,
        "wire_format": "grpc",
        "use_private_endpoints": False,
        "availability_zone": None,
    }
    assert config.warnings == ()


def test_the_saturation_search_has_cachecannons_defaults(tmp_path: Path) -> None:
    search = from_text(tmp_path, '[workload.saturation_search]\nslo = { p99 = "1ms" }').workload.saturation_search
    assert search is not None
    assert search.slo is not None
    assert (search.slo.p50, search.slo.p99, search.slo.p999) == (None, 1_000_000, None)
    assert (search.start_rate, search.step_multiplier, search.max_rate) == (1000, 1.05, 1e8)
    assert (search.sample_window, search.drain_window, search.stop_after_failures) == (5 * NS, NS // 2, 3)
    assert (search.min_throughput_ratio, search.bisect_tolerance, search.max_bisect_steps) == (0.9, 0.05, 8)


@pytest.mark.parametrize("name", ["cachecannon-every-key.toml", "crucible-every-key.toml"])
def test_a_file_with_every_key_of_another_tool_loads_unchanged(name: str) -> None:
    path = HERE / name
    config = load(path)
    for key_path, value in leaves(tomli.loads(path.read_text())):
        if key_path[-1] in ("pool_size", "set_on_miss", "connections"):
            continue
        actual: object = config.model_dump(mode="json")
        for part in key_path:
            assert isinstance(actual, dict)
            actual = actual[part]
        same_length_of_time = {"60s": "1m", "10secs": "10s", "10": "10s", "5sec": "5s", "1000ms": "1s", "5mins": "5m"}
        assert actual == (same_length_of_time.get(value, value) if isinstance(value, str) else value), key_path


def leaves(tree: dict[str, object], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], object]]:
    """Every key that holds a value, with its path; those of all tables of a list have the same."""
    found: list[tuple[tuple[str, ...], object]] = []
    for name, value in tree.items():
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict):
                found += leaves(entry, (*path, name))
            else:
                found.append(((*path, name), value))
    return found


def test_the_older_spellings_mean_the_newer_keys() -> None:
    config = load(HERE / "crucible-every-key.toml")
    assert config.connection.connections == 16
    assert config.workload.backfill_on_miss is True


def test_every_shipped_config_loads_without_a_warning() -> None:
    shipped = {path.name: load(path) for path in SHIPPED.glob("*.toml")}
    assert {name: config.warnings for name, config in shipped.items() if config.warnings} == {}
    assert set(shipped) >= {f"{name}.toml" for name in (
        "quick-test", "redis", "memcache", "ping", "example", "eviction-test", "desync-test", "open-loop", "ramp",
        "slo-search",
    )}  # fmt: skip
    assert shipped["desync-test.toml"].connection.connections == 128
    quick = shipped["quick-test.toml"]
    assert (quick.general.duration, quick.general.warmup) == (5 * NS, 2 * NS)
    assert (quick.connection.connections, quick.connection.pipeline_depth) == (4, 8)
    assert (quick.workload.keyspace.count, quick.workload.keyspace.length) == (10_000, 16)


def test_flags_win_over_the_file_and_set_wins_over_flags(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text("[connection]\nconnections = 2\npipeline_depth = 2\nbatch_size = 1\n")
    flags = {"connection.connections": Flag("-c", 3), "connection.pipeline_depth": 3}
    config = load(path, ["connection.connections=4", "connection.connections=5"], flags)
    assert config.connection.connections == 5
    assert config.connection.pipeline_depth == 3
    assert config.connection.batch_size == 1


@pytest.mark.parametrize(
    "later", [{"flags": {"connection.connections": 3}}, {"overrides": ["connection.connections=3"]}]
)
def test_the_command_line_wins_over_an_older_spelling_in_the_file(tmp_path: Path, later: dict[str, object]) -> None:
    path = tmp_path / "bench.toml"
    path.write_text("[connection]\nconnections = 2\npool_size = 16\n")
    config = load(path, **later)  # type: ignore[arg-type]
    assert config.connection.connections == 3
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("general.duration=10s", lambda c: c.general.duration == 10 * NS),
        ("general.duration=10", lambda c: c.general.duration == 10 * NS),
        ('general.duration="1500ms"', lambda c: c.general.duration == 1_500_000_000),
        ("target.protocol=resp3", lambda c: c.target.protocol == "resp3"),
        ('target.endpoints=["a:1", "[::1]:2"]', lambda c: c.target.endpoints == ("a:1", "[::1]:2")),
        ("workload.prefill=true", lambda c: c.workload.prefill is True),
        ("workload.rate_limit=1e4", lambda c: c.workload.rate_limit == 10_000),
        ("workload.keyspace.count=1_000", lambda c: c.workload.keyspace.count == 1000),
        ("workload.commands={get=1, set=0}", lambda c: (c.workload.commands.get, c.workload.commands.set) == (1, 0)),
        ("target.password=a=b", lambda c: c.target.password == "a=b"),
        ("target.password=x\ny = 1", lambda c: c.target.password == "x\ny = 1"),
        ("workload.set_on_miss=true", lambda c: c.workload.backfill_on_miss is True),
    ],
)  # fmt: skip
def test_set_takes_toml_and_otherwise_text(override: str, read: object) -> None:
    endpoints = {"connection.connections": 2}
    assert callable(read)
    assert read(load(None, [override], endpoints))


def test_batch_size_is_clamped_to_the_depth() -> None:
    sizes = [
        load(None, [f"connection.batch_size={size}", "connection.pipeline_depth=8"]).connection.batch_size
        for size in (0, 1, 8, 9, 10**6)
    ]
    assert sizes == [1, 1, 8, 8, 8]


def test_endpoints_default_to_the_port_of_the_protocol() -> None:
    assert load(None, ["target.protocol=memcache"]).target.endpoints == ("127.0.0.1:11211",)
    assert load(None, ["target.protocol=ping"]).target.endpoints == ("127.0.0.1:6379",)


def test_the_dumped_configuration_loads_again_to_an_equal_one(tmp_path: Path) -> None:
    for path in [*SHIPPED.glob("*.toml"), *HERE.glob("*.toml")]:
        config = load(path)
        assert from_text(tmp_path, dump(config)) == config, path


@given(
    password=st.text(st.characters(exclude_categories=["Cs"])),
    duration=st.integers(1, 10**18),
    rate=st.floats(0, 1e9, allow_subnormal=False),
    seed=st.none() | st.integers(0, 2**53 - 1),
)
def test_any_value_survives_being_dumped_and_loaded(
    tmp_path_factory: pytest.TempPathFactory, password: str, duration: int, rate: float, seed: int | None
) -> None:
    flags = {"target.password": password, "general.duration": f"{duration}ns", "workload.rate_limit": rate}
    config = load(None, flags=flags if seed is None else {**flags, "general.seed": seed})
    path = tmp_path_factory.mktemp("dumped") / "bench.toml"
    path.write_bytes(dump(config).encode())
    assert load(path) == config


def test_two_configurations_are_unequal_when_a_single_key_differs() -> None:
    assert load(None) == load(None)
    assert load(None) != load(None, ["workload.values.length=65"])


@pytest.mark.parametrize(
    ("quota", "threads"), [(None, 8), (16.0, 8), (8.0, 8), (3.99, 3), (1.0, 1), (0.25, 1), (0.001, 1)]
)
def test_there_are_no_more_workers_than_a_cpu_quota_pays_for(
    quota: float | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr("loadgen.host.cgroup.quota", lambda _: quota)
    assert load(None).general.threads == threads


def test_the_example_loads_to_the_defaults_without_a_warning(tmp_path: Path) -> None:
    config = from_text(tmp_path, example())
    assert config == load(None)
    assert config.warnings == ()


def test_the_example_is_as_it_was_last_approved() -> None:
    shown = re.sub(r"(?m)^# threads = \d+$", "# threads = 4", example())
    if os.environ.get("GOLDEN") == "write":
        EXAMPLE.write_text(shown)
    assert shown == EXAMPLE.read_text(), "if it is meant to be so: GOLDEN=write, and look at the difference"


def test_the_example_has_every_key_and_no_line_of_it_is_stale(tmp_path: Path) -> None:
    uncommented = "\n".join(
        line.removeprefix("# ") for line in example().split("\n") if line.startswith(("# [", "[")) or " = " in line
    )
    tree = tomli.loads(uncommented)
    # The keys of a table such as target.server.env are the user's own.
    owned = (("target", "server", "env"), ("target", "server", "files"), ("monitor", "metrics"))
    found = {dotted(next((table for table in owned if path[: len(table)] == table), path)) for path, _ in leaves(tree)}
    assert found == {dotted((*path, name)) for path, table in tables() for name, _ in values(table)}
    # The CPU that it shows is an example, and may not exist here. An objective for a command that is not sent is an
    # error, and so are endpoints beside a server that is to be started.
    possible = uncommented.replace('cpu_list = "0-3,8"', 'cpu_list = "0"')
    possible = re.sub(r"(?m)^(delete|mget|mset|incr) = 0$", r"\1 = 1", possible)
    # A history is of single keys.
    possible = re.sub(r"(?m)^history = .*$", "", possible)
    possible = possible.replace('endpoints = ["127.0.0.1:6379"]', "endpoints = []")
    # The example shows a cluster of started nodes, to which load goes only if it is told so.
    possible = re.sub(r"(?ms)^\[target.server.cluster\].*?(?=^\[)", "", possible)
    # Of three ways to give a password, one may be used.
    possible = re.sub(r"(?m)^password_(env|file) = .*$", "", possible)
    # A search is of servers without faults.
    assert from_text(tmp_path, "\n".join(re.findall(r"(?ms)^\[\[fault\]\].*?(?=^\[\w)", possible))).fault
    config = from_text(tmp_path, re.sub(r"(?ms)^\[\[fault\]\].*?(?=^\[\w)", "", possible))
    inert_keys = {
        dotted((*path, name)) for path, table in tables() for name, field in table.model_fields.items() if inert(field)
    } - {"timestamps.enabled", "timestamps.mode"}  # shown with the value that asks for nothing
    warned = {warning.split(": ")[1] for warning in config.warnings}
    assert warned >= inert_keys


def test_the_example_is_commented_throughout() -> None:
    for table in (table for path, table in tables() if path):
        assert table.__doc__
        for name, field in table.model_fields.items():
            assert field.description or subtable(field), f"{table.__name__}.{name} has no description"


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(None).general.duration = 1


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_loads(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_bytes(b"\xef\xbb\xbf[general]\r\nthreads = 1\r\nbogus = 1\r\n")
    with pytest.raises(ConfigError) as error:
        load(path)
    assert error.value.problems[0].startswith(f"{path}:3:1: general.bogus: ")


UNITS_IN_TEXT = """
[general]
requests = "10k"
threads = "2"
seed = "1k"
[connection]
connections = "0.2k"
pipeline_depth = "2"
batch_size = "1"
[workload]
rate_limit = "2.5k/s"
[workload.keyspace]
count = "1m"
length = "20"
[workload.commands]
get = "1K"
set = "10"
delete = "0"
[workload.values]
length = "64kb"
[slo]
errors = "1k"
throughput_min = "1k"
"""


def test_counts_rates_and_sizes_in_text_mean_what_they_mean_on_the_command_line(tmp_path: Path) -> None:
    plain = (
        UNITS_IN_TEXT.replace('"10k"', "10000")
        .replace('"2.5k/s"', "2500")
        .replace('"0.2k"', "200")
        .replace('"1m"', "1000000")
        .replace('"1k"', "1000")
        .replace('"1K"', "1000")
        .replace('"64kb"', "65536")
    )
    plain = re.sub(r'"(\d+)"', r"\1", plain)
    assert '"' not in plain
    config = from_text(tmp_path, UNITS_IN_TEXT)
    assert config == from_text(tmp_path, plain)
    # A number of requests takes its time, however it is written; what is printed is plain.
    assert (config.general.requests, config.general.duration, config.general.warmup) == (10_000, 0, 0)
    assert "requests = 10000\n" in dump(config)
    assert "rate_limit = 2500\n" in dump(config)
    given = config.model_dump()
    flags = {"general.requests": COUNT.read("10k"), "workload.rate_limit": RATE.read("2.5k/s")}
    by_flags = load(None, (), {key: Flag("--x", value) for key, value in flags.items()}).model_dump()
    assert [by_flags["general"]["requests"], by_flags["workload"]["rate_limit"]] == [
        given["general"]["requests"],
        given["workload"]["rate_limit"],
    ]


def test_rates_of_phases_and_of_a_search_may_be_text_with_a_unit() -> None:
    phase = load(None, ['workload.phase=[{for="1s", shape="ramp", rate=["1k", 2000]}]']).workload.phase[0]
    assert phase.rates == (1000.0, 2000.0)
    search = load(None, ["workload.saturation_search.start_rate=5k"]).workload.saturation_search
    assert search is not None
    assert search.start_rate == 5000


def test_every_whole_number_but_ports_process_ids_databases_and_foreign_keys_takes_a_unit() -> None:
    tables = [json_schema(), *json_schema()["$defs"].values()]
    plain = {name for table in tables for name, key in table["properties"].items() if key.get("type") == "integer"}
    assert plain == {"pid", "port", "database", "ttl_seconds"}
