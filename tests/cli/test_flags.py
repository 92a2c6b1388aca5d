"""Flags of several tools: the settings that they stand for, refused flags, and the table in docs/FLAGS.md."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from in_process import invoked, invoked_load
from places import ROOT
from real_servers import HOST, RealServer

from loadgen.cli import session
from loadgen.cli.flags import Flags, flags_of
from loadgen.cli.options import Given, parse
from loadgen.cli.options.load import REFUSED
from loadgen.cli.options.parse import HelpWanted
from loadgen.cli.verbs import compare, gate, run, saturate, smoke
from loadgen.config import Config, presets
from loadgen.errors import ConfigError, UsageError

TABLE = ROOT / "docs" / "FLAGS.md"


def given(*words: str) -> Given:
    return parse(run.SYNTAX, words)


def told(*words: str) -> Flags:
    return flags_of(given(*words))


def settings(*words: str) -> Config:
    return session.settings_of(given(*words), told(*words))


def complaint(*words: str) -> str:
    """The one line of a refusal."""
    done = invoked(*words)
    assert (done.status, done.stdout) == (2, ""), done
    [line] = done.stderr.splitlines()
    assert line.startswith("loadgen: ")
    return line.removeprefix("loadgen: ")


def rows() -> list[tuple[str, str]]:
    """Each row's words to try, and what they come to."""
    cells = [line.strip("| \n").split(" | ") for line in TABLE.read_text().splitlines() if line.startswith("|")][2:]
    return [(row[3].strip("`"), row[4]) for row in cells]


@pytest.mark.parametrize(("words", "outcome"), rows())
def test_every_row_of_the_table_is_true(words: str, outcome: str) -> None:
    if not outcome.startswith("`"):
        with pytest.raises(UsageError, match=re.escape(outcome)):
            settings(*shlex.split(words))
        return
    key, value = outcome.strip("`").split(" = ")
    found: object = settings(*shlex.split(words))
    for name in key.split("."):
        found = getattr(found, name)
    found = str(found).lower() if isinstance(found, bool) else found
    assert str(found[0] if isinstance(found, tuple) else found).removesuffix(".0") == value


@pytest.mark.parametrize("option", [option for option in REFUSED if option.refusal], ids=lambda o: o.spellings[-1])
def test_what_is_not_there_is_refused_by_the_name_that_was_typed(option) -> None:
    for spelling in option.spellings:
        with pytest.raises(UsageError, match=f"^{spelling}: ") as refusal:
            given(spelling, *(["/x/9"] if option.kind is not None else []))
        assert str(refusal.value).count("\n") == 0


# ── Requests, tests and mixes ───────────────────────────────────────────────────────────────────────────────────────


def test_a_number_of_requests_has_no_warm_up_and_no_duration_even_over_a_file() -> None:
    for words in (["-n", "5000"], ["quick-test", "-n", "5000"]):
        general = settings(*words).general
        assert (general.requests, general.warmup, general.duration) == (5000, 0, 0)
    general = settings("quick-test", "-n", "5000", "--warmup", "1s", "--duration", "3s").general
    assert (general.warmup, general.duration) == (10**9, 3 * 10**9)


def test_tests_have_redis_benchmarks_order_number_and_names() -> None:
    flags = told("-t", "GET, set,ping,get")
    assert [test.title for test in flags.tests] == ["PING_MBULK", "SET", "GET"]
    assert flags.keys["general.requests"].value == 100_000
    assert "general.requests" not in told("-t", "get", "--duration", "3s").keys
    # A file says itself how much of it there is.
    assert "general.requests" not in told("quick-test", "-t", "get").keys


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["-t", "lpush,get,sadd"],
            "-t: lpush and sadd are not there yet; there are ping, set, get, incr, mset and mget.",
        ),
        (["-t", "gte"], "did you mean get?"),
        (["-t", "sett"], "did you mean set?"),
        (["-t", ","], "names no test"),
        (["-t", "get", "--mix", "get=1"], "-t runs each test by itself, and --mix mixes commands"),
        (["-t", "ping", "-3"], "leave out -3"),
        (["--mix", "lpush=1"], 'there is no command "lpush" here'),
        (["--mix", "get=0"], "every weight is 0"),
        (["--mix", "80:20"], "is not a mix"),
    ],
)
def test_tests_and_mixes_that_are_none_are_refused(words: list[str], expected: str) -> None:
    with pytest.raises(UsageError, match=re.escape(expected)):
        told(*words)


def test_a_ratio_with_more_sets_than_gets_is_explained_and_another_is_not() -> None:
    assert told("--ratio", "80:20").remarks == (
        "--ratio 80:20: SET:GET, as in memtier; --mix set=80,get=20 is unambiguous",
    )
    assert told("--ratio", "1:10").remarks == ()
    assert settings("--ratio", "80:20").warnings[0].endswith("is unambiguous")


# ── memtier's arithmetic ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "connections", "requests"),
    [
        ("--clients 8 --requests 100", 8, 100),
        ("--clients 8 --requests 100 --ratio 1:1", 32, 3200),
        ("--clients 8 --requests 100 --threads 2 --server 127.0.0.1", 16, 1600),
        ("--clients 8 --requests 100 --threads 2 --hide-histogram", 16, 1600),
        ("-c 8 -n 100 --ratio 1:1", 8, 100),
        ("--requests 10 --threads 1 --ratio 1:1", 50, 500),
    ],
)
def test_memtier_counts_for_each_thread_only_in_memtiers_company(words: str, connections: int, requests: int) -> None:
    found = settings(*words.split())
    assert (found.connection.connections, found.general.requests) == (connections, requests)


# ── Which server ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "endpoint"),
    [
        ("-u redis://10.0.0.1", "10.0.0.1:6379"),
        ("-u valkey://u:p%40x@h:1/0", "h:1"),
        ("-u redis://[::1]:9", "[::1]:9"),
        ("-u memcached://h", "h:11211"),
        ("-u redis+unix:///run/r.sock?db=1", "unix:/run/r.sock"),
        ("-s /run/r.sock", "unix:/run/r.sock"),
        ("-s unix:/run/r.sock", "unix:/run/r.sock"),
        ("-S ./r.sock", "unix:./r.sock"),
        ("--unix-socket /run/m.sock --protocol memcache", "unix:/run/m.sock"),
        ("--server redis -p 7000", "redis:7000"),
        ("--server redis --test-time 1", "redis:6379"),
        ("memcache -h 10.0.0.1", "10.0.0.1:11211"),
    ],
)
def test_an_address_in_any_tools_words(words: str, endpoint: str) -> None:
    assert settings(*words.split()).target.endpoints == (endpoint,)


def test_a_uri_carries_the_user_and_the_password() -> None:
    target = settings("-u", "redis://u:p%40x@h:1").target
    assert (target.username, target.password) == ("u", "p@x")
    assert settings("-u", "redis://only@h").target.password == "only"
    assert settings("-u", "redis://u:p@h/3").target.database == 3
    assert settings("-u", "memcache://h").target.protocol == "memcache"
    assert settings("-u", "redis://h", "-3").target.protocol == "resp3"


@pytest.mark.parametrize("uri", ["http://h", "redis://h/x", "redis://h:x", "me"])
def test_a_uri_that_is_none_blames_u(uri: str) -> None:
    with pytest.raises((UsageError, ConfigError), match=r"^-u"):
        settings("-u", uri)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("-u redis://h:1 -p 2", "-u and -p"),
        ("-u redis://h:1 -s /x.sock", "-u and -s"),
        ("-s /x.sock -h h", "-s and -h"),
    ],
)
def test_two_addresses_are_a_contradiction_that_names_both(words: str, named: str) -> None:
    with pytest.raises(UsageError, match=f"^{named} each name the server"):
        settings(*words.split())
    with pytest.raises(UsageError, match=r"^--embedded and -u each name the server"):
        session.check_target(given("-u", "redis://h", "--embedded"), told("-u", "redis://h"))


def test_a_file_wins_over_a_preset_and_a_near_miss_is_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told("--server", "redis").target.file == presets.SERVERS.path("redis")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "redis").write_text("")
    assert told("--server", "redis").target.file == Path("redis")
    (tmp_path / "quick-test").write_text("[connection]\nconnections = 3\n")
    assert settings("quick-test").connection.connections == 3
    assert "did you mean redis?" in complaint("run", "--server", "rediss")


# ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("run --conections 5", "--conections: unknown option; did you mean --connections?"),
        ("run -p 99999", '-p: "99999" is not a port; ports are 1 to 65535.'),
        ("run --port 0", '--port: "0" is not a port; ports are 1 to 65535.'),
        ("run -c", "-c: needs a value (N)."),
        ("run -c 1.5", '-c: "1.5" is not a whole number'),
        ("run --format xml", "--format: must be one of clean, verbose, json, quiet, csv"),
        ("smok", "did you mean the verb smoke?"),
        ("rnu -p 1", "did you mean the verb run?"),
        ("run --confg x.toml", "--confg: unknown option; CONFIG is written without a flag before it."),
        ("run --show-confi", "--show-confi: unknown option; --help lists them."),
        ("quick-tset", "did you mean quick-test?"),
        ("run --format clea", 'not "clea"; did you mean clean?'),
        ("help runn", 'there is no verb "runn"; did you mean run?'),
        ("help nothing-like-it", 'there is no verb "nothing-like-it"; there are run, '),
        ("run -h 127.0.0.1:7000", "-h: the port has a flag of its own; write -h 127.0.0.1 -p 7000."),
        ("run --embedded -p 1", "--embedded and -p each name the server"),
        ("saturate -t get", "-t: a search has one mix"),
        ("compare -h x", "-h: a candidate is a word of its own"),
        ("run a.toml b.toml", "b.toml is one word too many"),
    ],
)
def test_an_error_is_one_line_that_blames_what_was_typed(words: str, expected: str) -> None:
    told = complaint(*words.split())
    assert expected in told
    assert not told.rstrip().endswith("?."), told


@pytest.mark.parametrize("verb", [run, saturate, smoke, compare, gate])
def test_h_without_a_value_asks_for_help_and_with_one_it_does_not(verb) -> None:
    for words in (["-h"], ["--help"]):
        with pytest.raises(HelpWanted):
            parse(verb.SYNTAX, words)
    assert given("-h", "x").host == "x"
    with pytest.raises(HelpWanted):
        given("-h", "-p", "1")


def test_values_may_be_written_together_with_their_flags_and_begin_with_a_dash() -> None:
    assert given("-p6380").port == given("--port=6380").port == 6380
    assert given("--password=-x").word("target.password").value == "-x"
    with pytest.raises(UsageError, match="--rate: "):
        given("--rate", "-5")


# ── Real runs ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_test_has_exactly_its_requests_and_a_result_of_its_own() -> None:
    with RealServer.redis() as server:
        # As pasted from redis-benchmark; keys of the prefix, and of no other.
        words = ["-h", HOST, "-p", str(server.port), "-c", "5", "-n", "1200", "-r", "50", "-t", "get,set,ping"]
        words += ["--key-prefix", "user:", "--format", "json", "--set", "verdict.lag=30s"]
        done = invoked("run", *words)
        calls = server.redis().info("commandstats")
        keys = server.redis().keys()
    results = [record for record in done.records if record["type"] == "result"]
    assert [result["test"] for result in results] == ["PING_MBULK", "SET", "GET"]
    assert [result["requests"] for result in results] == [1200, 1200, 1200]
    assert (calls["cmdstat_set"]["calls"], calls["cmdstat_get"]["calls"]) == (1200, 1200)
    assert keys
    assert all(re.fullmatch(rb"user:[0-9a-f]{16}", key) for key in map(_bytes, keys))


def _bytes(key: object) -> bytes:
    return key if isinstance(key, bytes) else str(key).encode()


def test_csv_has_redis_benchmarks_columns_and_a_row_for_each_test() -> None:
    done = invoked("run", "--embedded", "-n", "300", "-c", "2", "-t", "set,get", "--csv", "--set", "verdict.lag=30s")
    header, *lines = done.stdout.splitlines()
    assert header == (
        '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms",'
        '"max_latency_ms"'
    )
    assert [re.sub(r"[0-9]+", "9", line) for line in lines] == [
        '"SET","9.9","9.9","9.9","9.9","9.9","9.9","9.9"',
        '"GET","9.9","9.9","9.9","9.9","9.9","9.9","9.9"',
    ]


@pytest.mark.parametrize(("protocol", "server"), [("resp", RealServer.redis), ("memcache", RealServer.memcached)])
def test_keys_with_a_prefix_are_prefilled_and_found(protocol: str, server) -> None:
    with server() as there:
        words = ["--protocol", protocol, "--key-prefix", "x" * 40, "--keys", "64", "--prefill", "--mix", "get=1"]
        done = invoked_load(there.port, *words, "-n", "500")
    assert done.result["hits"] == 500
    assert done.result["misses"] == 0
