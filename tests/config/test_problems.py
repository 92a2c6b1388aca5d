"""All problems of a configuration are reported together, each with its place and its remedy."""

import os
import re
from pathlib import Path

import pytest
from config_problems import found
from hypothesis import given
from hypothesis import strategies as st

from loadgen.config import Flag, load
from loadgen.errors import ConfigError, ExitCode
from loadgen.server_address import parse_endpoint


def problems(tmp_path: Path, text: str | bytes, *overrides: str, **flags: object) -> list[str]:
    """The problems of a file, its folder left out."""
    path = tmp_path / "bench.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as error:
        load(path, overrides, {key.replace("__", "."): value for key, value in flags.items()})
    assert error.value.exit_code is ExitCode.USAGE
    assert str(error.value) == "\n".join(error.value.problems)
    for problem in error.value.problems:
        assert "\n" not in problem
        assert not re.search(r"pydantic|Input should|Traceback|ValueError", problem)
    return [problem.replace(f"{tmp_path}/", "") for problem in error.value.problems]


def only_problem(tmp_path: Path, text: str | bytes, *overrides: str, **flags: object) -> str:
    [problem] = problems(tmp_path, text, *overrides, **flags)
    return problem


MEMCACHE = '[target]\nprotocol = "memcache"\n'
TWO = '[target]\nendpoints = ["a:1", "b:1"]\n'
SEARCH = "[workload.saturation_search]\n"


def test_unknown_key_names_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    text = "# a comment\n\n[general]\nthreads = 1\n\n[connection]\npipline_depth = 8\n"
    assert only_problem(tmp_path, text) == (
        "bench.toml:7:1: connection.pipline_depth: unknown key; did you mean pipeline_depth?"
    )


def test_unknown_table_names_its_line_and_the_nearest_table(tmp_path: Path) -> None:
    assert only_problem(tmp_path, "[conection]\nconnections = 1") == (
        "bench.toml:1:2: conection: unknown table; did you mean connection?"
    )
    assert only_problem(tmp_path, "[workload.keyspce]\ncount = 1") == (
        "bench.toml:1:11: workload.keyspce: unknown table; did you mean keyspace?"
    )


def test_a_key_in_the_wrong_table_is_told_where_it_belongs(tmp_path: Path) -> None:
    assert only_problem(tmp_path, "[connection]\nrate_limit = 5") == (
        "bench.toml:2:1: connection.rate_limit: unknown key; rate_limit belongs in [workload]"
    )
    both = only_problem(tmp_path, "[general]\nlength = 5")
    assert "length belongs in [workload.keyspace] or [workload.values]" in both
    assert "threads belongs in [general]" in only_problem(tmp_path, "threads = 5")
    assert "write [workload.keyspace]" in only_problem(tmp_path, "[keyspace]\ncount = 5")


def test_a_key_like_no_other_gets_the_keys_of_its_table(tmp_path: Path) -> None:
    lost = only_problem(tmp_path, "[workload.values]\nzzz = 5")
    assert lost.endswith("unknown key; the keys of [workload.values] are length, ttl")
    assert "the tables are general, target" in only_problem(tmp_path, "[zzz]\na = 5")


def test_every_problem_is_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
[target]
protocol = "memcach"
endpoints = ["127.0.0.1:6379", "::1:6379"]
tls = "yes"
[general]
duration = "5x"
bogus = 1
[connection]
connections = 0
[workload.keyspace]
length = 2
count = 257
"""
    overrides = ["general.warmup=x", "nonsense", "target.username=bob"]
    found = problems(tmp_path, text, *overrides, connection__batch_size=Flag("--batch", -1))
    assert [problem.split(": ")[0] for problem in found] == [
        "bench.toml:2:1", "bench.toml:3:32", "bench.toml:4:1", "bench.toml:6:1", "bench.toml:7:1", "bench.toml:9:1",
        "bench.toml:12:1", "--batch", "--set", "--set", "--set nonsense",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "place_and_key", "code"),
    [
        ("[general]\nthreads = 0", "2:1: general.threads", "too-small"),
        ('[general]\nthreads = "two"', "2:1: general.threads", "malformed"),
        ('[general]\nthreads = "1.5"', "2:1: general.threads", "malformed"),
        ('[general]\nrequests = "10q"', "2:1: general.requests", "malformed"),
        ('[general]\nthreads = "9k"', "2:1: general.threads", "too-large"),
        ('[workload]\nrate_limit = "5x"', "2:1: workload.rate_limit", "malformed"),
        ("[general]\nthreads = true", "2:1: general.threads", "wrong-type"),
        ("[general]\nthreads = 2.0", "2:1: general.threads", "wrong-type"),
        ("[general]\nduration = 0", "2:1: general.duration", "too-small"),
        ("[general]\nduration = -1", "2:1: general.duration", "malformed"),
        ("[general]\nduration = 1979-05-27", "2:1: general.duration", "malformed"),
        ('[general]\ninterval = "1us"', "2:1: general.interval", "too-small"),
        ("[general]\nseed = -1", "2:1: general.seed", "too-small"),
        ('[general]\ncpu_list = "0-"', "2:1: general.cpu_list", "malformed"),
        ('[general]\ncpu_list = "3-1"', "2:1: general.cpu_list", "malformed"),
        ('[general]\ncpu_list = "0,0"', "2:1: general.cpu_list", "twice"),
        ('[general]\ncpu_list = "99999"', "2:1: general.cpu_list", "absent-cpu"),
        ("general = 3", "1:1: general", "wrong-type"),
        ("[[general]]\nthreads = 1", "1:3: general", "wrong-type"),
        ("[target]\nendpoints = []", "2:1: target.endpoints", "no-server"),
        ('[target]\nendpoints = "127.0.0.1:6379"', "2:1: target.endpoints", "wrong-type"),
        ("[target]\nendpoints = [6379]", "2:14: target.endpoints[0]", "wrong-type"),
        ('[target]\nendpoints = [\n "h"]', "3:2: target.endpoints[0]", "malformed"),
        ('[target]\nendpoints = ["h:0"]', "2:14: target.endpoints[0]", "malformed"),
        ('[target]\nendpoints = ["h:65536"]', "2:14: target.endpoints[0]", "malformed"),
        ('[target]\nendpoints = ["h:1", "h:1"]', "2:1: target.endpoints", "twice"),
        ('[target]\nprotocol = "momento"', "2:1: target.protocol", "not-supported"),
        ('[target]\nprotocol = "RESP3"', "2:1: target.protocol", "no-choice"),
        ('[target]\nprotocol = "memcache"\ncluster = true', "3:1: target.cluster", "resp-only"),
        ('[target]\nsentinel_master = "one"\ncluster = true', "2:1: target.sentinel_master", "two-targets"),
        ('[target]\nread_from = "all"', "2:1: target.read_from", "without-effect"),
        ('[target]\nsentinel_master = "one"\nsentinel_username = "w"', "3:1: target.sentinel_username", "no-password"),
        ('[target]\ntls = true\ntls_ca_file = "/no/such"', "3:1: target.tls_ca_file", "tls-unusable"),
        ('[target]\ntls = true\ntls_key = "/no/such"', "3:1: target.tls_key", "no-certificate"),
        ('[target]\ntls = true\ntls_max_version = "2"', "3:1: target.tls_max_version", "no-choice"),
        ('[target]\ntls = "no"', "2:1: target.tls", "wrong-type"),
        ('[target]\nprotocol = "memcache"\nusername = "x"', "3:1: target.username", "no-password"),
        ('[target]\nusername = "x"', "2:1: target.username", "no-password"),
        ("[connection]\nconnections = 0", "2:1: connection.connections", "too-small"),
        ("[connection]\npool_size = 0", "2:1: connection.pool_size", "too-small"),
        ("[connection]\npipeline_depth = 0", "2:1: connection.pipeline_depth", "too-small"),
        ("[connection]\npipeline_depth = 65537", "2:1: connection.pipeline_depth", "too-large"),
        ('[connection]\nrequest_timeout = "0s"', "2:1: connection.request_timeout", "too-small"),
        ('[connection]\nconnect_timeout = "0s"', "2:1: connection.connect_timeout", "too-small"),
        ('[connection]\nrequest_distribution = "rand"', "2:1: connection.request_distribution", "no-choice"),
        ("[workload]\nrate_limit = -1", "2:1: workload.rate_limit", "too-small"),
        ("[workload]\nrate_limit = inf", "2:1: workload.rate_limit", "wrong-type"),
        ('[workload]\nrate_limit = true', "2:1: workload.rate_limit", "wrong-type"),
        ("[workload]\nset_on_miss = true\nbackfill_on_miss = true", "2:1: workload.set_on_miss", "two-spellings"),
        ("[workload.keyspace]\ncount = 0", "2:1: workload.keyspace.count", "too-small"),
        ("[workload.keyspace]\nlength = 0", "2:1: workload.keyspace.length", "too-small"),
        ("[workload.keyspace]\nlength = 65537", "2:1: workload.keyspace.length", "too-large"),
        ("[workload.keyspace]\nlength = 4", "2:1: workload.keyspace.length", "keys-do-not-fit"),
        ("[workload.keyspace]\nlength = 4\ncount = 65537", "3:1: workload.keyspace.count", "keys-do-not-fit"),
        (MEMCACHE + "[workload.keyspace]\nlength = 251", "4:1: workload.keyspace.length", "protocol-limit"),
        ('[workload.keyspace]\ndistribution = "zip"', "2:1: workload.keyspace.distribution", "no-choice"),
        ("[workload.keyspace]\nzipf_exponent = 0", "2:1: workload.keyspace.zipf_exponent", "too-small"),
        ("[workload.values]\nlength = 0", "2:1: workload.values.length", "too-small"),
        ('[workload.values]\nlength = "513MiB"', "2:1: workload.values.length", "protocol-limit"),
        (MEMCACHE + '[workload.values]\nlength = "1GiB"', "4:1: workload.values.length", "protocol-limit"),
        (MEMCACHE + '[workload.values]\nttl = "1500ms"', "4:1: workload.values.ttl", "protocol-limit"),
        ('[workload.values]\nttl = "1500us"', "2:1: workload.values.ttl", "protocol-limit"),
        ('[workload.values]\nttl = "721h"', "2:1: workload.values.ttl", "too-large"),
        ('[workload]\nhistory = "h"\n[workload.values]\nttl = "1s"', "4:1: workload.values.ttl", "expires"),
        ("[workload.commands]\nget = 0\nset = 0", "1:11: workload.commands", "nothing-to-send"),
        ("[workload.commands]\nget = -1", "2:1: workload.commands.get", "too-small"),
        ('[target]\nprotocol = "ping"\n[workload]\nprefill = true', "4:1: workload.prefill", "no-keys"),
        ('[target]\nprotocol = "ping"\n[workload]\nset_on_miss = true', "4:1: workload.set_on_miss", "no-keys"),
        ('[target]\nendpoints = ["a:1", "b:1"]', "2:1: target.endpoints", "few-connections"),
        (TWO + "[connection]\nconnections = 1", "4:1: connection.connections", "few-connections"),
        ("[workload.saturation_search]\nslo = {}", "2:1: workload.saturation_search.slo", "no-objective"),
        (SEARCH + 'slo = {p50 = "0s"}', "2:8: workload.saturation_search.slo.p50", "too-small"),
        (SEARCH + 'slo = {p98 = "1s"}', "2:8: workload.saturation_search.slo.p98", "unknown"),
        (SEARCH + "slo = {max = 1}", "2:8: workload.saturation_search.slo.max", "unknown"),
        ('[workload]\narrival = "even"', "2:1: workload.arrival", "no-choice"),
        ("[workload]\nspin = 1", "2:1: workload.spin", "wrong-type"),
        ("[workload]\nspin = true\nrate = 5", "3:1: workload.rate", "unknown"),
        ("[general]\nhit_rate_min = 1", "2:1: general.hit_rate_min", "unknown"),
        ("[workload.slo]\np99 = 1", "1:11: workload.slo", "unknown"),
        ("[get]\np99 = 1", "1:2: get", "unknown"),
        (TWO + "[connection]\nconnections = 2\n[workload.keyspace]\ncount = 1",
         "6:1: workload.keyspace.count", "server-without-keys"),
        (TWO.replace("b:1", "a:01") + "[connection]\nconnections = 2\n",
         "2:1: target.endpoints", "server-without-keys"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_place_and_what_would_be_right(
    tmp_path: Path, text: str, place_and_key: str, code: str
) -> None:
    assert found(tmp_path, text) == [(place_and_key, code)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("start_rate", "0"),
        ("start_rate", "2e8"),
        ("step_multiplier", "1"),
        ("sample_window", "0s"),
        ("stop_after_failures", "0"),
        ("max_rate", "0"),
        ("min_throughput_ratio", "1.1"),
        ("min_throughput_ratio", "-0.1"),
        ("bisect_tolerance", "2"),
        ("max_bisect_steps", "-1"),
    ],
)
def test_every_key_of_the_saturation_search_is_checked(tmp_path: Path, key: str, value: str) -> None:
    text = '[workload.saturation_search]\nslo = { p99 = "1ms" }'
    assert only_problem(tmp_path, text, f"workload.saturation_search.{key}={value}").startswith(
        f"--set: workload.saturation_search.{key}: "
    )


def test_values_at_their_bounds_are_accepted() -> None:
    load(None, ["workload.keyspace.length=4", "workload.keyspace.count=65536"])
    load(None, ["workload.values.length=536870912"])
    load(None, ["target.protocol=memcache", "workload.keyspace.length=250", "workload.values.length=1000MiB"])
    load(None, ["workload.commands={get=0, set=0, delete=1}", "general.warmup=0s", "workload.prefill_timeout=0s"])
    load(None, ["connection.pipeline_depth=65536", "general.seed=9007199254740991"])
    load(None, ['target.endpoints=["a:1", "b:1"]', "connection.connections=2"])


def test_a_contradiction_with_a_wrong_value_waits_until_that_is_right(tmp_path: Path) -> None:
    text = '[target]\nprotocol = "memcach"\npassword = "x"\n[workload.keyspace]\nlength = 251\n'
    assert only_problem(tmp_path, text).startswith("bench.toml:2:1: target.protocol: ")


def test_a_problem_names_the_flag_or_set_that_caused_it(tmp_path: Path) -> None:
    text = "[connection]\nconnections = 4\n"
    assert only_problem(tmp_path, text, "connection.connections=0").startswith("--set: connection.connections: ")
    assert only_problem(tmp_path, text, "connection.conections=1") == (
        "--set: connection.conections: unknown key; did you mean connections?"
    )
    flagged = only_problem(tmp_path, text, connection__connections=Flag("-c", 0))
    assert flagged == "-c: must be at least 1, not 0"
    unnamed = only_problem(tmp_path, text, connection__connections=0)
    assert unnamed.startswith("the command line: connection.connections: ")


@pytest.mark.parametrize(
    "override", ["", "x", "=", "duration=1s", "a b.c=1", "general.=1", "[x]\nc=1", "general.x=\udcff"]
)
def test_a_malformed_set_is_named_and_shown_how_to_write(override: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(None, [override])
    [problem] = error.value.problems
    assert problem.startswith("--set")
    problem.encode()


def test_set_below_a_value_is_refused_like_a_wrong_type() -> None:
    with pytest.raises(ConfigError, match=r"^--set: general\.threads: .*whole number"):
        load(None, ["general.threads.x=1"])


def test_a_password_is_not_repeated(tmp_path: Path) -> None:
    found = problems(tmp_path, "[target]\npassword = 12345678\nusername = 5\n")
    assert not any("12345678" in problem for problem in found)


def test_a_syntax_error_has_its_line_and_column(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, "[general]\nduration = 10s\n")
    assert problem.startswith("bench.toml:2:14: is not valid TOML: ")
    assert "needs quotes" in problem
    assert only_problem(tmp_path, "[a]\nb = [1,\n").startswith("bench.toml:")


def test_a_file_that_cannot_be_parsed_does_not_hide_the_command_lines_problems(tmp_path: Path) -> None:
    found = problems(tmp_path, "[general", "general.threads=0", "nonsense")
    assert [problem.split(" ")[0] for problem in found] == ["bench.toml:1:9:", "--set:", "--set"]


def test_a_byte_that_is_not_utf8_is_named_with_its_position(tmp_path: Path) -> None:
    assert only_problem(tmp_path, b"# caf\xe9\n[general]\n") == (
        "bench.toml: byte 5 (0xe9) is not UTF-8; save the file as UTF-8"
    )


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    for path, gist in ((tmp_path / "absent.toml", "there is no such file"), (tmp_path, "is a directory")):
        with pytest.raises(ConfigError) as error:
            load(path)
        assert len(error.value.problems) == 1
        assert error.value.problems[0].startswith(f"{path}: {gist}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.touch(mode=0o000)
    with pytest.raises(ConfigError, match="may not be read"):
        load(path)


@pytest.mark.parametrize("device", ["/proc/self/mem", "/dev/zero"])
def test_what_is_no_text_file_is_refused(device: str) -> None:
    if not Path(device).exists():
        pytest.skip(f"no {device} here")
    with pytest.raises(ConfigError) as error:
        load(Path(device))
    assert len(error.value.problems) == 1


def test_a_path_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(Path("a\0b"))


NESTED = "[" * 390 + "]" * 390


@pytest.mark.parametrize("override", ["a" + ".a" * 900 + "=1", f"a.b={NESTED}", f"general.threads={NESTED}"])
def test_hostile_nesting_in_set_is_refused_without_a_traceback(override: str) -> None:
    with pytest.raises(ConfigError, match=r"^--set (a|general)"):
        load(None, [override])


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5000, "a = " + "9" * 5000, "a" + ".a" * 3000 + " = 1", "a" + ".a" * 900 + " = 1", f"a = {NESTED}",
     "\x00"],
)  # fmt: skip
def test_hostile_toml_is_refused_without_a_traceback(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text)


SCALARS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.text(max_size=8),
    st.just([]),
    st.just({}),
    st.sampled_from(["1s", "resp", "ping", "memcache", "0-1", "127.0.0.1:1", "1%", "-1%", "+1%"]),
    st.lists(st.sampled_from(["serve", "{port}", "{prt}", "", "\0", "("]), max_size=3),
    st.lists(
        st.dictionaries(
            st.sampled_from(["for", "shape", "rate", "steps", "period", "width", "lasts"]),
            st.sampled_from(["1s", "2ms", 0, 1, 5.5, "ramp", "step", "sine", "burst", [0, 0], [1, 2], [1], "x", 10**9]),
        ),
        max_size=3,
    ),
)
KEYS = st.sampled_from(
    ["general.duration", "general.threads", "general.cpu_list", "general.seed", "general.x", "target.protocol",
     "target.endpoints", "target.tls", "connection.pool_size", "connection.connections", "connection.batch_size",
     "workload", "workload.rate_limit", "workload.set_on_miss", "workload.keyspace", "workload.keyspace.length",
     "workload.keyspace.count", "workload.commands.get", "workload.saturation_search", "workload.saturation_search.slo",
     "workload.saturation_search.start_rate", "admin.listen", "momento", "momento.ttl_seconds",
     "workload.phase", "workload.arrival", "workload.spin", "slo", "slo.p99",
     "slo.errors", "slo.get", "slo.get.hit_rate_min", "slo.set.timeouts", "verdict.lag", "verdict.lag_share",
     "target.server", "target.server.command", "target.server.env", "target.server.env.A", "target.server.log_patterns",
     "smoke.hit_rate", "compare", "compare.p99", "compare.rate", "gate.p99", "gate.throughput"]
)  # fmt: skip


@given(st.dictionaries(KEYS, SCALARS, max_size=5))
def test_whatever_is_given_either_loads_or_is_refused_in_sentences(flags: dict[str, object]) -> None:
    try:
        config = load(None, flags=flags)
        sentences = config.warnings
    except ConfigError as error:
        sentences = tuple(error.problems) or ("",)
    assert len(set(sentences)) == len(sentences)
    assert all(re.match(r"the command line: [A-Za-z_.\[\]0-9]+: .", sentence) for sentence in sentences)


@pytest.mark.parametrize("text", ["a:1", "a.b-c:65535", "_x:1", "127.0.0.1:6379", "[::1]:6379", "localhost:1", "a.:1"])
def test_every_kind_of_host_is_an_endpoint(text: str) -> None:
    assert str(parse_endpoint(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", ":", ":1", "a", "a:", "a:x", "a:-1", "a:1:2", "::1", "::1:6379", "[::1]", "[::1]6379", "[a]:1", "[::1:1",
     "-a:1", "a b:1", "127.1:1", "256.0.0.1:1", "redis://a:1", "a:٣", "a/b:1", "a..b:1", "a:99999999999"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r":6379|:1|65535"):
        parse_endpoint(text)
